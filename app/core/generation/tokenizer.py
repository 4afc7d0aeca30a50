"""Text to token ids and back, with mlx-lm's own tokenizer, template and streaming detokenizer."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from app.core.errors import ShardboardError
from app.core.generation.request import Message


class Detokenizer(Protocol):
    """mlx-lm's streaming detokenizer."""

    last_segment: str

    def add_token(self, token: int) -> None: ...
    def finalize(self) -> None: ...


class ModelTokenizer:
    """The tokenizer of one model directory."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    @property
    def stop_tokens(self) -> tuple[int, ...]:
        return tuple(sorted(int(token) for token in self._wrapped.eos_token_ids))

    @property
    def has_chat_template(self) -> bool:
        return bool(self._wrapped.has_chat_template)

    def encode(self, text: str) -> list[int]:
        """A raw prompt, exactly as mlx_lm.generate encodes a string."""
        bos = self._wrapped.bos_token
        special = bos is None or not text.startswith(bos)
        return list(self._wrapped.encode(text, add_special_tokens=special))

    def render(self, messages: Sequence[Message]) -> list[int]:
        """A conversation through the chat template, ready for the assistant's next words. Raises ShardboardError."""
        if not self.has_chat_template:
            raise ShardboardError("This model has no chat template.", "Use --raw, or choose a chat model.")
        conversation = [{"role": message.role, "content": message.content} for message in messages]
        try:
            ids = self._wrapped.apply_chat_template(conversation, add_generation_prompt=True, tokenize=True)
        except Exception as error:  # templates raise what they like
            raise ShardboardError(f"The model's chat template refused this conversation: {error}.") from error
        return [int(token) for token in (ids if isinstance(ids, list) else ids["input_ids"])]

    def vocabulary(self) -> dict[str, int]:
        """Every token's spelling and id."""
        return {str(word): int(number) for word, number in self._wrapped.get_vocab().items()}

    def word(self, token: int) -> str:
        """One token's own text."""
        return str(self._wrapped.decode([token]))

    def detokenizer(self) -> Detokenizer:
        """A fresh one: it holds the state of one answer."""
        return self._wrapped.detokenizer


def load_tokenizer(directory: Path) -> ModelTokenizer:
    """Blocks for a second or more the first time, since it imports transformers. Raises ShardboardError."""
    load = _import_bare().load
    try:
        return ModelTokenizer(load(directory, {"trust_remote_code": False}, eos_token_ids=_end_tokens(directory)))
    except Exception as error:  # the library raises many kinds for a bad file
        raise ShardboardError(
            f"The tokenizer in {directory} cannot be read ({type(error).__name__}: {error}).",
            "Download the model again.",
        ) from error


def _end_tokens(directory: Path) -> list[int] | int | None:
    """Token ids that end an answer: generation_config.json's, else config.json's, as mlx-lm has it."""
    for name in ("generation_config.json", "config.json"):
        with contextlib.suppress(OSError, ValueError):
            found = json.loads((directory / name).read_bytes()).get("eos_token_id")
            if found:
                return found
    return None


def _import_bare() -> Any:
    """mlx-lm's tokenizer module without the package's __init__, which would bring MLX itself into this process, start
    its threads and lower the limit of open files."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it tells everybody that PyTorch is missing
    if "mlx_lm" not in sys.modules:
        spec = importlib.util.find_spec("mlx_lm")
        if spec is None or spec.submodule_search_locations is None:
            raise ShardboardError("mlx-lm is not installed on this machine.", "Install Shardboard again.")
        package = ModuleType("mlx_lm")
        package.__path__ = list(spec.submodule_search_locations)
        package.__spec__ = spec
        sys.modules["mlx_lm"] = package
    return importlib.import_module("mlx_lm.tokenizer_utils")
