"""Turns and conversations as JSON can hold them, and back. What is read may come from anywhere: it is checked, and
what cannot be understood is left out or refused in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, cast

from app.core.chat.conversation import ROOT, Attachment, Figures, Problem, Turn

ROLES: Final = ("user", "assistant")


def facts_of(turn: Turn) -> dict[str, Any]:
    """All of a turn but its role and text."""
    facts: dict[str, Any] = {"follows": turn.follows}
    if turn.attachments:
        facts["attachments"] = [asdict(each) for each in turn.attachments]
    if turn.role == "assistant":
        facts |= {
            "figures": asdict(turn.figures),
            "outcome": turn.outcome,
            "problem": asdict(turn.problem) if turn.problem else None,
            "note": turn.note,
        }
    return facts


def turn_from(role: str, text: str, facts: Mapping[str, Any], number: int) -> Turn:
    """The turn of this number; without a word about what it follows, it follows the one before it."""
    follows = facts.get("follows", number - 1)
    sound = isinstance(follows, int) and not isinstance(follows, bool) and ROOT <= follows < number
    return Turn(
        role,
        text,
        _figures(facts.get("figures")),
        str(facts.get("outcome") or ""),
        _problem(facts.get("problem")),
        str(facts.get("note") or ""),
        _attachments(facts.get("attachments")),
        cast("int", follows) if sound else number - 1,
    )


def _figures(found: object) -> Figures:
    plain = _mapping(found)
    shares: list[tuple[str, float]] = []
    for each in _list(plain.get("shares")):
        pair = list(cast("Any", each)) if isinstance(each, list | tuple) else []
        share = _number(pair[1]) if len(pair) == 2 else None
        if share is not None:
            shares.append((str(pair[0]), share))
    return Figures(
        _number(plain.get("tokens_per_s")),
        _number(plain.get("first_token_ms")),
        _count(plain.get("completion_tokens")),
        _count(plain.get("prompt_tokens")),
        _count(plain.get("stages")),
        tuple(shares),
    )


def _problem(found: object) -> Problem | None:
    plain = _mapping(found)
    return Problem(str(plain["cause"]), str(plain.get("remedy") or "")) if plain.get("cause") else None


def _attachments(found: object) -> tuple[Attachment, ...]:
    taken = [_mapping(each) for each in _list(found)]
    return tuple(
        Attachment(str(each.get("name") or "file"), str(each["text"]))
        for each in taken
        if isinstance(each.get("text"), str)
    )


def _mapping(found: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _list(found: object) -> list[object]:
    return cast("list[object]", found) if isinstance(found, list) else []


def _number(found: object) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float) or abs(found) > 1e15 or not math.isfinite(found):
        return None
    return float(found)


def _count(found: object) -> int | None:
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 1 << 53 else None
