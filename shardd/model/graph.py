"""Which arrays others were computed from, read off MLX's own graph."""

import io
import re
from collections.abc import Sequence

import mlx.core as mx

# nanobind takes at most 1024 keyword arguments.
OUTPUTS_AT_ONCE = 200
SOURCES_AT_ONCE = 800
EDGE = re.compile(r'^"?([^"\s]+)"? -> "?([^"\s]+)"?$', re.MULTILINE)


def ancestors(outputs: Sequence[mx.array], sources: Sequence[mx.array]) -> list[set[int]]:
    """For each output the indices of the `sources` it was computed from, itself included.

    Does not look beyond a source: a source that reaches an output only through another does not count (among
    each `SOURCES_AT_ONCE` of them). Nothing is evaluated; evaluated arrays have no ancestors.
    """
    found: list[set[int]] = [set() for _ in outputs]
    for first in range(0, len(outputs), OUTPUTS_AT_ONCE):
        some_outputs = outputs[first : first + OUTPUTS_AT_ONCE]
        for base in range(0, len(sources), SOURCES_AT_ONCE):
            some = _ancestors(some_outputs, sources[base : base + SOURCES_AT_ONCE])
            for number, indices in enumerate(some, first):
                found[number] |= {base + index for index in indices}
    return found


def _ancestors(outputs: Sequence[mx.array], sources: Sequence[mx.array]) -> list[set[int]]:
    # An array has one name only: an output that is a source itself gets a node of its own.
    ends = {f"out_{number}": mx.stop_gradient(output) for number, output in enumerate(outputs)}
    starts = {f"in_{number}": source for number, source in enumerate(sources)}
    text = io.StringIO()
    mx.export_to_dot(text, **ends, **starts)  # pyright: ignore[reportUnknownMemberType]  # untyped in mlx
    parents: dict[str, list[str]] = {}
    for parent, child in EDGE.findall(text.getvalue()):
        parents.setdefault(child, []).append(parent)
    return [_reachable(end, parents) for end in ends]


def _reachable(end: str, parents: dict[str, list[str]]) -> set[int]:
    seen = {end}
    pending = [end]
    while pending:
        node = pending.pop()
        if node.startswith("in_"):
            continue
        for parent in parents.get(node, ()):
            if parent not in seen:
                seen.add(parent)
                pending.append(parent)
    return {int(name[3:]) for name in seen if name.startswith("in_")}
