"""`python -m tests.hostile.attempt GOOD DIRECTORY…`: loads each tokenizer and renders a conversation with it.

Prints a JSON object a line: {"name", "outcome", "seconds"}, outcome being "loaded" or why not in a sentence; at last
{"baseline", "peak"} of this process and the largest of its template processes, in bytes.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import psutil

from app.core.errors import SentenceError
from app.core.generation.request import Message
from app.core.generation.templates import TemplateRenderer
from app.core.generation.tokenizer import load_tokenizer

TALK = (Message("user", "What is a shard?"),)


class Watch:
    """The most that this process and its children took together, looked at every few milliseconds."""

    def __init__(self) -> None:
        self.peak = 0
        self._stop = threading.Event()
        self._process = psutil.Process()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def look(self) -> None:
        total = self._process.memory_info().rss
        for child in self._process.children():
            try:
                total += child.memory_info().rss
            except psutil.Error:
                continue
        self.peak = max(self.peak, total)

    def close(self) -> int:
        self._stop.set()
        self._thread.join()
        return self.peak

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            self.look()


def attempt(directory: Path) -> str:
    try:
        tokenizer = load_tokenizer(directory, TemplateRenderer(render_s=1.5))
        try:
            tokenizer.render(TALK)
            tokenizer.encode("What is a shard?")
        finally:
            tokenizer.close()
    except SentenceError as error:
        return str(error)
    return "loaded"


def main() -> int:
    good, *directories = map(Path, sys.argv[1:])
    watch = Watch()
    outcome = attempt(good)
    watch.look()
    baseline = watch.peak
    for directory in directories:
        began = time.monotonic()
        outcome = attempt(directory)
        print(json.dumps({"name": directory.name, "outcome": outcome, "seconds": time.monotonic() - began}), flush=True)
    print(json.dumps({"baseline": baseline, "peak": watch.close()}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
