"""The OpenAI-compatible HTTP API of a controller, on the controller's own loop.

POST /v1/chat/completions, /v1/completions    GET /v1/models, /health, /config
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.core.errors import SentenceError, ShardboardError
from app.core.serve import guard
from app.core.serve.answers import MOST_BODY_BYTES, Answers, error_response
from app.core.serve.openai import ApiError
from app.core.text import phrase

if TYPE_CHECKING:
    from app.core.controller import Controller


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """api_key: "" for none, which is allowed on loopback only. origins: whose pages may ask, beside our own."""

    host: str = "127.0.0.1"
    port: int = 8100
    api_key: str = ""
    origins: tuple[str, ...] = ()


class ApiServer:
    """start, then close. The port is known after start (0 asks for any free one). Raises ShardboardError."""

    def __init__(self, controller: Controller, settings: ServeSettings) -> None:
        if not settings.api_key and not guard.is_loopback(settings.host):
            raise ShardboardError(
                phrase("On {host} others on the network can reach the API, so it needs a key.", host=settings.host),
                "Add --api-key, or leave --host out.",
            )
        self._settings = settings
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._app = create_app(controller, settings)
        self.port = settings.port

    @property
    def address(self) -> str:
        host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
        return f"http://{host}:{self.port}"

    async def start(self) -> None:
        config = uvicorn.Config(
            self._app,
            host=self._settings.host,
            port=self._settings.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        config.load()
        self._server = server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]  # signals are the program's
        sockets = [self._bind()]
        self.port = sockets[0].getsockname()[1]
        self._task = asyncio.create_task(server.serve(sockets), name="api")
        while not server.started and not self._task.done():
            await asyncio.sleep(0.01)

    async def wait(self) -> None:
        """Until it ends."""
        if self._task:
            await self._task

    async def close(self) -> None:
        if self._server and self._task:
            self._server.should_exit = True
            await asyncio.gather(self._task, return_exceptions=True)

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._settings.host, self._settings.port))
        except OSError as error:
            listener.close()
            raise ShardboardError(
                phrase(
                    "{host}:{port} cannot be listened on: {strerror}.",
                    host=self._settings.host,
                    port=self._settings.port,
                    strerror=error.strerror,
                ),
                "Choose another port with --port.",
            ) from None
        return listener


def create_app(controller: Controller, settings: ServeSettings) -> ASGIApp:
    api = Answers(controller)
    routes = [
        Route("/v1/models", api.models),
        Route("/v1/models/{name:path}", api.model),
        Route("/v1/chat/completions", api.chat, methods=["POST"]),
        Route("/v1/completions", api.completions, methods=["POST"]),
        Route("/health", api.health),
        Route("/config", api.config),
    ]
    handlers: Any = {ApiError: _api_error, SentenceError: _sentence, 404: _missing, 405: _missing}
    return _Guarded(Starlette(routes=routes, exception_handlers=handlers), settings)


class _Guarded:
    """Lets a request in, or answers why not, before anything reads it."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = guard.own_hosts(settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal({key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]})
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, headers: Mapping[str, str]) -> Response | None:
        settings, origin = self._settings, headers.get("origin")
        if not guard.host_allowed(headers.get("host", ""), self._hosts, settings.host):
            return error_response(403, "This server is not called by that name.", "permission_error")
        if not guard.origin_allowed(origin, self._hosts, settings.origins):
            return error_response(403, "Pages of that origin may not ask here.", "permission_error")
        if not guard.key_allowed(headers.get("authorization"), settings.api_key):
            return error_response(401, "The API key is wrong or missing.", "authentication_error", "invalid_api_key")
        if int(headers.get("content-length") or 0) > MOST_BODY_BYTES:
            return error_response(413, f"At most {MOST_BODY_BYTES >> 20} MB can be sent.")
        return None


async def _api_error(request: Request, error: ApiError) -> Response:
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    return error_response(error.status, error.cause, kind, error.code, error.field)


async def _sentence(request: Request, error: SentenceError) -> Response:
    return error_response(400, str(error))


async def _missing(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    return error_response(status, f"There is nothing at {request.method} {request.url.path}.")
