"""What crosses each cut: pure facts, drawn from a trace.

Cut c lies between layers c-1 and c. What the later stages need of the earlier ones is

    out     a leaf that a layer before the cut returned, and something after the cut is computed from;
    effect  the same for a leaf that it left in a container it was given;
    arg     an argument of a layer after the cut that was computed before the first layer (say, from the
            embedding, which only the head has).

Most models need one array, the hidden state (B, L, D). Anything else that a later layer is given (masks, offsets)
its own stage computes again, from shapes and its caches.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import mlx.core as mx

from shardd.model.graph import ancestors
from shardd.model.leaves import Form, LeafPath, rebuild
from shardd.model.trace import BATCH, PROMPT, Call, Marks, Run, Trace

Kind = Literal["out", "effect", "arg"]


@dataclass(frozen=True)
class Target:
    """One place of a crossing array: a leaf returned by, left behind by or given to `layer`."""

    kind: Kind
    layer: int
    path: LeafPath


@dataclass(frozen=True)
class Crossing:
    """One array that crosses a cut, and every place it stands in."""

    form: Form
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Flow:
    """How a model's layers are connected.

    Attributes:
        returned: what each layer returns, with forms as leaves.
        handed: the entries of the cache list that each layer is given.
        crossings: for each cut 1..n-1 what crosses it.
        forbidden: cuts that cannot be made, with the reason.
        logits: the form of the logits (B, L, V).
    """

    layer_count: int
    returned: tuple[Any, ...]
    handed: tuple[frozenset[int], ...]
    crossings: dict[int, tuple[Crossing, ...]]
    forbidden: dict[int, str]
    logits: Form


_Targets = dict[Target, tuple[Any, ...]]
"""Targets, with keys that are equal for those which are one array in both runs."""


def find_flow(traced: Trace) -> Flow:
    """Draw the flow from a trace."""
    count = traced.layer_count
    crossings: dict[int, _Targets] = {cut: {} for cut in range(1, count)}
    forbidden: dict[int, str] = {}
    borrowers: dict[int, int] = {}
    for run in (traced.prompt, traced.step):
        _find_crossings(run, traced, crossings, forbidden, borrowers)
    for owner, last in borrowers.items():
        _forbid(forbidden, owner + 1, last, count, f"layers {owner} to {last} share one cache")
    for prompt, step in zip(traced.prompt.calls, traced.step.calls, strict=True):
        if prompt.numbers != step.numbers:  # only arrays can cross
            _forbid(forbidden, 1, count, count, f"layer {prompt.layer} hands over a number that changes")
    handed = tuple(call.handed for call in traced.prompt.calls)
    _forbid_shared_caches(handed, forbidden)
    forms = {cut: _crossings(targets, traced) for cut, targets in crossings.items()}
    for cut, found in forms.items():
        if any("T" in crossing.form.shape for crossing in found):
            forbidden.setdefault(cut, "the layers after it would need all earlier tokens' data again at each step")
        if not found:
            forbidden.setdefault(cut, "nothing is handed over there")
    return Flow(
        layer_count=count,
        returned=tuple(_returned_forms(traced, number) for number in range(count)),
        handed=handed,
        crossings=forms,
        forbidden=dict(sorted(forbidden.items())),
        logits=_form(traced.prompt.logits, traced.step.logits),
    )


def _find_crossings(
    run: Run,
    traced: Trace,
    crossings: dict[int, _Targets],
    forbidden: dict[int, str],
    borrowers: dict[int, int],
) -> None:
    """Add to each cut its targets in `run`.

    borrowers: for a layer whose cache others read, the last that does.
    """
    before = [traced.parameters[name] for name, phases in traced.phases.items() if phases == frozenset({-1})]
    sources: list[tuple[Target | int | None, mx.array]] = [(None, run.tokens), *((None, leaf) for leaf in before)]
    for call in run.calls:
        sources += [(Target("out", call.layer, path), leaf) for path, leaf in call.outs.items()]
        sources += [(Target("effect", call.layer, path), leaf) for path, leaf in call.effects.items()]
        sources += [(call.layer, leaf) for leaf in call.kept]
    count = traced.layer_count
    readers = [
        (call.layer, path, leaf, call.identities[path]) for call in run.calls[1:] for path, leaf in call.given.items()
    ]
    readers.append((count, (), run.logits, 0))
    origins = ancestors([leaf for _, _, leaf, _ in readers], [leaf for _, leaf in sources])
    for (layer, path, _, identity), indices in zip(readers, origins, strict=True):
        found = [sources[index] for index in sorted(indices)]
        for source, _ in found:
            if isinstance(source, Target):
                for cut in range(source.layer + 1, min(layer, count - 1) + 1):
                    crossings[cut][source] = (source,)
            elif source is not None:  # read out of another layer's cache
                borrowers[source] = max(layer, borrowers.get(source, 0))
        if not any(source is None for source, _ in found):
            continue
        if layer == count or any(source is not None for source, _ in found):
            _forbid(forbidden, 1, layer, count, "the layers after it mix in the embedding again")
            continue
        target = Target("arg", layer, path)
        for cut in range(1, min(layer, count - 1) + 1):
            crossings[cut][target] = (*crossings[cut].get(target, ()), identity)


def _forbid_shared_caches(handed: tuple[frozenset[int], ...], forbidden: dict[int, str]) -> None:
    for entry in frozenset[int]().union(*handed):
        users = [layer for layer, entries in enumerate(handed) if entry in entries]
        reason = f"layers {users[0]} to {users[-1]} share one cache"
        _forbid(forbidden, users[0] + 1, users[-1], len(handed), reason)


def _forbid(forbidden: dict[int, str], first: int, last: int, count: int, reason: str) -> None:
    for cut in range(first, min(last, count - 1) + 1):
        forbidden.setdefault(cut, reason)


def _crossings(targets: _Targets, traced: Trace) -> tuple[Crossing, ...]:
    grouped: dict[Any, list[Target]] = {}
    for target, key in targets.items():
        grouped.setdefault(key, []).append(target)
    return tuple(Crossing(_target_form(group[0], traced), tuple(group)) for group in grouped.values())


def _target_form(target: Target, traced: Trace) -> Form:
    both = [_marks(run.calls[target.layer], target.kind) for run in (traced.prompt, traced.step)]
    found = [marks[target.path] for marks in both if target.path in marks]
    return _form(found[0], found[-1])  # it was found in one of the runs at least


def _marks(call: Call, kind: Kind) -> Marks:
    match kind:
        case "out":
            return call.outs
        case "effect":
            return call.effects
        case "arg":
            return call.given


def _returned_forms(traced: Trace, layer: int) -> Any:
    short = traced.step.calls[layer].outs

    def form(path: LeafPath, leaf: mx.array) -> Form:
        return _form(leaf, short.get(path, leaf))

    return rebuild(traced.prompt.calls[layer].returned, form)


def _form(long: mx.array, short: mx.array) -> Form:
    """The form of an array that is `long` in the prompt and `short` in the step."""
    pairs: Iterable[tuple[int, int]] = zip(long.shape, short.shape, strict=True)
    return Form(str(long.dtype).removeprefix("mlx.core."), tuple(_symbol(*pair) for pair in pairs))


def _symbol(in_prompt: int, in_step: int) -> int | str:
    match in_prompt, in_step:
        case (x, y) if x == y:
            return "B" if x == BATCH else x
        case (x, 1) if x == PROMPT:
            return "L"
        case _:
            return "T"
