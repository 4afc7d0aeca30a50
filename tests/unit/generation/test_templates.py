"""Chat templates in their own process: the same text as transformers makes, and an end to every harm."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.generation.templates import TemplateRefused, TemplateRenderer

TALK = ({"role": "user", "content": "Hi <b> "}, {"role": "assistant", "content": "é"}, {"role": "user", "content": "y"})
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "enable_thinking": True}
ROLES = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}{% if add_generation_prompt %}[go]{% endif %}"


@pytest.fixture
def renderer() -> Iterator[TemplateRenderer]:
    made = TemplateRenderer(render_s=1.5)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("template", "continue_last", "text"),
    [
        (ROLES, False, "[user]Hi <b> [assistant]é[user]y[go]"),
        (ROLES, True, "[user]Hi <b> [assistant]é[user]y"),
        ("{{ messages|tojson|length > 9 }}{{ bos_token }}", False, "True<s>"),
        ("{% generation %}a{% endgeneration %}", False, "a"),
        ("{% set n = namespace(a=1) %}{% set n.a = n.a + 1 %}{{ n.a }}", False, "2"),
        ("{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}x{% endfor %}", False, "x"),
    ],
)
def test_what_templates_may_rely_on(renderer: TemplateRenderer, template: str, continue_last: bool, text: str) -> None:
    assert renderer.render(template, TALK, NAMES, continue_last) == text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "did not come to an end"),
        ("{{ 9 ** (9 ** 9) }}", "did not come to an end"),
        ("{% set n = namespace(x='a' * 99) %}{% for a in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "emory"),
        ("{{ raise_exception('not so') }}", "not so"),
        ("{{ ().__class__.__base__.__subclasses__() }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "refused"),
        ("a" * (1 << 20) + "a", "larger than any template"),
    ],
)
def test_harm_is_ended_and_the_next_conversation_goes_on(renderer: TemplateRenderer, template: str, words: str) -> None:
    with pytest.raises(TemplateRefused, match=words):
        renderer.render(template, TALK, NAMES, False)
    assert renderer.render(ROLES, TALK[-1:], NAMES, False) == "[user]y[go]"


def test_a_long_conversation_is_no_harm(renderer: TemplateRenderer) -> None:
    long = [{"role": "user", "content": "word " * 200_000}]
    assert len(renderer.render(ROLES, long, NAMES, False)) > 1_000_000


def test_the_same_text_as_transformers(renderer: TemplateRenderer, shared: Path) -> None:
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers.utils.chat_template_utils import render_jinja_template

    compared = 0
    for path in sorted((shared / "templates").glob("*.jinja")):
        template = path.read_text()
        try:
            texts, _ = render_jinja_template([list(TALK)], chat_template=template, add_generation_prompt=True, **NAMES)
        except Exception:  # it refuses this conversation
            continue
        assert renderer.render(template, TALK, NAMES, False) == texts[0], path.name
        compared += 1
    assert compared >= 10
