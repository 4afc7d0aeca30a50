"""Silence is counted only while whoever listens is awake."""

from __future__ import annotations

import pytest

from shardd.host.silence import TICK_S, Silence


@pytest.mark.parametrize(
    ("gaps", "seconds"),
    [
        ([TICK_S] * 4, 4 * TICK_S),
        ([TICK_S, 1.7 * TICK_S], 2.7 * TICK_S),
        ([3600.0], 2 * TICK_S),  # this machine slept
        ([TICK_S, 60.0, TICK_S], 4 * TICK_S),
    ],
)
def test_silence(gaps: list[float], seconds: float) -> None:
    now = 100.0
    silence = Silence(lambda: now)
    found = 0.0
    for gap in gaps:
        now += gap
        found = silence.look()
    assert found == pytest.approx(seconds)
    silence.heard()
    assert silence.look() == 0.0
