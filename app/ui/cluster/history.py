"""What a machine did over the last minutes: one sample a second of memory, computing and hop. Imports no Qt."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean

from app.core.snapshot import NodeView
from app.core.text import phrase

SAMPLE_S = 1.0
KEPT = 300  # five minutes
LEAST_SHOWN = 60  # a picture of fewer would be all but empty
HEADROOM = 1.5  # a steady line runs below the edge: it is no limit


@dataclass(frozen=True, slots=True)
class Sample:
    """memory: share of the machine's memory in use, 0 to 1. None: not measured then."""

    memory: float | None
    compute_ms: float | None
    hop_ms: float | None


def sample(node: NodeView) -> Sample:
    stage, memory = node.stage, node.memory
    used = 1 - memory.free / memory.total if memory is not None and memory.total > 0 else None
    return Sample(
        used,
        stage.compute_ms.p50 if stage and stage.compute_ms and stage.sequences else None,
        stage.hop_ms.p50 if stage and stage.hop_ms and stage.sequences else None,
    )


class History:
    """The latest samples; a second without a snapshot leaves a hole, as does one without a measurement."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=KEPT)
        self._second = -1

    def add(self, node: NodeView, now: float) -> bool:
        """Whether it took a sample; now: seconds of a clock that never jumps."""
        second = int(now / SAMPLE_S)
        if second == self._second:
            return False
        if self._second >= 0:
            self._samples.extend([Sample(None, None, None)] * min(second - self._second - 1, KEPT))
        self._second = second
        self._samples.append(sample(node))
        return True

    @property
    def memory(self) -> Sequence[float | None]:
        return [each.memory for each in self._samples]

    @property
    def compute_ms(self) -> Sequence[float | None]:
        return [each.compute_ms for each in self._samples]

    @property
    def hop_ms(self) -> Sequence[float | None]:
        return [each.hop_ms for each in self._samples]


def lines(values: Sequence[float | None], top: float | None = None) -> list[list[tuple[float, float]]]:
    """Runs of measured values as points: x from 0 (the oldest sample, or LEAST_SHOWN samples ago) to 1 (now), y from 0
    to 1 of `top`, or of more than the largest. A single value between holes makes a run of one."""
    largest = top or max((value for value in values if value is not None), default=0.0) * HEADROOM or 1.0
    runs: list[list[tuple[float, float]]] = [[]]
    span = max(LEAST_SHOWN, len(values))
    start = span - len(values)
    for number, value in enumerate(values):
        if value is None:
            if runs[-1]:
                runs.append([])
            continue
        runs[-1].append(((start + number) / (span - 1), min(1.0, value / largest)))
    return [run for run in runs if run]


def thinned(run: Sequence[tuple[float, float]], columns: int) -> list[tuple[float, float]]:
    """At most one point in each of so many columns, the mean of those that fall into it: more make a blot, no line."""
    found: list[tuple[float, float]] = []
    for _, group in groupby(run, key=lambda point: int(point[0] * columns)):
        points = list(group)
        found.append((fmean(x for x, _ in points), fmean(y for _, y in points)))
    return found


def spoken(name: str, values: Sequence[float | None], unit: str) -> str:
    """For screen readers: the latest, the lowest and the highest."""
    known = [value for value in values if value is not None]
    if not known:
        return phrase("{name}, nothing measured in the last minutes", name=name)
    return phrase(
        "{name}, last {known:.3g}{unit}, between {known_2:.3g}{unit} and {known_3:.3g}{unit}",
        name=name,
        known=known[-1],
        unit=unit,
        known_2=min(known),
        known_3=max(known),
    )
