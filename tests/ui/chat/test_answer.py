"""Folding real updates into what the chat shows."""

from __future__ import annotations

import pytest

from app.core.errors import ShardboardError
from app.core.generation.request import (
    GenerationEventNote,
    GenerationResult,
    PrefillProgress,
    StageReport,
    StageTiming,
    TokenEvent,
)
from app.ui.chat.answer import Phase, Running, ended, failed, fold, outcome_words, stopped, told_once

TIMINGS = tuple(StageTiming(stage, 1.0, 0.1, 3.0, 0.1, 4096) for stage in range(3))


def token(text: str, at_ms: float) -> TokenEvent:
    return TokenEvent(1, text, TIMINGS, at_ms)


def result(reason: str = "stop", events: tuple[GenerationEventNote, ...] = ()) -> GenerationResult:
    stages = tuple(StageReport(name, 0, 3, 1, 1, None, None, None) for name in ("a", "b"))
    return GenerationResult("ab", (1, 1), 40, 2, reason, 412.0, 900.0, 21.3, stages, events)


def test_phases_follow_the_updates() -> None:
    state = Running()
    assert state.phase is Phase.WAITING
    state = fold(state, [PrefillProgress(512, 1840)])
    assert (state.phase, state.prefill, state.has_text) == (Phase.READING, PrefillProgress(512, 1840), False)
    state = fold(state, [token("", 400), token("a", 450), token("b", 500)])
    assert (state.phase, state.fresh, state.tokens, state.first_token_ms) == (Phase.WRITING, "ab", 3, 400)
    assert state.figures.tokens_per_s == pytest.approx(20)
    assert (state.figures.stages, state.figures.prompt_tokens) == (3, 1840)
    state = fold(state, [token("c", 550), result()])
    assert (state.phase, state.fresh, state.outcome) == (Phase.DONE, "c", "stop")
    assert (state.figures.tokens_per_s, state.figures.stages) == (21.3, 2)


def test_error_result_tells_its_last_event_and_keeps_the_others() -> None:
    notes = (
        GenerationEventNote(10, "recovered", "mini-1", "mini-1 was lost; went on after 1.2 s."),
        GenerationEventNote(90, "error", "mini-2", "mini-2 ran out of memory."),
    )
    state = fold(fold(Running(), [token("part", 1)]), [result("error", notes)])
    assert state.problem is not None and state.problem.cause == "mini-2 ran out of memory."
    assert state.notes == ("mini-1 was lost; went on after 1.2 s.",)
    assert state.has_text
    silent = fold(Running(), [result("error")])
    assert silent.problem is not None and silent.problem.cause


def test_ends_other_than_a_result() -> None:
    state = fold(Running(), [token("part", 5.0)])
    assert (stopped(state).outcome, stopped(state).problem) == ("cancelled", None)
    assert failed(state, ShardboardError("No.", "Yes.")).problem is not None
    assert ended(state).outcome == "error"
    done = fold(state, [result()])
    assert stopped(done) is done and failed(done, ValueError()) is done and ended(done) is done


@pytest.mark.parametrize(
    ("outcome", "words"), [("stop", ""), ("cancelled", "stopped"), ("length", "cut at the token limit"), ("error", "")]
)
def test_outcome_words(outcome: str, words: str) -> None:
    assert outcome_words(outcome) == words


@pytest.mark.parametrize(
    ("notes", "told"),
    [
        ((), ()),
        (("It stopped.", "It stopped."), ("It stopped.",)),
        (
            ("Layer 3 moved to mini-2.", "Layer 3 moved to mini-2, the answer waited 0.3 s."),
            ("Layer 3 moved to mini-2, the answer waited 0.3 s.",),
        ),
        (
            ("Layer 3 moved to mini-2.", "Layer 3 moved to mini-20."),
            ("Layer 3 moved to mini-2.", "Layer 3 moved to mini-20."),
        ),
    ],
)
def test_a_sentence_is_told_once(notes: tuple[str, ...], told: tuple[str, ...]) -> None:
    assert told_once(notes) == told
