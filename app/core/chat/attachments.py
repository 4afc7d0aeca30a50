"""Text files that go with a message: what is taken, and how the model is given them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.core.chat.conversation import Attachment
from app.core.errors import ShardboardError
from app.core.text import phrase
from shardd.host import format_bytes

LIMIT_BYTES: Final = 1 << 20  # about 250,000 tokens: more than nearly any context
MOST: Final = 20


def read_attachment(path: Path) -> Attachment:
    """Raises ShardboardError for what is no text file, or too long."""
    name = path.name
    try:
        if not path.is_file():
            raise ShardboardError(phrase("{name} is not a file.", name=name), "Choose a text file.")
        with path.open("rb") as file:
            data = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise ShardboardError(
            phrase("{name} cannot be read: {strerror}.", name=name, strerror=error.strerror or error),
            "Look at its permissions.",
        ) from None
    if len(data) > LIMIT_BYTES:
        raise ShardboardError(
            phrase(
                "{name} is longer than {limit_bytes}: no context holds so much.",
                name=name,
                limit_bytes=format_bytes(LIMIT_BYTES),
            ),
            "Attach a part of it.",
        )
    text = text_of(data)
    if text is None:
        raise ShardboardError(phrase("{name} is not a text file.", name=name), "Only text can be given to the model.")
    if not text.strip():
        raise ShardboardError(phrase("{name} is empty.", name=name), "Choose a file with text in it.")
    return Attachment(name, text)


def text_of(data: bytes) -> str | None:
    """The text in UTF-8 or UTF-16 with its mark; None where it is neither."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig")):
        if data.startswith(mark):
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                return None
            return None if "\0" in text else text.replace("\r\n", "\n")
    return None


def with_attachments(text: str, attachments: Sequence[Attachment]) -> str:
    """The message as the model reads it: each file between fences that its own text does not hold."""
    parts = [f"File {each.name}:\n{fenced(each.text)}" for each in attachments]
    return "\n\n".join([*parts, text] if text.strip() else parts)


def fenced(text: str, language: str = "") -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
