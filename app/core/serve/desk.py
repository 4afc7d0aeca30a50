"""The API inside the app: started and stopped on the controller's loop, and why it does not run, in words."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.activity import ActivityLog
from app.core.errors import SentenceError, ShardboardError
from app.core.serve.guard import is_loopback
from app.core.serve.recipes import api_address
from app.core.settings.settings import Settings
from app.core.snapshot import Level
from app.core.text import phrase
from app.core.watching import Watched
from shardd.host import addresses

if TYPE_CHECKING:
    from app.core.controller import Controller
    from app.core.serve.server import ApiServer

NEEDS_KEY = phrase("Others on the network could use the API without a key.")
OFF = phrase("The API is off.")


class ApiState(enum.Enum):
    STOPPED = phrase("stopped")
    STARTING = phrase("starting")
    RUNNING = phrase("running")
    FAILED = phrase("not running")


@dataclass(frozen=True, slots=True)
class ApiView:
    """text: one sentence; the reason where it does not run. address: by which it is called, "" where it does not."""

    state: ApiState = ApiState.STOPPED
    text: str = OFF
    address: str = ""


def why_not(settings: Settings) -> str:
    """Why the API cannot run with these settings, with what can be done; "" where it can."""
    if not settings.api_key and not is_loopback(settings.api_host):
        return phrase("{needs_key} Make a key, or let only this machine use it.", needs_key=NEEDS_KEY)
    return ""


class ApiDesk:
    """settings: those in force. Its holder calls settings_changed() after they changed, and close() at the end."""

    def __init__(self, controller: Controller, settings: Callable[[], Settings], log: ActivityLog) -> None:
        self._controller = controller
        self._settings = settings
        self._log = log
        self._server: ApiServer | None = None
        self._served: Settings | None = None  # what it was started with
        self._waiting: asyncio.Task[None] | None = None
        self._applying: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self.view = ApiView()
        self._watched = Watched(lambda: self.view)

    def watch(self) -> AsyncIterator[ApiView]:
        """How it stands now, and again after every change."""
        return self._watched.watch()

    async def start(self) -> None:
        """Begins to listen as the settings say; goes on where it does already. What becomes of it is in the view."""
        async with self._changing:
            if self._server is None:
                await self._begin()

    async def start_with_app(self) -> None:
        """Starts where the settings ask for it. Raises nothing: the view says why it does not run."""
        if self._settings().api_with_app:
            await self.start()

    async def stop(self) -> None:
        async with self._changing:
            ran = self._server is not None
            await self._end()
            self._show(ApiState.STOPPED, OFF)
            if ran:
                self._log.add(Level.INFO, "", phrase("The API was stopped."))

    def settings_changed(self) -> None:
        """Starts again where what it listens to or asks for is another now; answers by it end then."""
        tried = self._server is not None or self.view.state is ApiState.FAILED
        if tried and self._applying is None:
            self._applying = asyncio.get_running_loop().create_task(self._apply(), name="api-settings")

    async def close(self) -> None:
        if self._applying is not None:
            self._applying.cancel()
            await asyncio.gather(self._applying, return_exceptions=True)
        async with self._changing:
            await self._end()

    async def _apply(self) -> None:
        try:
            async with self._changing:
                # They may change again while it starts.
                while self._served is None or _listening(self._settings()) != _listening(self._served):
                    await self._end()
                    await self._begin()
        finally:
            self._applying = None

    async def _begin(self) -> None:
        settings = self._served = self._settings()
        refusal = why_not(settings)
        if refusal:
            self._show(ApiState.FAILED, refusal)
            return
        self._show(ApiState.STARTING, phrase("The API starts."))
        try:
            server = await asyncio.to_thread(self._make, settings)  # the first time brings a web server along
            await server.start()
        except SentenceError as error:
            self._fail(error.cause, phrase("Choose another port, or stop the program that uses this one."))
            return
        except OSError as error:
            self._fail(
                phrase(
                    "The API cannot listen at {api_host}: {strerror}.",
                    api_host=settings.api_host,
                    strerror=error.strerror or error,
                ),
                phrase("Check the address."),
            )
            return
        self._server = server
        self._waiting = asyncio.create_task(self._watch_end(server), name="api-end")
        address = api_address(settings.api_host, server.port, await asyncio.to_thread(addresses))
        self._show(ApiState.RUNNING, phrase("The API runs at {address}/v1.", address=address), address)
        self._log.add(Level.INFO, "", self.view.text)

    def _make(self, settings: Settings) -> ApiServer:
        from app.core.serve.server import ApiServer, ServeSettings

        return ApiServer(self._controller, ServeSettings(settings.api_host, settings.api_port, settings.api_key))

    async def _end(self) -> None:
        server, self._server = self._server, None
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.gather(self._waiting, return_exceptions=True)
            self._waiting = None
        if server is not None:
            await server.close()

    async def _watch_end(self, server: ApiServer) -> None:
        with contextlib.suppress(Exception):
            await asyncio.shield(server.wait())
        if self._server is server:
            self._server = None
            self._fail(phrase("The API ended by itself."), phrase("Start it again."))

    def _fail(self, cause: str, remedy: str) -> None:
        error = ShardboardError(cause, remedy)
        self._show(ApiState.FAILED, str(error))
        self._log.add(Level.ERROR, "", str(error))

    def _show(self, state: ApiState, text: str, address: str = "") -> None:
        self.view = ApiView(state, text, address)
        self._watched.changed()


def _listening(settings: Settings) -> tuple[str, int, str]:
    return settings.api_host, settings.api_port, settings.api_key
