"""The pipeline's greedy answers are mlx-lm's, token for token, and its log-probabilities too."""

from __future__ import annotations

import pytest

from app.core.generation.request import GenerationRequest, Sampling
from tests.clusters import ask
from tests.process.conftest import Opener

MODELS = ["stories260K", "tinychat-gpt2", "tinychat-llama", "tinychat-llama-4bit", "tinychat-llama-bf16-5files"]
LAYERS = {"stories260K": 5, "tinychat-gpt2": 6}
UNEVEN = {5: "0-0,1-3,4-4", 6: "0-3,4-4,5-5", 8: "0-0,1-5,6-7"}
TOKENS = 64
PROMPT = "Once upon a time"


@pytest.mark.in_turn
@pytest.mark.parametrize("name", MODELS)
async def test_equals_mlx_lm(name: str, shared, cluster: Opener, reference) -> None:
    directory = shared / "models" / name
    layers = LAYERS.get(name, 8)
    expected = None
    placements = [(1, None), (2, None), (3, None), (3, UNEVEN[layers]), (layers, None)]
    for agents, place in placements:
        async with cluster(directory, agents, place) as controller:
            if expected is None:
                prompt = (await controller.tokenizer()).encode(PROMPT)
                expected = reference(directory).run(prompt, TOKENS)
            request = GenerationRequest(
                prompt_ids=tuple(prompt), max_tokens=TOKENS, ignore_end=True, sampling=Sampling(logprobs=True)
            )
            result = await ask(controller, request)
        assert list(result.token_ids) == expected["token_ids"], (agents, place)
        # A lost layer moves these by 1 and more, where the text of a small model may stay the same.
        assert list(result.logprobs) == pytest.approx(expected["logprobs"], abs=1e-5), (agents, place)


@pytest.mark.in_turn
async def test_long_prompt_in_chunks(shared, cluster: Opener, reference) -> None:
    """More than two chunks: prefilled in pieces of 512, as mlx-lm prefills it in one."""
    directory = shared / "models" / "tinychat-llama"
    async with cluster(directory, 3, context=2048) as controller:
        prompt = ((await controller.tokenizer()).encode("The quick fox liked to play in the garden. ") * 120)[:1400]
        expected = reference(directory).run(prompt, 16)
        result = await ask(controller, GenerationRequest(prompt_ids=tuple(prompt), max_tokens=16, ignore_end=True))
    assert list(result.token_ids) == expected["token_ids"]
