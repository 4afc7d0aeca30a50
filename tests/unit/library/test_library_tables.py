"""Planning with tables of real big models: sizes are facts, no weights are needed."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from app.core.errors import ShardboardError
from app.core.library.tables import read_table
from app.core.placement.plan import plan
from app.core.placement.solver import NodeCapacity

SHARED = next((up / "shared" for up in Path(__file__).resolve().parents if (up / "shared").is_dir()), Path("shared"))
TABLES = sorted((SHARED / "inventories").glob("*.json"))
FOUR = [NodeCapacity(name, 64 * 10**9) for name in ("mini-1", "mini-2", "studio-1", "studio-2")]
CONTEXT = 4096
# Bytes of cache per token and layer in 16 bits, by the models' published shapes.
KV_PER_LAYER = {
    "Llama-3.1-8B": 2 * 8 * 128 * 2,
    "Llama-3.1-405B.derived": 2 * 8 * 128 * 2,
    "Qwen2.5-7B": 2 * 4 * 128 * 2,
    "Qwen3-30B-A3B-Instruct-2507": 2 * 4 * 128 * 2,
    "DeepSeek-V3": (512 + 64) * 2,  # compressed keys and values, and the rotary part
    "Kimi-K2.derived": (512 + 64) * 2,
    "Mixtral-8x7B-v0.1": 2 * 8 * 128 * 2,
    "gpt-oss-20b": 2 * 8 * 64 * 2,
}
pytestmark = pytest.mark.skipif(not TABLES, reason="../shared is absent")


@pytest.mark.in_turn
@pytest.mark.parametrize("bits", [16, 4])
@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_a_plan_for_four_nodes_of_64_gb(path: Path, bits: int) -> None:
    table = read_table(path, bits)
    variant = next(each for each in json.loads(path.read_text())["variants"] if each["bits"] == bits)
    assert table.inventory.total_bytes == variant["total_bytes"]
    assert table.inventory.layer_count == len(variant["layers"])
    report = plan(table.name, table.inventory, FOUR, CONTEXT).to_json()
    if report["fits"]:
        layers = [stage["layers"] for stage in report["stages"]]
        assert layers[0][0] == 0 and layers[-1][1] == report["layers"] - 1
        assert all(first[1] + 1 == second[0] for first, second in pairwise(layers))
        assert all(stage["free_after_bytes"] >= 0 for stage in report["stages"])
        needed = sum(stage["weights_bytes"] for stage in report["stages"])
        assert variant["total_bytes"] <= needed <= 1.3 * variant["total_bytes"]  # a tied embedding lies on both ends
    else:
        assert variant["total_bytes"] > 0.9 * 4 * 64 * 10**9
        assert "GB are missing" in report["why_not"] or "TB are missing" in report["why_not"]


@pytest.mark.parametrize("name", KV_PER_LAYER)
def test_cache_bytes_are_the_published_ones(name: str) -> None:
    inventory = read_table(SHARED / "inventories" / f"{name}.json").inventory
    assert set(inventory.kv_bytes_per_token) == {KV_PER_LAYER[name]}
    if name == "gpt-oss-20b":  # every other layer looks back 128 tokens only
        assert set(inventory.kv_limit_tokens) == {128, None}


def test_what_is_wrong_with_a_table_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{}")
    with pytest.raises(ShardboardError, match="not a table of a model's tensors"):
        read_table(broken)
    with pytest.raises(ShardboardError, match=r"has no variant of 3 bits\. It has: 16, 4"):
        read_table(SHARED / "inventories" / "Qwen3-4B.json", 3)
