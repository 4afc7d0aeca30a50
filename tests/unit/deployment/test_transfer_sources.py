"""Who sends which unit to whom: tables for what is wanted of it, and properties for any cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.deployment.sources import Round, Wanted, plan_rounds

Missing = Mapping[str, list[Wanted]]


def wanted(names: str, size: int = 10) -> list[Wanted]:
    return [Wanted(name, size) for name in names]


@pytest.mark.parametrize(
    ("missing", "holders", "first", "second"),
    [
        pytest.param({}, {}, Round(), Round(), id="nothing to do"),
        pytest.param({"x": [], "y": []}, {"a": {"x"}}, Round(), Round(), id="everybody has it all"),
        pytest.param(
            {"x": wanted("ab"), "y": wanted("cd")},
            {},
            Round({"x": ("a", "b"), "y": ("c", "d")}),
            Round(),
            id="a first deployment: all from the controller, to all nodes at once",
        ),
        pytest.param(
            {"x": wanted("ea"), "y": wanted("b"), "z": wanted("ce")},
            {},
            Round({"x": ("e", "a"), "y": ("b",), "z": ("c",)}),
            Round(fetches={("z", "x"): ("e",)}),
            id="a tied embedding leaves the controller once, and the head gives it to the tail",
        ),
        pytest.param(
            {"x": [], "z": wanted("e")},
            {"e": {"x"}},
            Round(fetches={("z", "x"): ("e",)}),
            Round(),
            id="a tied embedding that the head has already",
        ),
        pytest.param(
            {"x": wanted("a"), "y": wanted("a"), "z": wanted("a")},
            {},
            Round({"x": ("a",)}),
            Round(fetches={("y", "x"): ("a",), ("z", "x"): ("a",)}),
            id="three copies of one unit",
        ),
        pytest.param(
            {"x": wanted("cd"), "y": wanted("ab")},
            {"a": {"x"}, "b": {"x"}, "c": {"y"}, "d": {"y"}},
            Round(fetches={("x", "y"): ("c", "d"), ("y", "x"): ("a", "b")}),
            Round(),
            id="two machines change places: the controller sends nothing",
        ),
        pytest.param(
            {"x": wanted("ab")},
            {"a": {"spare"}},
            Round({"x": ("b",)}, {("x", "spare"): ("a",)}),
            Round(),
            id="a machine outside the placement holds one of them",
        ),
        pytest.param(
            {"x": wanted("abcd")},
            {name: {"y", "z"} for name in "abcd"},
            Round(fetches={("x", "y"): ("a", "c"), ("x", "z"): ("b", "d")}),
            Round(),
            id="two holders take turns",
        ),
        pytest.param(
            {"x": [Wanted("a", 30), *wanted("bcd")]},
            {name: {"y", "z"} for name in "abcd"},
            Round(fetches={("x", "y"): ("a",), ("x", "z"): ("b", "c", "d")}),
            Round(),
            id="two holders share bytes, not units",
        ),
        pytest.param(
            {"x": [Wanted("a", 30, 25), *wanted("bc")]},
            {name: {"y", "z"} for name in "abc"},
            Round(fetches={("x", "y"): ("a", "c"), ("x", "z"): ("b",)}),
            Round(),
            id="what has arrived before is no load",
        ),
        pytest.param(
            {"x": wanted("a")},
            {"a": {"x"}},
            Round({"x": ("a",)}),
            Round(),
            id="nobody fetches from itself",
        ),
    ],
)
def test_who_sends(missing: Missing, holders: Mapping[str, set[str]], first: Round, second: Round) -> None:
    assert plan_rounds(missing, holders) == (first, second)


NODES = st.sampled_from("uvwxyz")
UNITS = st.sampled_from("abcdefg")
SIZES = {unit: 10 * (number + 1) for number, unit in enumerate("abcdefg")}
CLUSTERS = st.dictionaries(NODES, st.sets(UNITS))


@given(CLUSTERS, CLUSTERS)
def test_in_any_cluster_everything_arrives_once_and_leaves_the_controller_once(
    needs: dict[str, set[str]], has: dict[str, set[str]]
) -> None:
    missing = {
        node: [Wanted(unit, SIZES[unit]) for unit in sorted(units - has.get(node, set()))]
        for node, units in needs.items()
    }
    holders = {unit: {node for node, units in has.items() if unit in units} for unit in SIZES}
    first, second = plan_rounds(missing, holders)
    pushed = [(node, unit) for node, units in first.pushes.items() for unit in units]
    early = [(node, holder, unit) for (node, holder), units in first.fetches.items() for unit in units]
    late = [(node, holder, unit) for (node, holder), units in second.fetches.items() for unit in units]

    assert not second.pushes, "the controller has nothing left to send in the second round"
    assert max(Counter(unit for _, unit in pushed).values(), default=0) <= 1
    assert all(not holders[unit] for _, unit in pushed), "what a machine holds never comes from the controller"
    assert all(unit in has[holder] for _, holder, unit in early)
    assert all((holder, unit) in pushed for _, holder, unit in late), "it has arrived there in the first round"
    assert all(node != holder for node, holder, _ in early + late)
    arrived = Counter([*pushed, *((node, unit) for node, _, unit in early + late)])
    assert arrived == Counter((node, unit.digest) for node, units in missing.items() for unit in units)


@given(st.lists(st.integers(1, 100), max_size=40), st.integers(1, 5))
def test_holders_of_the_same_units_share_the_bytes(sizes: list[int], count: int) -> None:
    """None gives more than an even share and one unit besides."""
    machines = {f"holder-{number}" for number in range(count)}
    units = [Wanted(str(number), size) for number, size in enumerate(sizes)]
    first, _ = plan_rounds({"x": units}, {unit.digest: machines for unit in units})
    load = {pair[1]: sum(sizes[int(digest)] for digest in digests) for pair, digests in first.fetches.items()}
    assert sum(load.values()) == sum(sizes)
    assert all(given <= sum(sizes) / count + max(sizes) for given in load.values())
