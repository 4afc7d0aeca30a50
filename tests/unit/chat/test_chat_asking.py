"""What the model is given of a conversation, and what is left out where it does not fit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.chat.asking import Left, ask, messages_of, request_for, shortened
from app.core.chat.attachments import LIMIT_BYTES, read_attachment, with_attachments
from app.core.chat.conversation import Attachment, Conversation, Problem, Settings, Turn, linear
from app.core.chat.thinking import split_thinking
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationRequest, GenerationUpdate, Message, PrefillProgress

FAILED = Turn("assistant", "", outcome="error", problem=Problem("mini-1 is asleep.", "Wake it."))
THOUGHT = Turn("assistant", "<think>hm</think>\n\nYes.")


def test_messages_alternate_even_after_failures() -> None:
    turns = (Turn("user", "a"), FAILED, Turn("user", "b"), THOUGHT, Turn("user", "c"))
    assert messages_of(Settings(" Be brief. "), turns) == (
        Message("system", "Be brief."),
        Message("user", "a\n\nb"),
        Message("assistant", "Yes."),
        Message("user", "c"),
    )


def test_an_answer_that_goes_on_keeps_its_thinking() -> None:
    whole = Conversation(turns=linear([Turn("user", "a"), Turn("assistant", "<think>so far")]), leaf=1)
    request = request_for(whole, continuing=True)
    assert request.continue_last and request.messages[-1] == Message("assistant", "<think>so far")
    empty = replace(whole, turns=(whole.turns[0], replace(FAILED, follows=0)))
    assert not request_for(empty, continuing=True).continue_last


@pytest.mark.parametrize(
    ("text", "ended", "thought", "answer", "open"),
    [
        ("Yes.", True, "", "Yes.", False),
        ("<think>a b</think>\n\nYes.", True, "a b", "Yes.", False),
        ("\n<think>\na\n</think>Yes.", False, "a", "Yes.", False),
        ("<think>a b", False, "a b", "", True),
        ("<think>a </thi", False, "a", "", True),
        ("<think>a </thi", True, "a </thi", "", True),
        ("<thi", False, "", "", False),
        ("<thi", True, "", "<thi", False),
        ("a b</think>Yes.", True, "a b", "Yes.", False),  # the template wrote the opening mark
        ("Use `<think>` and `</think>`.", True, "", "Use `<think>` and `</think>`.", False),
        ("[THINK]x[/THINK]y", True, "x", "y", False),
        ("<|channel|>analysis<|message|>x<|channel|>final<|message|>y", True, "x", "y", False),
        ("", False, "", "", False),
    ],
)
def test_thinking_is_told_from_the_answer(text: str, ended: bool, thought: str, answer: str, open: bool) -> None:
    found = split_thinking(text, ended)
    assert (found.thought, found.answer, found.open) == (thought, answer, open)


def words(messages: tuple[Message, ...]) -> int:
    return sum(len(message.content.split()) for message in messages)


LONG = (
    Message("system", "s"),
    *(Message("user" if n % 2 == 0 else "assistant", f"{n} " * 10) for n in range(9)),
)


@pytest.mark.parametrize(("room", "left"), [(91, 0), (90, 2), (71, 2), (70, 4), (31, 6), (30, 8), (11, 8), (1, 8)])
def test_the_oldest_messages_are_left_out(room: int, left: int) -> None:
    kept, gone = shortened(LONG, room, words)
    assert gone == left
    assert kept == (LONG[0], *LONG[1 + left :]) and kept[1].role == "user"


class Controller:
    """A token a word."""

    def __init__(self) -> None:
        self.requests: list[GenerationRequest] = []

    async def tokenizer(self) -> Controller:
        return self

    def render(self, messages: Sequence[Message], continue_last: bool = False) -> list[int]:
        return [0] * words(tuple(messages))

    async def generate(self, request: GenerationRequest) -> AsyncIterator[GenerationUpdate]:
        self.requests.append(request)
        yield PrefillProgress(1, 1)


async def test_a_full_context_forgets_the_oldest_and_says_so() -> None:
    controller = Controller()
    request = GenerationRequest(LONG, max_tokens=5)
    updates = [each async for each in ask(controller, request, 40, "forget")]
    assert updates == [Left(6), PrefillProgress(1, 1)]
    assert controller.requests[0].messages == (LONG[0], *LONG[7:])


@pytest.mark.parametrize(
    ("when_full", "limit", "words"),
    [("stop", 91, "takes 91 tokens, and the deployment has room for 91"), ("forget", 9, "This message alone takes")],
)
async def test_a_full_context_is_told(when_full: str, limit: int, words: str) -> None:
    controller = Controller()
    with pytest.raises(ShardboardError, match=words):
        async for _ in ask(controller, GenerationRequest(LONG, max_tokens=5), limit, when_full):  # type: ignore[arg-type]
            pass
    assert not controller.requests


async def test_what_fits_is_sent_as_it_is() -> None:
    controller = Controller()
    for limit in (0, 92, 10_000):
        request = GenerationRequest(LONG, max_tokens=1)
        assert [each async for each in ask(controller, request, limit, "stop")] == [PrefillProgress(1, 1)]
    assert all(request.messages == LONG for request in controller.requests)


def test_files_stand_in_fences_their_text_cannot_close() -> None:
    text = with_attachments("Look.", [Attachment("a.md", "```py\nx\n```\n"), Attachment("b", "y")])
    assert text == "File a.md:\n````\n```py\nx\n```\n````\n\nFile b:\n```\ny\n```\n\nLook."
    assert with_attachments("", [Attachment("b", "y")]) == "File b:\n```\ny\n```"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "not a text file"),
        (b"a\0b", "not a text file"),
        (b" \n", "is empty"),
        (b"x" * (LIMIT_BYTES + 1), "is longer than"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(data)
    with pytest.raises(ShardboardError, match=words):
        read_attachment(path)


def test_text_files_are_read(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "notes.txt").write_bytes("Zwölf\r\nWörter".encode(encoding))
        assert read_attachment(tmp_path / "notes.txt") == Attachment("notes.txt", "Zwölf\nWörter")
    for missing in (tmp_path, tmp_path / "none"):
        with pytest.raises(ShardboardError, match="is not a file"):
            read_attachment(missing)
