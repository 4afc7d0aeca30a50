"""What a run saw, and whether it is as promised."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

DETECTION_S = 3.0
WORK_S = 30.0  # generous: the machine is shared


@dataclass(slots=True)
class Strike:
    """One fault as it went."""

    words: str
    hold_s: float
    at: float
    noticed_s: float | None = None
    longest_wait_s: float = 0.0
    how: str = "undisturbed"


@dataclass(slots=True)
class Ledger:
    """Takes the driver's lines. failures: what broke a promise, in words."""

    names: tuple[str, ...]
    strikes: list[Strike] = field(default_factory=list[Strike])
    failures: list[str] = field(default_factory=list[str])
    exact: int = 0
    tokens: int = 0
    recovered: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])
    states: dict[str, str] = field(default_factory=dict[str, str])
    placement: str = ""
    last: dict[str, float] = field(default_factory=dict[str, float])  # of each answer under way
    restarted_at: float = 0.0  # when the controller was killed, until its next token
    story: list[str] = field(default_factory=list[str])  # the latest lines, for a failure
    milestones: Counter[str] = field(default_factory=Counter[str])

    def take(self, line: dict[str, Any]) -> None:
        kind, at = line["kind"], line["at"]
        if kind != "token":
            self.story = [*self.story[-300:], f"{at:.2f} { ({k: v for k, v in line.items() if k != 'at'}) }"]
        name = line.get("name", "")
        if kind == "asked":
            self.last[name] = at
        elif kind == "token":
            self.tokens += 1
            self._waited(name, at)
        elif kind == "note":
            self._noted(line, at)
        elif kind == "end":
            self.last.pop(name, None)
            self._ended(line)
        elif kind == "refused":
            self.last.pop(name, None)
            self.errors[line["why"]] += 1
            self.fail(f"an answer was refused: {line['why']}")
        elif kind == "state":
            self.states |= line["changed"]
            self.placement = line["placement"]
            if any(state != "READY" for state in line["changed"].values()):
                self._notice(at)
        elif kind == "log":
            if line["level"] != "INFO" or "has come" in line["message"] or "said nothing" in line["message"]:
                self._notice(at)
        else:
            self.milestones[kind] += 1
            self.placement = line.get("placement", self.placement)

    def strike(self, words: str, hold_s: float) -> Strike:
        self.strikes.append(Strike(words, hold_s, time.monotonic()))
        self.story.append(f"{time.monotonic():.2f} STRIKE {words} for {hold_s} s")
        return self.strikes[-1]

    def fail(self, what: str) -> None:
        during = self.strikes[-1].words if self.strikes else "no fault"
        self.failures.append(f"{what} [fault {len(self.strikes)}: {during}]")

    def controller_died(self) -> None:
        """Its answers died with it."""
        self.restarted_at = self.strikes[-1].at
        self.last.clear()
        self.states.clear()

    def well(self) -> bool:
        """Every machine and the deployment."""
        return len(self.states) == len(self.names) + 1 and set(self.states.values()) == {"READY"}

    def flowing(self, since: float) -> bool:
        """Whether every answer under way had a token since then, and there are some."""
        return bool(self.last) and all(at > since for at in self.last.values())

    def stuck(self, now: float, hold_s: float) -> list[str]:
        limit = DETECTION_S + hold_s + WORK_S
        return [name for name, at in self.last.items() if now - at > limit]

    def used(self) -> list[int]:
        """The numbers of machines with a stage, in order."""
        nodes = [part.split("=")[0] for part in self.placement.split(",") if part]
        return [self.names.index(node) for node in nodes if node in self.names]

    def _waited(self, name: str, at: float) -> None:
        wait = at - self.last.get(name, at)
        self.last[name] = at
        if self.restarted_at:
            wait, self.restarted_at = at - self.restarted_at, 0.0
            self.strikes[-1].how = "its answers ended with it, others began"
        if self.strikes and at > self.strikes[-1].at:
            self.strikes[-1].longest_wait_s = max(self.strikes[-1].longest_wait_s, wait)

    def _noted(self, line: dict[str, Any], at: float) -> None:
        if line["note"] == "continued":
            self.recovered += 1
            if self.strikes:
                self.strikes[-1].how = line["message"]
        elif line["note"] == "stage_lost":
            self._notice(at)

    def _notice(self, at: float) -> None:
        if self.strikes and self.strikes[-1].noticed_s is None and at >= self.strikes[-1].at:
            self.strikes[-1].noticed_s = at - self.strikes[-1].at

    def _ended(self, line: dict[str, Any]) -> None:
        if line["exact"]:
            self.exact += 1
            return
        said = " ".join(line["said"]) or f"it ended by {line['reason']!r}, {line['tokens']} of {line['asked']} tokens"
        self.errors[said] += 1
        if not line["right"]:
            self.fail(f"an answer has another text than mlx-lm's, after {line['tokens']} tokens")
        else:
            self.fail(f"an answer ended early: {said}")
