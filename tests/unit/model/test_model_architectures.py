"""Every architecture for which there is a tiny configuration: one stage a layer equals mlx-lm in one process.

Some take long, where MLX has to compile for the CPU or the tiny model is not so tiny: those run only with
SHARDBOARD_SLOW_TESTS=1.
"""

import json
import os
from pathlib import Path

import mlx.core as mx
import pytest
from model_checkpoints import (
    PROMPT,
    SHARED,
    STEPS,
    equal,
    load_stages,
    random_model,
    ranges_of,
    split_logits,
    whole_logits,
    write_model,
    write_units,
)

from shardd.model.errors import UnsupportedModel
from shardd.model.inventory import inspect

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not SHARED.is_dir(), reason="../shared is absent"),
]

# mlx-lm itself cannot run these here.
NO_REFERENCE = {
    "bitnet": "needs Metal",
    "muse_spark": "needs Metal",
    "olmo": "needs the package hf_olmo, and ends the process without it",
    "prism_hadamard_qwen35": "needs a real packed checkpoint",
}
SLOW = {"dbrx", "falcon_h1", "jamba", "lfm2", "llama-variant-2", "openelm", "pixtral", "qwen2", "qwen2_moe"}
SLOW |= {"qwen3-variant-2"}
# Refused when the placement is made, with these words.
REFUSED = {"iquestloopcoder": "once, one after the other", "nanbeige": "once, one after the other"}
UNCUT = {"gemma3n": "share one cache"}
SOME_CUTS = {
    "afm7": (set(range(1, 8)), "share one cache"),
    "deepseek_v41": ({1}, "data again at each step"),
    "gemma4": ({1, 2, 3, 4}, "data again at each step"),
    "gemma4_text": ({1, 2, 3, 4}, "data again at each step"),
}
NAMES = sorted(path.stem for path in (SHARED / "architectures").glob("*.json")) if SHARED.is_dir() else []


def write(name: str, directory: Path) -> Path:
    spec = json.loads((SHARED / "architectures" / f"{name}.json").read_text())
    config = spec["config"] | {"model_type": spec["module"]}
    return write_model(random_model(config, spec["module"], mx.float32), config, directory)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSED])
def test_split_equals_whole(tmp_path: Path, name: str) -> None:
    if name in NO_REFERENCE:
        pytest.skip(f"mlx-lm cannot run it here: it {NO_REFERENCE[name]}")
    if name in SLOW and not os.environ.get("SHARDBOARD_SLOW_TESTS"):
        pytest.skip("slow; set SHARDBOARD_SLOW_TESTS=1")
    directory = write(name, tmp_path / "model")
    reference = whole_logits(directory, PROMPT, STEPS)
    inventory = inspect(directory)
    count = inventory.layer_count
    cuts = [cut for cut in range(1, count) if cut not in inventory.forbidden_cuts]
    allowed, reason = SOME_CUTS.get(name, (set[int]() if name in UNCUT else set(range(1, count)), UNCUT.get(name, "")))
    assert set(cuts) == allowed
    assert all(reason in words for words in inventory.forbidden_cuts.values())
    stages = load_stages(inventory, write_units(inventory, tmp_path / "units"), ranges_of(count, cuts))
    assert equal(split_logits(stages, PROMPT, STEPS), reference)


@pytest.mark.parametrize("name", [name for name in NAMES if name in REFUSED])
def test_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnsupportedModel, match=REFUSED[name]):
        inspect(write(name, tmp_path))
