"""Kept caches on real stages: what fewer bits save and cost, and a recall that all stages answer or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import mlx.core as mx
import pytest

from shardd.model.caches import StageCache
from shardd.model.inventory import inspect
from shardd.model.resting import RestError, RestingCache, pack, unpack
from shardd.model.stage import Stage, load_stage
from shardd.model.units import unit_pieces
from shardd.stage.frames import FrameError
from shardd.stage.keeper import Keeper
from shardd.stage.spill import SpillFolder
from shardd.stage.work import Event, Header, Task

SHARED = Path(__file__).parents[3].parent / "shared"
PROMPT = [(7 * number) % 1000 for number in range(300)]
RANGES = [(0, 2), (3, 5), (6, 7)]

pytestmark = [
    pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent"),
]


@pytest.fixture
def stages(tmp_path: Path) -> list[Stage]:
    inventory = inspect(SHARED / "models" / "tinychat-llama")
    for unit in inventory.units:
        with (tmp_path / unit.name).open("wb") as file:
            file.writelines(unit_pieces(unit))
    return [
        load_stage(
            inventory.blueprint(),
            [tmp_path / unit.name for unit in inventory.units_for(first, last)],
            first,
            last,
        )
        for first, last in RANGES
    ]


def run(stages: Sequence[Stage], caches: Sequence[StageCache], tokens: Sequence[int]) -> mx.array:
    """Log-probabilities after the last token."""
    arrays: Any = mx.array([list(tokens)], mx.int32)
    for stage, cache in zip(stages, caches, strict=True):
        arrays = stage.forward(arrays, cache)
        mx.eval(arrays, stage.cache_arrays(cache))
    logits = arrays[0][0, -1]
    return logits - mx.logsumexp(logits)


def after_prompt(stages: Sequence[Stage]) -> list[StageCache]:
    caches = [stage.make_cache() for stage in stages]
    run(stages, caches, PROMPT)
    return caches


@pytest.mark.parametrize(("bits", "share", "bound"), [(0, 1.0, 0.0), (8, 0.3125, 0.06), (4, 0.1875, 1.0)])
def test_what_fewer_bits_save_and_cost(bits: int, share: float, bound: float, stages: list[Stage]) -> None:
    caches = after_prompt(stages)
    before = sum(stage.cache_bytes(cache) for stage, cache in zip(stages, caches, strict=True))
    resting = [pack(cache, bits) for cache in caches]
    taken = sum(each.nbytes for each in resting)
    full = sum(each.full_bytes for each in resting)
    assert full == before * len(PROMPT) // 512, "only what is used, not what is ready for tokens to come"
    assert taken == pytest.approx(share * full, rel=0.001)
    again = [unpack(each, stage.make_cache()) for each, stage in zip(resting, stages, strict=True)]
    apart = float(mx.abs(run(stages, again, [5]) - run(stages, caches, [5])).max())
    print(f"{bits} bits: {full} bytes in {taken}, log-probabilities at most {apart:.5f} apart")
    assert apart <= bound and (apart > 0 or not bits)


def test_only_a_cache_of_this_kind_is_taken_up(stages: list[Stage]) -> None:
    resting = pack(after_prompt(stages)[0])
    with pytest.raises(RestError):
        unpack(resting, stages[2].make_cache())
    other = {**resting.entries[0], "class": "somebody.Else"}
    with pytest.raises(RestError, match=r"somebody\.Else"):
        unpack(RestingCache((other, *resting.entries[1:]), resting.arrays, 0), stages[0].make_cache())
    odd = {**resting.entries[0], "state": {"__class__": {"plain": 1}}}
    with pytest.raises(RestError, match="unknown"):
        unpack(RestingCache((odd, *resting.entries[1:]), resting.arrays, 0), stages[0].make_cache())


class Ring:
    """Keepers of a whole pipeline: frames go from one to the next, and the tail's answers are collected."""

    def __init__(self, stages: Sequence[Stage], folders: Sequence[SpillFolder | None], bits: int = 0) -> None:
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.answers: list[tuple[int, bool]] = []
        self.keepers: list[Keeper] = []
        for place, (stage, folder) in enumerate(zip(stages, folders, strict=True)):
            self.keepers.append(Keeper(stage, self._to(place + 1), self._home, self.events.put, bits, folder))

    def _to(self, place: int) -> Any:
        def forward(header: Header) -> None:
            if place < len(self.keepers):
                self.keepers[place].handle(header)

        return forward

    def _home(self, header: Header) -> None:
        self.answers.append((header.kept, header.held))

    def recall(self, number: int) -> bool:
        self.keepers[0].recall(number)
        while not self.answers:
            event = self.events.get(timeout=60)
            assert isinstance(event, Task)
            event.run()
        assert self.answers[0][0] == number
        return self.answers.pop()[1]


@pytest.mark.parametrize("bits", [0, 8])
def test_all_stages_have_it_back_or_none(bits: int, stages: list[Stage], tmp_path: Path) -> None:
    folders = [SpillFolder(tmp_path / "kept" / "shard" / str(place), 1 << 30) for place in range(3)]
    ring = Ring(stages, folders, bits)
    caches = after_prompt(stages)
    expected = run(stages, [stage.fork_cache(cache) for stage, cache in zip(stages, caches, strict=True)], [5])
    for keeper, cache in zip(ring.keepers, caches, strict=True):
        keeper.put(7, cache, len(PROMPT))
    head = ring.keepers[0]
    assert (head.weight(7) < 0.4) == bool(bits) and head.trims(7)
    held = head.bytes()
    head.token_ids = lambda number: PROMPT
    head.manage(release=[7])
    assert ring.recall(7) and head.spilled(9)[0][1].tolist() == PROMPT
    assert 0 < head.bytes() <= held
    taken = [keeper.take(7, len(PROMPT), last=False) for keeper in ring.keepers]
    apart = float(mx.abs(run(stages, taken, [5]) - expected).max())
    assert apart < 0.1 if bits else apart == 0
    shorter = [keeper.take(7, 100, last=True) for keeper in ring.keepers]
    fresh = [stage.make_cache() for stage in stages]
    run(stages, fresh, PROMPT[:100])
    apart = float(mx.abs(run(stages, shorter, [5]) - run(stages, fresh, [5])).max())
    assert apart < (0.1 if bits else 1e-4)
    with pytest.raises(FrameError, match="not here"):
        head.take(7, 100, last=True)

    assert ring.recall(7), "the files are still there"
    head.manage(release=[7])
    folders[1].remove(7)
    assert not ring.recall(7)
    head.manage(drop=[7])
    assert not ring.recall(7) and all(not folder.numbers() for folder in folders)
    for keeper in ring.keepers:
        keeper.close()
        assert keeper.bytes() == 0


def test_what_is_kept_at_the_end_is_on_the_disk(stages: list[Stage], tmp_path: Path) -> None:
    folders = [SpillFolder(tmp_path / "kept" / "shard" / str(place), 1 << 30) for place in range(3)]
    ring = Ring(stages, folders)
    for keeper, cache in zip(ring.keepers, after_prompt(stages), strict=True):
        keeper.put(7, cache, len(PROMPT))
        keeper.close()
    again = Ring(stages, folders)
    assert again.recall(7)
    without = Ring(stages, [*folders[:2], None])
    assert not without.recall(7), "one stage has no disk for it"
    for keeper in (*again.keepers, *without.keepers):
        keeper.close()
