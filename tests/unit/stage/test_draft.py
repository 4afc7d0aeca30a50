"""The draft model itself: it guesses what it would say, and forgets what was wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from app.core.library.models import built_in_model
from shardd.model.stage import Stage, load_stage
from shardd.model.survey import survey
from shardd.model.units import unit_pieces
from shardd.rpc import lane_pb2
from shardd.stage.draft import Draft
from shardd.stage.orders import DRAFTED_SEQUENCES

PROMPT = [10, 20, 30, 40, 50, 60, 70, 80]
GREEDY = lane_pb2.Sampling()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    folder: Path = tmp_path_factory.mktemp("units")
    inventory = survey(built_in_model())
    files: list[Path] = []
    for unit in inventory.units:
        files.append(folder / unit.name)
        files[-1].write_bytes(b"".join(unit_pieces(unit)))
    return load_stage(inventory.blueprint(), files, 0, inventory.layer_count - 1)


def greedy(stage: Stage, tokens: list[int], count: int) -> list[int]:
    """What the model says, computed without any cut back."""
    cache, said, given = stage.make_cache(), list[int](), list(tokens)
    for _ in range(count):
        (logits,) = stage.forward(mx.array([given], mx.int32), cache)
        token: Any = mx.argmax(logits[:, -1, :], axis=-1).item()
        said.append(token)
        given = [token]
    return said


def guessed(draft: Draft, number: int, count: int) -> list[int]:
    while len(draft.guesses(number)) < count:
        assert draft.advance(number, 10.0)
    return list(draft.guesses(number))


def no_report(sentence: str) -> None:
    raise AssertionError(sentence)


def test_guesses_are_what_the_model_says_after_any_verdict(stage: Stage) -> None:
    draft = Draft(stage, 256, stage.vocab_size, no_report)
    assert draft.open(1, GREEDY, PROMPT, len(PROMPT))
    first = greedy(stage, PROMPT, 6)
    assert guessed(draft, 1, 6) == first
    draft.settle(1, [*first[:2], 99])  # the third was wrong
    assert draft.guesses(1) == ()
    known = [*PROMPT, *first[:2], 99]
    second = greedy(stage, known, 4)
    assert guessed(draft, 1, 4) == second
    draft.settle(1, second[:1])  # fewer than were guessed: the rest still holds
    assert list(draft.guesses(1)) == second[1:]
    draft.settle(1, [5, 6, 7])
    assert guessed(draft, 1, 3) == greedy(stage, [*known, second[0], 5, 6, 7], 3)


def test_a_sampled_line_draws_with_the_same_key_as_the_tail(stage: Stage) -> None:
    from shardd.stage.sampling import Sampler

    sampling = lane_pb2.Sampling(temperature=1.5, seed=11, repetition_penalty=1.2, logprobs=True)
    draft = Draft(stage, 256, stage.vocab_size, no_report)
    assert draft.open(1, sampling, [*PROMPT, 3], len(PROMPT))
    sampler, known = Sampler(sampling, PROMPT, stage.vocab_size), [*PROMPT, 3]
    (logits,) = stage.forward(mx.array([known], mx.int32), stage.make_cache())
    drawn = sampler.draw(logits[:, -1, :], len(known), [3])
    assert guessed(draft, 1, 1) == [drawn.token.item()]


def test_caches_are_few_and_given_back(stage: Stage) -> None:
    draft = Draft(stage, 64, stage.vocab_size + 7, no_report)
    assert draft.bytes() == 0 and draft.token_s > 0
    for number in range(DRAFTED_SEQUENCES):
        assert draft.open(number, GREEDY, PROMPT, len(PROMPT))
        guessed(draft, number, 1)
    assert not draft.open(99, GREEDY, PROMPT, len(PROMPT))
    assert draft.bytes() > 0
    for number in range(DRAFTED_SEQUENCES):
        draft.close(number)
    assert draft.bytes() == 0
    assert not draft.open(1, GREEDY, [stage.vocab_size], 1), "a token that the draft does not have"
    assert not draft.open(1, GREEDY, list(range(64)), 64), "longer than the draft can read"
    assert draft.open(1, GREEDY, list(range(62)), 62)
    guessed(draft, 1, 2)
    assert not draft.advance(1, 10.0), "its context is full"
    draft.settle(1, [1, 2])
    assert draft.behind_s(1) is None and draft.bytes() == 0
