"""`bench` and `generate --prompts` with real agents: accounting that adds up, files, and one failure among answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.process.conftest import shardboard


@pytest.mark.in_turn
def test_a_bench_accounts_for_its_time_and_writes_files(tmp_path: Path) -> None:
    table, picture, page = tmp_path / "runs.csv", tmp_path / "runs.png", tmp_path / "runs.md"
    done = shardboard(
        "bench", "--local", "3", "--place", "0-1,2-7,8-11", "--repeat", "2", "--prompt-tokens", "32", "--max-tokens",
        "48", "--no-speculation", "--csv", str(table), "--plot", str(picture), "--report", str(page), "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    report = done.json
    accounting = report["accounting"]
    assert accounting["laps"] == 2 * 47 and accounting["tokens_per_lap"] == 1
    assert abs(accounting["other"]["share"]) < 0.05, accounting
    assert [stage["node"] for stage in accounting["stages"]] == ["local-1", "local-2", "local-3"]
    assert all(stage["ms"]["hop"] > 0 for stage in accounting["stages"])
    assert "% of each token is" in report["explanation"]
    assert all(report["spread"][name]["min"] <= report["spread"][name]["max"] for name in report["spread"])
    # No run found the cache of the one before.
    assert report["prefill"]["tokens_per_s"] * min(report["prefill"]["ttft_ms"].values()) / 1000 > 16

    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 48 * 3 and {row["node"] for row in rows} == {"local-1", "local-2", "local-3"}
    assert float(rows[-1]["at_ms"]) > float(rows[0]["at_ms"]) and int(rows[-1]["kv_bytes"]) > 0
    with table.with_name("runs.memory.csv").open(newline="") as file:
        samples = list(csv.DictReader(file))
    assert len(samples) >= 6 and max(int(sample["kv_bytes"]) for sample in samples) > 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert report["explanation"] in text and "local-2" in text and "--place 0-1,2-7,8-11" in text
    assert str(tmp_path) not in text and "127.0.0.1" not in text


@pytest.mark.in_turn
def test_a_file_of_prompts_is_answered_at_once(tmp_path: Path) -> None:
    """Each as alone, in order; the prompt that is too long fails and the others do not."""
    file = tmp_path / "prompts.txt"
    file.write_text("What is a shard?\n\n" + "long " * 400 + "\n\nHello!\n\nWhat is\n3 + 4?\n")
    done = shardboard(
        "generate", "--local", "2", "--context", "128", "--max-tokens", "40", "--prompts", str(file), "--json"
    )
    assert done.code == 1
    results = done.json["results"]
    assert [result["finish_reason"] == "error" for result in results] == [False, True, False, False]
    assert done.err.startswith("shardboard: prompt 2: The prompt has ") and done.err.count("\n") == 1, done.err
    assert done.json["total_tokens_per_s"] > 0
    assert all(result["events"] for result in results if result["finish_reason"] == "error")

    alone = shardboard("generate", "--local", "2", "--max-tokens", "40", "-p", "Hello!", "--json").json
    assert alone["token_ids"] == results[2]["token_ids"]
    assert alone["accounting"]["laps"] > 0 and alone["explanation"].endswith(".")

    file.write_text("Hello!\n\nWhat is a shard?\n")
    shown = shardboard("generate", "--local", "2", "--max-tokens", "40", "--prompts", str(file))
    assert shown.code == 0, shown.err
    first, second = shown.out.index("1. Hello!"), shown.out.index("2. What is a shard?")
    assert first < shown.out.index(alone["text"]) < second
    assert shown.out.index(results[0]["text"]) > second


def test_prompts_come_from_one_place(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("\n\n")
    empty = shardboard("generate", "--local", "2", "--prompts", str(file))
    assert empty.code == 1 and empty.err.startswith("shardboard: There is no prompt in prompts.txt")
    both = shardboard("generate", "--local", "2", "-p", "Hello", "--prompts", str(file))
    neither = shardboard("generate", "--local", "2", "--json")
    assert both.code == neither.code == 2
    assert json.dumps(neither.out) == '""'
