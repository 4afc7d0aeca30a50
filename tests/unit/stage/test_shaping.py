"""Links that behave as told, as tables."""

from __future__ import annotations

import random

import pytest

from shardd.stage.shaping import LinkShape, ShapedLink, parse_link


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        ("", None),
        ("latency=3ms", LinkShape(0.003)),
        ("latency=3ms,jitter=1ms,rate=200mbit", LinkShape(0.003, 0.001, 25e6)),
        ("rate=1gbit", LinkShape(0.0, 0.0, 125e6)),
    ],
)
def test_words(words: str, shape: LinkShape | None) -> None:
    assert parse_link(words) == shape


@pytest.mark.parametrize(
    "words", ["3ms", "latency=3", "latency=fast", "jitter=1ms", "rate=3ms", "loss=1%", "latency=1ms,latency=2ms"]
)
def test_what_is_wrong_is_said(words: str) -> None:
    with pytest.raises(ValueError, match="link"):
        parse_link(words)


def test_frames_queue_for_the_link_and_keep_their_order() -> None:
    link = ShapedLink(LinkShape(0.010, 0.0, 1000.0))
    assert link.leaves_at(0.0, 100) == pytest.approx(0.110)
    assert link.leaves_at(0.0, 100) == pytest.approx(0.210)
    assert link.leaves_at(5.0, 0) == pytest.approx(5.010)
    shaky = ShapedLink(LinkShape(0.010, 0.009), random.Random(1))
    times = [shaky.leaves_at(n * 0.001, 10) for n in range(200)]
    assert times == sorted(times) and max(t - n * 0.001 for n, t in enumerate(times)) <= 0.0191
