"""What the HTTP API answers: what is deployed, and completions, whole or as a stream of events."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from app.core.errors import SentenceError
from app.core.generation.request import GenerationRequest, GenerationResult, TokenEvent
from app.core.serve.openai import (
    ApiError,
    Envelope,
    Order,
    chat_order,
    completion_order,
    error_object,
    failure,
    finish_reason_of,
    logprobs_of,
    usage_of,
)
from app.core.snapshot import DeploymentState
from shardd.rpc import lane_pb2

if TYPE_CHECKING:
    from app.core.controller import Controller

MOST_BODY_BYTES = 16 << 20
DONE = "data: [DONE]\n\n"
COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class _Answer:
    """One choice as it is collected."""

    events: list[TokenEvent] = field(default_factory=list[TokenEvent])
    text: str = ""
    result: GenerationResult | None = None


class Answers:
    """Each public method is the endpoint of one path. Raises ApiError and SentenceError."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._began = int(time.time())

    # -- what is -----------------------------------------------------------------------------------------------------

    async def models(self, request: Request) -> Response:
        name = self._controller.snapshot().deployment.model
        return JSONResponse({"object": "list", "data": [self._model(name)] if name else []})

    async def model(self, request: Request) -> Response:
        name = self._controller.snapshot().deployment.model
        if request.path_params["name"] != name:
            raise _unknown_model(request.path_params["name"], name)
        return JSONResponse(self._model(name))

    async def health(self, request: Request) -> Response:
        snapshot = self._controller.snapshot()
        ready = snapshot.deployment.state is DeploymentState.READY
        body = {
            "status": "ok" if ready else "unavailable",
            "text": snapshot.deployment.text,
            "answers": self._controller.answers,
            "nodes": [{"name": node.name, "state": node.state.name.lower()} for node in snapshot.nodes],
        }
        return JSONResponse(body, 200 if ready else 503)

    async def config(self, request: Request) -> Response:
        view = self._controller.snapshot().deployment
        stages = view.placement.stages if view.placement else ()
        return JSONResponse(
            {
                "model": view.model,
                "context_tokens": view.context_tokens,
                "placement": [{"node": stage.node, "layers": [stage.first, stage.last]} for stage in stages],
                "defaults": {"temperature": 1.0, "top_p": 1.0, "max_tokens": view.context_tokens},
            }
        )

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._began, "owned_by": "shardboard"}

    # -- answers -----------------------------------------------------------------------------------------------------

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, chat_order)

    async def completions(self, request: Request) -> Response:
        return await self._answer(request, completion_order)

    async def _answer(self, request: Request, order_from: Callable[[Mapping[str, Any], int], Order]) -> Response:
        body = await _json_of(request)
        view = self._controller.snapshot().deployment
        order = order_from(body, view.context_tokens or 512)
        if view.state is not DeploymentState.READY:
            text = view.text or "No model is deployed."
            return error_response(503, text, "server_error", "model_not_ready")
        if order.model and order.model != view.model:
            raise _unknown_model(order.model, view.model)
        kind = "chatcmpl" if order.chat else "cmpl"
        envelope = Envelope(f"{kind}-{secrets.token_hex(12)}", int(time.time()), view.model, order.chat)
        requests = [each for each in order.requests for _ in range(order.choices)]
        if order.stream:
            return await self._stream(order, envelope, requests)
        return await self._whole(request, order, envelope, requests)

    async def _whole(
        self, http: Request, order: Order, envelope: Envelope, requests: Sequence[GenerationRequest]
    ) -> Response:
        work = asyncio.gather(*(self._collect(each) for each in requests))
        gone = asyncio.ensure_future(_disconnected(http))
        try:
            await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():  # nobody waits for the answer any more
                return Response(status_code=499)
            answers = work.result()
        finally:
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)
        choices: list[dict[str, Any]] = []
        results = [_good(answer.result, order) for answer in answers]
        for index, (answer, result) in enumerate(zip(answers, results, strict=True)):
            logprobs = await self._logprobs(order, answer.events)
            text = (requests[index].prompt if order.echo else "") + result.text
            choices.append(envelope.choice(index, text, finish_reason_of(result), logprobs))
        return JSONResponse(envelope.whole(choices, usage_of(results, order.choices)))

    async def _collect(self, request: GenerationRequest) -> _Answer:
        answer = _Answer()
        async for update in self._controller.generate(request):
            if isinstance(update, TokenEvent):
                answer.events.append(update)
            elif isinstance(update, GenerationResult):
                answer.result = update
        return answer

    async def _stream(self, order: Order, envelope: Envelope, requests: Sequence[GenerationRequest]) -> Response:
        """Waits for the first update of each, so that a refusal is still an error and not a broken stream."""
        streams = [self._controller.generate(each) for each in requests]
        firsts: list[Any] = []
        try:
            for stream in streams:
                firsts.append(await anext(stream))
                if isinstance(firsts[-1], GenerationResult):
                    _good(firsts[-1], order)
        except BaseException:
            for stream in streams:
                await stream.aclose()  # type: ignore[attr-defined]
            raise
        pieces = self._pieces(order, envelope, requests, streams, firsts)
        return StreamingResponse(pieces, media_type="text/event-stream", headers={"cache-control": "no-cache"})

    async def _pieces(
        self,
        order: Order,
        envelope: Envelope,
        requests: Sequence[GenerationRequest],
        streams: Sequence[AsyncIterator[Any]],
        firsts: Sequence[Any],
    ) -> AsyncIterator[str]:
        results: list[GenerationResult] = []
        updates = _together(streams, firsts)
        try:
            for index, request in enumerate(requests):
                if order.chat:
                    yield _event(envelope.first(index))
                elif order.echo:
                    yield _event(envelope.text(index, request.prompt, None))
            async for index, update in updates:
                if isinstance(update, TokenEvent):
                    logprobs = await self._logprobs(order, [update]) if update.logprob is not None else None
                    if update.text or logprobs:
                        yield _event(envelope.text(index, update.text, logprobs))
                elif isinstance(update, GenerationResult):
                    results.append(update)
                    if update.finish_reason == "error":
                        yield _event(error_object(_cause(update), "server_error"))
                        return
                    yield _event(envelope.last(index, finish_reason_of(update)))
                    if len(results) == len(streams):
                        break
            if order.usage:
                yield _event(envelope.chunk([], usage_of(results, order.choices)))
            yield DONE
        except SentenceError as error:
            yield _event(error_object(str(error), "server_error"))
        finally:  # also when the client went away: every sequence stops at its next token
            await updates.aclose()
            for stream in streams:
                await stream.aclose()  # type: ignore[attr-defined]

    async def _logprobs(self, order: Order, events: Sequence[TokenEvent]) -> dict[str, Any] | None:
        if not order.requests[0].sampling.logprobs or not events:
            return None
        tokenizer = await self._controller.tokenizer()
        words = [tokenizer.word(event.token) for event in events]
        tops = [[tokenizer.word(token) for token, _ in event.top_logprobs] for event in events]
        return logprobs_of(events, words, tops, order.chat)


# -- small things ----------------------------------------------------------------------------------------------------


async def _together(streams: Sequence[AsyncIterator[Any]], firsts: Sequence[Any]) -> AsyncGenerator[tuple[int, Any]]:
    """The updates of several streams as they come, each with its stream's index. firsts: what came of each already.
    Raises what they raise."""
    for each in enumerate(firsts):
        yield each
    if len(streams) == 1:  # nothing to wait for beside it
        async for update in streams[0]:
            yield 0, update
        return
    updates: asyncio.Queue[tuple[int, Any]] = asyncio.Queue()

    async def follow(index: int) -> None:
        try:
            async for update in streams[index]:
                await updates.put((index, update))
        except Exception as error:
            await updates.put((index, error))

    tasks = [asyncio.create_task(follow(index)) for index in range(len(streams))]
    try:
        while True:
            index, update = await updates.get()
            if isinstance(update, Exception):
                raise update
            yield index, update
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _event(body: Mapping[str, Any]) -> str:
    return f"data: {COMPACT.encode(body)}\n\n"


def error_response(
    status: int, message: str, kind: str = "invalid_request_error", code: str | None = None, field: str | None = None
) -> JSONResponse:
    """As OpenAI's API reports an error. kind, code: its words; field: of the request."""
    return JSONResponse(error_object(message, kind, code, field), status)


def _cause(result: GenerationResult) -> str:
    return result.events[-1].message if result.events else "The answer could not be written."


def _good(result: GenerationResult | None, order: Order) -> GenerationResult:
    """The result, unless it is a failure. Raises ApiError."""
    if result is None:
        raise failure("The answer could not be written.", order.chat)
    if result.finish_reason == "error":
        refusal = result.events[-1].refusal if result.events else lane_pb2.REFUSAL_UNSPECIFIED
        raise failure(_cause(result), order.chat, refusal)
    return result


def _unknown_model(name: str, deployed: str) -> ApiError:
    return ApiError(f'There is no model "{name}" here. Deployed is: {deployed}.', "model", "model_not_found", 404)


async def _json_of(request: Request) -> Mapping[str, Any]:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BODY_BYTES:
            raise ApiError(f"At most {MOST_BODY_BYTES >> 20} MB can be sent.", status=413)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise ApiError("The body is not valid JSON.") from None
    if not isinstance(found, dict):
        raise ApiError("The body must be a JSON object.")
    return found


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
