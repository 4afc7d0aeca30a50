"""What is asked of the model: a conversation's path as messages, and what is left out where the context is full."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from app.core.chat.attachments import with_attachments
from app.core.chat.conversation import Conversation, Settings, Turn, WhenFull
from app.core.chat.thinking import answer_only
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest, GenerationUpdate, Message
from app.core.text import phrase

ROOM_FOR_AN_ANSWER: Final = 0.125  # of the context, at most: what is kept free of the prompt
BYTES_PER_MESSAGE: Final = 64  # what a template may add around each


@dataclass(frozen=True, slots=True)
class Left:
    """Told before the answer's own updates: how many of the oldest messages were not sent."""

    messages: int


class Counts(Protocol):
    """The part of a tokenizer that is needed here."""

    def render(self, messages: Sequence[Message], continue_last: bool = False) -> list[int]: ...


class Asked(Protocol):
    """The part of a controller that is needed here."""

    async def tokenizer(self) -> Counts: ...

    def generate(self, request: GenerationRequest) -> AsyncIterator[GenerationUpdate]: ...


def messages_of(settings: Settings, turns: Iterable[Turn], continuing: bool = False) -> tuple[Message, ...]:
    """What the model is given. An answer without text is left out, and neighbours of one role become one message:
    many chat templates refuse anything but question and answer in turn. Earlier thinking is not sent again; that of an
    answer that goes on is."""
    messages: list[Message] = []
    if settings.system_prompt.strip():
        messages.append(Message("system", settings.system_prompt.strip()))
    every = list(turns)
    for number, turn in enumerate(every):
        if turn.role == "user":
            text = with_attachments(turn.text, turn.attachments)
        else:
            text = turn.text if continuing and number == len(every) - 1 else answer_only(turn.text)
        if not text.strip():
            continue
        if messages and messages[-1].role == turn.role:
            messages[-1] = Message(turn.role, f"{messages[-1].content}\n\n{text}")
        else:
            messages.append(Message(turn.role, text))
    return tuple(messages)


def request_for(conversation: Conversation, continuing: bool = False) -> GenerationRequest:
    """For the path up to its last turn: the reader's message, or (continuing) an answer that is to go on."""
    settings = conversation.settings
    messages = messages_of(settings, conversation.shown, continuing)
    continuing = continuing and bool(messages) and messages[-1].role == "assistant"
    return GenerationRequest(
        messages=messages, sampling=settings.sampling, max_tokens=settings.max_tokens, continue_last=continuing
    )


def surely_fits(messages: Sequence[Message], limit: int) -> bool:
    """Without counting: no tokenizer makes more tokens than there are bytes."""
    return sum(len(message.content.encode("utf-8", "replace")) + BYTES_PER_MESSAGE for message in messages) <= limit


def room_for_prompt(limit: int, max_tokens: int) -> int:
    return limit - max(1, min(max_tokens, int(limit * ROOM_FOR_AN_ANSWER)))


def shortened(
    messages: tuple[Message, ...], room: int, count: Callable[[tuple[Message, ...]], int]
) -> tuple[tuple[Message, ...], int]:
    """(the messages that fit, how many were left out): the oldest go first, in pairs of question and answer; the
    system prompt and the last message stay. Where even these do not fit they are what is given back."""
    head = messages[:1] if messages and messages[0].role == "system" else ()
    rest = messages[len(head) :]
    questions = [at for at, message in enumerate(rest) if message.role == "user"] or [0]
    low, high = 0, len(questions) - 1  # the first question that is kept: the smallest that fits, found by halves
    while low < high:
        middle = (low + high) // 2
        if count((*head, *rest[questions[middle] :])) <= room:
            high = middle
        else:
            low = middle + 1
    begin = questions[low]
    return (*head, *rest[begin:]), begin


async def ask(
    controller: Asked, request: GenerationRequest, limit: int, when_full: WhenFull
) -> AsyncIterator[GenerationUpdate | Left]:
    """The answer's updates; a Left first where messages were left out.

    Raises ShardboardError where the context is full and the reader wants to be told, or the last message alone is
    longer than the context.
    """
    if limit > 0 and not surely_fits(request.messages, room_for_prompt(limit, request.max_tokens)):
        tokenizer = await controller.tokenizer()

        def count(messages: tuple[Message, ...]) -> int:
            return len(tokenizer.render(messages, request.continue_last))

        tokens = count(request.messages)
        room = room_for_prompt(limit, request.max_tokens) if when_full == "forget" else limit - 1
        if tokens > room:
            if when_full == "stop":
                raise full(tokens, limit)
            messages, left = shortened(request.messages, room, count)
            tokens = count(messages)
            if tokens >= limit:
                raise full(tokens, limit, alone=True)
            request = replace(request, messages=messages)
            yield Left(left)
    updates = controller.generate(request)
    try:
        async for update in updates:
            yield update
    finally:
        await updates.aclose()  # type: ignore[attr-defined]


def full(tokens: int, limit: int, alone: bool = False) -> ShardboardError:
    what = phrase("This message alone") if alone else phrase("This conversation")
    return ShardboardError(
        phrase(
            "{what} takes {tokens:,} tokens, and the deployment has room for {limit:,}.",
            what=what,
            tokens=tokens,
            limit=limit,
        ),
        "Shorten it, or deploy with a longer context."
        if alone
        else "Start a new chat, deploy with a longer context, or let the oldest messages be forgotten (in Sampling).",
    )
