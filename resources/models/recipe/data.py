"""From documents to rows of tokens with a weight for each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from .chat import END, END_OF_TEXT, START
from .settings import Training

_BATCH_DOCUMENTS = 1000
_CUT = 40  # a row may cut at most so many tokens of a document that the next row then leaves out


@dataclass(frozen=True)
class Tokens:
    """All tokens in a row, the loss weight of each, and where documents start."""

    ids: Tensor
    weights: Tensor
    starts: list[int]


def encoded(documents: Iterable[str], tokenizer: Tokenizer, wanted: int, training: Training) -> Tokens:
    """As many documents as give `wanted` tokens."""
    stream = iter(documents)
    marks = Marks(tokenizer)
    ids: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    starts: list[int] = []
    total = 0
    while total < wanted:
        for encoding in tokenizer.encode_batch(list(islice(stream, _BATCH_DOCUMENTS))):
            document = np.array([*encoding.ids, marks.end_of_text], dtype=np.int16)
            ids.append(document)
            weights.append(marks.weights(document, training))
            starts.append(total)
            total += len(document)
    return Tokens(torch.from_numpy(np.concatenate(ids)), torch.from_numpy(np.concatenate(weights)), starts)


class Marks:
    """The special tokens, and what they say about the weight of the others."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.end_of_text = tokenizer.token_to_id(END_OF_TEXT)
        self.start = tokenizer.token_to_id(START)
        self.end = tokenizer.token_to_id(END)
        self.answer_header = tokenizer.encode(f"{START}assistant\n").ids

    def weights(self, document: np.ndarray, training: Training) -> np.ndarray:
        """Full weight for what the assistant says and for its end, little for the rest; stories in between."""
        if document[0] != self.start:
            return np.full(len(document), training.story_weight, dtype=np.float32)
        weights = np.full(len(document), training.question_weight, dtype=np.float32)
        ends = np.flatnonzero(document == self.end)
        header = len(self.answer_header)
        for start in np.flatnonzero(document == self.start):
            if document[start : start + header].tolist() == self.answer_header:
                weights[start + header : ends[np.searchsorted(ends, start)] + 1] = 1.0
        return weights


class Rows:
    """Hands out rows that begin with a document, one after the other."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self._starts: Iterator[int] = iter(tokens.starts)
        self._reached = 0

    def batch(self, rows: int, row_tokens: int) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, targets and weights, each of shape (rows, row_tokens)."""
        places = [self._next(row_tokens) for _ in range(rows)]
        ids = torch.stack([self.tokens.ids[p : p + row_tokens + 1] for p in places]).long()
        weights = torch.stack([self.tokens.weights[p + 1 : p + row_tokens + 1] for p in places])
        return ids[:, :-1], ids[:, 1:], weights

    def _next(self, row_tokens: int) -> int:
        place = next(start for start in self._starts if start >= self._reached)
        self._reached = place + row_tokens - _CUT
        return place
