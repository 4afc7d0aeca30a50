"""The process in which chat templates run: `python -m app.core.generation.template_child`.

A template is a program from the net. Jinja's sandbox keeps it from everything but its own data, but it may loop for
ever or fill the memory: so it runs here, where its parent can end it. One JSON object a line on stdin, one on stdout:

    {"template", "messages", "continue_last", "names": {…}}  ->  {"text"} or {"error"}
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import secrets
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

ADDRESS_SPACE_BYTES = 1 << 30
LONGEST_TEXT = 16 << 20


class _Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}`, which marks for training what an assistant said; here it is only text."""

    tags = {"generation"}  # noqa: RUF012  # as Jinja wants it

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return list(parser.parse_statements(("name:endgeneration",), drop_needle=True))


class _Namespace(jinja2.utils.Namespace):
    """Jinja's, but no name in it begins with an underscore."""

    def __init__(*args: Any, **names: Any) -> None:
        own, *rest = args
        values = dict(*rest, **names)
        for name in values:
            _Namespace._check(name)
        jinja2.utils.Namespace.__init__(own, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _Namespace._check(name)  # self.… would look among the namespace's own names
        super().__setitem__(name, value)

    @staticmethod
    def _check(name: object) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"{name!r} cannot be set")


class _Dictionary:
    """`dict` as templates may call it, without the class and all that hangs on it."""

    def __call__(self, *values: Any, **names: Any) -> dict[Any, Any]:
        return dict(*values, **names)

    def fromkeys(self, *values: Any) -> dict[Any, Any]:
        return dict.fromkeys(*values)


def environment() -> ImmutableSandboxedEnvironment:
    """What templates for transformers may rely on."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    made.filters["tojson"] = _to_json
    names: dict[str, Any] = {
        "raise_exception": _refuse,
        "strftime_now": _now,
        "dict": _Dictionary(),
        "namespace": _Namespace,
    }
    made.globals.update(names)
    return made


def _to_json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    """Jinja's own escapes HTML, which a model has not seen in its training."""
    known = {name: options[name] for name in ("indent", "separators", "sort_keys") if name in options}
    return json.dumps(value, ensure_ascii=ensure_ascii, **known)


def _now(form: str) -> str:
    return datetime.now().strftime(form)


def _refuse(message: object) -> NoReturn:
    raise jinja2.exceptions.TemplateError(str(message))


def render(order: dict[str, Any], compiled: Callable[[str], jinja2.Template]) -> str:
    """The text of a conversation; with continue_last the last message is left open at its end.

    Raises:
        jinja2.TemplateError and whatever else a template may raise.
    """
    messages: list[dict[str, Any]] = order["messages"]
    carried_on: bool = order["continue_last"]
    mark = secrets.token_hex(16) + " "  # whether its space is still there tells whether the template trims
    if carried_on:
        messages[-1]["content"] += mark
    text = compiled(order["template"]).render(
        messages=messages, tools=None, documents=None, add_generation_prompt=not carried_on, **order["names"]
    )
    if carried_on:
        at = text.rfind(mark.strip())
        if at < 0:
            raise ValueError("it leaves out the end of the message that is to be continued")
        text = text[:at] if text.startswith(mark, at) else text[:at].rstrip()
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"it made {len(text)} characters")
    return text


def main() -> int:
    with contextlib.suppress(OSError, ValueError):  # not every system knows this limit; the parent looks as well
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever else prints does not disturb the answers
    made = environment()
    cache: dict[str, jinja2.Template] = {}

    def compiled(text: str) -> jinja2.Template:
        if text not in cache:
            cache.clear()
            cache[text] = made.from_string(text)
        return cache[text]

    for line in sys.stdin.buffer:
        try:
            reply = {"text": render(json.loads(line), compiled)}
        except Exception as error:  # templates raise what they like
            reply = {"error": f"{type(error).__name__}: {str(error)[:500]}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
