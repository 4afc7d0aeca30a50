"""What a tokenizer's files may be before anything loads them: small enough to read, and without code of their own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, cast

from app.core.errors import ShardboardError
from app.core.text import phrase
from shardd.model.bounds import parsing_bytes

LARGEST_FILE: Final = 48 << 20
LARGEST_CONFIG: Final = 8 << 20
LARGEST_TEMPLATE: Final = 1 << 20
CONFIG_MEMORY: Final = 48 << 20
TOKENIZER_MEMORY: Final = 1 << 30  # Gemma's, of 262,000 tokens, is estimated at 300 MB
MOST_TOKENS: Final = 1_000_000
FILES: Final = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json",
    "special_tokens_map.json", "spiece.model", "chat_template.jinja", "chat_template.json", "generation_config.json",
)  # fmt: skip
BIG_FILES: Final = ("tokenizer.json", "vocab.json")
OTHER_MODEL: Final = phrase("Choose another version of the model.")
_MODULE = re.compile(r"[a-z0-9_]{1,64}")


class TokenizerRefused(ShardboardError):
    """A tokenizer's files are not what a tokenizer needs."""


def check_tokenizer(directory: Path) -> None:
    """Raises TokenizerRefused, before anything big is read."""
    for path in sorted(directory.glob("*.tiktoken")) + [directory / name for name in FILES]:
        if path.exists() and not path.is_file():
            raise TokenizerRefused(phrase("{name} is not a file.", name=path.name), OTHER_MODEL)
        limit = LARGEST_TEMPLATE if path.name.startswith("chat_template") else LARGEST_FILE
        if path.is_file() and path.stat().st_size > limit:
            raise TokenizerRefused(
                phrase("{name} is larger than {limit} MB.", name=path.name, limit=limit >> 20), OTHER_MODEL
            )
    for path in sorted(directory.glob("*.json")):
        small = path.name not in BIG_FILES and not path.name.endswith(".index.json") and path.is_file()
        if small and parsing_bytes(_read(path, LARGEST_CONFIG)) > CONFIG_MEMORY:
            raise TokenizerRefused(phrase("{name} holds more than any tokenizer needs.", name=path.name), OTHER_MODEL)
    if (directory / "tokenizer_config.json").exists():
        check_tokenizer_config(_read(directory / "tokenizer_config.json", LARGEST_CONFIG))
    for name in BIG_FILES:
        if (directory / name).is_file():
            _check_vocabulary(name, _read(directory / name, LARGEST_FILE))


def check_tokenizer_config(data: bytes) -> dict[str, Any]:
    """The table in a tokenizer_config.json. Raises TokenizerRefused for one that names modules which cannot be, or
    is none. Code of its own (auto_map) is not looked at here or later: nothing runs it."""
    try:
        if len(data) > LARGEST_CONFIG or parsing_bytes(data) > CONFIG_MEMORY:
            raise ValueError("it is larger than any tokenizer needs")
        config: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TokenizerRefused(
            phrase("tokenizer_config.json cannot be read: {error}.", error=error), OTHER_MODEL
        ) from error
    if not isinstance(config, dict):
        raise TokenizerRefused(phrase("tokenizer_config.json does not hold a JSON object."), OTHER_MODEL)
    fields = cast("dict[str, Any]", config)
    for name in ("chat_template_type", "tool_parser_type"):  # they become the name of a module of mlx-lm
        value = fields.get(name)
        if value is not None and not (isinstance(value, str) and _MODULE.fullmatch(value)):
            raise TokenizerRefused(phrase("tokenizer_config.json has an impossible {name}.", name=name), OTHER_MODEL)
    return fields


def _check_vocabulary(name: str, data: bytes) -> None:
    # Each token is followed by a comma or two; merges by two more.
    if data.count(b",") > 6 * MOST_TOKENS or parsing_bytes(data) > TOKENIZER_MEMORY:
        raise TokenizerRefused(phrase("{name} holds more tokens than any model knows.", name=name), OTHER_MODEL)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise TokenizerRefused(
            phrase("{name} cannot be read: {strerror}.", name=path.name, strerror=error.strerror or error)
        ) from error
    if len(data) > limit:
        raise TokenizerRefused(
            phrase("{name} is larger than {limit} MB.", name=path.name, limit=limit >> 20), OTHER_MODEL
        )
    return data
