"""What was measured of machines: learned from what they show, and on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.cluster.figures import ENOUGH_BYTES, Figures, read_figures, write_figures
from app.core.placement.placement import even_split
from app.core.snapshot import MachineFigures, SpreadView, TransferView
from tests.ui.cluster.made_up import node, running

MB = 1_000_000


@pytest.mark.parametrize(
    ("transfer", "rate"),
    [
        (None, None),
        (TransferView("sending", ENOUGH_BYTES, 10**9, 110e6), 110e6),
        (TransferView("sending", ENOUGH_BYTES - 1, 10**9, 110e6), None),  # says more of the start than of the link
        (TransferView("sending", ENOUGH_BYTES, 10**9, None), None),
        (TransferView("loading", ENOUGH_BYTES, 10**9, 900e6), None),  # a disk is no link
    ],
)
def test_the_rate_of_a_push(transfer: TransferView | None, rate: float | None) -> None:
    known = Figures().learn([replace(node("a"), transfer=transfer)])
    assert known.of("a").push_bytes_per_s == rate
    assert known.learn([node("a")]) is known  # it stays when the push is over


def test_speed_and_hop_of_the_last_run() -> None:
    placement = even_split(["a", "b"], 8)
    views = [running(node(name), placement, 100 * MB, "toy") for name in "ab"]
    known = Figures().learn(views)
    assert known.seconds_per_byte() == pytest.approx({"a": 0.009 / 400e6, "b": 0.009 / 400e6})
    assert known.of("b").hop_ms == 0.5
    stage = views[1].stage
    assert stage is not None
    alone = replace(views[1], stage=replace(stage, count=1, hop_ms=SpreadView(9, 9), compute_ms=None))
    assert known.learn([alone]) is known  # one stage alone has no hop, and what was measured before stands


def test_on_disk(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    known = Figures({"a": MachineFigures(1e-11, 0.4, 1e8, 9e10, 4e12), "b": MachineFigures(read_bytes_per_s=1e9)})
    write_figures(file, known)
    assert read_figures(file) == known
    assert known.without("a").machines.keys() == {"b"}


@pytest.mark.parametrize(
    "content",
    ["", "[]", '{"machines": []}', '{"machines": {"a": {"hop_ms": -1}}}', '{"machines": {"a": {"hop_ms": "x"}}}'],
)
def test_a_damaged_file_is_no_figure(tmp_path: Path, content: str) -> None:
    file = tmp_path / "figures.json"
    file.write_text(content)
    assert read_figures(file) == Figures() and read_figures(tmp_path / "none") == Figures()
