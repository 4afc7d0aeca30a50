"""Which contiguous layer range goes to which node, in order: an immutable value and the pure functions that edit it.

    layers   0 1 2 3 4 5 6 7 8 9 10 11
    stages   [--mini-1--][--mini-2--][-air-]        move_boundary(0, 5):  [---mini-1---][mini-2][-air-]

Every edit of a valid placement is a valid placement: each layer on one node, each node at most once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from app.core.errors import UsageError
from app.core.text import phrase


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

    def move_boundary(self, index: int, layer: int, swallow: bool = False) -> Placement:
        """Stage index+1 begins at this layer.

        [-a 0-5--][-b 6-11-]   move_boundary(0, 2)    [a 0-1][---b 2-11----]
                               move_boundary(0, 20)   [----a 0-10----][b 11]     both keep a layer
                               move_boundary(0, 20, swallow=True)   [-a 0-11-]   or one loses its last
        """
        left, right = self.stages[index], self.stages[index + 1]
        if swallow and not left.first < layer <= right.last:
            node = left.node if layer > right.last else right.node
            whole = StageRange(node, left.first, right.last)
            return replace(self, stages=(*self.stages[:index], whole, *self.stages[index + 2 :]))
        layer = min(max(layer, left.first + 1), right.last)
        moved = (replace(left, last=layer - 1), replace(right, first=layer))
        return replace(self, stages=self.stages[:index] + moved + self.stages[index + 2 :])

    def assign(self, node: str, first: int, last: int) -> Placement:
        """Gives layers first to last to a node: what a person means who drops them on it.

            [-a 0-5--][-b 6-11-]   assign("c", 4, 7)   [-a 0-3-][-c 4-7-][-b 8-11-]     a new stage
            [-a 0-5--][-b 6-11-]   assign("b", 4, 5)   [-a 0-3-][-b 4-11-]      a run beside its own joins it
            [-a 0-5--][-b 6-11-]   assign("c", 0, 5)   [-c 0-5--][-b 6-11-]     a whole range: its owner is out
            [-a 0-3-][-b 4-7-][-c 8-11-]   assign("a", 8, 9)   [-b 0-7-][-a 8-9-][-c 10-11-]   a run elsewhere: it moves
            [-----a 0-11-----]     assign("b", 2, 5)   [---b 0-5---][---a 6-11---]      out of the middle

        A node has one range in one piece. So one that is given a run elsewhere leaves its own to the neighbour before
        it (at the beginning: after it); and one that lost its middle keeps the larger part (of equal ones the later),
        while the smaller goes along with what was taken. Layers that nobody had go to the neighbour before them too.
        Numbers beyond the model's ends mean its ends.
        """
        first, last = max(first, 0), min(last, self.layer_count - 1)
        if first > last:
            return self
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


def _distance(one: int, other: int) -> int:
    return abs(one - other)


def even_split(nodes: Sequence[str], layer_count: int, forbidden_cuts: Collection[int] = ()) -> Placement:
    """Layers about as evenly as the allowed cuts permit, in node order; nodes too many for that are left out."""
    cuts = [cut for cut in range(1, layer_count) if cut not in forbidden_cuts]
    count = min(len(nodes), len(cuts) + 1) if layer_count else 0
    stages: list[StageRange] = []
    first = tried = 0
    for index in range(count - 1):
        left = count - index
        # Leave a cut for each boundary after this one.
        possible = cuts[tried : len(cuts) - left + 2]
        ideal = first + -(-(layer_count - first) // left)
        cut = min(possible, key=partial(_distance, ideal))
        tried = cuts.index(cut) + 1
        stages.append(StageRange(nodes[index], first, cut - 1))
        first = cut
    if count:
        stages.append(StageRange(nodes[count - 1], first, layer_count - 1))
    return Placement(layer_count, tuple(stages))


_RANGE = re.compile(r"(?:(?P<node>[^=]*[^=\s])\s*=\s*)?(?P<first>[0-9]{1,6})(?:\s*-\s*(?P<last>[0-9]{1,6}))?")


def parse_placement(text: str, node_names: Sequence[str], layer_count: int) -> Placement:
    """`0-3,4-7` in node order, or `NAME=0-3,NAME=4-7`. Raises UsageError for text that is neither."""
    parts = [part.strip() for part in text.split(",")]
    matches = [_RANGE.fullmatch(part) for part in parts]
    for part, match in zip(parts, matches, strict=True):
        if match is None:
            raise UsageError(
                phrase('"{part}" is not a layer range.', part=part),
                phrase("Write ranges such as 0-3,4-7 or mini-1=0-3,mini-2=4-7."),
            )
    named = [match["node"] is not None for match in matches if match]
    if any(named) and not all(named):
        raise UsageError(phrase("Some ranges name a node and some do not."), phrase("Name all of them or none."))
    if not any(named) and len(parts) > len(node_names):
        raise UsageError(
            phrase(
                "{parts} ranges were given for {node_names} machines.", parts=len(parts), node_names=len(node_names)
            ),
            phrase("Give one range a machine, or add machines."),
        )
    stages = tuple(
        StageRange(
            match["node"] if match["node"] else node_names[index],
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


def layers_text(first: int, last: int) -> str:
    """`layer 4` or `layers 4 to 7`, for the middle of a sentence."""
    return (
        phrase("layer {first}", first=first)
        if first == last
        else phrase("layers {first} to {last}", first=first, last=last)
    )


def problems(
    placement: Placement, node_names: Collection[str], forbidden_cuts: Mapping[int, str] | None = None
) -> tuple[Problem, ...]:
    """Everything that is wrong with a placement's shape, in pipeline order; nothing: it can be deployed.

    kind: "empty", "unknown_node", "node_twice", "reversed", "out_of_range", "wrong_order", "gap", "overlap" or
    "forbidden_cut". Memory is budget.memory_problems' business.
    """
    if not placement.stages:
        return (Problem("empty", "", phrase("No layer is placed: drag layers onto a machine.")),)
    ordered = sorted(placement.stages, key=lambda stage: stage.first)
    if ordered != list(placement.stages) and not _range_problems(ordered, placement.layer_count, forbidden_cuts or {}):
        written = placement_text(replace(placement, stages=tuple(ordered)))
        sentence = phrase("The ranges are not in the order of the layers: write {written}.", written=written)
        found = [Problem("wrong_order", "", sentence)]
    else:
        found = _range_problems(placement.stages, placement.layer_count, forbidden_cuts or {})
    return (*_node_problems(placement, node_names), *found)


def _node_problems(placement: Placement, node_names: Collection[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for node in placement.nodes:
        if node not in node_names:
            known = ", ".join(sorted(node_names)) or "none"
            yield Problem(
                "unknown_node",
                node,
                phrase("There is no machine named {node}. Known machines: {known}.", node=node, known=known),
            )
        elif node in seen:
            yield Problem("node_twice", node, phrase("{node} is named twice: give it one range.", node=node))
        seen.add(node)


def _range_problems(stages: Sequence[StageRange], count: int, forbidden_cuts: Mapping[int, str]) -> list[Problem]:
    found: list[Problem] = []
    expected, before = 0, ""
    for stage in stages:
        node, first = stage.node, stage.first
        if stage.last < first:
            found.append(
                Problem(
                    "reversed",
                    node,
                    phrase(
                        "{words} run backwards: write {last}-{first}.",
                        words=_words(stage),
                        last=stage.last,
                        first=first,
                    ),
                )
            )
            continue
        if first < 0 or stage.last >= count:
            sentence = phrase(
                "{node} is given {layers}, but the model's last layer is {count}.",
                node=node,
                layers=layers_text(first, stage.last),
                count=count - 1,
            )
            found.append(Problem("out_of_range", node, sentence))
        if expected < first < count:
            remedy = (
                phrase(
                    "extend {before} to layer {first} or start {node} at layer {expected}",
                    before=before,
                    first=first - 1,
                    node=node,
                    expected=expected,
                )
                if before
                else (phrase("start {node} at layer {expected}", node=node, expected=expected))
            )
            found.append(_gap(node, expected, first - 1, remedy))
        elif 0 <= first < expected:
            remedy = (
                phrase("start {node} at layer {expected}", node=node, expected=expected)
                if stage.last >= expected
                else phrase("take them from {node}", node=node)
            )
            shared = layers_text(first, min(stage.last, expected - 1))
            sentence = phrase(
                "{before} and {node} overlap at {shared}: {remedy}.",
                before=before,
                node=node,
                shared=shared,
                remedy=remedy,
            )
            found.append(Problem("overlap", node, sentence))
        elif first in forbidden_cuts and 0 < first < count:
            sentence = phrase(
                "The model cannot be cut before layer {first} ({forbidden_cuts}): move that boundary.",
                first=first,
                forbidden_cuts=forbidden_cuts[first],
            )
            found.append(Problem("forbidden_cut", node, sentence))
        if stage.last >= expected:
            expected, before = stage.last + 1, node
    if expected < count:
        node = before or stages[-1].node
        found.append(
            _gap(node, expected, count - 1, phrase("extend {node} to layer {count}", node=node, count=count - 1))
        )
    return found


def _gap(node: str, first: int, last: int, remedy: str) -> Problem:
    return Problem(
        "gap",
        node,
        phrase("Layer {first} is on no machine: {remedy}.", first=first, remedy=remedy)
        if first == last
        else phrase("Layers {first} to {last} are on no machine: {remedy}.", first=first, last=last, remedy=remedy),
    )


def _words(stage: StageRange) -> str:
    return phrase("Layers {first} to {last} on {node}", first=stage.first, last=stage.last, node=stage.node)
