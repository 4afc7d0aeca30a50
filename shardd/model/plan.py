"""Which raw tensors each part of a model needs, and how its layers are connected.

Inventory (on the controller) and stage (on a node) both start from this plan, made from the same two facts: the
configuration, and every tensor's name and form.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

from shardd.model.build import build_over_ghosts
from shardd.model.caches import CacheCost, cache_costs
from shardd.model.flow import Flow, find_flow
from shardd.model.ghosts import Forms, Ghosts
from shardd.model.graph import SOURCES_AT_ONCE, ancestors
from shardd.model.trace import Trace, trace

NUMBER = re.compile(r"\.(\d+)\.")


@dataclass(frozen=True)
class Plan:
    """What is known of a model before any weight is read.

    Attributes:
        flow: how its layers are connected.
        parameters: model parameter name to the phases that read it (-1 before the layers, n after them).
        tensors: raw tensor name to the phases that need it; tensors that nothing needs are not in it.
        head_tensors: raw tensors that only the LM head needs.
        costs: for each layer, what its cache takes.
    """

    flow: Flow
    parameters: Mapping[str, frozenset[int]]
    tensors: Mapping[str, frozenset[int]]
    head_tensors: frozenset[str]
    costs: tuple[CacheCost, ...]

    def needed(self, first: int, last: int) -> frozenset[str]:
        """Names of the raw tensors that a stage of layers `first` to `last` needs."""
        phases = stage_phases(first, last, self.flow.layer_count)
        return frozenset(name for name, readers in self.tensors.items() if readers & phases)


def stage_phases(first: int, last: int, layer_count: int) -> frozenset[int]:
    """The phases that a stage of layers `first` to `last` computes itself."""
    low = -1 if first == 0 else first
    high = layer_count if last == layer_count - 1 else last
    return frozenset(range(low, high + 1))


def make_plan(config: Mapping[str, Any], forms: Forms) -> Plan:
    """Build the model of `config` over ghosts of `forms`, trace it, and write down what was seen.

    Raises:
        UnsupportedModel: mlx-lm has no such model, or it cannot be split at all.
        CheckpointError: the tensors are not those that the configuration asks for.
    """
    model, raw, ghosts = build_over_ghosts(config, forms)
    traced = trace(model)
    flow = find_flow(traced)
    origins = _origins(traced, raw, ghosts)
    tensors: dict[str, frozenset[int]] = {}
    head: dict[str, bool] = {}
    vocabulary = flow.logits.shape[-1]
    for name, sources in origins.items():
        in_head = traced.phases[name] == frozenset({flow.layer_count}) and _is_head(name, traced, vocabulary)
        for source in sources:
            tensors[source] = tensors.get(source, frozenset()) | traced.phases[name]
            head[source] = head.get(source, True) and in_head
    return Plan(
        flow=flow,
        parameters=traced.phases,
        tensors=tensors,
        head_tensors=frozenset(name for name, only in head.items() if only),
        costs=cache_costs(traced, flow),
    )


def _is_head(name: str, traced: Trace, vocabulary: int | str) -> bool:
    """Whether the module of parameter `name` has a matrix with a row for each word: the LM head."""
    module = name.rpartition(".")[0]
    weight = traced.parameters.get(f"{module}.weight", traced.parameters[name])
    return weight.ndim > 1 and vocabulary in weight.shape


def _origins(traced: Trace, raw: Mapping[str, mx.array], ghosts: Ghosts) -> dict[str, set[str]]:
    """For each parameter the raw tensors it is made from."""
    names = {id(array): name for name, array in raw.items()}
    origins: dict[str, set[str]] = {}
    made: dict[int | None, list[str]] = {}
    for name, array in traced.parameters.items():
        if id(array) in names:
            origins[name] = {names[id(array)]}
        else:  # transposed, stacked, scaled ...
            made.setdefault(_number(name), []).append(name)
    direct = set[str]().union(*origins.values())
    likely: dict[int | None, list[str]] = {}
    for name in raw.keys() - direct:
        likely.setdefault(_number(name), []).append(name)
    for number, group in made.items():
        first = sorted(likely.get(number, ()))
        found = _made_from([traced.parameters[name] for name in group], first, raw, ghosts.seeds)
        origins.update(zip(group, found, strict=True))
    return origins


def _made_from(
    arrays: list[mx.array], likely: list[str], raw: Mapping[str, mx.array], seeds: list[mx.array]
) -> list[set[str]]:
    """For each of `arrays` the names of its raw ancestors, which are often all among the `likely` ones."""
    found = [set[str]() for _ in arrays]
    at_once = SOURCES_AT_ONCE // 2
    for names in (likely, sorted(raw.keys() - set(likely))):
        for first in range(0, len(names), at_once):
            some = names[first : first + at_once]
            known = sorted(set[str]().union(*found))
            sources = [*some, *known]
            results = ancestors(arrays, [*(raw[name] for name in sources), *seeds])
            for origin, indices in zip(found, results, strict=True):
                origin |= {sources[index] for index in indices if index < len(sources)}
            # A seed in sight is a ghost whose name was not among the sources.
            if all(index < len(sources) for indices in results for index in indices):
                return found
    return found


def _number(name: str) -> int | None:
    """The layer number in a tensor's name, if it has one."""
    match = NUMBER.search(f".{name}.")
    return int(match[1]) if match else None
