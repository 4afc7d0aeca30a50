"""What is proposed, how much of it, and what it may cost at most."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardd.stage.draft import Line
from shardd.stage.speculation import (
    HOPE,
    MOST_PROPOSED,
    Advisor,
    Laps,
    Ledger,
    Lookup,
    Prior,
    best_count,
    expected_tokens,
    lap_of,
    most_affordable,
)


def test_lookup_finds_what_followed_before() -> None:
    assert Lookup([1, 2, 3, 4, 5, 9, 1, 2, 3]).propose(3) == (4, 5, 9)
    assert Lookup([1, 2, 1, 2, 1, 2]).propose(5) == (1, 2, 1, 2, 1)
    assert Lookup([1, 2, 3]).propose(4) == ()
    assert Lookup([7, 7]).propose(2) == ()
    lookup = Lookup([5, 6, 7, 8])
    lookup.extend([5, 6])
    assert lookup.propose(1) == (7,)
    # 256 times a byte pattern can be found between two numbers: it must not be.
    assert Lookup([0x01010101, 0x01010101 << 0, 5, 0x00010101, 0x01]).propose(2) == ()
    # The longest end that stood before decides, not the latest place of a shorter one.
    assert Lookup([1, 2, 3, 4, 8, 9, 3, 4, 5, 1, 2, 3, 4]).propose(2) == (8, 9)


@given(st.lists(st.integers(0, 4), max_size=60), st.integers(1, 8))
def test_lookup_proposes_a_real_continuation(tokens: list[int], most: int) -> None:
    proposed = Lookup(tokens).propose(most)
    if proposed:
        pattern = tuple(tokens[-2:])
        places = [n for n in range(len(tokens) - 2) if tuple(tokens[n : n + 2]) == pattern]
        assert any(proposed[0] == tokens[n + 2] for n in places) and len(proposed) == most


@pytest.mark.parametrize(
    ("accepted", "laps", "token_s", "best", "worth"),
    [
        (0.9, {1: 0.030, 5: 0.031}, 0.0, range(8, 17), True),  # long hops: propose much
        (0.9, {1: 0.030, 5: 0.031}, 0.010, range(1, 6), True),  # the same with a slow draft: less
        (0.9, {1: 0.030, 5: 0.031}, 0.060, range(1, 2), False),  # with a very slow one: not at all
        (0.5, {1: 0.010, 5: 0.030}, 0.0, range(1, 4), False),  # dear to verify
        (0.5, {1: 0.030, 5: 0.031}, 0.0, range(4, 17), True),
        (0.0, {1: 0.030, 5: 0.031}, 0.0, range(1, 2), False),
        (1.0, {1: 0.030}, 0.0, range(MOST_PROPOSED, MOST_PROPOSED + 1), True),  # nothing measured: a guess
    ],
)
def test_how_many(accepted: float, laps: dict[int, float], token_s: float, best: range, worth: bool) -> None:
    count, gain = best_count(accepted, laps, token_s)
    assert count in best and (gain > 1.03) == worth


@pytest.mark.parametrize(
    ("tokens", "laps", "seconds"),
    [
        (1, {1: 0.02}, 0.02),
        (3, {1: 0.02, 5: 0.04}, 0.03),
        (9, {1: 0.02, 5: 0.04}, 0.06),
        (5, {1: 0.02, 5: 0.01}, 0.02),  # more tokens are never quicker
        (7, {1: 0.02, 5: 0.01}, 0.02),
        (2, {}, 1.0),
    ],
)
def test_a_lap_with_more_tokens(tokens: int, laps: dict[int, float], seconds: float) -> None:
    assert lap_of(tokens, laps) == pytest.approx(seconds)


def test_expected_tokens() -> None:
    assert expected_tokens(0.0, 4) == 1 and expected_tokens(1.0, 4) == 5
    assert expected_tokens(0.5, 2) == pytest.approx(1.75)


def test_what_can_be_afforded() -> None:
    laps = {1: 0.010, 5: 0.014}
    assert most_affordable(0.0, laps) == 0
    assert most_affordable(0.45, laps) == 4
    assert most_affordable(0.45, laps, 0.001) == 2
    assert most_affordable(0.45, laps, 0.001, accepted=0.5) == 4
    assert most_affordable(9.0, laps) == MOST_PROPOSED
    assert most_affordable(-0.1, laps, accepted=0.9) == 0


def test_laps_forget_an_accident() -> None:
    laps = Laps()
    assert laps.plain_wanted
    for _ in range(3):
        laps.note(1, 0.010)
    laps.note(5, 0.900)
    assert not laps.plain_wanted
    for _ in range(3):
        laps.note(3, 0.011)
    assert 5 not in laps.medians(), "one lap says less than several others"
    for _ in range(100):
        laps.note(3, 0.011)
    assert laps.plain_wanted, "from time to time a plain step is measured again"


@pytest.mark.parametrize("token_s", [0.0, 0.004, 0.030])
@pytest.mark.parametrize("accepted", [0.0, 0.1, 0.3])
def test_what_does_not_pay_costs_little(accepted: float, token_s: float) -> None:
    """Sequences of 100 steps, in which every token is proposed as long as the advisor wants it."""
    chance = random.Random(3)
    plain, each = 0.020, 0.004
    ledger, prior, laps = Ledger(), Prior(), Laps()
    spent = tokens = tried = 0.0
    for _ in range(6):
        ledger.begin()
        advisor = Advisor(prior)
        for _ in range(100):
            count = 0 if laps.plain_wanted else advisor.most(laps.medians(), token_s, ledger.credit)
            right = 0
            while right < count and chance.random() < accepted:
                right += 1
            lap = plain + (0.004 + each * count if count else 0.0)
            laps.note(count + 1, lap)
            ledger.book(right + 1, (lap + token_s * count) / plain)
            advisor.learn(count, right)
            spent, tokens, tried = spent + lap + token_s * count, tokens + right + 1, tried + (count > 0)
    assert tried > 0 or token_s > plain, "a try that is not too dear is made"
    assert spent <= tokens * plain * 1.03


def test_what_pays_is_proposed() -> None:
    ledger, advisor, laps = Ledger(), Advisor(Prior()), Laps()
    spent = tokens = 0.0
    for _ in range(200):
        count = 0 if laps.plain_wanted else advisor.most(laps.medians(), 0.002, ledger.credit)
        lap = 0.020 + 0.001 * count
        laps.note(count + 1, lap)
        ledger.book(count + 1, (lap + 0.002 * count) / 0.020)
        advisor.learn(count, count)
        spent, tokens = spent + lap + 0.002 * count, tokens + count + 1
    assert tokens * 0.020 / spent > 3.0
    assert advisor.accepted > 0.95 and advisor.prior.accepted > HOPE


def test_short_answers_find_out_that_what_did_not_pay_pays_now() -> None:
    prior, laps = Prior(accepted=0.0, known=True), {1: 0.020, 2: 0.021, 3: 0.022}
    tried: list[int] = []
    for step in range(3000):
        if step % 10 == 0:
            advisor = Advisor(prior)  # each answer has ten tokens
        if count := advisor.most(laps):
            tried.append(step)
            advisor.learn(count, 0)
    assert 2 <= len(tried) <= 10, "twice as rare after each try that failed"
    for step in range(2 * prior.rest):
        if step % 10 == 0:
            advisor = Advisor(prior)
        if count := advisor.most(laps):
            advisor.learn(count, count)
    assert prior.accepted > 0.5


def line(tokens: list[int], guesses: list[int], fed: int) -> Line:
    return Line(cast(Any, None), len(tokens), [*tokens, *guesses], len(tokens), cast(Any, None), room=99, fed=fed)


@pytest.mark.parametrize(
    ("guesses", "fed", "news", "left", "forgotten", "fed_after"),
    [
        ([7, 8, 9], 5, [7, 8, 9], [], 0, 5),  # all right: nothing is lost
        ([7, 8, 9], 5, [7], [8, 9], 0, 5),
        ([7, 8, 9], 5, [7, 1], [], 1, 4),  # 8 was wrong and is in the cache
        ([7, 8, 9], 5, [1], [], 2, 3),
        ([], 2, [4, 5], [], 0, 2),  # nothing was guessed
        ([7], 3, [7, 8, 9], [], 0, 3),
    ],
)
def test_a_line_is_cut_back_where_a_guess_was_wrong(
    guesses: list[int], fed: int, news: list[int], left: list[int], forgotten: int, fed_after: int
) -> None:
    one = line([1, 2, 3], guesses, fed)
    assert one.settle(news) == forgotten
    assert (one.tokens, one.known, one.fed) == ([1, 2, 3, *news, *left], 3 + len(news), fed_after)
    assert list(one.guesses) == left


@given(
    st.lists(st.integers(0, 2), max_size=9), st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4)), st.data()
)
def test_a_line_always_holds_what_is_known(guesses: list[int], news: list[list[int]], data: st.DataObject) -> None:
    known = [1, 2]
    one = line(known, guesses, data.draw(st.integers(0, len(known) + max(0, len(guesses) - 1))))
    cached = one.tokens[: one.fed]
    for tokens in news:
        forgotten = one.settle(tokens)
        known += tokens
        assert one.tokens[: one.known] == known and one.known == len(known)
        cached = cached[: len(cached) - forgotten]
        assert cached == one.tokens[: one.fed] and one.fed < len(one.tokens)
