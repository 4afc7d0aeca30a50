"""Words and figures of the chat, without Qt: footers, meters, reasons, and how long text is made safe to lay out.

Everything here is a pure function. A figure that was not measured is left out, never shown as zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.core.chat.conversation import Figures, Problem, title_of
from app.core.errors import SentenceError
from app.core.snapshot import DeploymentState, DeploymentView
from app.core.text import joined, phrase
from app.ui import words as figure_words

__all__ = ["Figures", "Problem", "title_of"]

RENDER_LIMIT_BYTES = 64_000
RUN_LIMIT = 2000  # characters without a break that Qt still lays out quickly

_LONG_RUN = re.compile(rf"\S{{{RUN_LIMIT + 1},}}")


def count(number: int) -> str:
    return f"{number:,}"


def plural(number: int, word: str) -> str:
    return figure_words.count(number, word)


def duration(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 9999.5 else f"{ms / 1000:,.1f} s"


def figures_line(figures: Figures) -> str:
    """ "21.3 tok/s · first token 412 ms · 186 tokens · 3 stages"; whatever was not measured is missing."""
    parts: list[str] = []
    if figures.tokens_per_s is not None:
        parts.append(f"{figures.tokens_per_s:,.1f} tok/s")
    if figures.first_token_ms is not None:
        parts.append(phrase("first token {first_token_ms}", first_token_ms=duration(figures.first_token_ms)))
    if figures.completion_tokens is not None:
        parts.append(plural(figures.completion_tokens, "token"))
    if figures.stages:
        parts.append(plural(figures.stages, "stage"))
    return joined(parts, " · ")


def shares_line(shares: Sequence[tuple[str, float]]) -> str:
    """ "Of each token: studio-a 31 % · mini-1 60 % · elsewhere 9 %"; "" where nothing was measured."""
    if not shares:
        return ""
    parts = [f"{node} {100 * share:.0f} %" for node, share in shares]
    rest = 1 - sum(share for _, share in shares)
    if rest >= 0.005:
        parts.append(phrase("elsewhere {rest:.0f} %", rest=100 * rest))
    return phrase("Of each token: {shares}", shares=joined(parts, " · "))


def queued_line(place: int) -> str:
    return phrase("Waiting for memory that other answers hold: place {place} in the queue", place=place)


def left_line(messages: int) -> str:
    """What is said of messages that were not sent, where the context is full."""
    if messages == 1:
        return phrase("The oldest message was not sent: the context is full.")
    return phrase("The {messages:,} oldest messages were not sent: the context is full.", messages=messages)


def thinking_title(thought: str, still: bool) -> str:
    words = len(thought.split())
    if not words:
        return phrase("Thinking…")
    return joined((phrase("Thinking…") if still else phrase("Thoughts"), plural(words, "word")), " · ")


def prefill_line(done: int, total: int) -> str:
    if total <= 0:
        return phrase("Reading the prompt…")
    return phrase(
        "Reading the prompt: {count} of {tokens}", count=count(min(done, total)), tokens=plural(total, "token")
    )


def context_line(used: int | None, limit: int, bare: bool = False) -> str:
    """The meter's text; "" hides it. `limit` is 0 while nothing is deployed. bare: without the word."""
    tokens = count if bare else _tokens
    if used is None:
        return joined(("–", tokens(limit)), " / ") if limit else ""
    if not limit:
        return tokens(used) if used else ""
    return joined((count(used), tokens(limit)), " / ")


def _tokens(number: int) -> str:
    return plural(number, "token")


def context_nearly_full(used: int | None, limit: int) -> bool:
    return used is not None and limit > 0 and used >= limit * 0.9


def context_full(used: int | None, limit: int) -> bool:
    return used is not None and 0 < limit <= used


def deployment_obstacle(deployment: DeploymentView) -> str:
    """Why no answer can be asked for; "" when one can."""
    match deployment.state:
        case DeploymentState.READY:
            return ""
        case DeploymentState.NONE:
            return phrase("Deploy a model first.")
        case DeploymentState.DEPLOYING:
            return phrase("The model is being deployed.")
        case DeploymentState.FAILED:
            return joined((phrase("The deployment failed."), deployment.text))


def send_obstacle(deployment: DeploymentView, writing: bool, draft: str, attached: bool = False) -> str:
    """Why Send is disabled; "" when it is not."""
    if writing:
        return phrase("An answer is being written.")
    return deployment_obstacle(deployment) or ("" if draft.strip() or attached else phrase("Write a message first."))


def stop_obstacle(writing: bool) -> str:
    return "" if writing else phrase("No answer is being written.")


def problem_of(error: BaseException) -> Problem:
    """An exception in words. Cause and remedy where it has them."""
    if isinstance(error, SentenceError):
        return Problem(error.cause, error.remedy)
    words = str(error).strip()
    name = type(error).__name__
    cause = phrase("The answer could not be made: {words}.", words=(words or name).rstrip("."))
    return Problem(cause, phrase("The activity log may say more."))


def break_runs(text: str, separator: str = "\u200b") -> str:
    """Puts a break into every run of more than 2,000 characters: Qt takes seconds to lay such a run out."""
    if len(text) <= RUN_LIMIT:
        return text

    def cut(match: re.Match[str]) -> str:
        run = match.group()
        return separator.join(run[at : at + RUN_LIMIT] for at in range(0, len(run), RUN_LIMIT))

    return _LONG_RUN.sub(cut, text)


def break_lines(text: str) -> str:
    """As break_runs for text that is not wrapped: no line is longer than 2,000 characters."""
    if len(text) <= RUN_LIMIT:
        return text
    return "\n".join(
        "\n".join(line[at : at + RUN_LIMIT] for at in range(0, len(line), RUN_LIMIT)) or "" for line in text.split("\n")
    )


def cap(text: str, limit: int = RENDER_LIMIT_BYTES) -> tuple[str, bool]:
    """The part of a message that is rendered, cut at a line where there is one, and whether anything was cut."""
    if len(text) * 4 <= limit:
        return text, False
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text, False
    head = data[:limit].decode("utf-8", "ignore")
    line = head.rfind("\n")
    return (head[: line + 1] if line > limit // 2 else head), True
