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
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, cast

import mlx.core as mx

from shardd.model.flow import Crossing, Flow, Target
from shardd.model.ghosts import Ghosts
from shardd.model.leaves import Form, LeafPath, assign, class_of, evaluate, flatten, rebuild
from shardd.model.trace import spy_class


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
        self._seen: dict[Target, Any] = {}
        self._returns: list[Any] = []
        self._blanks: dict[tuple[int, int], tuple[mx.array, list[Any]]] = {}
        # Arguments made before the first layer are collected where layers that are elsewhere would be called.
        late = [target.layer for target in _targets(self.sent) if target.kind == "arg"]
        self._leave_after = max((last, *late)) if first == 0 else last
        for number, layer in enumerate(list(model.layers)):
            call = self._call_of(number, type(layer))
            if call:
                layer.__class__ = spy_class(class_of(layer), {"__call__": call})

    def __call__(self, inputs: mx.array | Sequence[mx.array], entries: list[Any]) -> list[mx.array]:
        """Run on token ids (B, L) or on crossing arrays, with a full-length cache list; lazily."""
        self._seen.clear()
        if isinstance(inputs, mx.array):
            tokens = inputs
            if self._leave_after > self._last:
                _, self._returns[:] = self._blanks_for(self.sizes(inputs))
        else:
            tokens, self._returns[:] = self._receive(inputs)
        try:
            return [self._model(tokens, cache=entries)]
        except _Leave:
            return [self._seen[crossing.targets[0]] for crossing in self.sent]

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
        for crossing, array in zip(self.received, arrays, strict=True):
            for target in crossing.targets:
                self._seen[target] = array
                if target.kind == "out":
                    returns[target.layer] = _put(returns[target.layer], target.path, array)
        return tokens, returns

    def _blanks_for(self, size: tuple[int, int]) -> tuple[mx.array, list[Any]]:
        """Tokens that nobody reads, and what each layer returns, with ghosts as leaves."""
        if size not in self._blanks:

            def ghost(_: LeafPath, form: Form) -> mx.array:
                return self._ghosts.make(getattr(mx, form.dtype), form.sized(*size))

            tokens = mx.zeros(size, mx.int32)
            evaluate(tokens)
            self._blanks = {size: (tokens, [rebuild(returned, ghost) for returned in self._flow.returned])}
        return self._blanks[size]  # the last size only: decoding repeats it

    def _call_of(self, number: int, real: Any) -> Callable[..., Any] | None:
        """What calling layer `number` does here; None for what it always did."""
        if number < self._first:
            return self._hole_before(number)
        if number > self._last:
            return self._hole_after(number)
        leaves = number == self._leave_after and number + 1 < self._flow.layer_count
        wanted = [target for target in _targets(self.sent) if target.layer == number]
        replaced = [target for target in _targets(self.received) if (target.kind, target.layer) == ("arg", number)]
        if not (leaves or wanted or replaced):
            return None

        def layer(this: Any, *args: Any, **kwargs: Any) -> Any:
            for target in replaced:
                args, kwargs = _put((args, kwargs), target.path, self._seen[target])
            returned: Any = real.__call__(this, *args, **kwargs)
            for target in wanted:
                source = returned if target.kind == "out" else (args, kwargs)
                self._seen[target] = flatten(source)[target.path]
            if leaves:
                raise _Leave(returned)
            return returned

        return layer

    def _hole_before(self, number: int) -> Callable[..., Any]:
        effects = [target for target in _targets(self.received) if (target.kind, target.layer) == ("effect", number)]

        returns, seen = self._returns, self._seen

        def plain_hole(*_: Any, **__: Any) -> Any:
            return returns[number].__copy__()  # as in `_copy`; on each token's path, once a foreign layer

        if isinstance(self._flow.returned[number], Form) and not effects:
            return plain_hole

        def hole(_: Any, *args: Any, **kwargs: Any) -> Any:
            for target in effects:
                assign((args, kwargs), target.path, seen[target])
            return _copy(returns[number])

        return hole

    def _hole_after(self, number: int) -> Callable[..., Any]:
        wanted = [target for target in _targets(self.sent) if target.layer == number]

        def hole(_: Any, *args: Any, **kwargs: Any) -> Any:
            for target in wanted:
                self._seen[target] = flatten((args, kwargs))[target.path]
            if number == self._leave_after:
                raise _Leave
            return _copy(self._returns[number])

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


def _copy(value: Any) -> Any:
    """What a hole returns, safe from `h += x`, which would change an array that is used again."""
    if isinstance(value, mx.array):
        return value.__copy__()
    return tuple(map(_copy, cast("Iterable[Any]", value))) if type(value) is tuple else value


def _targets(crossings: Sequence[Crossing]) -> list[Target]:
    return [target for crossing in crossings for target in crossing.targets]


def _put(value: Any, path: LeafPath, array: mx.array) -> Any:
    """A copy of `value` with `array` at `path`."""
    return array if not path else rebuild(value, lambda at, leaf: array if at == path else leaf)
