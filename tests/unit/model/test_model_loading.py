"""Loading a stage: what is refused, what is proved, what it takes."""

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from model_checkpoints import LLAMA, SHARED, random_model, write_model, write_units

import shardd.model.stage
from shardd.model.errors import CheckpointError, ModelError, UnsupportedModel
from shardd.model.inventory import Inventory, inspect
from shardd.model.plan import Plan, make_plan
from shardd.model.stage import PayloadSpec, load_stage


@dataclasses.dataclass(frozen=True)
class Case:
    inventory: Inventory
    files: dict[str, Path]

    def paths(self, first: int, last: int) -> list[Path]:
        return [self.files[unit.name] for unit in self.inventory.units_for(first, last)]


def make_case(directory: Path, seed: int = 0, **changes: Any) -> Case:
    config = LLAMA | changes
    inventory = inspect(write_model(random_model(config, "llama", mx.float32, seed), config, directory / "model"))
    return Case(inventory, write_units(inventory, directory / "units"))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return make_case(tmp_path)


def test_what_a_stage_tells(case: Case) -> None:
    blueprint, hidden = case.inventory.blueprint(), PayloadSpec("float32", ("B", "L", 32))
    done: list[tuple[int, int]] = []
    head = load_stage(blueprint, case.paths(0, 1), 0, 1, lambda so_far, total: done.append((so_far, total)))
    tail = load_stage(blueprint, case.paths(2, 3), 2, 3)
    assert (head.first, head.last, head.layer_count, head.is_head, head.is_tail) == (0, 1, 4, True, False)
    assert (tail.is_head, tail.is_tail, tail.vocab_size) == (False, True, 48)
    assert (head.payload_in, head.payload_out, tail.payload_in, tail.payload_out) == ((), (hidden,), (hidden,), ())
    assert head.weights_bytes == case.inventory.weights_bytes(0, 1)
    assert done == sorted(done)
    assert len(done) == 3  # the embedding and two layers
    assert done[-1] == (head.weights_bytes, head.weights_bytes)
    cache = head.make_cache()
    assert head.cache_bytes(cache) == 0
    mx.eval(head.forward(mx.array([[1, 2, 3]]), cache), head.cache_arrays(cache))
    assert head.cache_bytes(cache) == 2 * 256 * case.inventory.kv_bytes_per_token[0]


def test_refuses_a_missing_unit(case: Case) -> None:
    for left_out in range(3):
        paths = case.paths(2, 3)
        del paths[left_out]
        with pytest.raises(CheckpointError, match="Layers 2 to 3 lack"):
            load_stage(case.inventory.blueprint(), paths, 2, 3)


def test_refuses_a_unit_of_another_range(case: Case) -> None:
    with pytest.raises(CheckpointError, match="Layers 1 to 1 lack"):
        load_stage(case.inventory.blueprint(), case.paths(2, 2), 1, 1)


def test_refuses_a_unit_of_another_model(case: Case, tmp_path: Path) -> None:
    other = make_case(tmp_path / "other", intermediate_size=32)
    with pytest.raises(CheckpointError, match="not a part of this model"):
        load_stage(case.inventory.blueprint(), other.paths(1, 1), 1, 1)


def test_refuses_a_truncated_unit(case: Case) -> None:
    file = case.files["layer.1"]
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="incomplete"):
        load_stage(case.inventory.blueprint(), case.paths(1, 1), 1, 1)


@pytest.mark.parametrize(("first", "last"), [(-1, 1), (2, 1), (3, 4)])
def test_refuses_a_range_that_is_none(case: Case, first: int, last: int) -> None:
    with pytest.raises(UnsupportedModel, match="layers 0 to 3"):
        load_stage(case.inventory.blueprint(), [], first, last)


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent")
def test_refuses_a_forbidden_cut(tmp_path: Path) -> None:
    spec = json.loads((SHARED / "architectures" / "gemma3n.json").read_text())
    config = spec["config"] | {"model_type": "gemma3n"}
    inventory = inspect(write_model(random_model(config, "gemma3n", mx.float32), config, tmp_path / "model"))
    files = write_units(inventory, tmp_path / "units")
    with pytest.raises(UnsupportedModel, match="no cut between layers 1 and 2: layers 0 to 2 share one cache"):
        load_stage(inventory.blueprint(), list(files.values()), 0, 1)


def without(value: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name != key}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: [],
        lambda value: without(value, "tensors"),
        lambda value: without(value, "config"),
        lambda value: value | {"more": 1},
        lambda value: value | {"config": {}},
        lambda value: value | {"config": value["config"] | {"model_file": "evil.py"}},
        lambda value: value | {"tensors": {"a": ["F32", [1 << 40]]}},
        lambda value: value | {"tensors": {"a": ["F31", [1]]}},
        lambda value: value | {"tensors": {"a\n": ["F32", [1]]}},
        lambda value: value | {"tensors": {"a": 1}},
        lambda value: value | {"tensors": {"a": ["F32", [1]]}},
        lambda value: value | {"config": value["config"] | {"model_type": "../../evil"}},
        lambda value: value | {"config": value["config"] | {"num_hidden_layers": 10**9}},
        lambda value: value | {"config": value["config"] | {"num_hidden_layers": 3}},
    ],
)
def test_refuses_a_spoilt_blueprint(case: Case, spoil: Callable[[Any], Any]) -> None:
    data = json.dumps(spoil(json.loads(case.inventory.blueprint()))).encode()
    with pytest.raises(ModelError):
        load_stage(data, case.paths(1, 1), 1, 1)
    with pytest.raises(ModelError):
        load_stage(data[:-1], case.paths(1, 1), 1, 1)


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [("model.layers.1.mlp.up_proj.weight", 1), ("model.layers.2.input_layernorm.weight", 2)],
)
def test_a_forgotten_tensor_trips_the_wire(
    case: Case, monkeypatch: pytest.MonkeyPatch, tensor: str, layer: int
) -> None:
    """Were the plan ever wrong about what a stage needs, loading it would fail and say where."""

    def wrong_plan(*args: Any) -> Plan:
        plan = make_plan(*args)
        return dataclasses.replace(plan, tensors={name: by for name, by in plan.tensors.items() if name != tensor})

    monkeypatch.setattr(shardd.model.stage, "make_plan", wrong_plan)
    with pytest.raises(ModelError, match=f"Layer {layer} computed values that are not numbers"):
        load_stage(case.inventory.blueprint(), case.paths(1, 2), 1, 2)


def test_holds_its_own_weights_and_little_else(tmp_path: Path) -> None:
    case = make_case(
        tmp_path, hidden_size=256, intermediate_size=1024, num_hidden_layers=12, vocab_size=8192, num_attention_heads=8
    )
    layer = case.inventory.weights_bytes(5, 5)
    blueprint, paths = case.inventory.blueprint(), case.paths(5, 6)
    assert case.inventory.total_bytes > 14 * layer
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    stage = load_stage(blueprint, paths, 5, 6)
    assert stage.weights_bytes == 2 * layer
    assert mx.get_active_memory() - before - stage.weights_bytes < 100_000
    assert mx.get_peak_memory() - before - stage.weights_bytes < 2_000_000


def test_foreign_layers_keep_their_nature(case: Case) -> None:
    """Model files look at layers that are elsewhere: class, attributes and place are as they were."""
    stage = load_stage(case.inventory.blueprint(), case.paths(2, 2), 2, 2)
    model: Any = stage._slice._model  # pyright: ignore[reportPrivateUsage]
    names = {type(layer).__name__ for layer in model.layers}
    assert len(model.layers) == 4
    assert names == {"TransformerBlock"}
    assert all(isinstance(layer, type(model.layers[2]).__mro__[1]) for layer in model.layers)
    assert [layer.use_sliding for layer in model.layers] == [False] * 4


def test_lives_in_any_one_thread(case: Case) -> None:
    def run() -> list[float]:
        stage = load_stage(case.inventory.blueprint(), case.paths(0, 3), 0, 3)
        cache = stage.make_cache()
        for token in (1, 2):
            (logits,) = stage.forward(mx.array([[token]]), cache)
            mx.eval(logits)
        return logits.reshape(-1).tolist()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(run).result() == run()
