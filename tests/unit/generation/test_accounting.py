"""Where a token's time goes: laps, sums, and the sentence that names the largest part."""

from __future__ import annotations

import pytest

from app.core.generation.accounting import Condition, account, account_json, conditions, explain, laps
from app.core.generation.request import StageTiming, TokenEvent
from app.core.placement.placement import StageRange
from app.core.snapshot import MemoryView, NodeView
from tests.made_up_nodes import node

GB = 10**9
Parts = tuple[float, float, float, float]  # hop, queue, compute, serialise


def timings(*stages: Parts) -> tuple[StageTiming, ...]:
    return tuple(StageTiming(number, *parts) for number, parts in enumerate(stages))


def token(at_ms: float, *stages: Parts, sent_ms: float = 0.0, shared: int = 1) -> TokenEvent:
    return TokenEvent(7, "", timings(*stages), at_ms, shared=shared, sent_ms=sent_ms)


def steady(*stages: Parts, extra: float = 0.0, count: int = 5) -> list[TokenEvent]:
    """Tokens that come as the parts say, and so much later."""
    lap = sum(sum(parts) for parts in stages) + extra
    return [token(100 + number * lap, *stages) for number in range(count)]


def placed(*layers: int) -> tuple[StageRange, ...]:
    """Stages of so many layers on mini-1, mini-2, ..."""
    stages: list[StageRange] = []
    for number, count in enumerate(layers, 1):
        first = stages[-1].last + 1 if stages else 0
        stages.append(StageRange(f"mini-{number}", first, first + count - 1))
    return tuple(stages)


def view(name: str, *, swap: int | None = 0, free: int = 8 * GB, cpu: float = 0.0) -> NodeView:
    memory = MemoryView(16 * GB, 1 * GB, 0, 0, free, free)
    return node(name, memory=memory, swap_used=swap, cpu_percent=cpu)


EVEN: tuple[Parts, ...] = ((0.1, 0.1, 4.0, 0.0), (0.1, 0.1, 4.0, 0.0), (0.1, 0.1, 4.2, 0.0))


def test_a_lap_needs_two_tokens() -> None:
    assert laps([]) == () and laps(steady(*EVEN, count=1)) == ()
    assert account([steady(*EVEN, count=1), []]) is None
    assert account_json(None, placed(1)) is None
    assert explain(None, placed(1), {}) == ""


def test_the_parts_are_held_against_what_was_observed() -> None:
    found = account([steady((1.0, 0.0, 5.0, 0.0), (2.0, 0.5, 10.0, 0.5), extra=1.0)])
    assert found is not None
    assert found.laps == found.tokens == 4
    assert found.observed_ms == pytest.approx((20.0, 20.0)) and found.summed_ms == pytest.approx((19.0, 19.0))
    assert found.accounted == pytest.approx(0.95)
    assert found.part(1, "compute").share == pytest.approx(0.5)
    assert found.other_ms == pytest.approx(1.0) and found.other_share == pytest.approx(0.05)
    document = account_json(found, placed(2, 2))
    assert document is not None
    shares = [share for stage in document["stages"] for share in stage["share"].values()]
    assert sum(shares) + document["other"]["share"] == pytest.approx(1.0)
    assert document["stages"][1]["node"] == "mini-2"
    assert document["stages"][1]["ms"] == pytest.approx({"hop": 2.0, "queue": 0.5, "compute": 10.0, "serialise": 0.5})


def test_the_tails_clock_is_preferred_to_the_controllers() -> None:
    """The controller saw the tokens in pairs; the tail sent them evenly."""
    jitter = [0.0, 2.0, 20.0, 22.0, 40.0]
    events = [token(at, (0.0, 0.0, 10.0, 0.0), sent_ms=1000.0 + 10.0 * number) for number, at in enumerate(jitter)]
    found = account([events])
    assert found is not None and found.accounted == pytest.approx(1.0)
    assert found.observed_ms == pytest.approx((10.0, 10.0))


def test_tokens_that_were_proposed_belong_to_the_lap_that_brought_them() -> None:
    part: Parts = (0.0, 0.0, 10.0, 0.0)
    events = [token(0, part), token(10, part), token(10.1), token(10.2), token(20, part), token(20.1)]
    assert [(lap.tokens, lap.observed_ms) for lap in laps(events)] == [(3, 10.0), (2, 10.0)]
    found = account([events])
    assert found is not None and (found.laps, found.tokens) == (2, 5)


def test_answers_are_pooled_and_never_joined() -> None:
    late = [TokenEvent(7, "", event.timings, event.at_ms + 5000) for event in steady(*EVEN)]
    both = account([steady(*EVEN), late], at_once=2)
    assert both is not None and both.laps == 8 and both.answers == 2
    assert both.observed_ms == pytest.approx((12.8, 12.8))


SLOW_ONE: tuple[Parts, ...] = ((0.1, 0.0, 2.0, 0.0), (0.1, 0.0, 6.2, 0.0), (0.1, 0.0, 1.5, 0.0))


ONE: tuple[Parts, ...] = ((0.0, 0.1, 9.9, 0.0),)
FAR: tuple[Parts, ...] = ((0.2, 0.0, 1.0, 0.0), (8.0, 0.0, 0.8, 0.0))
BACK: tuple[Parts, ...] = ((8.0, 0.0, 1.0, 0.0), (0.2, 0.0, 0.8, 0.0))
BOTH_FAR: tuple[Parts, ...] = ((4.0, 0.0, 1.0, 0.0), (4.0, 0.0, 1.0, 0.0))
PACKS: tuple[Parts, ...] = ((0.0, 0.0, 2.0, 0.0), (0.0, 0.0, 1.0, 7.0))
WAITS: tuple[Parts, ...] = ((0.0, 6.0, 2.0, 0.0), (0.0, 0.0, 2.0, 0.0))

SECOND, FIRST = (
    "62 % of each token is computing in stage 2 on mini-2",
    "99 % of each token is computing in stage 1 on mini-1",
)
ALIKE = "95 % of each token is computing, about equal on all 3 stages"

SWAPS = Condition(16 * GB, 8 * GB, GB, 10**8)
SWAPPED = Condition(16 * GB, 8 * GB, 2 * GB, 0)
FULL = Condition(16 * GB, GB // 10, 0, 0)
BUSY = Condition(others_cpu_percent=55.2)
WELL = Condition(16 * GB, 8 * GB, 10**8, 10**6, 12.0)


@pytest.mark.parametrize(
    ("stages", "layers", "machines", "sentence"),
    [
        (SLOW_ONE, (4, 4, 4), {}, f"{SECOND}; each of its layers takes 4.1 times as long as on mini-3."),
        (SLOW_ONE, (4, 12, 4), {}, f"{SECOND}; it holds 12 of 20 layers."),
        (SLOW_ONE, (4, 12, 4), {"mini-2": SWAPS}, f"{SECOND}; it also swaps and it holds 12 of 20 layers."),
        (SLOW_ONE, (4, 12, 4), {"mini-1": SWAPS}, f"{SECOND}; it holds 12 of 20 layers."),
        (EVEN, (4, 4, 4), {}, f"{ALIKE}."),
        (EVEN, (4, 4, 4), {"mini-3": SWAPPED}, f"{ALIKE}; mini-3: it also has 2 GB in swap."),
        (ONE, (12,), {"mini-1": FULL}, f"{FIRST}; only 100 MB of its memory is free."),
        (ONE, (12,), {"mini-1": BUSY}, f"{FIRST}; other programs use 55 % of its processors."),
        (ONE, (12,), {"mini-1": WELL}, f"{FIRST}."),
        (FAR, (4, 4), {}, "80 % of each token is the link from mini-1 to mini-2: a hop takes 8.0 ms."),
        (BACK, (4, 4), {}, "80 % of each token is the link from mini-2 to mini-1: a hop takes 8.0 ms."),
        (BOTH_FAR, (4, 4), {}, "80 % of each token is the links, all 2 about equal: a hop takes 4.0 ms."),
        (PACKS, (4, 4), {}, "70 % of each token is packing what stage 2 on mini-2 sends."),
        (WAITS, (4, 4), {}, "60 % of each token is waiting for stage 1 on mini-1."),
        (WAITS, (4, 4), {"mini-1": SWAPS}, "60 % of each token is waiting for stage 1 on mini-1; it also swaps."),
    ],
)
def test_one_sentence_names_the_largest_part_and_its_cause(
    stages: tuple[Parts, ...], layers: tuple[int, ...], machines: dict[str, Condition], sentence: str
) -> None:
    assert explain(account([steady(*stages)]), placed(*layers), machines) == sentence


def test_waiting_with_other_answers_says_so() -> None:
    found = account([steady((0.0, 6.0, 2.0, 0.0), (0.0, 0.0, 2.0, 0.0))], at_once=3)
    assert explain(found, placed(4, 4), {}) == (
        "60 % of each token is waiting for stage 1 on mini-1, which other answers keep busy."
    )


def test_what_no_stage_accounts_for_is_not_hidden() -> None:
    found = account([steady((0.0, 0.0, 4.0, 0.0), extra=6.0)])
    assert explain(found, placed(4), {}) == "60 % of each token is in no stage's own figures."


def test_a_hop_that_varies_says_how_far() -> None:
    events = [token(0.0, (0.0, 0.0, 1.0, 0.0), (5.0, 0.0, 1.0, 0.0))]
    for number in range(20):
        hop = 30.0 if number % 5 == 4 else 5.0
        events.append(token(events[-1].at_ms + hop + 2, (0.0, 0.0, 1.0, 0.0), (hop, 0.0, 1.0, 0.0)))
    sentence = explain(account([events]), placed(4, 4), {})
    assert sentence.endswith("the link from mini-1 to mini-2: a hop takes 5.0 ms, and up to 30.0 ms.")


def test_a_stall_of_a_few_tokens_is_told_as_such() -> None:
    events = steady(*EVEN, count=60)
    stalled = events[-1].at_ms + 3000 + 12.8
    found = account([[*events, token(stalled, EVEN[0], (3000.1, 0.1, 4.0, 0.0), EVEN[2])]])
    sentence = explain(found, placed(4, 4, 4), {})
    assert sentence.endswith("a hop takes 0.10 ms; a few tokens took far longer than the rest."), sentence


def test_stages_that_the_placement_does_not_know_are_not_explained() -> None:
    """A window may hold tokens of the deployment before this one."""
    assert explain(account([steady(*EVEN)]), placed(4), {}) == ""


@pytest.mark.parametrize(
    ("before", "now", "rested", "expected"),
    [
        ((), view("a", swap=5), False, Condition(16 * GB, 8 * GB, 5, None, None)),
        ((view("a", swap=3, cpu=40.0),), view("a", swap=5), False, Condition(16 * GB, 8 * GB, 5, 2, None)),
        ((view("a", swap=3, cpu=40.0),), view("a", swap=5), True, Condition(16 * GB, 8 * GB, 5, 2, 40.0)),
        ((view("b"),), view("a", swap=None), True, Condition(16 * GB, 8 * GB, None, None, None)),
    ],
)
def test_conditions(before: tuple[NodeView, ...], now: NodeView, rested: bool, expected: Condition) -> None:
    assert conditions([now], before, rested=rested) == {"a": expected}
