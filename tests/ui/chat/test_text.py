"""The chat's words and figures, as tables."""

from __future__ import annotations

import pytest

from app.core.errors import ShardboardError
from app.core.snapshot import DeploymentState, DeploymentView
from app.ui.chat import text as words
from app.ui.chat.text import Figures
from shardd.model.errors import ModelError


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (Figures(), ""),
        (Figures(21.34, 412.4, 186, 40, 3), "21.3 tok/s · first token 412 ms · 186 tokens · 3 stages"),
        (Figures(None, 80.0, 1, 40, 1), "first token 80 ms · 1 token · 1 stage"),
        (Figures(None, 12_345.0, None, None, None), "first token 12.3 s"),
        (Figures(1234.56, None, 12_000, None, 0), "1,234.6 tok/s · 12,000 tokens"),
    ],
)
def test_figures_line(figures: Figures, line: str) -> None:
    assert words.figures_line(figures) == line


@pytest.mark.parametrize(
    ("done", "total", "line"),
    [
        (512, 1840, "Reading the prompt: 512 of 1,840 tokens"),
        (0, 1, "Reading the prompt: 0 of 1 token"),
        (9, 0, "Reading the prompt…"),
        (2000, 1840, "Reading the prompt: 1,840 of 1,840 tokens"),
    ],
)
def test_prefill_line(done: int, total: int, line: str) -> None:
    assert words.prefill_line(done, total) == line


@pytest.mark.parametrize(
    ("used", "limit", "line", "nearly"),
    [
        (1284, 8192, "1,284 / 8,192 tokens", False),
        (0, 8192, "0 / 8,192 tokens", False),
        (None, 8192, "– / 8,192 tokens", False),
        (8000, 8192, "8,000 / 8,192 tokens", True),
        (77, 0, "77 tokens", False),
        (None, 0, "", False),
        (0, 0, "", False),
    ],
)
def test_context_line(used: int | None, limit: int, line: str, nearly: bool) -> None:
    assert words.context_line(used, limit) == line
    assert words.context_nearly_full(used, limit) is nearly


def deployment(state: DeploymentState, text: str = "") -> DeploymentView:
    return DeploymentView(state, text, 1, "tiny", None, 4096)


@pytest.mark.parametrize(
    ("state", "writing", "draft", "reason"),
    [
        (DeploymentState.NONE, False, "hello", "Deploy a model first."),
        (DeploymentState.DEPLOYING, False, "hello", "The model is being deployed."),
        (DeploymentState.FAILED, False, "hello", "The deployment failed. mini-1 is lost."),
        (DeploymentState.READY, False, "hello", ""),
        (DeploymentState.READY, False, " \n", "Write a message first."),
        (DeploymentState.READY, True, "hello", "An answer is being written."),
    ],
)
def test_send_obstacle(state: DeploymentState, writing: bool, draft: str, reason: str) -> None:
    assert words.send_obstacle(deployment(state, "mini-1 is lost."), writing, draft) == reason


def test_problem_of_keeps_cause_and_remedy() -> None:
    assert words.problem_of(ShardboardError("mini-1 is asleep.", "Wake it.")) == words.Problem(
        "mini-1 is asleep.", "Wake it."
    )
    assert words.problem_of(ModelError("No template.", "Use another.")).remedy == "Use another."
    assert "boom" in words.problem_of(RuntimeError("boom.")).cause
    assert "TimeoutError" in words.problem_of(TimeoutError()).cause


def test_long_runs_are_broken_and_nothing_is_lost() -> None:
    run = "a" * 5000
    broken = words.break_runs(f"x {run} y")
    assert broken.replace("\u200b", "") == f"x {run} y"
    assert max(len(piece) for piece in broken.replace("\u200b", " ").split()) == words.RUN_LIMIT
    assert words.break_runs("a" * 2000) == "a" * 2000
    assert [len(line) for line in words.break_lines("b" * 4001 + "\nc").split("\n")] == [2000, 2000, 1, 1]


@pytest.mark.parametrize("text", ["short", "ü" * 32_000, "a\n" * 32_000])
def test_cap_leaves_what_fits(text: str) -> None:
    assert words.cap(text) == (text, False)


def test_cap_cuts_at_a_line_or_a_whole_character() -> None:
    head, cut = words.cap("line of text\n" * 6000)
    assert cut and head.endswith("\n") and len(head.encode()) <= words.RENDER_LIMIT_BYTES
    head, cut = words.cap("€" * 30_000)
    assert cut and set(head) == {"€"}


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("Hello\nthere", "Hello there"),
        (
            "How does splitting a model across several Macs change the latency?",
            "How does splitting a model across several Macs…",
        ),
        ("x" * 80, "x" * 47 + "…"),
        ("   ", ""),
    ],
)
def test_title_of(message: str, title: str) -> None:
    assert words.title_of(message) == title
