"""The draft model of a deployment: a small one with the same tokens, whole on the head's machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.core.deployment.source import ModelSource
from app.core.errors import ShardboardError
from app.core.generation.tokenizer import ModelTokenizer, load_tokenizer
from app.core.text import phrase
from shardd.model.inventory import Inventory
from shardd.model.survey import survey

ANOTHER = phrase("Choose a draft model of the same family, or deploy without one.")


@dataclass(frozen=True, slots=True)
class DraftModel:
    """A model that may draft for the chosen one."""

    name: str
    inventory: Inventory

    def context_tokens(self, context_tokens: int) -> int:
        """Up to where it can guess: what it was made for may be less than the deployment's context."""
        return min(context_tokens, self.inventory.context_length or context_tokens)


@dataclass(frozen=True, slots=True)
class DraftOrder:
    """What a deployment needs to know of its draft model."""

    model: DraftModel
    source: ModelSource


async def read_draft(directory: Path, name: str, tokenizer: ModelTokenizer) -> DraftModel:
    """The model in a folder as a draft for the one with this tokenizer. Raises SentenceError where it cannot be."""
    inventory = await asyncio.to_thread(survey, directory)
    own = await asyncio.to_thread(load_tokenizer, directory)
    draft = DraftModel(directory.name, inventory)
    reason = vocabulary_difference(own.vocabulary(), tokenizer.vocabulary())
    if reason:
        raise ShardboardError(
            phrase(
                "{name} cannot draft for {name_2}: its tokens are not those of {name_2} ({reason}).",
                name=draft.name,
                name_2=name,
                reason=reason,
            ),
            ANOTHER,
        )
    return draft


def vocabulary_difference(draft: Mapping[str, int], model: Mapping[str, int]) -> str:
    """How two vocabularies differ, in words; "" where they are equal."""
    if len(draft) != len(model):
        return phrase("{draft} tokens against {model}", draft=len(draft), model=len(model))
    different = sum(1 for word, number in draft.items() if model.get(word) != number)
    return phrase("{different} of {model} are others", different=different, model=len(model)) if different else ""


def cannot_forget(draft: DraftModel, context_tokens: int) -> str:
    """Why a model's caches cannot be cut back after a wrong guess, as a sentence; "" where they can."""
    inventory, context = draft.inventory, draft.context_tokens(context_tokens)
    if any(inventory.fixed_cache_bytes):
        return phrase(
            "{name} cannot draft: it keeps a running state, which cannot forget a wrong guess. {another}",
            name=draft.name,
            another=ANOTHER,
        )
    window = min((limit for limit in inventory.kv_limit_tokens if limit is not None), default=context)
    if window < context:
        return phrase(
            "{name} cannot draft for a context of {context} tokens: its caches hold {window}, "
            "and cannot forget a wrong guess beyond that. {another}",
            name=draft.name,
            context=context,
            window=window,
            another=ANOTHER,
        )
    return ""
