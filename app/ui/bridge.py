"""The one place where the window and the core meet: an asyncio loop on its own thread, and one signal hop to Qt.

    GUI thread                              thread "shardboard-core"
    run(), stream(), close()  ──────────▶   loop.call_soon_threadsafe
    callbacks and signals     ◀──────────   _Crossing.post (one queued signal that carries a function)

Rules. Good: bridge.run(lambda controller: controller.deploy(placement, 4096), on_error=self._banner.show_error).
Bad: calling the controller from a widget; touching a widget in a coroutine.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import shiboken6
from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.core.errors import ShardboardError
from app.core.snapshot import ActivityEntry, Snapshot

if TYPE_CHECKING:  # it takes as long to import as the window: that happens behind it, on the core's thread
    from app.core.controller import Controller, Unsubscribe

THREAD_NAME: Final = "shardboard-core"
FRAME_S: Final = 0.016
CLOSE_TIMEOUT_S: Final = 20.0
ACTIVITY_KEPT: Final = 1000

OnResult = Callable[[Any], object]
OnError = Callable[[BaseException], object]


class _Crossing(QObject):
    """Carries functions from any thread to the GUI thread, in order."""

    _posted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._posted.connect(self._run, Qt.ConnectionType.QueuedConnection)

    def post(self, function: Callable[[], object]) -> None:
        self._posted.emit(function)

    @Slot(object)
    def _run(self, function: Callable[[], object]) -> None:
        function()


class Handle:
    """Something that runs on the core's loop. Used on the GUI thread only.

    Attributes: done, whether it ended in any way; cancelled, whether cancel() was called before.
    """

    def __init__(self, bridge: CoreBridge) -> None:
        self._bridge = bridge
        self._task: asyncio.Task[None] | None = None  # set and used on the loop
        self.done = False
        self.cancelled = False

    def cancel(self) -> None:
        """Asks it to stop; on_result and on_error are not called any more, on_cancelled is."""
        if not self.done and not self.cancelled:
            self.cancelled = True
            self._bridge._on_loop(self._cancel_task)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()


class Stream(QObject):
    """An asynchronous iterator of the core, read in batches of one frame.

    Signals: updates(tuple), everything that came since the last one, at most each 16 ms; finished(), it came to its end
    or was cancelled (nothing follows); failed(exception), instead of finished().
    """

    updates = Signal(object)
    finished = Signal()
    failed = Signal(object)

    def __init__(self, bridge: CoreBridge) -> None:
        super().__init__(bridge)
        self.handle = Handle(bridge)

    def cancel(self) -> None:
        """Closes the iterator: an answer stops at its next token."""
        self.handle.cancel()


class CoreBridge(QObject):
    """Runs a Controller on its own loop and thread.

    Attributes (GUI thread): snapshot, the latest; activity, the latest entries; started.
    Signals: snapshot_changed(Snapshot); activity_added(ActivityEntry); ready(), the controller was started;
    start_failed(exception).
    """

    snapshot_changed = Signal(object)
    activity_added = Signal(object)
    ready = Signal()
    start_failed = Signal(object)

    def __init__(self, factory: Callable[[], Controller], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._factory = factory
        self._crossing = _Crossing()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._controller: Controller | None = None  # on the loop only
        self._started: asyncio.Event | None = None  # on the loop only
        self._failure: BaseException | None = None  # on the loop only
        self._tasks: set[asyncio.Task[None]] = set()  # on the loop only
        self._unsubscribe: list[Unsubscribe] = []  # on the loop only
        self._lock = threading.Lock()
        self._next_snapshot: Snapshot | None = None  # guarded by _lock
        self._closed = False
        self.snapshot = Snapshot()
        self.activity: deque[ActivityEntry] = deque(maxlen=ACTIVITY_KEPT)
        self.started = False

    # -- life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts the thread; ready() or start_failed() follows."""
        assert self._thread is None, "a bridge starts once"
        loop = asyncio.new_event_loop()
        self._loop = loop
        self._started = asyncio.Event()
        self._thread = threading.Thread(target=self._main, args=(loop,), name=THREAD_NAME)
        self._thread.start()

    def close(self) -> None:
        """Ends everything that runs, closes the controller and waits until the thread is gone."""
        if self._closed or self._thread is None or self._loop is None:
            self._closed = True
            return
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_TIMEOUT_S)
        assert not self._thread.is_alive(), f"the thread {THREAD_NAME} did not end in {CLOSE_TIMEOUT_S:.0f} s"

    @property
    def closed(self) -> bool:
        return self._closed

    def when_ready(self, slot: Callable[[], object]) -> None:
        """Calls it once the controller was started: now where that is so already."""
        if self.started:
            slot()
        else:
            self.ready.connect(slot)

    # -- commands (GUI thread) ----------------------------------------------------------------------------------------

    def run(
        self,
        factory: Callable[[Controller], Awaitable[Any] | Any],
        on_result: OnResult | None = None,
        on_error: OnError | None = None,
        on_cancelled: Callable[[], object] | None = None,
    ) -> Handle:
        """Calls factory(controller) on the loop, awaits what it returns if it can be awaited, and calls back here.

        A callback that is a method of a deleted widget is dropped. An error without on_error becomes an activity entry
        of no one: pass on_error wherever a person waits.
        """
        handle = Handle(self)

        async def work() -> None:
            try:
                result = factory(await self._ready_controller())
                if inspect.isawaitable(result):
                    result = await result
            except asyncio.CancelledError:
                self._finish(handle, on_cancelled)
                raise
            except Exception as error:
                self._finish(handle, on_error, error)
            else:
                self._finish(handle, on_result, result)

        self._on_loop(lambda: self._spawn(handle, work()))
        return handle

    def stream(self, factory: Callable[[Controller], AsyncIterator[Any]]) -> Stream:
        """Reads factory(controller) on the loop until it ends, fails or is cancelled. Connect the signals at once."""
        stream = Stream(self)

        async def work() -> None:
            batch = _Batch(lambda updates: self._crossing.post(lambda: _emit(stream, "updates", updates)))
            try:
                iterator = factory(await self._ready_controller())
                try:
                    async for update in iterator:
                        batch.add(update)
                finally:
                    close = getattr(iterator, "aclose", None)
                    if close is not None:
                        await close()
            except asyncio.CancelledError:
                batch.flush()
                self._finish(stream.handle, lambda: _emit(stream, "finished"))
                raise
            except Exception as error:
                batch.flush()
                self._finish(stream.handle, lambda error: _emit(stream, "failed", error), error)
            else:
                batch.flush()
                self._finish(stream.handle, lambda: _emit(stream, "finished"))

        self._on_loop(lambda: self._spawn(stream.handle, work()))
        return stream

    # -- on the loop --------------------------------------------------------------------------------------------------

    def _on_loop(self, function: Callable[[], object]) -> None:
        if self._loop is not None and not self._closed:
            self._loop.call_soon_threadsafe(function)

    def _spawn(self, handle: Handle, coroutine: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(coroutine)
        handle._task = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _finish(self, handle: Handle, callback: Callable[..., object] | None, *values: object) -> None:
        def on_gui() -> None:
            handle.done = True
            if callback is not None and not self._closed and _alive(callback):
                callback(*values)

        self._crossing.post(on_gui)

    async def _ready_controller(self) -> Controller:
        assert self._started is not None
        await self._started.wait()
        if self._controller is None:
            raise self._failure or ShardboardError("Shardboard's core did not start.")
        return self._controller

    def _main(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        opening = loop.create_task(self._open())
        try:
            loop.run_forever()
        finally:
            loop.run_until_complete(self._shut(opening))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            asyncio.set_event_loop(None)
            loop.close()

    async def _open(self) -> None:
        assert self._started is not None
        try:
            controller = self._factory()
            self._unsubscribe.append(controller.subscribe(self._on_snapshot))
            for entry in controller.activity():
                self._on_activity(entry)
            self._unsubscribe.append(controller.subscribe_activity(self._on_activity))
            self._controller = controller
            await controller.start()
            self._on_snapshot(controller.snapshot())
        except Exception as error:
            failure = error
            self._failure = failure
            self._crossing.post(lambda: self.start_failed.emit(failure))
        else:
            self._crossing.post(self._on_ready)
        finally:
            self._started.set()

    async def _shut(self, opening: asyncio.Task[None]) -> None:
        """cancel, gather, close the controller, cancel and gather what it left."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        await _end({opening, *self._tasks})
        if self._controller is not None:
            await self._controller.close()
        await _end(asyncio.all_tasks() - {asyncio.current_task()})

    def _on_snapshot(self, snapshot: Snapshot) -> None:
        with self._lock:
            waiting = self._next_snapshot is not None
            self._next_snapshot = snapshot
        if not waiting:
            self._crossing.post(self._show_snapshot)

    def _on_activity(self, entry: ActivityEntry) -> None:
        self._crossing.post(lambda: self._show_activity(entry))

    # -- on the GUI thread --------------------------------------------------------------------------------------------

    def _on_ready(self) -> None:
        self.started = True
        self.ready.emit()

    def _show_snapshot(self) -> None:
        with self._lock:
            snapshot, self._next_snapshot = self._next_snapshot, None
        if snapshot is not None and not self._closed:
            self.snapshot = snapshot
            self.snapshot_changed.emit(snapshot)

    def _show_activity(self, entry: ActivityEntry) -> None:
        if not self._closed:
            self.activity.append(entry)
            self.activity_added.emit(entry)


class _Batch:
    """Collects updates on the loop and hands them on at most once a frame; the first one at once."""

    def __init__(self, deliver: Callable[[tuple[Any, ...]], None]) -> None:
        self._deliver = deliver
        self._waiting: list[Any] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last = float("-inf")

    def add(self, update: Any) -> None:
        self._waiting.append(update)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._last + FRAME_S), self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._last = asyncio.get_running_loop().time()
            updates, self._waiting = tuple(self._waiting), []
            self._deliver(updates)


async def _end(tasks: set[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _alive(callback: Callable[..., object]) -> bool:
    owner = getattr(callback, "__self__", None)
    return not isinstance(owner, QObject) or shiboken6.isValid(owner)


def _emit(stream: Stream, signal: str, *values: object) -> None:
    if shiboken6.isValid(stream):
        getattr(stream, signal).emit(*values)
        if signal != "updates":
            stream.deleteLater()
