"""Where the time of a token goes: each stage's own figures held against what was observed. Pure.

One lap around the ring, as the stages report it, from one token's leaving the tail to the next one's:

    hop tail->head | queue, compute, serialise at the head | hop | queue, compute, serialise | ... | at the tail
    '-- timings[0] of the token that comes -------------'   '-- timings[1] -------------'     '-- timings[n] --'

So the parts of a token's own timings add up to one lap. What they do not cover (a lock, a thread that woke late, a
clock's error) is shown as `other` and never hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Protocol

from app.core.generation.request import StageTiming, TokenEvent
from app.core.snapshot import NodeView
from app.core.text import anded, phrase
from shardd.host import format_bytes
from shardd.stage.timings import percentile

KINDS = ("hop", "queue", "compute", "serialise")

EVEN = 1.25  # stages whose computing differs by less than this are about equal
SLOWER = 1.5  # a layer that takes so much longer than on another machine is worth a word
SWAP_GREW_BYTES = 16 << 20
SWAP_SHARE = 0.05  # of a machine's memory
SCARCE_SHARE = 0.04
BUSY_PERCENT = 30.0


class Placed(Protocol):
    """A stage as a placement, a deployment or a result names it."""

    @property
    def node(self) -> str: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Lap:
    """One way around the ring. tokens: what it brought; more than one where proposals were right."""

    observed_ms: float
    timings: tuple[StageTiming, ...]
    tokens: int = 1
    shared: int = 1

    @property
    def summed_ms(self) -> float:
        return sum(part_ms(timing, kind) for timing in self.timings for kind in KINDS)


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of time in one stage (counted from 0), over all laps; share is of the observed time."""

    stage: int
    kind: str
    mean_ms: float
    p50_ms: float
    p95_ms: float
    share: float


@dataclass(frozen=True, slots=True)
class Account:
    """accounted: what the parts add up to over what was observed, the median over laps. other_share may be slightly
    below 0, by the error of clocks. answers: how many ran at the same time; shared: the most that shared a step."""

    laps: int
    tokens: int
    answers: int
    shared: int
    observed_ms: tuple[float, float]  # p50, p95
    summed_ms: tuple[float, float]
    accounted: float
    parts: tuple[Part, ...]  # by stage, then in the order of KINDS
    other_ms: float
    other_share: float

    def part(self, stage: int, kind: str) -> Part:
        return next(part for part in self.parts if part.stage == stage and part.kind == kind)


@dataclass(frozen=True, slots=True)
class Condition:
    """What is known of a machine while it computed. None: not measured."""

    memory_total: int | None = None
    memory_free: int | None = None
    swap_used: int | None = None
    swap_grew: int | None = None
    others_cpu_percent: float | None = None  # what other programs took while we rested


def part_ms(timing: StageTiming, kind: str) -> float:
    match kind:
        case "hop":
            return timing.hop_ms
        case "queue":
            return timing.queue_ms
        case "compute":
            return timing.compute_ms
        case _:
            return timing.serialise_ms


def laps(events: Sequence[TokenEvent]) -> tuple[Lap, ...]:
    """The laps of one answer after its first token, which belongs to the prompt.

    Observed by the tail's clock where it is known, for the controller's own shows its jitter too.
    """
    found: list[Lap] = []
    before: TokenEvent | None = None
    for number, event in enumerate(events):
        if not event.timings:
            continue
        if before is not None:
            known = before.sent_ms and event.sent_ms
            observed = event.sent_ms - before.sent_ms if known else event.at_ms - before.at_ms
            following = next((n for n in range(number + 1, len(events)) if events[n].timings), len(events))
            if observed > 0:
                found.append(Lap(observed, event.timings, following - number, event.shared))
        before = event
    return tuple(found)


def account(answers: Iterable[Sequence[TokenEvent]], at_once: int = 1) -> Account | None:
    """Over one or several answers of one deployment, at_once of them at the same time; None before the second lap."""
    every = [lap for events in answers for lap in laps(events)]
    if not every:
        return None
    stages = sorted({timing.stage for lap in every for timing in lap.timings})
    observed = sum(lap.observed_ms for lap in every)
    parts: list[Part] = []
    for stage in stages:
        mine = [timing for lap in every for timing in lap.timings if timing.stage == stage]
        for kind in KINDS:
            values = [part_ms(timing, kind) for timing in mine]
            mean = sum(values) / len(every)
            middle, high = percentile(values, 0.5), percentile(values, 0.95)
            parts.append(Part(stage, kind, mean, middle, high, sum(values) / observed))
    summed = [lap.summed_ms for lap in every]
    seen = [lap.observed_ms for lap in every]
    return Account(
        laps=len(every),
        tokens=sum(lap.tokens for lap in every),
        answers=at_once,
        shared=max(lap.shared for lap in every),
        observed_ms=(percentile(seen, 0.5), percentile(seen, 0.95)),
        summed_ms=(percentile(summed, 0.5), percentile(summed, 0.95)),
        accounted=median(lap.summed_ms / lap.observed_ms for lap in every),
        parts=tuple(parts),
        other_ms=fmean(lap.observed_ms - lap.summed_ms for lap in every),
        other_share=1 - sum(part.share for part in parts),
    )


def conditions(
    now: Sequence[NodeView], before: Sequence[NodeView] = (), *, rested: bool = False
) -> dict[str, Condition]:
    """Of every machine by its name. before: as it was when the measuring began; rested: idle then, as far as our own
    work goes, so what its processors did was for others."""
    earlier = {node.name: node for node in before}
    found: dict[str, Condition] = {}
    for node in now:
        was = earlier.get(node.name)
        both = was is not None and was.swap_used is not None and node.swap_used is not None
        found[node.name] = Condition(
            memory_total=node.memory.total if node.memory else None,
            memory_free=node.memory.free if node.memory else None,
            swap_used=node.swap_used,
            swap_grew=(node.swap_used or 0) - (was.swap_used or 0) if was and both else None,
            others_cpu_percent=was.cpu_percent if was and rested else None,
        )
    return found


def explain(found: Account | None, stages: Sequence[Placed], machines: Mapping[str, Condition]) -> str:
    """One sentence that names the largest part and, where it is known, its cause; "" where nothing was measured.

    Stages are counted from 1 here, as people count.
    """
    if found is None or any(part.stage >= len(stages) for part in found.parts):
        return ""
    kind, stage, share = _largest(found)
    if found.other_share > share:
        return phrase(
            "{other_share} of each token is in no stage's own figures.", other_share=_percent(found.other_share)
        )
    if stage is None:
        return _even_sentence(found, kind, share, stages, machines)
    part, place = found.part(stage, kind), stages[stage]
    where, each = (
        phrase("stage {stage} on {node}", stage=stage + 1, node=place.node),
        phrase("{share} of each token is", share=_percent(share)),
    )
    rare = [phrase("a few tokens took far longer than the rest")] if _rare(part) else []
    causes = _joined(_machine_causes(machines.get(place.node)) + rare)
    match kind:
        case "compute":
            causes = _joined(_causes_of(found, part, stages, machines) + rare)
            return phrase("{each} computing in {where}{causes}.", each=each, where=where, causes=causes)
        case "hop":
            wide = phrase(", and up to {p95_ms}", p95_ms=_ms(part.p95_ms)) if part.p95_ms > 2 * part.p50_ms else ""
            link = phrase("the link from {source} to {target}", source=stages[stage - 1].node, target=place.node)
            return phrase(
                "{each} {link}: a hop takes {p50_ms}{wide}{causes}.",
                each=each,
                link=link,
                p50_ms=_ms(part.p50_ms),
                wide=wide,
                causes=_joined(rare),
            )
        case "queue":
            why = phrase(", which other answers keep busy") if found.answers > 1 else ""
            return phrase("{each} waiting for {where}{why}{causes}.", each=each, where=where, why=why, causes=causes)
        case _:
            return phrase("{each} packing what {where} sends{causes}.", each=each, where=where, causes=causes)


def account_json(found: Account | None, stages: Sequence[Placed]) -> dict[str, Any] | None:
    """As `--json` shows it; stages counted from 0, times in ms a lap (means), shares of the observed time."""
    if found is None:
        return None
    rows: list[dict[str, Any]] = []
    for number in sorted({part.stage for part in found.parts}):
        mine = {kind: found.part(number, kind) for kind in KINDS}
        rows.append(
            {
                "stage": number,
                "node": stages[number].node if number < len(stages) else "",
                "ms": {kind: part.mean_ms for kind, part in mine.items()},
                "share": {kind: part.share for kind, part in mine.items()},
            }
        )
    return {
        "laps": found.laps,
        "tokens_per_lap": found.tokens / found.laps,
        "observed_ms": {"p50": found.observed_ms[0], "p95": found.observed_ms[1]},
        "summed_ms": {"p50": found.summed_ms[0], "p95": found.summed_ms[1]},
        "accounted": found.accounted,
        "stages": rows,
        "other": {"ms": found.other_ms, "share": found.other_share},
    }


def _largest(found: Account) -> tuple[str, int | None, float]:
    """(kind, stage, share) of the largest part. Stages, or links, that are all alike count as one: stage None."""
    numbers = sorted({part.stage for part in found.parts})
    candidates: list[tuple[str, int | None, float]] = []
    for kind in KINDS:
        mine = [found.part(number, kind) for number in numbers]
        even = max(part.mean_ms for part in mine) <= EVEN * min(part.mean_ms for part in mine)
        if len(mine) > 1 and even and kind in ("compute", "hop"):
            candidates.append((kind, None, sum(part.share for part in mine)))
        else:
            candidates += [(kind, part.stage, part.share) for part in mine]
    return max(candidates, key=lambda candidate: candidate[2])


def _even_sentence(
    found: Account, kind: str, share: float, stages: Sequence[Placed], machines: Mapping[str, Condition]
) -> str:
    if kind == "compute":
        causes = _all_causes(stages, machines)
        return phrase(
            "{share} of each token is computing, about equal on all {stages} stages{causes}.",
            share=_percent(share),
            stages=len(stages),
            causes=causes,
        )
    hop = fmean(part.p50_ms for part in found.parts if part.kind == "hop")
    return phrase(
        "{share} of each token is the links, all {stages} about equal: a hop takes {hop}.",
        share=_percent(share),
        stages=len(stages),
        hop=_ms(hop),
    )


def _causes_of(found: Account, part: Part, stages: Sequence[Placed], machines: Mapping[str, Condition]) -> list[str]:
    """What makes this stage's computing so long: its machine first, then what it was given."""
    stage = stages[part.stage]
    causes = _machine_causes(machines.get(stage.node))
    if len(stages) < 2:
        return causes
    layers = stage.last - stage.first + 1
    every = sum(each.last - each.first + 1 for each in stages)
    others = {
        each.node: found.part(number, "compute").mean_ms / (each.last - each.first + 1)
        for number, each in enumerate(stages)
        if number != part.stage and any(known.stage == number for known in found.parts)
    }
    quickest = min(others, key=lambda node: others[node], default="")
    times = part.mean_ms / layers / others[quickest] if quickest and others[quickest] > 0 else 0.0
    if times >= SLOWER:
        causes.append(
            phrase(
                "each of its layers takes {times:.1f} times as long as on {quickest}", times=times, quickest=quickest
            )
        )
    elif layers > EVEN * every / len(stages):
        causes.append(phrase("it holds {layers} of {every} layers", layers=layers, every=every))
    return causes


def _machine_causes(machine: Condition | None) -> list[str]:
    if machine is None:
        return []
    causes: list[str] = []
    total = machine.memory_total or 0
    if (machine.swap_grew or 0) >= SWAP_GREW_BYTES:
        causes.append(phrase("it also swaps"))
    elif total and (machine.swap_used or 0) >= SWAP_SHARE * total:
        causes.append(phrase("it also has {swap_used} in swap", swap_used=format_bytes(machine.swap_used or 0)))
    if total and machine.memory_free is not None and machine.memory_free < SCARCE_SHARE * total:
        causes.append(phrase("only {memory_free} of its memory is free", memory_free=format_bytes(machine.memory_free)))
    if (machine.others_cpu_percent or 0.0) >= BUSY_PERCENT:
        causes.append(
            phrase(
                "other programs use {others_cpu_percent:.0f} % of its processors",
                others_cpu_percent=machine.others_cpu_percent,
            )
        )
    return causes


def _all_causes(stages: Sequence[Placed], machines: Mapping[str, Condition]) -> str:
    """For stages that are all alike: the first machine that has a reason to be slow."""
    for stage in stages:
        causes = _machine_causes(machines.get(stage.node))
        if causes:
            return phrase("; {node}: {causes}", node=stage.node, causes=anded(causes))
    return ""


def _rare(part: Part) -> bool:
    """Whether the mean comes from so few laps that the 95th percentile does not show them."""
    return part.mean_ms > 2 * part.p50_ms >= part.p95_ms


def _joined(causes: Sequence[str]) -> str:
    return phrase("; {causes}", causes=anded(causes)) if causes else ""


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"
