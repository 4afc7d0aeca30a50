"""The draft model: a small whole model beside the head, which guesses what the large one will say.

Each sequence has a line: its tokens as far as they are known, and beyond them what the draft guesses. The draft's
cache holds the line's first tokens; where a guess was wrong, line and cache are cut back to what is known.

    known      p r o m p t   a n s w e r
    tokens     p r o m p t   a n s w e r   g g g g     g: guessed
    in cache   p r o m p t   a n s w e r   g g g
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mlx.core as mx

from shardd.model.blueprint import read_blueprint
from shardd.model.caches import StageCache
from shardd.model.errors import ModelError
from shardd.model.stage import Progress, Stage, load_stage
from shardd.rpc import lane_pb2
from shardd.stage.orders import DRAFTED_SEQUENCES, DraftFiles
from shardd.stage.sampling import Sampler

LEAST_PIECE, MOST_PIECE = 2, 256  # known tokens that are computed at once
QUICKLY = 2  # so many are computed together with a guess
SMOOTHING = 0.15
MEASURED = 4


@dataclass(slots=True)
class Line:
    """One sequence. fed: so many first tokens are in the cache. room: tokens it may come to have."""

    sampler: Sampler
    prompt_tokens: int
    tokens: list[int]
    known: int
    cache: StageCache
    room: int
    fed: int = 0

    def settle(self, tokens: Sequence[int]) -> int:
        """So many more tokens are known. Answers how many tokens the cache has to forget."""
        wrong = next((n for n, each in enumerate(tokens) if self.tokens[self.known + n :][:1] != [each]), None)
        if wrong is not None:
            del self.tokens[self.known + wrong :]
            self.tokens.extend(tokens[wrong:])
        self.known += len(tokens)
        too_many = self.fed - (self.known - len(tokens) + wrong) if wrong is not None else 0
        self.fed -= max(0, too_many)
        return max(0, too_many)

    @property
    def guesses(self) -> tuple[int, ...]:
        return tuple(self.tokens[self.known :])

    @property
    def behind(self) -> int:
        """Known tokens that the cache lacks, but for the last, which brings the first guess."""
        return max(0, self.known - 1 - self.fed)


class Draft:
    """For the compute thread; `bytes` may be called from any. vocab_size: of the large model.

    Whatever goes wrong in it ends the draft, is told once, and leaves the sequences to themselves.
    """

    def __init__(self, stage: Stage, context_tokens: int, vocab_size: int, report: Callable[[str], None]) -> None:
        self._stage = stage
        self._context_tokens = context_tokens
        self._vocab_size = vocab_size
        self._report = report
        self._lines: dict[int, Line] = {}
        self._broken = False
        self.token_s = self._measure()
        self._known_s = self.token_s / 2  # of one known token, beside others

    @property
    def weights_bytes(self) -> int:
        return self._stage.weights_bytes

    def bytes(self) -> int:
        """Of all its caches."""
        return sum(self._stage.cache_bytes(line.cache) for line in list(self._lines.values()))

    def open(self, number: int, sampling: lane_pb2.Sampling, history: Sequence[int], prompt_tokens: int) -> bool:
        """Begins a line, where there is room for one more and the draft knows all of these tokens."""
        if self._broken or len(self._lines) >= DRAFTED_SEQUENCES or len(history) >= self._context_tokens:
            return False
        if max(history) >= self._stage.vocab_size:
            return False
        alike = lane_pb2.Sampling()
        alike.CopyFrom(sampling)
        alike.logprobs, alike.top_logprobs = False, 0
        sampler = Sampler(alike, history[:prompt_tokens], self._vocab_size)
        cache = self._stage.make_cache()
        self._lines[number] = Line(
            sampler, prompt_tokens, list(history), len(history), cache, room=self._context_tokens
        )
        return True

    def close(self, number: int) -> None:
        self._lines.pop(number, None)

    def clear(self) -> None:
        self._lines.clear()

    def settle(self, number: int, tokens: Sequence[int]) -> None:
        """These tokens came next."""
        line = self._lines.get(number)
        if line is None:
            return
        unknown = any(token >= self._stage.vocab_size for token in tokens)
        forget = line.settle(tokens)
        if unknown or line.known >= line.room or (forget and not line.cache.trim(forget)):
            self.close(number)

    def guesses(self, number: int) -> tuple[int, ...]:
        """What the line says beyond what is known."""
        line = self._lines.get(number)
        return line.guesses if line else ()

    def behind_s(self, number: int) -> float | None:
        """Seconds to compute known tokens before it can guess; None: it has no line of this sequence."""
        line = self._lines.get(number)
        return line.behind * self._known_s if line else None

    def advance(self, number: int, patience_s: float) -> bool:
        """One more guess, or a piece of the known tokens before it, within about so long. False where that can't be."""
        line = self._lines.get(number)
        if line is None or len(line.tokens) >= line.room:
            return False
        try:
            piece = int(min(MOST_PIECE, patience_s / self._known_s))
            if line.behind > QUICKLY:
                if piece < LEAST_PIECE:
                    return False
                self._feed(line, min(piece, line.behind))
            elif self.token_s + line.behind * self._known_s > patience_s:
                return False
            else:
                began = time.perf_counter()
                plain = len(line.tokens) - line.fed == 1
                self._guess(line)
                if plain:
                    self.token_s += SMOOTHING * (min(time.perf_counter() - began, 2 * self.token_s) - self.token_s)
        except (RuntimeError, ValueError, MemoryError) as error:
            self._broken = True
            self.clear()
            self._report(f"The draft model stopped ({error}); answers go on without it, slower.")
            return False
        return True

    def _feed(self, line: Line, count: int) -> None:
        began = time.perf_counter()
        piece = line.tokens[line.fed : line.fed + count]
        self._stage.forward(mx.array([piece], dtype=mx.int32), line.cache)
        mx.eval(self._stage.cache_arrays(line.cache))
        line.fed += len(piece)
        self._known_s += SMOOTHING * ((time.perf_counter() - began) / len(piece) - self._known_s)

    def _guess(self, line: Line) -> None:
        """The same choice that the tail will make, with its key and settings, from the draft's own logits."""
        piece = line.tokens[line.fed :]
        (logits,) = self._stage.forward(mx.array([piece], dtype=mx.int32), line.cache)
        last = _widened(logits[:, -1, :], self._vocab_size)
        drawn = line.sampler.draw(last, len(line.tokens), line.tokens[line.prompt_tokens :])
        mx.eval(drawn.arrays)
        (token,) = cast("list[int]", drawn.token.tolist())
        line.fed = len(line.tokens)
        if token >= self._stage.vocab_size:
            raise ValueError(f"it chose token {token}, which it does not have")
        line.tokens.append(token)

    def _measure(self) -> float:
        """Seconds of one guess."""
        cache = self._stage.make_cache()
        times: list[float] = []
        for _ in range(MEASURED):
            began = time.perf_counter()
            (logits,) = self._stage.forward(mx.zeros((1, 1), mx.int32), cache)
            mx.eval(mx.argmax(logits[:, -1, :], axis=-1))
            times.append(time.perf_counter() - began)
        return min(times)


def load_draft(files: DraftFiles, vocab_size: int, report: Callable[[str], None], progress: Progress) -> Draft:
    """Loads a whole model. Raises ModelError, also for one whose caches can't be cut back."""
    facts = read_blueprint(Path(files.blueprint).read_bytes())
    stage = load_stage(
        Path(files.blueprint).read_bytes(), [Path(unit) for unit in files.units], 0, files.layer_count - 1, progress
    )
    if not stage.make_cache().trimmable_after(files.context_tokens - 1):
        raise ModelError(
            f"This {facts.config['model_type']} model cannot draft: its caches cannot forget a wrong guess.",
            "Choose another draft model, or deploy without one.",
        )
    return Draft(stage, files.context_tokens, vocab_size, report)


def _widened(logits: mx.array, vocab_size: int) -> mx.array:
    """Logits over the large model's vocabulary: the tables of models with equal tokens may be padded differently."""
    own: int = logits.shape[-1]
    if own >= vocab_size:
        return logits[:, :vocab_size]
    fill: Any = mx.full((1, vocab_size - own), float("-inf"), logits.dtype)
    return mx.concatenate([logits, fill], axis=-1)
