"""What this agent unloaded because its controller was away for too long: told to that controller when it is back.

It lies on the disk beside the agent's other facts, so that a restart of the agent, and `shardd status`, know it too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from shardd.host import atomic_write, format_duration, read_file
from shardd.host.silence import Silence

MOST = 64  # of all controllers together
_NAME = "released.json"
_LARGEST = 1 << 16

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReleasedStage:
    """One stage that was unloaded. controller: fingerprint. at: seconds since 1970. away_s: how long it had been
    away."""

    controller: str
    stage_id: str
    epoch: int
    model: str
    first: int
    last: int
    stage_index: int
    stage_count: int
    at: float
    away_s: float

    def sentence(self, who: str) -> str:
        """who: what the controller is called there."""
        layers = f"Layer {self.first}" if self.first == self.last else f"Layers {self.first} to {self.last}"
        away = format_duration(self.away_s)
        return (
            f"{layers} of {self.model} {'was' if self.first == self.last else 'were'} unloaded, because {who} was away "
            f"for {away}. The shard is still on the disk."
        )


class Released:
    """data: the agent's folder. A disk that refuses to be written costs the note on it, nothing else."""

    def __init__(self, data: Path) -> None:
        self._file = data / _NAME
        self._stages = read_released(data)

    def of(self, controller: str) -> tuple[ReleasedStage, ...]:
        return tuple(stage for stage in self._stages if stage.controller == controller)

    def note(self, stages: Iterable[ReleasedStage]) -> None:
        """In place of what was noted of these controllers before."""
        fresh = tuple(stages)
        others = [stage for stage in self._stages if stage.controller not in {each.controller for each in fresh}]
        self._put((*others, *fresh)[-MOST:])

    def forget(self, controller: str) -> None:
        """It has deployed again, or is trusted no longer."""
        if self.of(controller):
            self._put(tuple(stage for stage in self._stages if stage.controller != controller))

    def forget_stage(self, controller: str, stage_id: str) -> bool:
        """It knows of this one and wants nothing of it any more; whether it was noted."""
        rest = tuple(each for each in self._stages if (each.controller, each.stage_id) != (controller, stage_id))
        noted = len(rest) < len(self._stages)
        if noted:
            self._put(rest)
        return noted

    def hand_over(self, former: str, controller: str) -> None:
        if self.of(former):
            self._put(
                tuple(
                    replace(stage, controller=controller) if stage.controller == former else stage
                    for stage in self._stages
                )
            )

    def _put(self, stages: tuple[ReleasedStage, ...]) -> None:
        self._stages = stages
        try:
            if stages:
                atomic_write(self._file, json.dumps([asdict(stage) for stage in stages]).encode())
            else:
                self._file.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._file.name, error.strerror or error)


def read_released(data: Path) -> tuple[ReleasedStage, ...]:
    """What an agent on this folder noted; nothing where that cannot be read."""
    try:
        rows = cast("list[dict[str, Any]]", json.loads(read_file(data / _NAME, _LARGEST)))
        return tuple(_stage(row) for row in rows[:MOST])
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return ()


def _stage(row: Mapping[str, Any]) -> ReleasedStage:
    words = [str(row[name]) for name in ("controller", "stage_id", "model")]
    numbers = [int(row[name]) for name in ("epoch", "first", "last", "stage_index", "stage_count")]
    controller, stage_id, model = words
    epoch, first, last, index, count = numbers
    at, away_s = float(row["at"]), float(row["away_s"])
    return ReleasedStage(controller, stage_id, epoch, model, first, last, index, count, at, away_s)


class Absences:
    """How long each controller that has something loaded here has let nothing be heard. Time in which this machine
    slept or this process stood still is nobody's absence. after_s: when it is too long; 0: never."""

    def __init__(self, after_s: float, silence: Callable[[], Silence] = Silence) -> None:
        self._after_s = after_s
        self._silence = silence
        self._silences: dict[str, Silence] = {}

    def look(self, deployers: Iterable[str], heard: Iterable[str]) -> dict[str, float]:
        """To be called at every tick: the controllers that have been away for too long, and for how many seconds.

        deployers: whose stages are loaded here. heard: of whom there was word since the last tick.
        """
        if not self._after_s:
            return {}
        present, there = set(heard), set(deployers)
        self._silences = {each: self._silences.get(each) or self._silence() for each in there}
        away: dict[str, float] = {}
        for each, silence in self._silences.items():
            if each in present:
                silence.heard()
            elif (seconds := silence.look()) >= self._after_s:
                away[each] = seconds
        return away
