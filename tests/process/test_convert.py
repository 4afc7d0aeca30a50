"""A raw checkpoint becomes a quantised one that deploys and answers as mlx-lm does with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from app.core.generation.request import GenerationRequest
from tests.clusters import ask
from tests.process.conftest import Opener, shardboard


@pytest.mark.in_turn
def test_convert(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDBOARD_DATA", str(tmp_path / "data"))
    source = shared / "models" / "tinychat-llama-bf16-5files"
    for bits in ("4", "8"):
        made = shardboard("models", "convert", str(source), "--bits", bits, "--json")
        assert made.code == 0, made.err
        name = json.loads(made.out)["name"]
        shown = shardboard("models", "show", name, "--json").json
        assert shown["quantization"] == f"{bits}-bit, groups of 64" and shown["chat_template"]
    assert "is here already" in shardboard("models", "convert", str(source)).err
    assert "quantised already" in shardboard("models", "convert", name, "--bits", "4").err
    assert not list((tmp_path / "data" / "models" / ".incoming").iterdir())
    assert os.listdir(tmp_path / "data" / "models" / "local") != []


@pytest.mark.in_turn
async def test_the_copy_answers(shared: Path, tmp_path: Path, cluster: Opener, reference) -> None:
    from app.core.library.convert import convert

    seen: list[int] = []
    source = shared / "models" / "tinychat-llama"
    made = await convert(source, tmp_path / "models", 8, lambda done, total: seen.append(100 * done // total))
    assert seen == sorted(seen) and seen[-1] == 100
    async with cluster(made, 2) as controller:
        prompt = (await controller.tokenizer()).encode("Once upon a time")
        result = await ask(controller, GenerationRequest(prompt_ids=tuple(prompt), max_tokens=24, ignore_end=True))
    assert list(result.token_ids) == reference(made).run(prompt, 24)["token_ids"]
