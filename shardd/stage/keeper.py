"""The kept caches of one stage: in memory as they are or in fewer bits, on disk, and back.

The head decides, every stage does the same under the same number:

    put        a sequence has ended: its cache is kept              save     and also written to disk
    take       another sequence begins with it                      release  written to disk, and out of memory
    drop       forgotten                                            recall   back into memory, on all stages or on none

    RECALL runs down the pipeline at once, so that all stages read at the same time; RECALLED follows it from each stage
    when it and all before it are done, and tells the head whether all have the cache.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import mlx.core as mx

from shardd.model.caches import StageCache
from shardd.model.resting import RestError, RestingCache, pack, unpack
from shardd.model.stage import Stage
from shardd.rpc import lane_pb2
from shardd.stage.arrays import raw
from shardd.stage.frames import FrameError
from shardd.stage.spill import SpilledCache, SpillFolder, Tensor
from shardd.stage.work import Event, Header, Task

MAX_WRITES = 4  # caches on their way to the disk; what is released while there are more is lost
DTYPES: dict[str, mx.Dtype] = {
    "F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16, "I8": mx.int8, "I16": mx.int16, "I32": mx.int32,
    "I64": mx.int64, "U8": mx.uint8, "U16": mx.uint16, "U32": mx.uint32, "U64": mx.uint64, "BOOL": mx.bool_,
}  # fmt: skip
NAMES: dict[mx.Dtype, str] = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(slots=True)
class Kept:
    """A cache in memory. weight: the share of its full bytes that it takes. saved: whether it is on disk too."""

    cache: StageCache | RestingCache
    tokens: int
    trims: bool
    weight: float = 1.0
    saved: bool = False


@dataclass(slots=True)
class _Asked:
    """A recall under way: whether this stage has the cache, and whether all stages before it have; None: not known."""

    before: bool | None
    here: bool | None = None


class Keeper:
    """For the compute thread, but for bytes().

    forward: sends a frame on to the next stage, but never past the tail. around: sends one from the tail to the head.
    bits: in which keys and values rest; 0: as they are. folder: where on disk; None: nowhere. deliver: brings a task to
    the compute thread. token_ids: the head sets it, to have the tokens of a cache written beside it.
    """

    def __init__(
        self,
        stage: Stage,
        forward: Callable[[Header], None],
        around: Callable[[Header], None],
        deliver: Callable[[Event], None],
        bits: int = 0,
        folder: SpillFolder | None = None,
    ) -> None:
        self._stage = stage
        self._forward = forward
        self._around = around
        self._deliver = deliver
        self._bits = bits
        self._folder = folder
        self.token_ids: Callable[[int], Sequence[int]] = lambda number: ()
        self._kept: dict[int, Kept] = {}  # the latest used last
        self._writing: dict[int, int] = {}  # bytes on their way to the disk
        self._asked: dict[int, _Asked] = {}
        self._disk = ThreadPoolExecutor(1, "spill") if folder else None

    # -- this stage --------------------------------------------------------------------------------------------------

    def put(self, number: int, cache: StageCache, tokens: int) -> None:
        """Keeps a cache, from now on nobody else's, in the form in which caches rest here."""
        kept = Kept(cache, tokens, cache.trimmable)
        if self._bits:
            try:
                resting = pack(cache, self._bits)
            except (RestError, ValueError, RuntimeError):  # it rests as it is
                pass
            else:
                kept.cache, kept.weight = resting, resting.nbytes / max(1, resting.full_bytes)
        self._kept[number] = kept

    def take(self, number: int, tokens: int, *, last: bool) -> StageCache:
        """A cache of the first `tokens` tokens; last: it is not kept any longer. Raises FrameError."""
        kept = self._kept.get(number)
        if kept is None or kept.tokens < tokens:
            raise FrameError("a sequence that begins with a kept cache which is not here")
        if isinstance(kept.cache, RestingCache):
            try:
                cache = unpack(kept.cache, self._stage.make_cache())
            except RestError as error:
                raise FrameError(f"a sequence that begins with a kept cache of another kind: {error}") from error
        else:
            cache = kept.cache if last else self._stage.fork_cache(kept.cache)
        del self._kept[number]
        if not last:
            self._kept[number] = kept
        if kept.tokens > tokens and not cache.trim(kept.tokens - tokens):
            raise FrameError("a sequence that begins with a kept cache which cannot be trimmed")
        return cache

    def holds(self, number: int) -> bool:
        """Whether a kept cache is in memory here."""
        return number in self._kept

    def weight(self, number: int) -> float:
        """The share of its full bytes that a kept cache takes."""
        kept = self._kept.get(number)
        return kept.weight if kept else 1.0

    def trims(self, number: int) -> bool:
        """Whether a kept cache can forget its last tokens."""
        kept = self._kept.get(number)
        return kept is not None and kept.trims

    def bytes(self) -> int:
        """Of all kept caches, those on their way to the disk among them. From any thread."""
        caches = [kept.cache for kept in list(self._kept.values())]
        resting = sum(c.nbytes if isinstance(c, RestingCache) else self._stage.cache_bytes(c) for c in caches)
        return resting + sum(list(self._writing.values()))

    def spilled(self, most: int) -> list[tuple[int, array[int], bool]]:
        """The head's: number, tokens and whether it trims, of at most so many caches on disk, the latest used first."""
        found: list[tuple[int, array[int], bool]] = []
        for number in self._folder.numbers()[:most] if self._folder else []:
            known = self._folder.token_ids(number) if self._folder else None
            if known is not None:
                found.append((number, *known))
        return found

    def later(self, seconds: float, job: Callable[[], None]) -> None:
        """Has a thing done in the compute thread after so many seconds."""
        timer = threading.Timer(seconds, self._deliver, [Task(job)])
        timer.daemon = True
        timer.start()

    def break_off(self) -> None:
        """The pipeline broke: what is kept goes to the disk, or is freed."""
        self._asked.clear()
        self._release(reversed(list(self._kept)))
        self._kept.clear()

    def close(self) -> None:
        """The stage ends: what is kept goes to the disk, the latest used first. Blocks until it is there."""
        if self._disk is not None:
            for number in reversed(list(self._kept)):
                self._save(number, self._kept[number])
            self._disk.shutdown(wait=True)
        self._kept.clear()

    # -- all stages --------------------------------------------------------------------------------------------------

    def manage(self, *, drop: Sequence[int] = (), release: Sequence[int] = (), save: Sequence[int] = ()) -> None:
        """Does it here and on all stages after this one."""
        self.handle(Header(kind=lane_pb2.DROP, dropped=drop, released=release, saved=save))

    def handle(self, header: Header) -> None:
        """DROP, RECALL, or RECALLED from the stages before this one."""
        if header.kind == lane_pb2.DROP:
            self._drop(header.dropped)
            self._release(header.released)
            for number in header.saved:
                if number in self._kept:
                    self._save(number, self._kept[number])
            self._forward(header)
        elif header.kind == lane_pb2.RECALL:
            self.recall(header.kept)
        else:
            asked = self._asked.get(header.kept)
            if asked is not None:
                asked.before = header.held
                self._answer(header.kept)

    def recall(self, number: int) -> None:
        """Brings a cache back from the disk on this stage and all after it; the tail says how it went."""
        self._forward(Header(kind=lane_pb2.RECALL, kept=number))
        asked = self._asked[number] = _Asked(before=True if self._stage.is_head else None)
        folder, disk = self._folder, self._disk
        if number in self._kept or folder is None or disk is None:
            asked.here = number in self._kept
            self._answer(number)
            return

        def read(done: Future[SpilledCache | None]) -> None:
            spilled = None if done.exception() else done.result()
            self._deliver(Task(lambda: self._loaded(number, asked, spilled)))

        disk.submit(folder.read, number).add_done_callback(read)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._kept.pop(number, None)
            self._on_disk(lambda folder, number=number: folder.remove(number))

    def _release(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            kept = self._kept.pop(number, None)
            if kept is not None and len(self._writing) < MAX_WRITES:
                self._save(number, kept)

    def _save(self, number: int, kept: Kept) -> None:
        """Has it written; its bytes are evaluated here and now."""
        if self._folder is None or self._disk is None or kept.saved or number in self._writing:
            return
        try:
            resting = kept.cache if isinstance(kept.cache, RestingCache) else pack(kept.cache)
            parts = [raw(each) for each in resting.arrays]
            mx.eval(parts)
            # mlx's stubs do not say that an array is a buffer.
            tensors = [
                Tensor(NAMES[each.dtype], tuple(each.shape), memoryview(cast(Any, part)) if each.size else b"")
                for each, part in zip(resting.arrays, parts, strict=True)
            ]
        except (RestError, LookupError, ValueError, RuntimeError, MemoryError):  # a cache that no file can hold
            return
        kept.saved = True
        ids = array("q", self.token_ids(number))
        spilled = SpilledCache(kept.tokens, ids, kept.trims, list(resting.entries), tuple(tensors), resting.full_bytes)
        self._writing[number] = resting.nbytes
        self._on_disk(lambda folder: folder.write(number, spilled), lambda: self._written(number))

    def _written(self, number: int) -> None:
        self._writing.pop(number, None)

    def _on_disk(self, work: Callable[[SpillFolder], Any], done: Callable[[], None] | None = None) -> None:
        """In the disk's thread, one after the other; then `done`, there too."""
        folder, disk = self._folder, self._disk
        if folder is None or disk is None:
            return

        def run() -> None:
            try:
                work(folder)
            finally:
                if done is not None:
                    done()

        disk.submit(run)

    def _loaded(self, number: int, asked: _Asked, spilled: SpilledCache | None) -> None:
        """In the compute thread: what was read becomes arrays."""
        if self._asked.get(number) is not asked:
            return
        asked.here = False
        if spilled is not None:
            try:
                arrays = tuple(_array(tensor) for tensor in spilled.tensors)
                resting = RestingCache(tuple(spilled.entries), arrays, spilled.full_bytes)
                unpack(resting, self._stage.make_cache())  # nothing is computed: it fits, or it is not taken
                weight = resting.nbytes / max(1, resting.full_bytes)
                self._kept[number] = Kept(resting, spilled.tokens, spilled.trims, weight, saved=True)
                asked.here = True
            except (RestError, LookupError, TypeError, ValueError, RuntimeError):  # written by another program
                self._kept.pop(number, None)
        self._answer(number)

    def _answer(self, number: int) -> None:
        """Passes it on as soon as this stage and the ones before it are known."""
        asked = self._asked[number]
        if asked.here is None or asked.before is None:
            return
        del self._asked[number]
        held = asked.here and asked.before
        answer = Header(kind=lane_pb2.RECALLED, kept=number, held=held)
        self._around(answer) if self._stage.is_tail else self._forward(answer)


def _array(tensor: Tensor) -> mx.array:
    flat = mx.array(cast(Any, tensor.data)) if len(tensor.data) else mx.zeros((0,), mx.uint8)
    dtype = DTYPES[tensor.dtype]
    return (flat if dtype == mx.uint8 else flat.view(dtype)).reshape(tensor.shape)
