"""The command line as scripts use it: JSON on stdout, one sentence on stderr, exit codes, and no traces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from app.core.library.models import built_in_model
from shardd.host.temporary import sweep_temporary
from tests.process.conftest import shardboard

GENERATE_KEYS = {
    "text",
    "token_ids",
    "prompt_tokens",
    "completion_tokens",
    "finish_reason",
    "ttft_ms",
    "prefill_tokens_per_s",
    "decode_tokens_per_s",
    "stages",
    "events",
}
STAGE_KEYS = {"node", "layers", "weights_bytes", "kv_bytes", "compute_ms", "queue_ms", "hop_ms"}


def ours() -> set[int]:
    """Every agent and stage on this machine that this test run started, orphans included."""
    found: set[int] = set()
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            mine = process.environ().get("SHARDBOARD_DATA") == os.environ["SHARDBOARD_DATA"]
        except psutil.Error:
            continue
        if mine and ("shardd.main" in line or "shardd.stage" in line):
            found.add(process.pid)
    return found


def folders() -> set[str]:
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("shardboard-")}


@pytest.mark.in_turn
def test_demo_headless_answers_sensibly() -> None:
    done = shardboard("demo", "--headless", "-p", "What is a shard?", "--json")
    assert done.code == 0, done.err
    answer = done.json
    assert answer.keys() >= GENERATE_KEYS
    assert "disk" in answer["text"] or "layer" in answer["text"], answer["text"]
    assert answer["finish_reason"] == "stop"
    assert [stage["node"] for stage in answer["stages"]] == ["mini-1", "mini-2", "mini-3"]
    assert all(stage.keys() == STAGE_KEYS for stage in answer["stages"])
    assert all(stage["kv_bytes"] > 0 and stage["compute_ms"]["p50"] > 0 for stage in answer["stages"])


def test_generate_equals_the_golden_cases(shared: Path) -> None:
    """Answers that mlx-lm itself gave when the models were made."""
    model = shared / "models" / "tinychat-llama"
    golden = json.loads((model / "golden.json").read_text())
    case = next(case for case in golden if case.get("prompt"))
    done = shardboard(
        "generate", "--model", str(model), "--local", "3", "--place", "0-0,1-5,6-7", "--raw", "--temp", "0",
        "--max-tokens", "120", "-p", case["prompt"], "--json",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.json["token_ids"] == case["output_tokens"]
    assert done.json["finish_reason"] == case["finish_reason"]


@pytest.mark.in_turn
def test_bench_beside_mlx_lm() -> None:
    done = shardboard(
        "bench", "--local", "2", "--baseline", "--repeat", "1", "--max-tokens", "12", "--prompt-tokens", "40", "--json"
    )
    assert done.code == 0, done.err
    report = done.json
    assert report["same_tokens"] is True
    assert report["ratio"]["decode"] == pytest.approx(
        report["decode"]["tokens_per_s_per_stream"] / report["baseline"]["decode_tokens_per_s"]
    )
    assert report["load"]["bytes"] > 0 and report["prefill"]["tokens"] == 40


def test_plan_without_machines() -> None:
    done = shardboard(
        "plan", str(built_in_model()), "--node", "a=2GB", "--node", "b=1GB", "--context", "1024", "--json"
    )
    assert done.code == 0, done.err
    plan = done.json
    assert plan["fits"] and plan["layers"] == 12
    assert [stage["node"] for stage in plan["stages"]] == ["a", "b"]
    assert plan["stages"][0]["layers"][0] == 0 and plan["stages"][1]["layers"][1] == 11
    assert plan["predicted"]["decode_tokens_per_s"] is None  # nothing was measured on these machines
    small = shardboard("plan", str(built_in_model()), "--node", "a=10MB", "--json")
    assert small.code == 1 and not small.json["fits"] and "missing" in small.json["why_not"]


def test_nodes_and_status_of_nothing() -> None:
    assert shardboard("nodes", "--json").json == {"nodes": []}
    assert shardboard("status", "--json").json == {"deployment": None, "nodes": []}
    assert "No machine is known" in shardboard("status").out


def bad_models(folder: Path) -> dict[str, tuple[Path, str]]:
    """Model folders that are none, and the words that each must be refused with."""
    empty = folder / "empty"
    empty.mkdir()
    truncated = folder / "truncated"
    shutil.copytree(built_in_model(), truncated)
    weights = truncated / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    unknown = folder / "unknown"
    shutil.copytree(built_in_model(), unknown)
    config = json.loads((unknown / "config.json").read_text())
    (unknown / "config.json").write_text(json.dumps(config | {"model_type": "no_such_architecture"}))
    return {
        "empty": (empty, "no config.json"),
        "truncated": (truncated, "ownload it again"),
        "unknown": (unknown, "no_such_architecture"),
    }


@pytest.mark.parametrize("which", ["empty", "truncated", "unknown"])
def test_bad_models_are_refused_in_a_sentence(which: str, tmp_path: Path) -> None:
    directory, words = bad_models(tmp_path)[which]
    done = shardboard("generate", "--local", "2", "--model", str(directory), "-p", "Hello", "--json")
    assert done.code == 1 and done.out == ""
    assert done.err.startswith("shardboard: ") and done.err.count("\n") == 1, done.err
    assert words in done.err, done.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--local", "3", "--place", "0-3,5-7,8-11"), 2, "Layer 4 is on no machine"),
        (("--local", "3", "--place", "0-4,4-7,8-11"), 2, "overlap"),
        (("--local", "3", "--place", "0-3,4-7"), 2, "Layers 8 to 11 are on no machine"),
        (("--local", "3", "--place", "0-3,4-7,8-40"), 2, "last layer is 11"),
        (("--local", "2", "--place", "mini-9=0-11"), 2, "no machine named mini-9"),
        (("--local", "2", "--place", "banana"), 2, "is not a layer range"),
        (("--local", "0"), 2, "Choose 1 to"),
        (("--local", "2", "--model", "no-such-model"), 1, 'no model "no-such-model"'),
        ((), 1, "No machine is known"),
        (("--local", "1", "--max-tokens", "0"), 2, "positive"),
    ],
)
def test_bad_requests_are_refused_in_a_sentence(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = shardboard("generate", *arguments, "-p", "Hello")
    assert done.code == code, done.err
    assert words in done.err, done.err


@pytest.mark.in_turn
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_after_a_signal(number: signal.Signals) -> None:
    processes, temporary = ours(), folders()
    command = subprocess.Popen(
        [sys.executable, "-u", "-m", "app.cli.main", "generate", "--local", "2", "--raw", "-p", "Once upon a time",
         "--max-tokens", "1000", "--temp", "1", "--logit-bias", "2047=-100", "--logit-bias", "2045=-100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # a suite in the background of a shell ignores SIGINT
    )  # fmt: skip
    assert command.stdout is not None
    while not ours() - processes:
        assert command.poll() is None
    assert command.stdout.read(1)  # it answers
    command.send_signal(number)
    command.communicate(timeout=100)
    assert command.returncode == 130
    assert ours() == processes
    assert folders() <= temporary


def test_nothing_is_left_when_the_controller_is_killed() -> None:
    processes, temporary = ours(), folders()
    command = subprocess.Popen(
        [sys.executable, "-u", "-m", "app.cli.main", "chat", "--local", "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stderr is not None and b"Write a message" in command.stderr.readline()
    agents = ours() - processes
    assert agents
    command.kill()
    command.communicate(timeout=100)
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in agents if psutil.pid_exists(pid)], timeout=60)
    assert not alive
    assert folders() != temporary, "what only a kill -9 of the controller leaves"
    sweep_temporary()  # as the next one does when it starts
    assert folders() == temporary


def test_chat_remembers_the_conversation() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli.main", "chat", "--local", "2"],
        input="Hello!\nWhat is 3 + 4?\n\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Hello" in done.stdout and "7" in done.stdout
