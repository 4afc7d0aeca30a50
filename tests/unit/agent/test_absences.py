"""When a controller has been away for too long, and what is noted then."""

from __future__ import annotations

from pathlib import Path

import pytest

from shardd.agent.released import Absences, Released, ReleasedStage, read_released
from shardd.host import DurationError, format_duration, parse_duration
from shardd.host.silence import Silence

STAGE = ReleasedStage("ab12", "s1", 7, "shardboard-tiny", 0, 5, 0, 2, 1_700_000_000.0, 86_400.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def watched(after_s: float) -> tuple[Absences, Clock]:
    clock = Clock()
    return Absences(after_s, lambda: Silence(clock)), clock


def pass_time(absences: Absences, clock: Clock, seconds: float, heard: str = "", deployers: str = "ab") -> set[str]:
    """The controllers, a letter each, that are away for too long after so many seconds of ticks."""
    away: set[str] = set()
    for _ in range(round(seconds / 0.25)):
        clock.now += 0.25
        away |= absences.look(deployers, heard).keys()
    return away


def test_only_who_says_nothing_is_away() -> None:
    absences, clock = watched(10.0)
    assert pass_time(absences, clock, 9.0, heard="a") == set()
    assert pass_time(absences, clock, 2.0, heard="a") == {"b"}
    assert pass_time(absences, clock, 9.0, heard="b") == set(), "b is back, a has gone"
    assert pass_time(absences, clock, 2.0, heard="b") == {"a"}


def test_who_has_nothing_here_is_forgotten() -> None:
    absences, clock = watched(10.0)
    pass_time(absences, clock, 9.0)
    pass_time(absences, clock, 9.0, deployers="")
    assert pass_time(absences, clock, 9.0) == set(), "counted anew from its next deployment on"


@pytest.mark.parametrize("slept", [60.0, 1e9, -3600.0])
def test_time_in_which_this_machine_slept_is_nobodys_absence(slept: float) -> None:
    """Nor does a clock that jumps accuse anybody."""
    absences, clock = watched(10.0)
    pass_time(absences, clock, 5.0)
    clock.now += slept
    assert pass_time(absences, clock, 3.0) == set()


def test_never() -> None:
    absences, clock = watched(0.0)
    assert pass_time(absences, clock, 10_000.0) == set()


def test_what_is_noted_outlives_the_agent(tmp_path: Path) -> None:
    released = Released(tmp_path)
    released.note([STAGE])
    assert Released(tmp_path).of("ab12") == (STAGE,) == read_released(tmp_path)
    again = Released(tmp_path)
    again.hand_over("ab12", "cd34")
    assert again.of("ab12") == () and [stage.stage_id for stage in Released(tmp_path).of("cd34")] == ["s1"]
    again.forget("cd34")
    assert read_released(tmp_path) == () and list(tmp_path.iterdir()) == []
    assert STAGE.sentence("studio") == (
        "Layers 0 to 5 of shardboard-tiny were unloaded, because studio was away for 24 hours. "
        "The shard is still on the disk."
    )


def test_a_disk_that_refuses_costs_the_note_alone(tmp_path: Path) -> None:
    released = Released(tmp_path / "missing")
    released.note([STAGE])
    assert released.of("ab12") == (STAGE,)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"7", b'[{"controller": 1}]', b"[" * 9000, b'[{"epoch": 1e999}]', b"[[]]"]
)
def test_a_note_that_cannot_be_read_is_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "released.json").write_bytes(content)
    assert read_released(tmp_path) == ()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("0h", 0), ("90s", 90), ("30 min", 1800), ("24h", 86_400), ("1.5 hours", 5400), ("2 days", 172_800)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1h", "1 fortnight", "5", "1e9h", "9999999d", "h"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(DurationError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0.4 seconds"), (1, "1 second"), (60, "1 minute"), (90, "1.5 minutes"), (3600, "1 hour"),
        (86_400, "24 hours"), (172_800, "2 days"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
