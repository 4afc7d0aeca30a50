"""What a bench writes: tables, a page to post, a picture; from made-up runs."""

from __future__ import annotations

import argparse
import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.cli.arguments import add_bench
from app.cli.bench import _check_files, options_shown
from app.cli.bench_files import MEMORY_COLUMNS, TOKEN_COLUMNS, memory_file, token_rows, write_memory, write_tokens
from app.cli.bench_plot import draw
from app.cli.bench_report import report_of, report_text, to_markdown
from app.cli.bench_runs import Answered, Mark, Measured, MemorySample, Run, Wanted, prompt_number
from app.core.deployment.deployment import Deployment, LiveStage
from app.core.errors import ShardboardError, UsageError
from app.core.generation.request import GenerationResult, StageReport, StageTiming, TokenEvent
from app.core.placement.placement import Placement, StageRange
from app.core.snapshot import MemoryView, NodeView, Snapshot
from tests.made_up_nodes import node

NODES = ("mini-1", "mini-2")
PLACEMENT = Placement(8, (StageRange("mini-1", 0, 3), StageRange("mini-2", 4, 7)))
DEPLOYMENT = Deployment(
    1,
    "tiny",
    PLACEMENT,
    512,
    tuple(LiveStage(stage.node, "id", stage.first, stage.last, 1) for stage in PLACEMENT.stages),
    load_bytes=1000,
    load_seconds=0.5,
)
WANTED = Wanted(prompt_tokens=8, max_tokens=4, streams=2, repeat=2, warm_up=0, baseline=True)


def answered(stream: int, began_ms: float, lap_ms: float = 10.0) -> Answered:
    """Four tokens; the last came in the lap of the third."""
    marks: list[Mark] = []
    for number in range(4):
        at_ms = began_ms + lap_ms * min(number, 2)
        timings = (
            StageTiming(0, 0.5, 0.25, lap_ms / 2 - 1, 0.25, 100),
            StageTiming(1, 0.5, 0.25, lap_ms / 2 - 1, 0.25, 200),
        )
        marks.append(Mark(at_ms, TokenEvent(number, "x", () if number == 3 else timings, at_ms - began_ms)))
    report = StageReport("mini-1", 0, 3, 500, 100, (4.0, 5.0), (0.2, 0.3), (0.5, 0.6))
    reports = (report, replace(report, node="mini-2", first=4, last=7))
    result = GenerationResult("xxxx", (0, 1, 2, 3), 8, 4, "length", 20.0, 400.0, 3000 / (2 * lap_ms), reports, ())
    return Answered(stream, tuple(marks), result)


def machine(name: str) -> NodeView:
    return node(
        name,
        address="192.0.2.7:7000",
        fingerprint="ab",
        chip="Apple | M4",
        os="macOS 26\n.1",
        versions={"python": "3.11.7", "mlx": "0.32.4", "mlx-lm": "0.32.2", "shardd": "0.1.0"},
        memory=MemoryView(16_000_000_000, 1, 1, 1, 8_000_000_000, 1),
        swap_used=0,
        cpu_percent=5.0,
        disk_free=0,
        round_trip_ms=1.25,
    )


@pytest.fixture
def measured() -> Measured:
    runs = (Run(1, (answered(0, 100), answered(1, 105))), Run(2, (answered(0, 300, 20.0), answered(1, 305, 20.0))))
    memory = [MemorySample(at, name, 500, 10 * at, 5, 900, 0, 1.5) for at in (0, 200, 400) for name in NODES]
    baseline = {"first_s": 0.02, "decode_tokens_per_s": 100.0, "token_ids": [0, 1, 2, 3]}
    nodes = tuple(machine(name) for name in NODES)
    return Measured(runs, (baseline, baseline), tuple(memory), nodes, Snapshot(nodes=nodes))


@pytest.fixture
def report(measured: Measured) -> dict[str, Any]:
    return report_of(measured, WANTED, DEPLOYMENT, {"--local": "2"})


def test_a_row_for_every_token_and_stage(measured: Measured, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    write_tokens(path, measured.runs, NODES)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == TOKEN_COLUMNS
    assert len(rows) == len(list(token_rows(measured.runs, NODES))) == 2 * 2 * (3 * 2 + 1)
    assert rows[1] == {
        "run": "1", "stream": "0", "token": "0", "at_ms": "100.0", "stage": "1", "node": "mini-2", "hop_ms": "0.5",
        "queue_ms": "0.25", "compute_ms": "4.0", "serialise_ms": "0.25", "kv_bytes": "200",
    }  # fmt: skip
    proposed = [row for row in rows if not row["stage"]]
    assert [row["token"] for row in proposed] == ["3"] * 4 and all(not row["kv_bytes"] for row in proposed)


def test_memory_has_a_table_beside_it(measured: Measured, tmp_path: Path) -> None:
    path = memory_file(tmp_path / "runs.csv")
    assert path.name == "runs.memory.csv"
    write_memory(path, measured.memory)
    rows = list(csv.reader(io.StringIO(path.read_text())))
    assert tuple(rows[0]) == MEMORY_COLUMNS and len(rows) == 7
    assert rows[3] == ["200", "mini-1", "500", "2000", "5", "900", "0", "1.5"]


def test_figures_are_medians_and_say_how_far_apart_they_lie(report: dict[str, Any]) -> None:
    assert report["decode"]["tokens_per_s_per_stream"] == pytest.approx((150 + 75) / 2)
    assert report["spread"]["decode_tokens_per_s_per_stream"] == pytest.approx(
        {"median": 112.5, "min": 75.0, "p25": 93.75, "p75": 131.25, "max": 150.0}
    )
    assert report["spread"]["decode_tokens_per_s_total"]["max"] == pytest.approx(4 / 0.015)  # while both are written
    assert report["ratio"]["decode"] == pytest.approx(1.125) and report["same_tokens"] is True
    assert report["accounting"]["accounted"] == pytest.approx(1.0)
    assert report["accounting"]["tokens_per_lap"] == pytest.approx(1.5)
    assert "about equal on all 2 stages" in report["explanation"]
    assert report["links"][0] == {"from": "mini-2", "to": "mini-1", "hop_ms": {"p50": 0.5, "p95": 0.6}}


def test_other_tokens_than_mlx_lm_are_told(measured: Measured) -> None:
    wrong = {**measured.baselines[1], "token_ids": [0, 1, 2, 9]}
    report = report_of(replace(measured, baselines=(measured.baselines[0], wrong)), WANTED, DEPLOYMENT, {})
    assert report["same_tokens"] is False
    assert "same tokens: NO" in report_text(report) and "DIFFERENT" in to_markdown(report)


def test_the_text_says_median_least_and_most(report: dict[str, Any]) -> None:
    text = report_text(report)
    assert "medians of 2 runs" in text and "112.5 tokens/s a stream (75.0 to 150.0)" in text
    assert text.endswith(report["explanation"])


def test_without_a_lap_there_is_no_accounting(measured: Measured) -> None:
    short = [
        replace(run, answers=tuple(replace(each, marks=each.marks[:1]) for each in run.answers))
        for run in measured.runs
    ]
    report = report_of(replace(measured, runs=tuple(short), baselines=()), WANTED, DEPLOYMENT, {})
    assert report["accounting"] is None and report["explanation"] == ""
    assert "ratio" not in report and "a token:" not in report_text(report)
    assert "Where a token" not in to_markdown(report)


def test_the_page_to_post(report: dict[str, Any]) -> None:
    page = to_markdown(report)
    for words in ("tiny", "mini-1", "Apple \\| M4", "16 GB", "3.11.7", "0.32.4", "0.32.2", "--local 2", "1.2", "ratio"):
        assert words in page, words
    assert f"**{report['explanation']}**" in page
    assert "192.0.2.7" not in page and "macOS 26 .1" in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    for before, line in zip(page.splitlines(), page.splitlines()[1:], strict=False):
        if before.startswith("|") and line.startswith("|"):
            assert line.replace("\\|", "").count("|") == before.replace("\\|", "").count("|"), line
    assert len(tables) > 15


@pytest.mark.parametrize(("name", "begins"), [("bench.png", b"\x89PNG"), ("bench.SVG", b"<?xml")])
def test_the_picture(name: str, begins: bytes, measured: Measured, report: dict[str, Any], tmp_path: Path) -> None:
    draw(tmp_path / name, measured, report)
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_picture_of_many_stages_and_no_laps(measured: Measured, report: dict[str, Any], tmp_path: Path) -> None:
    report["stages"] = report["stages"] * 5
    for number, stage in enumerate(report["stages"]):
        stage["node"] = f"mini-{number}"
    bare = [replace(run, answers=(replace(run.answers[0], marks=run.answers[0].marks[:1]),)) for run in measured.runs]
    draw(tmp_path / "a.png", measured, report)
    draw(tmp_path / "b.png", replace(measured, runs=tuple(bare), memory=()), report)
    assert (tmp_path / "a.png").stat().st_size > (tmp_path / "b.png").stat().st_size


def test_a_picture_that_cannot_be_written(measured: Measured, report: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ShardboardError, match=r"bench\.png could not be written"):
        draw(tmp_path / "gone" / "bench.png", measured, report)


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_bench(parser)
    parser.add_argument("--local", type=int)
    parser.add_argument("--model")
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--plot", "picture.gif"), "cannot be written as picture.gif"),
        (("--csv", "no-such-folder/a.csv"), "there is no folder"),
        (("--report", "."), "is a folder"),
        (("--csv", "a.png"), "the name of a picture"),
    ],
)
def test_files_are_refused_before_anything_starts(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        _check_files(options(*arguments))


def test_good_files_are_taken(tmp_path: Path) -> None:
    _check_files(options("--csv", str(tmp_path / "a.csv"), "--plot", str(tmp_path / "a.SVG")))
    _check_files(options())


def test_the_options_of_a_report_name_no_file() -> None:
    shown = options_shown(options("--local", "3", "--csv", "secret.csv", "--baseline", "--model", "secret"))
    assert shown["--local"] == "3" and shown["--baseline"] == "" and shown["--repeat"] == "5"
    assert "secret" not in str(shown) and "--link" not in shown


def test_every_run_has_a_prompt_of_its_own() -> None:
    """Otherwise the second run would find the first one's cache, and its prefill would be of one token."""
    ids = [5, 9, 5, 7, 11, 9, 3]
    prompts = [prompt_number(ids, 40, number) for number in range(120)]
    assert prompts[0] == tuple((ids * 6)[:40])
    assert {len(prompt) for prompt in prompts} == {40}
    assert len({prompt[:4] for prompt in prompts}) == 120
    assert prompt_number(ids, 1, 3) == (prompts[3][0],)
