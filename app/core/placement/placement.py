"""Which contiguous layer range goes to which node, in order: an immutable value and the pure functions that edit it.

    layers   0 1 2 3 4 5 6 7 8 9 10 11
    stages   [--mini-1--][--mini-2--][-air-]        move_boundary(0, 5):  [---mini-1---][mini-2][-air-]

Every edit of a valid placement is a valid placement: each layer on one node, each node at most once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from app.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class StageRange:
    """Layers first to last, both included, on the node of this name."""

    node: str
    first: int
    last: int

    @property
    def layers(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a placement; the sentence says what to do. kind is for programs, node may be empty."""

    kind: str
    node: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Stages in pipeline order. A value may be incomplete or wrong: `problems` says so."""

    layer_count: int
    stages: tuple[StageRange, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(stage.node for stage in self.stages)

    def stage_of(self, node: str) -> StageRange | None:
        return next((stage for stage in self.stages if stage.node == node), None)

    def move_boundary(self, index: int, layer: int) -> Placement:
        """Stage index+1 begins at this layer; both neighbours keep at least one layer."""
        left, right = self.stages[index], self.stages[index + 1]
        layer = min(max(layer, left.first + 1), right.last)
        moved = (replace(left, last=layer - 1), replace(right, first=layer))
        return replace(self, stages=self.stages[:index] + moved + self.stages[index + 2 :])

    def assign(self, node: str, first: int, last: int) -> Placement:
        """Gives layers first to last to a node, which then has these and no others.

            [-a 0-5--][-b 6-11-]   assign("c", 4, 7)   [-a 0-3-][-c 4-7-][-b 8-11-]
            [-a 0-5--][-b 6-11-]   assign("b", 4, 5)   [-a 0-3-][-b 4-11-]      a run beside its own joins it
            [-a 0-3-][-b 4-7-][-c 8-11-]   assign("a", 8, 9)   [-b 0-7-][-a 8-9-][-c 10-11-]

        What the node leaves behind goes to the neighbour before it, or after it at the beginning. A range taken from
        the middle of another node's leaves that node the larger part; the smaller joins the new stage.
        """
        own = self.stage_of(node)
        if own and first <= own.last + 1 and last >= own.first - 1:
            first, last = min(first, own.first), max(last, own.last)
        owners: list[str | None] = [None] * self.layer_count
        for stage in self.stages:
            for layer in range(stage.first, stage.last + 1):
                owners[layer] = None if stage.node == node else stage.node
        owners[first : last + 1] = [node] * (last - first + 1)
        return Placement(self.layer_count, _runs(_contiguous(_filled(owners), node)))

    def remove(self, node: str) -> Placement:
        """The neighbours take over: the one before it, or the one after it at the beginning."""
        owners: list[str | None] = [None] * self.layer_count
        for stage in self.stages:
            owners[stage.first : stage.last + 1] = [None if stage.node == node else stage.node] * stage.layers
        return self if all(owner is None for owner in owners) else Placement(self.layer_count, _runs(_filled(owners)))

    def give(self, source: str, target: str) -> Placement:
        """The whole range of one node goes to another: a swap where the other has one too."""
        names = {source: target, target: source}
        stages = tuple(replace(stage, node=names.get(stage.node, stage.node)) for stage in self.stages)
        return replace(self, stages=stages)


def _filled(owners: Sequence[str | None]) -> list[str]:
    """Layers without an owner go to the owner before them, at the beginning to the first one after."""
    first_owner = next(owner for owner in owners if owner is not None)
    filled: list[str] = []
    for owner in owners:
        filled.append(owner if owner is not None else filled[-1] if filled else first_owner)
    return filled


def _contiguous(owners: list[str], favoured: str) -> list[str]:
    """A node that was cut in two keeps the larger run; the smaller goes to the favoured node beside it."""
    runs = _runs(owners)
    for node in {run.node for run in runs if run.node != favoured}:
        own = [run for run in runs if run.node == node]
        for run in sorted(own, key=lambda run: run.layers)[:-1]:
            owners[run.first : run.last + 1] = [favoured] * run.layers
    return owners


def _runs(owners: Sequence[str]) -> tuple[StageRange, ...]:
    runs: list[StageRange] = []
    for layer, owner in enumerate(owners):
        if runs and runs[-1].node == owner:
            runs[-1] = replace(runs[-1], last=layer)
        else:
            runs.append(StageRange(owner, layer, layer))
    return tuple(runs)


def even_split(nodes: Sequence[str], layer_count: int, forbidden_cuts: Collection[int] = ()) -> Placement:
    """Layers as evenly as the allowed cuts permit, in node order; nodes without a layer are left out."""
    count = min(len(nodes), layer_count)
    stages: list[StageRange] = []
    first = 0
    for index in range(count):
        left = count - index
        end = first + -(-(layer_count - first) // left)
        while end < layer_count and end in forbidden_cuts:
            end += 1
        if index == count - 1:
            end = layer_count
        stages.append(StageRange(nodes[index], first, end - 1))
        first = end
        if first >= layer_count:
            break
    return Placement(layer_count, tuple(stages))


_RANGE = re.compile(r"(?:(?P<node>[^=]+)=)?(?P<first>\d{1,6})(?:-(?P<last>\d{1,6}))?")


def parse_placement(text: str, node_names: Sequence[str], layer_count: int) -> Placement:
    """`0-3,4-7` in node order, or `NAME=0-3,NAME=4-7`. Raises UsageError for text that is neither."""
    parts = [part.strip() for part in text.split(",")]
    matches = [_RANGE.fullmatch(part) for part in parts]
    for part, match in zip(parts, matches, strict=True):
        if match is None:
            raise UsageError(
                f'"{part}" is not a layer range.', "Write ranges such as 0-3,4-7 or mini-1=0-3,mini-2=4-7."
            )
    named = [match["node"] is not None for match in matches if match]
    if any(named) and not all(named):
        raise UsageError("Some ranges name a node and some do not.", "Name all of them or none.")
    if not any(named) and len(parts) > len(node_names):
        raise UsageError(
            f"{len(parts)} ranges were given for {len(node_names)} machines.",
            "Give one range a machine, or add machines.",
        )
    stages = tuple(
        StageRange(
            match["node"].strip() if match["node"] else node_names[index],
            int(match["first"]),
            int(match["last"] or match["first"]),
        )
        for index, match in enumerate(matches)
        if match
    )
    return Placement(layer_count, stages)


def placement_text(placement: Placement) -> str:
    """The form with names that parse_placement reads."""
    return ",".join(f"{stage.node}={stage.first}-{stage.last}" for stage in placement.stages)


def problems(
    placement: Placement, node_names: Collection[str], forbidden_cuts: Mapping[int, str] | None = None
) -> tuple[Problem, ...]:
    """Everything that is wrong with a placement's shape, in layer order. Memory is budget.memory_problems' business."""
    count, found = placement.layer_count, list[Problem]()
    if not placement.stages:
        return (Problem("empty", "", "No layer is placed: drag layers onto a machine."),)
    expected = 0
    seen: set[str] = set()
    for stage in placement.stages:
        node = stage.node
        if node not in node_names:
            known = ", ".join(sorted(node_names)) or "none"
            found.append(Problem("unknown_node", node, f"There is no machine named {node}. Known machines: {known}."))
        if node in seen:
            found.append(Problem("node_twice", node, f"{node} is named twice: give it one range."))
        seen.add(node)
        if stage.last < stage.first:
            found.append(Problem("reversed", node, f"{_words(stage)} run backwards: write {stage.last}-{stage.first}."))
            continue
        if stage.last >= count:
            sentence = f"{node} has layers up to {stage.last}, but the model's last layer is {count - 1}: end there."
            found.append(Problem("out_of_range", node, sentence))
        if stage.first > expected:
            gap = (
                f"Layer {expected} is" if stage.first == expected + 1 else f"Layers {expected} to {stage.first - 1} are"
            )
            found.append(Problem("gap", node, f"{gap} on no machine: let {node} begin at layer {expected}."))
        elif stage.first < expected:
            sentence = f"{_words(stage)} overlap the range before: let {node} begin at layer {expected}."
            found.append(Problem("overlap", node, sentence))
        elif forbidden_cuts and stage.first in forbidden_cuts and stage.first > 0:
            why = forbidden_cuts[stage.first]
            sentence = f"The model cannot be cut before layer {stage.first} ({why}): move that boundary."
            found.append(Problem("forbidden_cut", node, sentence))
        expected = max(expected, stage.last + 1)
    if expected < count:
        gap = f"Layer {expected} is" if expected == count - 1 else f"Layers {expected} to {count - 1} are"
        node = placement.stages[-1].node
        found.append(Problem("gap", node, f"{gap} on no machine: let {node} end at layer {count - 1}."))
    return tuple(found)


def _words(stage: StageRange) -> str:
    return f"Layers {stage.first} to {stage.last} on {stage.node}"
