"""Who sends which unit to whom: a pure plan.

A unit that some machine holds comes from there, so that the controller's link is not the bottleneck. A unit that no
machine holds leaves the controller once, however many machines need it: the first of them passes it on.

    round 1   controller -> first machine that needs it;  holder -> whoever needs what it holds
    round 2   first machine -> the others
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wanted:
    """A unit that a node needs. have_bytes: of its size, what has arrived there before."""

    digest: str
    size: int
    have_bytes: int = 0

    @property
    def left(self) -> int:
        return self.size - self.have_bytes


@dataclass(frozen=True, slots=True)
class Round:
    """What happens at the same time: node to digests from the controller, and (node, holder) to digests."""

    pushes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    fetches: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict[tuple[str, str], tuple[str, ...]])


def plan_rounds(missing: Mapping[str, Sequence[Wanted]], holders: Mapping[str, Set[str]]) -> tuple[Round, Round]:
    """missing: what each node lacks. holders: digest to the nodes that have it whole."""
    load: Counter[str] = Counter()
    pushes: dict[str, list[str]] = {}
    first: dict[tuple[str, str], list[str]] = {}
    second: dict[tuple[str, str], list[str]] = {}
    given: dict[str, str] = {}

    def fetch(into: dict[tuple[str, str], list[str]], node: str, holder: str, unit: Wanted) -> None:
        load[holder] += unit.left
        into.setdefault((node, holder), []).append(unit.digest)

    for node, units in missing.items():
        for unit in units:
            able = sorted(holders.get(unit.digest, frozenset()) - {node})
            if able:
                fetch(first, node, min(able, key=lambda name: load[name]), unit)
            elif unit.digest not in given:
                given[unit.digest] = node
                pushes.setdefault(node, []).append(unit.digest)
            else:
                fetch(second, node, given[unit.digest], unit)
    return (
        Round({node: tuple(digests) for node, digests in pushes.items()}, _frozen(first)),
        Round(fetches=_frozen(second)),
    )


def _frozen(fetches: Mapping[tuple[str, str], list[str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {pair: tuple(digests) for pair, digests in fetches.items()}
