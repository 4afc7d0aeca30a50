"""Text to token ids and back, with mlx-lm's own tokenizer, template and streaming detokenizer."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from app.core.errors import ShardboardError
from app.core.generation.limits import check_tokenizer
from app.core.generation.request import Message
from app.core.generation.templates import TemplateRenderer
from app.core.text import phrase
from shardd.model.checkpoint import CONFIG_LIMIT, read_json
from shardd.model.errors import ModelError
from shardd.model.light import bare_package


class Detokenizer(Protocol):
    """mlx-lm's streaming detokenizer."""

    last_segment: str

    def add_token(self, token: int) -> None: ...
    def finalize(self) -> None: ...


class ModelTokenizer:
    """The tokenizer of one model directory."""

    def __init__(self, wrapped: Any, renderer: TemplateRenderer | None = None) -> None:
        self._wrapped = wrapped
        self._renderer = renderer or TemplateRenderer()

    def close(self) -> None:
        """Ends the process in which its chat template runs, if there is one. It may be used again."""
        self._renderer.close()

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

    def render(self, messages: Sequence[Message], continue_last: bool = False) -> list[int]:
        """A conversation through the chat template, ready for the assistant's next words. Raises ShardboardError.

        continue_last: the last message is the assistant's and stays open, so that it goes on.
        """
        if not self.has_chat_template:
            raise ShardboardError("This model has no chat template.", "Use --raw, or choose a chat model.")
        conversation = [{"role": message.role, "content": message.content} for message in messages]
        if (template := self._template()) is not None:
            names = {name: str(token) for name, token in self._wrapped.special_tokens_map.items()}
            names |= {"enable_thinking": bool(self._wrapped.has_thinking)}  # as mlx-lm's own wrapper does
            text = self._renderer.render(template, conversation, names, continue_last)
            return [int(token) for token in self._wrapped.encode(text, add_special_tokens=False)]
        how = {"continue_final_message": True} if continue_last else {"add_generation_prompt": True}
        try:
            ids = self._wrapped.apply_chat_template(conversation, tokenize=True, **how)
        except Exception as error:  # templates raise what they like
            raise ShardboardError(
                phrase("The model's chat template refused this conversation: {error}.", error=error)
            ) from error
        return [int(token) for token in (ids if isinstance(ids, list) else ids["input_ids"])]

    def _template(self) -> str | None:
        """The model's own template; None where mlx-lm or transformers has code for its conversations."""
        base: Any = importlib.import_module("transformers").PreTrainedTokenizerBase
        own = type(self._wrapped._tokenizer).apply_chat_template is not base.apply_chat_template
        return None if own or self._wrapped._chat_template is not None else str(self._wrapped.get_chat_template())

    def vocabulary(self) -> dict[str, int]:
        """Every token's spelling and id."""
        return {str(word): int(number) for word, number in self._wrapped.get_vocab().items()}

    def word(self, token: int) -> str:
        """One token's own text."""
        return str(self._wrapped.decode([token]))

    def detokenizer(self) -> Detokenizer:
        """A fresh one: it holds the state of one answer."""
        return self._wrapped.detokenizer


def load_tokenizer(directory: Path, renderer: TemplateRenderer | None = None) -> ModelTokenizer:
    """Blocks for a second or more the first time, since it imports transformers. Raises ShardboardError."""
    check_tokenizer(directory)
    load = _import_bare().load
    try:
        loaded = load(directory, {"trust_remote_code": False}, eos_token_ids=_end_tokens(directory))
        return ModelTokenizer(loaded, renderer)
    except Exception as error:  # the library raises many kinds for a bad file
        raise ShardboardError(
            phrase(
                "The tokenizer in {directory} cannot be read ({name}: {error}).",
                directory=directory,
                name=type(error).__name__,
                error=error,
            ),
            "Download the model again.",
        ) from error


def _end_tokens(directory: Path) -> list[int] | int | None:
    """Token ids that end an answer: generation_config.json's, else config.json's, as mlx-lm has it."""
    for name in ("generation_config.json", "config.json"):
        with contextlib.suppress(ModelError):
            found = read_json(directory / name, CONFIG_LIMIT).get("eos_token_id")
            if found:
                return found
    return None


def _import_bare() -> Any:
    """mlx-lm's tokenizer module without the package's __init__, which would bring MLX itself into this process, start
    its threads and lower the limit of open files."""
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it tells everybody that PyTorch is missing
    if "mlx_lm" not in sys.modules:
        sys.modules["mlx_lm"] = bare_package()
    return importlib.import_module("mlx_lm.tokenizer_utils")
