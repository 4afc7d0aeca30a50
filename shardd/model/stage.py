"""A stage: a range of layers that is loaded and computes."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, cast

import mlx.core as mx

from shardd.model.blueprint import read_blueprint
from shardd.model.build import build_over_ghosts, in_words, parameters_of
from shardd.model.caches import CacheLayout, StageCache
from shardd.model.errors import CheckpointError, ModelError, UnsupportedModel
from shardd.model.ghosts import Forms
from shardd.model.headers import TensorInfo, read_header
from shardd.model.holes import Slice
from shardd.model.leaves import Form, evaluate, flatten
from shardd.model.places import Places
from shardd.model.plan import Plan, make_plan, stage_phases

PayloadSpec = Form
"""The form of one array that crosses a cut; "B" and "L" stand for batch and token count."""

BUILD_TRIALS = 4
TOKEN_IDS = Form("int32", ("B", "L"))

Progress = Callable[[int, int], None]


class Stage:
    """Layers `first` to `last` (inclusive), with the embedding on the head, norm and LM head on the tail.

    Everything here happens in the thread that loaded it. Sequences differ by their caches only.

    Attributes:
        first, last, layer_count: which layers, of how many.
        is_head, is_tail: whether it has the first layer, the last.
        vocab_size: size V of the logits; token ids must be below it (MLX does not check).
        weights_bytes: bytes of the weights it holds.
        payload_in: what `forward` is given; empty on the head.
        payload_out: what it returns; empty on the tail.
        batchable: whether steps of several sequences can be computed as one; known after `prove`.
        buildable: whether a step's graph can be built before its input is known; known after `prove`.
    """

    def __init__(self, model: Any, plan: Plan, first: int, last: int, weights_bytes: int) -> None:
        self.first, self.last, self.layer_count = first, last, plan.flow.layer_count
        self.is_head, self.is_tail = first == 0, last == self.layer_count - 1
        self.vocab_size = int(plan.flow.logits.shape[-1])
        self.weights_bytes = weights_bytes
        self._layout = CacheLayout(model, plan.flow, first, last)
        self._slice = Slice(model, plan.flow, first, last)
        self.payload_in = tuple(crossing.form for crossing in self._slice.received)
        self.payload_out = tuple(crossing.form for crossing in self._slice.sent)
        self.batchable = False
        self.buildable = False

    def make_cache(self) -> StageCache:
        """An empty cache for one sequence."""
        return self._layout.make()

    def forward(self, inputs: mx.array | Sequence[mx.array], cache: StageCache) -> list[mx.array]:
        """One pass over L new tokens; `cache` moves on by L.

        Args:
            inputs: on the head token ids (B, L), int32; else the arrays of `payload_in`, evaluated.
            cache: the sequence's cache.

        Returns:
            The arrays of `payload_out`, or on the tail [logits (B, L, V)]. Nothing is evaluated: evaluate what is
            needed, in prefill on the tail only `cache_arrays`.
        """
        outputs = self._slice(inputs, cache.entries)
        if self._layout.ticks:
            self._layout.tick(cache, *self._slice.sizes(inputs))
        return outputs

    def build(self, rows: int, cache: StageCache) -> tuple[Places, list[mx.array]]:
        """A decode step of `rows` sequences before its input is known: fill the places, then evaluate."""
        places = Places([TOKEN_IDS] if self.is_head else self.payload_in, rows, 1)
        return places, self.forward(places.arrays[0] if self.is_head else places.arrays, cache)

    def cache_arrays(self, cache: StageCache) -> list[mx.array]:
        """What to evaluate after a prefill chunk."""
        return cache.arrays()

    def cache_bytes(self, cache: StageCache) -> int:
        """Bytes that the cache takes now (buffers grow in steps of 256 tokens)."""
        return sum(array.nbytes for array in cache.arrays())

    def trim(self, cache: StageCache, tokens: int) -> bool:
        """Forget the last `tokens` tokens. False, and nothing done, where the cache cannot."""
        return cache.trim(tokens)

    def fork_cache(self, cache: StageCache) -> StageCache:
        """A cache of one sequence with the same tokens, for another one. Shares memory until either changes."""
        return self._layout.fork(cache)

    def merge_caches(self, caches: Sequence[StageCache]) -> StageCache:
        """One cache with a row for each of these sequences, which may have different lengths. Copies."""
        return self._layout.merge(caches)

    def extract_cache(self, batch: StageCache, row: int) -> StageCache:
        """The cache of one sequence out of a batch. Copies."""
        return self._layout.extract(batch, row)

    def prove(self) -> None:
        """Compute two tokens, then one, on known input, a layer at a time; also warms up.

        Raises:
            ModelError: a result is not a number, or this machine cannot compute a layer.
        """
        cache = self.make_cache()
        layer = self.first

        def watch(number: int, returned: Any) -> None:
            nonlocal layer
            _check_numbers(list(flatten(returned).values()), f"Layer {number}")
            layer = number + 1

        try:
            with self._slice.watched(watch):
                for tokens in (2, 1):
                    outputs = self.forward(self._known_input(tokens), cache)
                    _check_numbers([*outputs, *cache.arrays()], f"The stage of layers {self.first} to {self.last}")
        except ModelError:
            raise
        except Exception as error:  # whatever MLX cannot do on this machine
            raise ModelError(
                f"This machine cannot compute layer {min(layer, self.last)}: {in_words(error)}.",
                "Place it on another machine.",
            ) from error
        self.batchable = self._layout.mergeable and self._batch_agrees()
        self.buildable = self._build_agrees()

    def _batch_agrees(self) -> bool:
        """Whether two sequences of different lengths give in a batch what they give alone."""
        try:
            caches = [self.make_cache(), self.make_cache()]
            for tokens, cache in zip((5, 2), caches, strict=True):
                evaluate(self.forward(self._known_input(tokens), cache), cache.arrays())
            merged = self.merge_caches(caches)
            step = self._known_input(1)
            batch = self.forward(self._known_input(1, rows=2), merged)
            evaluate(batch, merged.arrays())
            for row, cache in enumerate(caches):
                alone = self.forward(step, cache)
                evaluate(alone)
                if not all(_close(a, b[row : row + 1]) for a, b in zip(alone, batch, strict=True)):
                    return False
                self.extract_cache(merged, row)
        except Exception:  # whatever a model file does with a batch; such models run one sequence at a time
            return False
        return True

    def _build_agrees(self) -> bool:
        """Whether a step built over places gives what it gives on known input, and undoing it leaves nothing.

        A model file that decides by values (which experts to call) decides by what is in the places before the input:
        several inputs unlike it show that.
        """
        try:
            cache = self.make_cache()
            evaluate(self.forward(self._known_input(2), cache), cache.arrays())
            for trial in range(BUILD_TRIALS):
                step = self._varied_input(trial)
                alone, ahead = self.fork_cache(cache), self.fork_cache(cache)
                expected = self.forward(step, alone)
                evaluate(expected, alone.arrays())
                before = self.fork_cache(ahead)
                self.build(1, ahead)  # undone: nobody fills its places
                places, built = self.build(1, before)
                places.fill([bytes_of(array) for array in ([step] if isinstance(step, mx.array) else step)])
                evaluate(built, before.arrays())
                if not all(mx.array_equal(a, b).item() for a, b in zip(expected, built, strict=True)):
                    return False
        except Exception:  # a model file that looks at what is not there yet; its steps are built when it is
            return False
        return True

    def _varied_input(self, trial: int) -> mx.array | list[mx.array]:
        """One token, another one in each trial."""
        if self.is_head:
            return mx.array([[(trial + 1) * self.vocab_size // (BUILD_TRIALS + 1)]], mx.int32)
        arrays: list[mx.array] = []
        for number, spec in enumerate(self.payload_in):
            known = _ramp(spec, 1)
            if mx.issubdtype(known.dtype, mx.floating):
                key = mx.random.key(trial * len(self.payload_in) + number)
                known = mx.random.normal(known.shape, key=key).astype(known.dtype)
            arrays.append(known)
        evaluate(arrays)
        return arrays

    def _known_input(self, tokens: int, rows: int = 1) -> mx.array | list[mx.array]:
        """The same `tokens` tokens in each of `rows` rows."""
        if self.is_head:
            return mx.zeros((rows, tokens), mx.int32)
        arrays = [
            mx.concatenate([_ramp(spec, tokens)] * rows, axis=spec.shape.index("B"))
            if "B" in spec.shape
            else _ramp(spec, tokens)
            for spec in self.payload_in
        ]
        evaluate(arrays)
        return arrays


def load_stage(
    blueprint: bytes, unit_files: Sequence[Path], first: int, last: int, progress: Progress | None = None
) -> Stage:
    """Load layers `first` to `last` (inclusive) from units, a layer at a time, and prove that they compute.

    Args:
        blueprint: as `Inventory.blueprint` made it.
        unit_files: safetensors files that hold at least the units which the range needs.
        first, last: the range.
        progress: called with bytes loaded and bytes in all.

    Raises:
        CheckpointError: a unit is missing, malformed or of another model.
        UnsupportedModel: the model is unknown here, or may not be cut there.
        ModelError: the loaded layers compute what is not a number.
    """
    model_facts = read_blueprint(blueprint)
    files = _read_units(unit_files, model_facts.forms)
    plan = make_plan(model_facts.config, model_facts.forms)
    _check_range(plan, first, last)
    needed = plan.needed(first, last)
    if lacking := sorted(needed - files.keys()):
        raise CheckpointError(
            f"Layers {first} to {last} lack {len(lacking)} of their tensors, such as {lacking[0]}.",
            "Send the model to this node again.",
        )
    own = _open({name: files[name] for name in needed})
    model, _, _ = build_over_ghosts(model_facts.config, model_facts.forms, own)
    try:
        weights_bytes = _evaluate(model, plan, first, last, progress)
    except RuntimeError as error:
        raise ModelError(f"The weights of layers {first} to {last} cannot be read: {in_words(error)}.") from error
    stage = Stage(model, plan, first, last, weights_bytes)
    stage.prove()
    mx.clear_cache()
    return stage


def _read_units(unit_files: Sequence[Path], forms: Forms) -> dict[str, TensorInfo]:
    tensors: dict[str, TensorInfo] = {}
    for file in unit_files:
        for name, info in read_header(file).items():
            if forms.get(name) != (info.dtype, info.shape):
                raise CheckpointError(
                    f"{file.name} is not a part of this model: it holds {name} as {info.dtype} {list(info.shape)}.",
                    "Send the model to this node again.",
                )
            tensors[name] = info
    return tensors


def _check_range(plan: Plan, first: int, last: int) -> None:
    if not 0 <= first <= last < plan.flow.layer_count:
        raise UnsupportedModel(f"The model has layers 0 to {plan.flow.layer_count - 1}, not {first} to {last}.")
    for cut in (first, last + 1):
        if reason := plan.flow.forbidden.get(cut):
            raise UnsupportedModel(f"There can be no cut between layers {cut - 1} and {cut}: {reason}.")


def _open(tensors: Mapping[str, TensorInfo]) -> dict[str, mx.array]:
    """The tensors as lazy arrays."""
    arrays: dict[str, mx.array] = {}
    for file in {info.file for info in tensors.values()}:
        content: Any = mx.load(str(file), format="safetensors")
        arrays |= {name: array for name, array in content.items() if name in tensors}
    return arrays


def _evaluate(model: Any, plan: Plan, first: int, last: int, progress: Progress | None) -> int:
    """Read the stage's weights into memory, phase by phase; their bytes."""
    parameters = parameters_of(model)
    pending = stage_phases(first, last, plan.flow.layer_count)
    own = {name: phases & pending for name, phases in plan.parameters.items() if phases & pending}
    total = sum(parameters[name].nbytes for name in own)
    done = 0
    for phase in sorted(pending):
        batch = [parameters[name] for name, phases in own.items() if min(phases) == phase]
        # One graph a phase: macOS ends a command that waits more than some seconds for the disk.
        evaluate(batch)
        done += sum(array.nbytes for array in batch)
        if progress:
            progress(done, total)
    return total


def _ramp(spec: PayloadSpec, tokens: int) -> mx.array:
    """Small, varied, known values of a form."""
    shape = spec.sized(1, tokens)
    dtype: mx.Dtype = getattr(mx, spec.dtype)
    if not mx.issubdtype(dtype, mx.floating):
        return mx.zeros(shape, dtype)
    return mx.reshape(mx.sin(mx.arange(prod(shape))) * 0.1, shape).astype(dtype)


def bytes_of(array: mx.array) -> memoryview:
    """An array's bytes, evaluated."""
    flat = mx.contiguous(array).reshape(-1).view(mx.uint8)
    evaluate(flat)
    return memoryview(cast(Any, flat))


def _close(one: mx.array, other: mx.array) -> bool:
    """Equal but for rounding, which a batch does in another order."""
    if one.shape != other.shape:
        return False
    wide, apart = one.astype(mx.float32), mx.abs(one.astype(mx.float32) - other.astype(mx.float32))
    return bool(mx.all(apart <= 0.05 * mx.max(mx.abs(wide))).item())


def _check_numbers(arrays: list[mx.array], who: str) -> None:
    # Infinities may be meant (masked logits); what comes of a ghost is NaN.
    checks = [mx.isnan(array).any() for array in arrays if mx.issubdtype(array.dtype, mx.floating)]
    evaluate(arrays, checks)
    if any(check.item() for check in checks):
        raise ModelError(f"{who} computed values that are not numbers.", "Send the model to this node again.")
