"""Slices of toys: stages together compute what the whole model does, whatever it does between its layers."""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest

from shardd.model import holes
from shardd.model.flow import find_flow
from shardd.model.holes import Slice
from shardd.model.trace import trace

COUNT = 4


class Plain(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.scale = mx.full((4,), 1.0 + number)
        self.inner = nn.Linear(4, 4)
        self.odd = number % 2 == 1

    def __call__(self, x: mx.array, *others: mx.array, **named: mx.array) -> mx.array:
        for other in (*others, *named.values()):
            x = x + other
        return self.inner(x) * self.scale


class Pair(Plain):
    """Hands on what the first layer saw, beside its result."""

    def __call__(self, x: Any, first: Any = None, **_: Any) -> Any:
        first = x if first is None else first
        return super().__call__(x, first), first


class Nested(Plain):
    def __call__(self, x: Any, state: Any = None, **_: Any) -> Any:
        one, two = state or (x, x * 2)
        return super().__call__(x, one, two), (one, two), None


class Toy(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        mx.random.seed(3)
        self.way = way
        kind = {"hands on": Pair, "hands on in place": Pair, "remembers": Pair, "nested": Nested}.get(way, Plain)
        self.embed = nn.Embedding(8, 4)
        self.layers = [kind(number) for number in range(COUNT)]
        self.gain = mx.full((4,), 0.5)
        mx.eval(self.parameters())

    def make_cache(self) -> list[Any]:
        return []

    def __call__(self, tokens: mx.array, cache: Any = None) -> mx.array:
        h = e = self.embed(tokens) * 2
        per_layer = mx.sin(mx.stack([e * number for number in range(COUNT)]))
        carried: Any = None
        for number, layer in enumerate(self.layers):
            match self.way:
                case "in place":
                    h = layer(h)
                    h += self.gain
                case "hands on":
                    h, carried = layer(h, carried)
                case "hands on in place":
                    h, carried = layer(h, carried)
                    h += self.gain
                    h *= 2
                case "remembers":
                    h, handed = layer(h, carried)
                    if number == 0:
                        carried = handed * 2
                        handed += 1
                case "nested":
                    h, carried, _ = layer(h, carried)
                case "embedding":
                    h = layer(h, e)
                case "embedding by name":
                    h = layer(h, skip=e)
                case "one each":
                    h = layer(h, per_layer=per_layer[number])
                case "one each in a prompt":
                    h = layer(h, per_layer[number] if tokens.shape[1] > 1 else e)
                case "looks at the next":
                    following = self.layers[(number + 1) % COUNT]
                    h = layer(h, following.scale * 3 if following.odd else following.inner.weight[0])
                case _:
                    h = layer(h)
        return self.embed.as_linear(h)


WAYS = (
    "plain", "in place", "hands on", "hands on in place", "remembers", "nested", "embedding", "embedding by name",
    "one each", "one each in a prompt", "looks at the next",
)  # fmt: skip


@pytest.fixture
def stages() -> Callable[[str, list[int]], list[Slice]]:
    """`stages(way, cuts)`: the toy's slices, each of a model of its own."""

    def make(way: str, cuts: list[int]) -> list[Slice]:
        flow = find_flow(trace(Toy(way)))
        assert not flow.forbidden
        starts, ends = [0, *cuts], [*cuts, COUNT]
        return [Slice(Toy(way), flow, start, end - 1) for start, end in zip(starts, ends, strict=True)]

    return make


def run(slices: list[Slice], tokens: mx.array) -> mx.array:
    arrays: Any = tokens
    for each in slices:
        arrays = each(arrays, [])
        mx.eval(arrays)
    return arrays[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cuts", [[1], [2], [3], [1, 3], [1, 2, 3]])
def test_slices_compute_what_the_whole_does(way: str, cuts: list[int], stages: Callable[..., list[Slice]]) -> None:
    whole, slices = Toy(way), stages(way, cuts)
    for tokens in ([[1, 2, 3]], [[4]], [[5], [6]], [[7]]):
        assert mx.array_equal(run(slices, mx.array(tokens)), whole(mx.array(tokens)))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", ["BLANK_PASSES", "BLANK_SIZES"])
def test_ghosts_are_handed_out_again(
    way: str, limit: str, stages: Callable[..., list[Slice]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the model does to them, and for several sizes by turns; neither they nor the sizes grow for ever."""
    monkeypatch.setattr(holes, limit, 3)
    whole, slices = Toy(way), stages(way, [2])
    for turn in range(15):
        tokens = mx.full((1, 1 + turn % 5), 3)
        assert mx.array_equal(run(slices, tokens), whole(tokens))
        assert len(slices[1]._blanks) <= 4  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("way", ["in place", "hands on in place"])
def test_what_arrives_stays_as_it_is(way: str, stages: Callable[..., list[Slice]]) -> None:
    """A model's own `h += x` must not reach the arrays that came, nor those that go."""
    first, second, third = stages(way, [1, 2])
    arrived = first(mx.array([[1, 2]]), [])
    mx.eval(arrived)
    before = [array.tolist() for array in arrived]
    sent = second(arrived, [])
    again = second(arrived, [])
    mx.eval(sent, again)
    assert [array.tolist() for array in arrived] == before
    assert [array.tolist() for array in sent] == [array.tolist() for array in again]
    mx.eval(third(sent, []))
    assert [array.tolist() for array in sent] == [array.tolist() for array in again]


def test_a_head_goes_no_further_than_it_must(stages: Callable[..., list[Slice]]) -> None:
    """One embedding for all layers is seen in the next one's arguments; one for each has to be collected from all."""
    reached = {way: stages(way, [2])[0]._leave_after for way in WAYS}  # pyright: ignore[reportPrivateUsage]
    assert reached == dict.fromkeys(WAYS, 1) | {
        "embedding": 2,
        "embedding by name": 2,
        "one each": 3,
        "one each in a prompt": 3,
    }


def test_foreign_layers_answer_questions(stages: Callable[..., list[Slice]]) -> None:
    (_, second) = stages("plain", [2])
    for number, layer in enumerate(second._model.layers):  # pyright: ignore[reportPrivateUsage]
        assert isinstance(layer, Plain) and layer.odd == (number % 2 == 1)
        assert layer.scale.tolist() == [1.0 + number] * 4
        assert isinstance(layer.inner, nn.Linear) and "inner" in layer
