"""`bench --plot`: a picture of a bench, with matplotlib's Agg backend. Only imported where a picture is wanted.

tokens over time        where each token's time went, by stage
KV cache over time      free memory over time
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from app.cli.bench_report import count_of
from app.cli.bench_runs import Answered, Measured, MemorySample
from app.core.errors import ShardboardError
from app.core.generation.accounting import KINDS, Lap, laps, part_ms
from shardd.stage.timings import percentile

# One hue a stage; how much of it is mixed into white says the kind.
HUES = ("#3b6fd4", "#d9822b", "#2b9a66", "#b0479a", "#c0392b", "#0e8fa3", "#7d6a2b", "#5f6b7a")
STRENGTH = {"hop": 0.25, "queue": 0.5, "compute": 1.0, "serialise": 0.75}
WORDS = {"hop": "hop into it", "queue": "queue", "compute": "compute", "serialise": "packing"}
PALER = ("hop", "queue", "serialise")
INK = "#1f2933"
MOST_LEGEND = 12
MOST_STREAMS = 8
MB, GB = 1e6, 1e9


def draw(path: Path, measured: Measured, report: dict[str, Any]) -> None:
    """Writes the picture, as PNG or SVG by the name's ending. Raises ShardboardError."""
    settings: Any = {"font.size": 9, "svg.fonttype": "path", "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(settings):
        figure = _figure(measured, report)
        try:
            figure.savefig(path, format=path.suffix[1:].lower(), dpi=120, metadata={"Title": "shardboard bench"})
        except OSError as error:
            why = error.strerror or "the disk refused it"
            raise ShardboardError(f"{path.name} could not be written: {why}.", "Choose another place.") from None


def _figure(measured: Measured, report: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(13, 8.6), layout="constrained")
    FigureCanvasAgg(figure)
    stages, streams = len(report["stages"]), report["streams"]
    rate = f"{report['decode']['tokens_per_s_total']:.1f} tokens/s"
    counts = [count_of(stages, "stage"), count_of(streams, "stream"), count_of(report["repetitions"], "run")]
    title = " · ".join([report["model"], *counts, rate])
    figure.suptitle(f"{title}\n{report['explanation']}".strip(), fontsize=11, color=INK)
    axes: Any = figure.subplots(2, 2, width_ratios=(1, 1.25))
    nodes = [stage["node"] for stage in report["stages"]]
    _tokens(axes[0][0], measured, streams)
    _stack(axes[0][1], [answer for run in measured.runs for answer in run.answers], nodes)
    _memory(axes[1][0], measured.memory, nodes, "KV cache, MB", [each.kv / MB for each in measured.memory])
    _memory(axes[1][1], measured.memory, nodes, "free memory, GB", [each.free / GB for each in measured.memory])
    latest = max([each.at_ms / 1000 for each in measured.memory], default=0.0)
    for each in (axes[0][0], axes[1][0], axes[1][1]):  # one time for all
        each.set_xlim(0, 1.02 * latest or 1)
    return figure


def _tokens(axes: Axes, measured: Measured, streams: int) -> None:
    """How far every answer has come: a line an answer, a colour a stream."""
    for run in measured.runs:
        for answer in run.answers:
            seconds = [mark.at_ms / 1000 for mark in answer.marks]
            first = run.number == measured.runs[0].number and streams > 1 and answer.stream < MOST_STREAMS
            axes.plot(
                seconds,
                range(1, len(seconds) + 1),
                color=HUES[answer.stream % len(HUES)],
                linewidth=1.2,
                label=f"stream {answer.stream}" if first else None,
            )
    _dress(axes, "Tokens of each answer", "seconds since the bench began", "tokens")
    if 1 < streams <= MOST_STREAMS:
        axes.legend(loc="upper left", frameon=False, fontsize=8)


def _stack(axes: Axes, answers: Sequence[Answered], nodes: Sequence[str]) -> None:
    """For each lap, that of the answer which stands in the middle: the stages' parts stacked, and what was observed."""
    every = [laps([mark.event for mark in answer.marks]) for answer in answers]
    count = max((len(each) for each in every), default=0)
    if not count:
        _dress(axes, "Where each token's time went", "lap", "ms")
        return
    numbers = list(range(1, count + 1))
    middle: list[Lap] = []
    for number in range(count):
        here = sorted((each[number] for each in every if number < len(each)), key=lambda lap: lap.observed_ms)
        middle.append(here[len(here) // 2])
    floor = [0.0] * count
    patches: list[Patch] = []
    for stage, node in enumerate(nodes):
        for kind in KINDS:
            heights = [sum(part_ms(t, kind) for t in lap.timings if t.stage == stage) for lap in middle]
            colour = _mixed(HUES[stage % len(HUES)], STRENGTH[kind])
            axes.bar(numbers, heights, width=1.0, bottom=floor, color=colour, linewidth=0)
            floor = [low + height for low, height in zip(floor, heights, strict=True)]
            if len(nodes) * len(KINDS) <= MOST_LEGEND or kind == "compute":
                patches.append(Patch(color=colour, label=f"{stage + 1} {node}: {WORDS[kind]}"))
    if len(nodes) * len(KINDS) > MOST_LEGEND:
        patches += [Patch(color=_mixed(INK, STRENGTH[kind] / 2), label=f"paler: {WORDS[kind]}") for kind in PALER]
    observed = [lap.observed_ms for lap in middle]
    (line,) = axes.plot(numbers, observed, color=INK, linewidth=1.0, label="observed")
    axes.set_xlim(0.5, count + 0.5)
    axes.set_ylim(0, 1.15 * max(percentile(observed, 0.98), percentile(floor, 0.98)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _dress(axes, "Where each token's time went (the middle one of all answers)", "lap around the ring", "ms")
    # In the order in which they lie on each other.
    axes.legend(
        handles=[line, *reversed(patches)], loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8
    )


def _memory(
    axes: Axes, samples: Sequence[MemorySample], nodes: Sequence[str], what: str, values: Sequence[float]
) -> None:
    """One line a node that has a stage."""
    for number, node in enumerate(nodes):
        mine = [(each.at_ms / 1000, value) for each, value in zip(samples, values, strict=True) if each.node == node]
        # Nodes of equal figures lie on each other: the later ones thinner, so that all are seen.
        width = 1.2 + 1.2 * (len(nodes) - 1 - number) / max(1, len(nodes) - 1)
        axes.plot(
            [at for at, _ in mine],
            [value for _, value in mine],
            color=HUES[number % len(HUES)],
            linewidth=width,
            drawstyle="steps-post",
            label=node,
        )
    axes.set_ylim(0, 1.1 * max([*values, 0.001]))
    corner = "upper left" if values and values[0] < values[-1] / 2 else "lower right"  # where nothing is drawn
    _dress(axes, what.partition(",")[0].capitalize().replace("Kv", "KV"), "seconds since the bench began", what)
    if nodes:
        axes.legend(loc=corner, frameon=False, fontsize=8, ncols=max(1, len(nodes) // 6))


def _dress(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(axis="y", color="#d8dee6", linewidth=0.6)
    axes.set_axisbelow(True)


def _mixed(colour: str, strength: float) -> tuple[float, float, float]:
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(colour))
    return red, green, blue
