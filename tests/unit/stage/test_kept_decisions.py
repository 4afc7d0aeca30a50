"""What the head decides on kept caches, without any stage: budgets, prefixes, memory and disk."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import pytest

from shardd.rpc import lane_pb2
from shardd.stage.head import Head
from shardd.stage.kept import MAX_SPILLED, KeptCaches
from shardd.stage.orders import PipelineOptions
from shardd.stage.prefixes import PrefixIndex, surplus
from shardd.stage.work import EngineSettings

SYSTEM = list(range(100))


@pytest.mark.parametrize(
    ("rooms", "share", "running", "doomed"),
    [
        ([], 0.5, 0, []),
        ([(1, 300.0), (2, 200.0)], 0.5, 0, []),
        ([(1, 300.0), (2, 201.0)], 0.5, 0, [1]),  # over the share: the longest unused goes
        ([(1, 10.0), (2, 900.0)], 0.5, 0, [1]),  # the latest may take more than the share
        ([(1, 10.0), (2, 900.0)], 0.0, 0, [1, 2]),  # but not where none are wanted
        ([(1, 100.0), (2, 100.0), (3, 100.0)], 0.5, 800, [1]),  # what runs comes first
        ([(1, 100.0), (2, 100.0)], 1.0, 950, [1, 2]),
        ([(1, 500.0), (2, 500.0)], 1.0, 0, []),
    ],
)
def test_what_leaves_the_memory(rooms: list[tuple[int, float]], share: float, running: int, doomed: list[int]) -> None:
    assert surplus(rooms, share, 1000, running) == doomed


def test_prefixes() -> None:
    index = PrefixIndex()
    index.add(1, [*SYSTEM, *range(500, 600)])
    found = index.find([*SYSTEM, 7, 8])
    assert found and (found.number, found.tokens, found.take) == (1, 100, False)
    found = index.find([*SYSTEM, *range(500, 600), 9])
    assert found and (found.tokens, found.take) == (200, True)
    same = index.find([*SYSTEM, *range(500, 600)])
    assert same and same.tokens == 199, "the last token is always computed"
    assert index.find(list(range(10))) is None, "too little to be worth it"
    index[1].trims = False
    assert index.find([*SYSTEM, 7, 8]) is None and index.find([*SYSTEM, *range(500, 600), 9])
    index[1].trims = True
    index.add(2, [*SYSTEM, *range(500, 700)])
    assert [entry.number for entry in index.covered_by(2)] == [1]
    index.add(3, list(range(1000, 1400)), weight=0.25)
    assert index.room == 200 + 300 + 100
    index.find([*SYSTEM, *range(500, 600), 9])
    assert [number for number, _ in index.rooms()] == [2, 3, 1]


def test_the_disk_is_read_only_for_much_more() -> None:
    index = PrefixIndex()
    index.add(1, [*SYSTEM, *range(500, 600)])
    spilled = index.add(2, [*SYSTEM, *range(500, 660)])
    spilled.in_memory, spilled.on_disk = False, True
    prompt = [*SYSTEM, *range(500, 800)]
    found = index.find(prompt)
    assert found and found.number == 1, "60 tokens more are quicker computed"
    spilled.tokens.extend(range(660, 700))
    found = index.find(prompt)
    assert found and (found.number, found.tokens, found.in_memory, found.take) == (2, 300, False, True)
    index.out_of_memory(1)
    assert 1 not in index and 2 in index


class Stages:
    """What the head has had done."""

    def __init__(self, spilled: list[tuple[int, array[int], bool]] | None = None) -> None:
        self.token_ids: Callable[[int], Sequence[int]] = lambda number: ()
        self.done: list[tuple[str, list[int]]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self._spilled = spilled or []

    def manage(self, *, drop: Sequence[int] = (), release: Sequence[int] = (), save: Sequence[int] = ()) -> None:
        for name, numbers in (("drop", drop), ("release", release), ("save", save)):
            if numbers:
                self.done.append((name, list(numbers)))

    def recall(self, number: int) -> None:
        self.done.append(("recall", [number]))

    def holds(self, number: int) -> bool:
        return number != 13

    def weight(self, number: int) -> float:
        return 1.0

    def trims(self, number: int) -> bool:
        return True

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        self.timers.append((seconds, job))

    def spilled(self, most: int) -> list[tuple[int, array[int], bool]]:
        return self._spilled[:most]


def kept(stages: Stages, **options: float) -> tuple[KeptCaches, list[tuple[int, bool]]]:
    given_up: list[tuple[int, bool]] = []
    settings = PipelineOptions(**options)  # type: ignore[arg-type]
    return KeptCaches(settings, 1000, stages, lambda number, held: given_up.append((number, held))), given_up


def test_without_a_disk_what_has_no_room_is_forgotten() -> None:
    stages = Stages()
    caches, _ = kept(stages)
    caches.book(1, list(range(300)), running=0)
    caches.book(2, list(range(1000, 1300)), running=0)
    assert stages.done == [("drop", [1])]
    assert caches.begin([*range(1000, 1300), 5], running=900) is not None
    assert caches.begin([*range(1000, 1300), 5], running=900) is None, "it was taken"
    caches.book(13, list(range(50)), running=0)
    assert stages.done[-1] == ("drop", [13]) and caches.begin(list(range(50)), running=0) is None


def test_a_shared_prefix_is_not_used_up_where_both_have_room() -> None:
    stages = Stages()
    caches, _ = kept(stages)
    caches.book(1, list(range(300)), running=0)
    branch = [*range(100), *range(2000, 2100)]
    found = caches.begin(branch, running=256)
    assert found and not found.take and found.tokens == 100
    found = caches.begin(branch, running=800)
    assert found and found.take, "no room for both: the answer gets it"
    assert caches.begin(branch, running=0) is None and not stages.done


def test_from_memory_to_disk_and_back() -> None:
    stages = Stages()
    caches, given_up = kept(stages, spill_bytes=1)
    one, other = list(range(300)), list(range(1000, 1300))
    caches.book(1, one, running=0)
    caches.book(2, other, running=0)
    assert stages.done == [("release", [1])] and caches.token_ids(1)[:3] == array("q", [0, 1, 2])
    assert not caches.awaited([*other, 1], running=256), "it is in memory"
    assert caches.awaited([*one, 1], running=256) and caches.awaited([*one, 1], running=256)
    assert stages.done.count(("recall", [1])) == 1
    assert caches.recalled(1, True)
    assert not caches.awaited([*one, 1], running=256)
    found = caches.begin([*one, 1], running=256)
    assert found and (found.number, found.take) == (1, True)
    assert caches.awaited([*one, 1], running=256), "its file is still there"
    stages.timers[-1][1]()
    assert given_up == [(1, False)]
    assert not caches.recalled(1, False)
    assert stages.done[-1] == ("drop", [1]) and not caches.awaited([*one, 1], running=256)
    assert caches.recalled(1, True), "an answer that comes too late"
    assert stages.done[-1] == ("release", [1])


def test_a_longer_cache_takes_the_place_of_the_file_only_when_it_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr("shardd.stage.kept.time.monotonic", lambda: clock)
    stages = Stages()
    caches, _ = kept(stages, spill_bytes=1, kept_share=1.0)
    caches.book(1, list(range(300)), running=0)
    clock = 30.0
    (settle,) = stages.timers
    settle[1]()
    assert stages.done == [("save", [1])] and len(stages.timers) == 1
    caches.book(2, list(range(400)), running=0)
    assert stages.done[1:] == [("release", [1])], "the file of the former turn stays until there is a newer one"
    clock = 40.0
    stages.timers[1][1]()
    assert len(stages.done) == 2, "it has not been at rest for long enough"
    clock = 60.0
    stages.timers[2][1]()
    assert stages.done[2:] == [("save", [2]), ("drop", [1])]


def test_what_a_broken_pipeline_may_have_left() -> None:
    stages = Stages()
    caches, _ = kept(stages)
    caches.book(1, list(range(300)), running=0)
    caches.reset()
    assert caches.begin([*range(300), 1], running=0) is None
    spilling, _ = kept(Stages(), spill_bytes=1)
    spilling.book(1, list(range(300)), running=0)
    spilling.reset()
    assert spilling.awaited([*range(300), 1], running=0), "every stage says whether it wrote it"


def test_a_new_deployment_knows_the_head_s_files() -> None:
    spilled = [(number, array("q", range(number * 100, number * 100 + 80)), True) for number in range(MAX_SPILLED + 9)]
    stages = Stages(spilled)
    caches, _ = kept(stages, spill_bytes=1)
    assert caches.awaited([*range(500, 580), 1], running=0) and stages.done == [("recall", [5])]
    assert not caches.awaited([*range((MAX_SPILLED + 3) * 100, (MAX_SPILLED + 3) * 100 + 80), 1], running=0)
    none, _ = kept(Stages(spilled))
    assert not none.awaited([*range(500, 580), 1], running=0), "no disk is wanted"


class Ring:
    """What the head has done with sequences."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int]] = []

    def begin(self, sequence_id: int, opened: lane_pb2.Open, source: str, prompt: Sequence[int]) -> None:
        self.begun.append((sequence_id, opened.kept_tokens))

    def end(self, sequence_id: int, keep_tokens: int, keep_as: int) -> None: ...

    def tell(self, controller: str, header: lane_pb2.FrameHeader) -> None: ...

    def trimmable(self, sequence_id: int, more: int) -> bool:
        return True


@pytest.mark.parametrize(("ends", "kept_tokens"), [("length", 101), ("", 0)])
def test_the_next_turn_may_be_there_before_the_end_of_the_last(ends: str, kept_tokens: int) -> None:
    """The tail tells controller and head by two lanes: the controller's next prompt may win."""
    ring = Ring()
    head = Head(EngineSettings(0, 2, 1024, 0, PipelineOptions(speculate=False)), ring, Stages())
    head.open(1, lane_pb2.Open(max_tokens=9), "me", SYSTEM)
    assert head.next_step() is not None
    head.chunk_done(1, 0, [], 99)
    assert head.next_step() is not None, "the first decode step is on its way"
    head.tokens_chosen([lane_pb2.Row(sequence=1, position=99, tokens=[500])], [], 1, 0)
    assert head.next_step() is not None
    head.open(2, lane_pb2.Open(max_tokens=9), "me", [*SYSTEM, 500, 501, 7, 8])
    assert ring.begun == [(1, 0)]
    head.tokens_chosen([lane_pb2.Row(sequence=1, position=100, tokens=[501], finish_reason=ends)], [], 1, 0)
    assert ring.begun == [(1, 0), (2, kept_tokens)], "it waits for a lap and not longer"
