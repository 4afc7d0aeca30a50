"""A running answer as a value: updates go in, what is to be shown comes out. No Qt.

WAITING ──prefill──▶ READING ──token──▶ WRITING ──result, stop or error──▶ DONE
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from app.core.chat.asking import Left
from app.core.chat.conversation import Figures, Problem
from app.core.generation.accounting import Account
from app.core.generation.request import (
    GenerationEventNote,
    GenerationResult,
    GenerationUpdate,
    PrefillProgress,
    Queued,
    TokenEvent,
)
from app.core.text import phrase
from app.ui.chat.text import left_line, problem_of


class Phase(enum.Enum):
    WAITING = "waiting"
    READING = phrase("reading the prompt")
    WRITING = "writing"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Running:
    """One answer under way.

    Attributes:
        fresh: text that came with the latest fold, to be appended to what is shown.
        notes: sentences about what happened to the answer (a stage that died, a recovery).
        outcome: GenerationResult.finish_reason, "cancelled" after a stop; "" while it runs.
    """

    phase: Phase = Phase.WAITING
    fresh: str = ""
    has_text: bool = False
    prefill: PrefillProgress | None = None
    queued: int = 0  # place in the queue for memory, 0 where it does not wait
    tokens: int = 0
    first_token_ms: float | None = None
    last_token_ms: float | None = None
    stages: int | None = None
    result: GenerationResult | None = None
    notes: tuple[str, ...] = ()
    outcome: str = ""
    problem: Problem | None = None

    @property
    def figures(self) -> Figures:
        """What is measured so far; the result's own figures once it is there."""
        if self.result is not None:
            return result_figures(self.result)
        return Figures(
            tokens_per_s=self._live_rate(),
            first_token_ms=self.first_token_ms,
            completion_tokens=self.tokens or None,
            prompt_tokens=self.prefill.total_tokens if self.prefill else None,
            stages=self.stages,
        )

    def _live_rate(self) -> float | None:
        if self.tokens < 2 or self.first_token_ms is None or self.last_token_ms is None:
            return None
        span = self.last_token_ms - self.first_token_ms
        return (self.tokens - 1) * 1000 / span if span > 0 else None


def result_figures(result: GenerationResult) -> Figures:
    return Figures(
        tokens_per_s=result.decode_tokens_per_s,
        first_token_ms=result.ttft_ms,
        completion_tokens=result.completion_tokens,
        prompt_tokens=result.prompt_tokens,
        stages=len(result.stages) or None,
    )


def shares(found: Account | None, machines: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Each stage's machine and its share of a token's time, its link's included."""
    if found is None:
        return ()
    numbers = sorted({part.stage for part in found.parts})
    if any(number >= len(machines) for number in numbers):
        return ()
    return tuple(
        (machines[number], sum(part.share for part in found.parts if part.stage == number)) for number in numbers
    )


def told_once(notes: Sequence[str]) -> tuple[str, ...]:
    """Without repetitions, and without a sentence that a later one says whole: "Layer 3 moved." before "Layer 3 moved,
    the answer waited 0.3 s."."""
    every = tuple(dict.fromkeys(notes))
    return tuple(note for note in every if not any(other.startswith(f"{note.rstrip('.')}, ") for other in every))


def fold(state: Running, updates: Iterable[GenerationUpdate | GenerationEventNote | Left]) -> Running:
    """The state after a batch of updates; `fresh` holds this batch's text alone."""
    pieces: list[str] = []
    tokens, first, last, stages = state.tokens, state.first_token_ms, state.last_token_ms, state.stages
    prefill, result, queued, notes = state.prefill, state.result, state.queued, list(state.notes)
    for update in updates:
        match update:
            case TokenEvent():
                tokens += 1
                first = update.at_ms if first is None else first
                last = update.at_ms
                stages = len(update.timings) or stages
                if update.text:
                    pieces.append(update.text)
            case PrefillProgress():
                prefill, queued = update, 0
            case Queued():
                queued = update.place
            case GenerationEventNote():
                notes.append(update.message)
            case Left():
                notes.append(left_line(update.messages))
            case GenerationResult():
                result = update
    fresh = "".join(pieces)
    phase = Phase.WRITING if tokens else Phase.READING if prefill else Phase.WAITING
    state = replace(
        state,
        phase=phase,
        fresh=fresh,
        has_text=state.has_text or bool(fresh),
        prefill=prefill,
        queued=0 if tokens else queued,
        notes=told_once(notes),
        tokens=tokens,
        first_token_ms=first,
        last_token_ms=last,
        stages=stages,
    )
    return _with_result(state, result) if result is not None else state


def _with_result(state: Running, result: GenerationResult) -> Running:
    messages = told_once([event.message for event in result.events if event.message])
    problem = None
    if result.finish_reason == "error":
        cause = messages[-1] if messages else phrase("The answer stopped, and no cause was given.")
        problem = Problem(cause, "" if messages else phrase("The activity log may say more."))
        messages = messages[:-1]
    notes = tuple(note for note in told_once((*state.notes, *messages)) if problem is None or note != problem.cause)
    return replace(state, phase=Phase.DONE, result=result, notes=notes, outcome=result.finish_reason, problem=problem)


def stopped(state: Running) -> Running:
    """The reader pressed Stop: what came stays."""
    if state.phase is Phase.DONE:
        return state
    return replace(state, phase=Phase.DONE, fresh="", outcome="cancelled")


def failed(state: Running, error: BaseException) -> Running:
    if state.phase is Phase.DONE:
        return state
    return replace(state, phase=Phase.DONE, fresh="", outcome="error", problem=problem_of(error))


def ended(state: Running) -> Running:
    """The stream ended. Without a result that is an error, in words."""
    if state.phase is Phase.DONE:
        return state
    problem = Problem(
        phrase("The answer ended early: the stages sent no result."), phrase("Try again, or look at the activity log.")
    )
    return replace(state, phase=Phase.DONE, fresh="", outcome="error", problem=problem)


def outcome_words(outcome: str) -> str:
    """What the footer adds to the figures; "" after an ordinary end."""
    match outcome:
        case "cancelled":
            return phrase("stopped")
        case "length":
            return phrase("cut at the token limit")
        case "interrupted":
            return phrase("interrupted")
        case "edited":
            return phrase("edited by you")
        case _:
            return ""
