"""What cannot be right is refused: where a model forbids cuts, before anything moves; wrong weights, after loading."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlx.core as mx
import pytest

from app.core.errors import ShardboardError
from app.core.library.models import built_in_model
from tests.architectures.check import write_checkpoint
from tests.architectures.configurations import configurations
from tests.process.conftest import Opener, shardboard


@pytest.fixture
def spoilt_model(tmp_path: Path) -> Path:
    """The built-in model with one weight of layer 5 that is not a number. Its hashes are those of its files."""
    directory = tmp_path / "spoilt"
    shutil.copytree(built_in_model(), directory)
    for file in directory.glob("*.safetensors"):
        tensors = dict(mx.load(str(file)).items())
        for name, array in tensors.items():
            if ".5." in name and name.endswith("down_proj.weight"):
                array[0, 0] = float("nan")
        mx.save_safetensors(str(file), tensors)
    return directory


async def test_weights_that_are_not_numbers_are_refused_with_their_layer(spoilt_model: Path, cluster: Opener) -> None:
    with pytest.raises(ShardboardError) as refusal:
        async with cluster(spoilt_model, 2, place="0-3,4-11"):
            pass
    assert "local-2" in str(refusal.value)
    assert "Layer 5 computed values that are not numbers." in str(refusal.value)


@pytest.fixture
def sharing_model(tmp_path: Path) -> Path:
    """Ten layers, of which the later ones read the caches of earlier ones."""
    (given,) = (each for each in configurations("gemma3n") if each.name == "gemma3n-deep")
    directory = write_checkpoint(given, "float32", tmp_path / "sharing")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(built_in_model() / name, directory)
    return directory


@pytest.mark.in_turn
def test_forbidden_cuts_are_known_before_anything_is_placed(sharing_model: Path) -> None:
    shown = shardboard("models", "show", str(sharing_model), "--json").json
    assert shown["forbidden_cuts"]["7"] == "layers 4 to 8 share one cache"
    planned = shardboard("plan", str(sharing_model), "--node", "a=8GB", "--node", "b=8GB", "--json").json
    assert planned["fits"] and planned["stages"][1]["layers"][0] in range(1, 5)
    done = shardboard("generate", "--local", "2", "--model", str(sharing_model), "--place", "0-6,7-9", "-p", "Hello")
    assert done.code == 2 and done.out == ""
    assert "The model cannot be cut before layer 7 (layers 4 to 8 share one cache): move that boundary." in done.err
