"""Which sequences travel together as one batch: a pure choice at the head.

To keep every stage busy, about as many groups should be on their way as there are stages (more where hops take long).
With more sequences than that, groups of several share a step. A group stays together from lap to lap, because its
caches are merged in every stage and taking it apart copies them.

    9 sequences, 3 lanes:   {a b c} computing in stage 1,  {d e f} in stage 2,  {g h i} in stage 3
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Ready:
    """A sequence whose next step can be computed.

    group: with which it travelled last; 0: with none. alone: this step must not be shared (its prompt may still be on
    the way). limit: tokens that it may come to have.
    """

    sequence: int
    group: int
    alone: bool = False
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """active: sequences that decode, ready or on their way. in_flight: groups on their way.

    lanes: groups that should be on their way. spare_tokens: tokens of memory that padding may cost.
    """

    active: int
    in_flight: int
    lanes: int
    max_batch: int
    spare_tokens: int = 0


def group_size(traffic: Traffic) -> int:
    """How many sequences should share a step."""
    return max(1, min(traffic.max_batch, ceil(traffic.active / max(1, traffic.lanes))))


def next_group(ready: Sequence[Ready], traffic: Traffic) -> tuple[int, ...]:
    """The sequences that leave now, oldest first; () to wait until another group has come home."""
    if not ready:
        return ()
    for each in ready:
        if each.alone:
            return (each.sequence,)
    size = group_size(traffic)
    wanted = max(min(traffic.active, traffic.lanes), ceil(traffic.active / size))
    if traffic.in_flight >= wanted:
        return ()
    first, sizes = ready[0], Counter(each.group for each in ready if each.group)
    too_many = traffic.in_flight + len(sizes) + (not first.group) > wanted
    if too_many:
        # A full group goes before a small one, which so meets the next small one: at most a lap later.
        first = next((each for each in ready if sizes[each.group] >= size), first)
    chosen = [each for each in ready if first.group and each.group == first.group][:size] or [first]
    others = [each for each in ready if each not in chosen]
    joining = [each for each in others if not each.group]
    if too_many:
        sizes.pop(first.group, None)
        for group, count in sizes.items():
            if count <= size - len(chosen) - len(joining):
                joining += [each for each in others if each.group == group]
        # Where none fits whole, one that is not full is taken apart: four groups of 3 would never become three of 4.
        joining += [each for each in others if each not in joining and sizes[each.group] < size]
    for each in joining:
        if len(chosen) < size and _padding([*chosen, each]) <= traffic.spare_tokens:
            chosen.append(each)
    return tuple(each.sequence for each in chosen)


def _padding(members: Sequence[Ready]) -> int:
    """Tokens that a batch of these wastes: every row is as long as the longest."""
    return len(members) * max(each.limit for each in members) - sum(each.limit for each in members)


def lanes_wanted(stage_count: int, lap_us: float, slowest_us: float) -> int:
    """Groups that keep the slowest stage busy: a lap without waiting, in units of that stage's time."""
    if slowest_us <= 0:
        return stage_count
    return max(stage_count, min(4 * stage_count, ceil(lap_us / slowest_us - 0.2)))
