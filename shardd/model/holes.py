"""Making a stage of a whole model: foreign layers become holes.

    layer    0 .. first-1         first .. last-1      last             last+1 ..
    class    hole: returns what   its own              its own, then    never called
             crossed the cut                           leave

Every layer stays where it is and keeps its attributes and class (a hole's class is a subclass), so code that looks
at `layer.is_linear`, at `isinstance`, at `layers[i]` or at `zip(layers, types)` sees what it always saw. What the
model computes before its first layer (embedding, scaling) is overwritten by the holes; MLX being lazy, it is never
computed. Masks and offsets it makes there from shapes and caches are right.
"""

import contextlib
from collections.abc import Callable, Generator, Sequence
from typing import Any, cast

import mlx.core as mx

from shardd.model.flow import Crossing, Flow, Target
from shardd.model.ghosts import Ghosts
from shardd.model.leaves import Form, LeafPath, assign, class_of, evaluate, find, rebuild, state_of
from shardd.model.trace import spy_class

BLANK_PASSES = 256
"""How often the same ghosts are handed to the model. One that does `h += x` makes them grow by a node each time."""
BLANK_SIZES = 8
"""For how many sizes of a pass they are kept: prefill chunks and steps of several sequences come by turns."""


class Slice:
    """Layers `first` to `last` of `model`, which is changed for good.

    A forward pass takes what crosses the cut before `first` and gives what crosses the one after `last`, or the
    logits. Like the model, it lives in one thread.

    Attributes:
        received: what crosses the cut before `first`; empty on the head.
        sent: what crosses the cut after `last`; empty on the tail.
    """

    def __init__(self, model: Any, flow: Flow, first: int, last: int) -> None:
        self.received: tuple[Crossing, ...] = flow.crossings[first] if first else ()
        self.sent: tuple[Crossing, ...] = flow.crossings[last + 1] if last + 1 < flow.layer_count else ()
        self._model = model
        self._flow = flow
        self._first, self._last = first, last
        self._ghosts = Ghosts()
        # What is seen in a pass stands in numbered slots: to look up a target takes longer than to call a hole.
        self._slots: dict[Target, int] = {}
        self._seen: list[Any] = []
        self._returns: list[Any] = []
        self._blanks: dict[tuple[int, int], tuple[mx.array, list[Any]]] = {}
        self._blank_passes = 0
        # A crossing's targets are all the same array: the first one is enough.
        leaving = [crossing.targets[0] for crossing in self.sent]
        self._leaving = [self._slot(target) for target in leaving]
        # Arguments made before the first layer are collected where layers that are elsewhere would be called.
        late = [target.layer for target in leaving if target.kind == "arg"]
        self._leave_after = max((last, *late)) if first == 0 else last
        for number, layer in enumerate(list(model.layers)):
            call = self._call_of(number, type(layer), [target for target in leaving if target.layer == number])
            if call:
                layer.__class__ = spy_class(class_of(layer), {"__call__": call})
            if not first <= number <= last:
                # What model files look up in layers that are elsewhere is found at once, not by nn.Module's detour.
                state_of(layer).update(layer)
        self._arriving = [
            (
                [self._slots[target] for target in crossing.targets if target in self._slots],
                [(target.layer, target.path) for target in crossing.targets if target.kind == "out"],
            )
            for crossing in self.received
        ]

    def __call__(self, inputs: mx.array | Sequence[mx.array], entries: list[Any]) -> list[mx.array]:
        """Run on token ids (B, L) or on crossing arrays, with a full-length cache list; lazily."""
        self._seen[:] = [None] * len(self._slots)
        if isinstance(inputs, mx.array):
            tokens = inputs
            if self._leave_after > self._last:
                _, self._returns[:] = self._blanks_for(self.sizes(inputs))
        else:
            tokens, self._returns[:] = self._receive(inputs)
        try:
            return [self._model(tokens, cache=entries)]
        except _Leave:
            return [self._seen[slot] for slot in self._leaving]

    def sizes(self, inputs: mx.array | Sequence[mx.array]) -> tuple[int, int]:
        """Batch and token count of `inputs`."""
        if isinstance(inputs, mx.array):
            return inputs.shape[0], inputs.shape[1]
        sizes: dict[int | str, int] = {}
        for crossing, array in zip(self.received, inputs, strict=True):
            sizes.update(zip(crossing.form.shape, array.shape, strict=True))
        return sizes["B"], sizes["L"]

    @contextlib.contextmanager
    def watched(self, watch: Callable[[int, Any], None]) -> Generator[None]:
        """Inside, `watch(layer, what it returned)` is called after each of the slice's layers."""
        layers: list[Any] = list(self._model.layers)
        own = list(enumerate(layers))[self._first : self._last + 1]
        classes: list[Any] = [class_of(layer) for _, layer in own]
        try:
            for number, layer in own:
                real = class_of(layer)
                layer.__class__ = spy_class(real, {"__call__": _watched(number, real, watch)})
            yield
        finally:
            for (_, layer), real in zip(own, classes, strict=True):
                layer.__class__ = real

    def _receive(self, arrays: Sequence[mx.array]) -> tuple[mx.array, list[Any]]:
        """Stand-in tokens, and what each hole returns."""
        tokens, blanks = self._blanks_for(self.sizes(arrays))
        returns = list(blanks)
        for (slots, places), array in zip(self._arriving, arrays, strict=True):
            for slot in slots:
                self._seen[slot] = array
            for layer, path in places:
                # A copy, as `h += x` would change the array itself, which may have to go on to the next stage.
                returns[layer] = _put(returns[layer], path, array.__copy__())
        return tokens, returns

    def _blanks_for(self, size: tuple[int, int]) -> tuple[mx.array, list[Any]]:
        """Tokens that nobody reads, and what each layer returns, with ghosts as leaves."""
        self._blank_passes += 1
        if self._blank_passes > BLANK_PASSES or (size not in self._blanks and len(self._blanks) == BLANK_SIZES):
            self._blank_passes = 0
            self._blanks.clear()
        if size not in self._blanks:

            def ghost(_: LeafPath, form: Form) -> mx.array:
                return self._ghosts.make(getattr(mx, form.dtype), form.sized(*size))

            tokens = mx.zeros(size, mx.int32)
            evaluate(tokens)
            self._blanks[size] = (tokens, [rebuild(returned, ghost) for returned in self._flow.returned])
        return self._blanks[size]

    def _slot(self, target: Target) -> int:
        """Where the target's array is kept during a pass."""
        return self._slots.setdefault(target, len(self._slots))

    def _call_of(self, number: int, real: Any, wanted: list[Target]) -> Callable[..., Any] | None:
        """What calling layer `number` does here, where `wanted` leaves from; None for what it always did."""
        if number < self._first:
            return self._hole_before(number)
        if number > self._last:
            return self._hole_after(number, wanted)
        leaves = number == self._leave_after and number + 1 < self._flow.layer_count
        kept = [(target.kind == "out", target.path, self._slot(target)) for target in wanted]
        replaced = [
            (target.path, self._slot(target))
            for target in _targets(self.received)
            if (target.kind, target.layer) == ("arg", number)
        ]
        if not (leaves or kept or replaced):
            return None

        def layer(this: Any, *args: Any, **kwargs: Any) -> Any:
            for path, slot in replaced:
                args, kwargs = _put((args, kwargs), path, self._seen[slot])
            returned: Any = real.__call__(this, *args, **kwargs)
            for out, path, slot in kept:
                # A copy, as the model may do `h += x` on its way to the next layer.
                self._seen[slot] = find(returned if out else (args, kwargs), path).__copy__()
            if leaves:
                raise _Leave(returned)
            return returned

        return layer

    def _hole_before(self, number: int) -> Callable[..., Any]:
        effects = [
            (target.path, self._slot(target))
            for target in _targets(self.received)
            if (target.kind, target.layer) == ("effect", number)
        ]
        returns, seen = self._returns, self._seen

        def plain_hole(*_: Any, **__: Any) -> Any:
            return returns[number]  # on each token's path, once a foreign layer: nothing more than this

        def hole(_: Any, *args: Any, **kwargs: Any) -> Any:
            for path, slot in effects:
                assign((args, kwargs), path, seen[slot])
            return returns[number]

        return hole if effects else plain_hole

    def _hole_after(self, number: int, wanted: list[Target]) -> Callable[..., Any]:
        kept = [(*target.path[:2], target.path[2:], self._slot(target)) for target in wanted]
        returns, seen = self._returns, self._seen
        leaves = number == self._leave_after

        def hole(_: Any, *args: Any, **kwargs: Any) -> Any:
            for named, key, path, slot in kept:
                seen[slot] = (
                    find(kwargs[key] if named else args[key], path) if path else (kwargs if named else args)[key]
                )
            if leaves:
                raise _Leave
            return returns[number]

        return hole


class _Leave(Exception):
    """The stage's part of the pass is done; its argument is what the last layer returned."""


def _watched(number: int, real: Any, watch: Callable[[int, Any], None]) -> Callable[..., Any]:
    def layer(this: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            returned: Any = real.__call__(this, *args, **kwargs)
        except _Leave as leave:
            watch(number, leave.args[0])
            raise
        watch(number, returned)
        return returned

    return layer


def _targets(crossings: Sequence[Crossing]) -> list[Target]:
    return [target for crossing in crossings for target in crossing.targets]


def _put(value: Any, path: LeafPath, array: mx.array) -> Any:
    """A copy of `value` with `array` at `path`."""
    if not path:
        return array
    if type(value) is tuple:  # the usual case, and on each token's path
        parts = cast("list[Any]", [*value])
        parts[path[0]] = _put(parts[path[0]], path[1:], array)
        return tuple(parts)
    return rebuild(value, lambda at, leaf: array if at == path else leaf)
