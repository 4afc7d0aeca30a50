"""What the head decides, as tables: groups, pace and size of chunks, kept caches."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardd.stage.grouping import Ready, Traffic, group_size, lanes_wanted, next_group
from shardd.stage.pacing import KEPT_SPEED, LARGEST_CHUNK, SMALLEST_CHUNK, ChunkSizer, Pacer
from shardd.stage.prefixes import shared_length


def ready(*pairs: tuple[int, int]) -> list[Ready]:
    return [Ready(sequence, group) for sequence, group in pairs]


@pytest.mark.parametrize(
    ("waiting", "traffic", "leaves"),
    [
        ([], Traffic(0, 0, 3, 8), ()),
        (ready((1, 0)), Traffic(1, 0, 3, 8), (1,)),
        (ready((1, 0), (2, 0)), Traffic(2, 0, 3, 8), (1,)),  # fewer than lanes: each alone
        (ready((1, 5), (2, 5)), Traffic(6, 2, 3, 8), (1, 2)),  # a group stays together
        (ready((1, 5), (2, 6)), Traffic(2, 0, 3, 1), (1,)),
        (ready((1, 0)), Traffic(4, 3, 3, 8), ()),  # enough on their way: wait for one to come home
        (ready((1, 0), (2, 7)), Traffic(4, 2, 3, 8), (1, 2)),  # then travel with it
        (ready((1, 5), (2, 5), (3, 5)), Traffic(3, 0, 3, 8), (1,)),  # a group that became too large
        (ready((1, 0), (2, 0), (3, 0), (4, 0)), Traffic(4, 0, 3, 1), (1,)),  # no sharing wanted
        (ready((1, 5), (2, 5), (3, 7), (4, 7)), Traffic(12, 2, 3, 8), (1, 2, 3, 4)),  # whole where it fits
        (ready((1, 5), (2, 5), (3, 7), (4, 7), (5, 7)), Traffic(12, 2, 3, 8), (1, 2, 3, 4)),  # else taken apart
        (ready((1, 5), (2, 5), (3, 7), (4, 7), (5, 7), (6, 7)), Traffic(12, 2, 3, 8), (3, 4, 5, 6)),  # full ones first
        (ready((1, 5), (2, 5), (3, 7), (4, 7)), Traffic(12, 1, 3, 8), (1, 2)),  # not without need
        ([Ready(1, 4), Ready(2, 0, alone=True)], Traffic(9, 9, 3, 8), (2,)),  # a prompt's last token goes at once
        ([Ready(1, 0, limit=10), Ready(2, 0, limit=900)], Traffic(6, 0, 3, 8, 100), (1,)),  # padding has no room
        ([Ready(1, 0, limit=10), Ready(2, 0, limit=90)], Traffic(6, 0, 3, 8, 100), (1, 2)),
    ],
)
def test_groups(waiting: list[Ready], traffic: Traffic, leaves: tuple[int, ...]) -> None:
    assert next_group(waiting, traffic) == leaves


@given(st.integers(1, 40), st.integers(1, 8), st.integers(1, 16))
def test_groups_fill_all_lanes_and_nobody_waits_for_ever(count: int, lanes: int, max_batch: int) -> None:
    """Everybody ready, groups leave until they wait; each group that comes home lets others leave."""
    home, away, labels, seen = list(range(1, count + 1)), [], dict.fromkeys(range(1, count + 1), 0), set()
    for turn in range(6 * count):
        while group := next_group(ready(*((s, labels[s]) for s in home)), Traffic(count, len(away), lanes, max_batch)):
            assert len(group) <= max_batch
            label = turn * 1000 + len(away) + 1
            for each in group:
                home.remove(each)
                labels[each] = label
            seen.update(group)
            away.append(group)
        assert away
        home.extend(away.pop(0))
    assert seen == set(range(1, count + 1))
    if max_batch * lanes >= count:
        assert len(away) + 1 <= max(lanes, 1) + 1


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(1, 6))
def test_uneven_groups_become_as_many_as_lanes(sizes: list[int], lanes: int) -> None:
    """Groups of any sizes go round; each that comes home meets those that wait at the head."""
    groups = [[(number, index) for index in range(size)] for number, size in enumerate(sizes, 1)]
    labels = {each: each[0] for group in groups for each in group}
    home, away, apart = list(labels), [], 0
    for _ in range(8 * len(labels)):
        while True:
            waiting = [Ready(list(labels).index(each), labels[each]) for each in home]
            group = [list(labels)[n] for n in next_group(waiting, Traffic(len(labels), len(away), lanes, 64))]
            if not group:
                break
            apart = len({labels[each] for each in group}) - 1
            used = {labels[each] for other in away for each in other}
            label = labels[group[0]] if labels[group[0]] not in used else max(labels.values()) + 1
            for each in group:
                home.remove(each)
                labels[each] = label
            away.append(group)
        home.extend(away.pop(0))
    size = group_size(Traffic(len(labels), 0, lanes, 64))
    assert len(set(labels.values())) <= max(min(len(labels), lanes), -(-len(labels) // size))
    assert apart == 0, "groups that are few enough stay together"


def test_group_size() -> None:
    assert [group_size(Traffic(active, 0, 3, 8)) for active in (1, 3, 4, 12, 100)] == [1, 1, 2, 4, 8]


@pytest.mark.parametrize(
    ("stages", "lap", "slowest", "lanes"),
    [(3, 0, 0, 3), (3, 30, 10, 3), (5, 5 * 43, 40, 6), (3, 100, 10, 10), (2, 1000, 1, 8)],
)
def test_lanes(stages: int, lap: float, slowest: float, lanes: int) -> None:
    assert lanes_wanted(stages, lap, slowest) == lanes


def paced(laps: Iterable[float], chunk_s: float) -> tuple[int, int, float]:
    """One answer, beside it chunks that each make a lap longer by so much: laps, chunks, seconds."""
    pacer = Pacer()
    assert pacer.may_go(0.0, answers_running=True, chunks_in_flight=3) is False
    assert pacer.may_go(0.0, answers_running=False, chunks_in_flight=3)
    now, count, chunks = 1.0, 0, 0
    for lap in laps:
        going = pacer.may_go(now, answers_running=True, chunks_in_flight=0)
        ended = now + lap + chunk_s * going
        if going:
            chunks += 1
            pacer.chunk_left(now)
            pacer.chunk_passed(ended)
        pacer.lap(now, ended, disturbed=going, share=1.0)
        now, count = ended, count + 1
    return count, chunks, now - 1.0


@pytest.mark.parametrize("chunk_s", [0.004, 0.080, 0.5])
def test_chunks_leave_running_answers_their_speed(chunk_s: float) -> None:
    laps, chunks, seconds = paced([0.010] * 3000, chunk_s)
    assert chunks * chunk_s > 0.15 * seconds
    assert KEPT_SPEED - 0.03 < laps * 0.010 / seconds < KEPT_SPEED + 0.1


def test_prompts_go_on_where_laps_are_long_of_themselves() -> None:
    """Another program takes the processor now and then, and once for a minute."""
    random = Random(7)
    uneven = [0.010 * (10.0 if random.random() < 0.2 else 1.0) for _ in range(3000)]
    uneven[100] = 60.0
    _, chunks, seconds = paced(uneven, 0.080)
    assert chunks > (seconds - 60.0) / (0.080 * 8)


@pytest.mark.parametrize(
    ("stages", "samples", "left", "low", "high"),
    [
        (3, [], 5000, 512, 512),
        (3, [(256, 0.030), (512, 0.055)], 8000, SMALLEST_CHUNK, 700),  # cheap to begin a chunk: small ones
        (3, [(256, 0.300), (512, 0.310)], 8000, 1000, LARGEST_CHUNK),  # dear: large ones
        (1, [(256, 0.030), (512, 0.055)], 8000, LARGEST_CHUNK, LARGEST_CHUNK),  # nobody waits for them
        (3, [(256, 0.030)], 200, 200, 200),
    ],
)
def test_chunk_size(stages: int, samples: list[tuple[int, float]], left: int, low: int, high: int) -> None:
    sizer = ChunkSizer(stages)
    for tokens, seconds in samples:
        sizer.measured(tokens, seconds)
    assert low <= sizer.choose(left) <= high
    assert ChunkSizer(stages, fixed=100).choose(left) == 100


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_shared_length(one: list[int], other: list[int]) -> None:
    expected = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    assert shared_length(array("q", one), array("q", other)) == expected
