"""The small parts: leaves, ancestry, ghosts, tracing."""

from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn
import pytest

from shardd.model.errors import UnsupportedModel
from shardd.model.flow import find_flow
from shardd.model.ghosts import Ghosts
from shardd.model.graph import ancestors
from shardd.model.leaves import Form, assign, flatten, numbers_in, rebuild
from shardd.model.trace import trace


class Pair(NamedTuple):
    one: Any
    other: Any


def test_leaves_by_path() -> None:
    a, b, c = (mx.zeros((n,)) for n in (1, 2, 3))
    value = (Pair(a, None), {"k": [b, "text", 7]}, nn.Linear(2, 2), c)
    assert {path: leaf.shape for path, leaf in flatten(value).items()} == {(0, 0): (1,), (1, "k", 0): (2,), (3,): (3,)}
    assert numbers_in(value) == {(1, "k", 2): 7}
    twin = rebuild(value, lambda path, leaf: Form("x", leaf.shape))
    assert twin[0] == Pair(Form("x", (1,)), None)
    assert twin[1] == {"k": [Form("x", (2,)), "text", 7]}
    assert twin[2] is value[2]
    assign(value, (1, "k", 0), c)
    assert value[1]["k"][0] is c


def test_ancestors_stop_at_a_source() -> None:
    a, b, c = (mx.zeros((2,)) for _ in range(3))
    middle = a + b
    assert ancestors([middle * c, c, b - 1, mx.ones(())], [a, b, c]) == [{0, 1, 2}, {2}, {1}, set()]
    assert ancestors([middle * c], [a, b, c, middle]) == [{2, 3}]


def test_many_ancestors() -> None:
    sources = [mx.zeros((2,)) for _ in range(1700)]
    outputs = [mx.stack(sources[at : at + 5]) for at in range(0, 1700, 5)]
    assert ancestors(outputs, sources) == [set(range(at, at + 5)) for at in range(0, 1700, 5)]


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16, mx.uint32, mx.uint8])
def test_ghosts_take_no_memory_and_poison(dtype: mx.Dtype) -> None:
    before = mx.get_active_memory()
    ghost = Ghosts().make(dtype, (1 << 15, 1 << 15))
    mx.eval(ghost)
    assert ghost.nbytes >= 1 << 30
    assert mx.get_active_memory() - before < 1000
    if mx.issubdtype(dtype, mx.floating):
        assert mx.isnan(ghost[5, 7]).item()


@pytest.mark.parametrize("tame", [False, True])
def test_what_stands_on_a_ghost_is_seen(tame: bool) -> None:
    """Tame ghosts are numbers where they are vectors; all of them lead to a seed."""
    ghosts = Ghosts(tame=tame)
    made = ghosts.of({"vector": ("F32", (3,)), "matrix": ("F32", (3, 3)), "one": ("F32", ()), "whole": ("U32", (3,))})
    results = [array * 2 for array in made.values()]
    assert all(ancestors(results, ghosts.seeds))
    numbers = {name: not mx.isnan(array).any().item() for name, array in made.items()}
    assert numbers == {"vector": tame, "matrix": False, "one": False, "whole": True}


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = mx.ones((4,))

    def __call__(self, x: mx.array, *others: mx.array) -> mx.array:
        for other in others:
            x = x + other
        return x * self.scale


class Toy(nn.Module):
    """Three layers; what happens around them differs by test."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.embed = nn.Embedding(8, 4)
        self.layers = [Layer() for _ in range(3)]
        self.gains = [mx.ones((4,)) for _ in range(3)]

    def make_cache(self) -> list[Any]:
        return []

    def __call__(self, tokens: mx.array, cache: Any = None) -> mx.array:
        h = e = self.embed(tokens)
        for number, layer in enumerate(self.layers):
            match self.way:
                case "mixes after each layer":
                    h = layer(h) + e
                case "mixes in place":
                    h = layer(h)
                    h += e
                case "gives the embedding":
                    h = layer(h, e)
                case "gains between":
                    h = layer(h * self.gains[number])
                case "mixes at the end":
                    h = layer(h) if number < 2 else layer(h) + e
                case "skips one":
                    h = layer(h) if number != 1 else h
                case _:
                    h = layer(h)
        return self.embed.as_linear(h)


def crossing(way: str, cut: int) -> list[list[tuple[str, int]]]:
    flow = find_flow(trace(Toy(way)))
    assert not flow.forbidden
    return [[(target.kind, target.layer) for target in each.targets] for each in flow.crossings[cut]]


def test_what_crosses() -> None:
    assert crossing("plain", 1) == [[("out", 0)]]
    assert crossing("gives the embedding", 1) == [[("out", 0)], [("arg", 1), ("arg", 2)]]
    assert crossing("gives the embedding", 2) == [[("out", 1)], [("arg", 2)]]


@pytest.mark.parametrize("way", ["mixes after each layer", "mixes in place", "mixes at the end"])
def test_what_forbids_cuts(way: str) -> None:
    forbidden = find_flow(trace(Toy(way))).forbidden
    assert forbidden == dict.fromkeys((1, 2), "the layers after it mix in the embedding again")


def test_refuses_other_orders() -> None:
    with pytest.raises(UnsupportedModel, match="once, one after the other"):
        trace(Toy("skips one"))


def test_phases_and_restored_classes() -> None:
    model = Toy("gains between")
    phases = trace(model).phases
    assert phases["embed.weight"] == {-1, 3}
    # A list is read as a whole; what is read between two layers is the later one's.
    assert phases["gains.2"] == {-1, 1, 2}
    assert phases["layers.1.scale"] == {1}
    assert {type(layer) for layer in model.layers} == {Layer}
    assert type(model) is Toy
