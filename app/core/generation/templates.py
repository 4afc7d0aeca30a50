"""Rendering chat templates where they can do no harm: in a child process with a time limit and a memory limit."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import IO, Any

from app.core.errors import ShardboardError
from app.core.generation.limits import LARGEST_TEMPLATE
from app.core.text import phrase
from shardd.host import rss_of

RENDER_S = 5.0
START_S = 20.0
MEMORY_BYTES = 48 << 20  # beyond what the process takes when it is idle
LOOK_S = 0.01
ANOTHER_MODEL = phrase("Choose another model, or a newer version of this one.")


class TemplateRefused(ShardboardError):
    """A chat template failed, did not end, or wanted too much memory."""


class TemplateRenderer:
    """Starts its process with the first render, and again after a template was ended. Safe in several threads, which
    wait for each other. close() ends the process; so does the end of this one."""

    def __init__(self, render_s: float = RENDER_S, memory_bytes: int = MEMORY_BYTES) -> None:
        self._render_s = render_s
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._finish: weakref.finalize[..., Any] | None = None

    def render(
        self, template: str, messages: Sequence[Mapping[str, Any]], names: Mapping[str, Any], continue_last: bool
    ) -> str:
        """The text of a conversation. names: what else the template sees. Raises TemplateRefused. Blocks."""
        if len(template) > LARGEST_TEMPLATE:
            raise TemplateRefused(
                phrase("The model's chat template is larger than any template needs to be."), ANOTHER_MODEL
            )
        order = {"template": template, "messages": messages, "names": names, "continue_last": continue_last}
        line = json.dumps(order).encode() + b"\n"
        with self._lock:
            child = self._ready()
            try:
                reply = child.ask(line, self._render_s, self._memory_bytes)
            except TemplateRefused:
                self._end()
                raise
        if "text" not in reply:
            raise TemplateRefused(
                phrase("The model's chat template refused this conversation: {reply}.", reply=reply["error"])
            )
        return str(reply["text"])

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ready(self) -> _Child:
        if self._child is None or not self._child.alive:
            self._end()
            self._child = _Child()
            self._finish = weakref.finalize(self, self._child.end)
        return self._child

    def _end(self) -> None:
        if self._finish is not None:
            self._finish()
        self._child = self._finish = None


class _Child:
    """The process, and its answers line by line."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.core.generation.template_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)
        self._idle_bytes = 0

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, line: bytes, seconds: float, memory_bytes: int) -> dict[str, Any]:
        """Raises TemplateRefused; the process must then be ended."""
        if not self._idle_bytes:
            empty = {"template": "", "messages": [], "names": {}, "continue_last": False}
            self._talk(json.dumps(empty).encode() + b"\n", START_S, 0)
            self._idle_bytes = rss_of(self._process.pid) or 1
        # The conversation itself is there a few times: as a line, as objects and as text.
        return self._talk(line, seconds, self._idle_bytes + memory_bytes + 8 * len(line))

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._stdin, self._stdout):
            try:
                pipe.close()
            except OSError:  # what was not written yet is of no use now
                continue

    def _talk(self, line: bytes, seconds: float, most_bytes: int) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        unsent, reply = memoryview(line), bytearray()
        while not reply.endswith(b"\n"):
            writers = [self._stdin] if unsent else []
            readable, writable, _ = select.select([self._stdout], writers, [], LOOK_S)
            try:
                if writable:
                    unsent = unsent[os.write(self._stdin.fileno(), unsent[: 1 << 16]) :]
                if readable:
                    part = os.read(self._stdout.fileno(), 1 << 20)
                    if not part:
                        raise TemplateRefused(
                            phrase("The model's chat template wanted too much memory."), ANOTHER_MODEL
                        )
                    reply += part
            except BrokenPipeError:
                raise TemplateRefused(phrase("The model's chat template could not be run."), ANOTHER_MODEL) from None
            if most_bytes and (rss_of(self._process.pid) or 0) > most_bytes:
                raise TemplateRefused(phrase("The model's chat template wanted too much memory."), ANOTHER_MODEL)
            if time.monotonic() > deadline:
                raise TemplateRefused(phrase("The model's chat template did not come to an end."), ANOTHER_MODEL)
        answer: dict[str, Any] = json.loads(reply)
        return answer
