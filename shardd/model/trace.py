"""One dry run of a whole model: who reads what, and what layers hand to each other.

The model stands on ghosts and nothing is evaluated. While it is traced, each of its modules has a subclass of its
own class that reports what is read from it; a layer's subclass also reports its calls. Only this model's objects
change, and they change back: nothing is patched, so models can be traced in several threads.

Time goes in phases: -1 before the first layer, i from the end of layer i-1 to the end of layer i, n after the
last. (Code between two layers runs on the later one's stage: a stage leaves right after its last layer.)

Every array that a layer returns, or leaves in a container or a cache it was given, is replaced by a fresh mark (a
ghost of its own). So what a later layer is given comes from exactly the marks in its ancestry. Arrays are noted as
copies, which share the node in the graph: `h += x` would change the node under a name.
"""

import contextlib
import copy
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx

from shardd.model.build import in_words, parameters_of
from shardd.model.errors import UnsupportedModel
from shardd.model.ghosts import Ghosts
from shardd.model.leaves import LeafPath, assign, flatten, numbers_in, rebuild, state_of

# Uncommon numbers, to be recognised in shapes.
BATCH = 13
PROMPT = 5


Marks = dict[LeafPath, mx.array]


@dataclass
class Call:
    """One call of one layer.

    Attributes:
        given: leaves of `(args, kwargs)`, as they were then.
        identities: for each of them a number that is equal for one and the same array.
        handed: numbers of the entries of the cache list that it was given.
        returned: what it returned.
        numbers: plain numbers in it.
        outs: the mark of each leaf of `returned`.
        effects: marks of leaves that it left in containers it was given, by path in `(args, kwargs)`.
        kept: marks of the arrays in its cache entries afterwards.
    """

    layer: int
    given: Marks
    identities: dict[LeafPath, int]
    handed: frozenset[int]
    returned: Any = None
    numbers: dict[LeafPath, float] = field(default_factory=dict[LeafPath, float])
    outs: Marks = field(default_factory=Marks)
    effects: Marks = field(default_factory=Marks)
    kept: list[mx.array] = field(default_factory=list[mx.array])


@dataclass
class Run:
    """One forward pass: `tokens` (B, L) in, `logits` (B, L, V) out."""

    tokens: mx.array
    calls: list[Call]
    logits: mx.array


@dataclass
class Trace:
    """A prompt of `PROMPT` tokens and a step of one token after it, for `BATCH` sequences.

    Attributes:
        phases: parameter name to the phases that read it.
        parameters: parameter name to its array.
        cache: the model's cache list after both.
    """

    layer_count: int
    prompt: Run
    step: Run
    phases: dict[str, frozenset[int]]
    parameters: dict[str, mx.array]
    cache: list[Any]


def trace(model: Any) -> Trace:
    """Trace `model` (as `build_model` makes it, over ghosts).

    Raises:
        UnsupportedModel: it has no list of layers, or does not call each of them once and in order.
    """
    layers: list[Any] = list(getattr(model, "layers", None) or [])
    if not layers or len({id(layer) for layer in layers}) < len(layers):
        raise UnsupportedModel(_cannot_split(model, "it has no plain list of layers"), _ONE_MACHINE)
    recorder = _Recorder(layers)
    cache = new_cache(model)
    with _spies(model, recorder):
        try:
            prompt = recorder.run(model, cache, PROMPT)
            step = recorder.run(model, cache, 1)
        except UnsupportedModel as error:
            raise UnsupportedModel(_cannot_split(model, error.cause), _ONE_MACHINE) from error
        except Exception as error:  # whatever a model file does where it cannot run
            raise UnsupportedModel(f"mlx-lm cannot run this model here: {in_words(error)}.") from error
    parameters = parameters_of(model)
    return Trace(len(layers), prompt, step, _name_phases(recorder, layers, parameters), parameters, cache)


def new_cache(model: Any) -> list[Any]:
    """An empty cache list, as mlx-lm makes it."""
    from mlx_lm.models.cache import make_prompt_cache  # here: importing this file must not import mlx_lm

    return list(make_prompt_cache(model))


def spy_class(real: type, members: dict[str, Any]) -> type:
    """A subclass of `real` that passes for it, with `members`. Objects can be moved to it and back."""
    return type(real.__name__, (real,), {"__module__": real.__module__, "__qualname__": real.__qualname__, **members})


class _Recorder:
    def __init__(self, layers: list[Any]) -> None:
        self.index_of = {id(layer): number for number, layer in enumerate(layers)}
        self.reads: dict[int, set[int]] = {}
        self._phase = -1
        self._calls: list[Call] = []
        self._entries: dict[int, int] = {}
        self._cache: list[Any] = []
        self._ghosts = Ghosts()
        self._alive: list[Any] = []  # so that no identity is given twice

    def run(self, model: Any, cache: list[Any], length: int) -> Run:
        self._phase, self._calls, self._cache = -1, [], cache
        self._entries = {id(part): number for number, entry in enumerate(cache) for part in _parts(entry)}
        tokens = mx.zeros((BATCH, length), mx.int32)
        logits = model(copy.copy(tokens), cache=cache)
        if [call.layer for call in self._calls] != list(range(len(self.index_of))):
            raise UnsupportedModel("it does not go through its layers once, one after the other")
        return Run(tokens, self._calls, logits)

    def read(self, value: Any) -> None:
        for leaf in flatten(value).values():
            self.reads.setdefault(id(leaf), set()).add(self._phase)

    def call(self, real: type, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        number = self.index_of[id(layer)]
        before = flatten((args, kwargs))
        self._alive.append(before)
        handed = frozenset(self._entries[id(value)] for value in _values(args, kwargs) if id(value) in self._entries)
        call = Call(
            layer=number,
            given={path: copy.copy(leaf) for path, leaf in before.items()},
            identities={path: id(leaf) for path, leaf in before.items()},
            handed=handed,
        )
        self._calls.append(call)
        self._phase = number
        returned: Any = real.__call__(layer, *args, **kwargs)
        self._phase = number + 1
        call.returned = rebuild(returned, lambda path, leaf: self._marked(leaf, call.outs, path))
        for path, leaf in flatten((args, kwargs)).items():
            if before.get(path) is not leaf:
                assign((args, kwargs), path, self._marked(leaf, call.effects, path))
        call.numbers = numbers_in(returned)
        kept: Marks = {}
        for part in (part for entry in handed for part in _parts(self._cache[entry])):
            for path, leaf in flatten(dict(state_of(part))).items():
                assign(state_of(part), path, self._marked(leaf, kept, (id(part), *path)))
        call.kept = list(kept.values())
        return call.returned

    def _marked(self, leaf: mx.array, marks: Marks, path: LeafPath) -> mx.array:
        """A new mark of the same form, noted under `path`."""
        marks[path] = self._ghosts.make(leaf.dtype, leaf.shape)
        return copy.copy(marks[path])


@contextlib.contextmanager
def _spies(model: Any, recorder: _Recorder) -> Generator[None]:
    """Every module of `model` reports to `recorder` inside."""
    made: dict[tuple[Any, bool], type] = {}
    modules: dict[int, Any] = {id(module): module for module in model.modules()}
    classes: dict[int, Any] = {key: type(module) for key, module in modules.items()}
    try:
        for key, module in modules.items():
            kind: tuple[Any, bool] = (classes[key], key in recorder.index_of)
            if kind not in made:
                made[kind] = _spy(*kind, recorder)
            module.__class__ = made[kind]
        yield
    finally:
        for key, module in modules.items():
            module.__class__ = classes[key]


def _spy(real: Any, is_layer: bool, recorder: _Recorder) -> type:
    # A module is a dict of its arrays; attribute access ends in `get`.
    def get(self: Any, key: str, default: Any = None) -> Any:
        value = real.get(self, key, default)
        recorder.read(value)
        return value

    def getitem(self: Any, key: str) -> Any:
        value = real.__getitem__(self, key)
        recorder.read(value)
        return value

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return recorder.call(real, self, args, kwargs)

    members: dict[str, Any] = {"get": get, "__getitem__": getitem}
    return spy_class(real, {**members, "__call__": call} if is_layer else members)


def _name_phases(recorder: _Recorder, layers: list[Any], parameters: dict[str, mx.array]) -> dict[str, frozenset[int]]:
    # What is not read in a short run may be in a long one: then it belongs to the layer it is in.
    inside = {id(leaf): number for number, layer in enumerate(layers) for leaf in flatten(layer.parameters()).values()}
    phases: dict[str, frozenset[int]] = {}
    for name, leaf in parameters.items():
        read = recorder.reads.get(id(leaf), set[int]())
        own = {inside[id(leaf)]} if id(leaf) in inside else {-1, len(layers)}
        phases[name] = frozenset(read or own)
    return phases


def _values(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
    for value in (*args, *kwargs.values()):
        yield value
        if isinstance(value, list | tuple):
            yield from value


def _parts(entry: Any) -> list[Any]:
    """A cache entry and, in a composite one, its members."""
    return [entry, *getattr(entry, "caches", ())]


def _cannot_split(model: Any, reason: str) -> str:
    return f"A model of type {getattr(model, 'model_type', 'unknown')} cannot be split: {reason}."


_ONE_MACHINE = "It can only run on one machine."
