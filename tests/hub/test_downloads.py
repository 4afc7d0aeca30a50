"""Downloads from a hub on loopback by the real client: whole, resumed, verified, and what is said when they are not."""

from __future__ import annotations

import errno
import filecmp
import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import ShardboardError
from app.core.library import download as downloading
from app.core.library.download import Downloader, Progress, Stopped
from app.core.library.hub import Hub
from tests.hub.conftest import REPO, Command
from tests.hub.server import TOKEN, LoopbackHub

WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small segments, so that a small model has several; short pauses."""
    monkeypatch.setattr(downloading, "SEGMENT_BYTES", 1 << 20)
    monkeypatch.setattr(downloading, "PIECE_BYTES", 1 << 16)
    monkeypatch.setattr(downloading, "PAUSES_S", (0.05,))
    monkeypatch.setattr(downloading, "SPARE_BYTES", 0)


def downloader(hub: LoopbackHub, root: Path, **settings: Any) -> tuple[Downloader, Progress, threading.Event]:
    stop = threading.Event()
    progress = Progress(settings.pop("changed", lambda: None))
    token = settings.pop("token", None)
    return Downloader(Hub(lambda: token, hub.endpoint), root, progress, stop, **settings), progress, stop


def size_of(folder: Path) -> int:
    return (folder / WEIGHTS).stat().st_size


def test_whole_and_only_what_a_model_needs(hub: LoopbackHub, repository: Path, tmp_path: Path) -> None:
    worker, progress, _ = downloader(hub, tmp_path / "models")
    target = worker.run(REPO)
    assert target == tmp_path / "models" / REPO
    assert filecmp.cmp(target / WEIGHTS, repository / WEIGHTS, shallow=False)
    names = {path.name for path in target.iterdir()}
    assert {"config.json", "tokenizer.json", WEIGHTS} <= names
    assert not names & {"pytorch_model.bin", "modeling.py"}
    assert progress.done == progress.total and hub.sent_from_cdn < size_of(repository) + (1 << 20)
    assert len({request.range for request in hub.requests if WEIGHTS in request.path}) >= 8, "parts at the same time"


def test_nothing_is_fetched_twice(hub: LoopbackHub, repository: Path, tmp_path: Path) -> None:
    downloader(hub, tmp_path / "models")[0].run(REPO)
    sent = hub.sent_from_cdn
    worker, progress, _ = downloader(hub, tmp_path / "models")
    worker.run(REPO)
    assert hub.sent_from_cdn == sent and progress.fetched == 0
    (repository / "README.md").write_text("Another commit with the same weights.")
    downloader(hub, tmp_path / "models")[0].run(REPO)
    assert hub.sent_from_cdn == sent
    assert (tmp_path / "models" / REPO / "README.md").read_text().startswith("Another")


def test_goes_on_inside_a_file_when_connections_break(hub: LoopbackHub, repository: Path, tmp_path: Path) -> None:
    hub.faults.cut_after, hub.faults.cuts = 300_000, 12
    said: list[str] = []
    worker, progress, _ = downloader(hub, tmp_path / "models", changed=lambda: said.append(progress.waiting))
    target = worker.run(REPO)
    assert filecmp.cmp(target / WEIGHTS, repository / WEIGHTS, shallow=False)
    assert hub.faults.cuts == 0
    assert hub.sent_from_cdn < 1.2 * size_of(repository)


def test_waits_for_a_hub_that_is_away_or_busy(hub: LoopbackHub, repository: Path, tmp_path: Path) -> None:
    hub.faults.down = True
    hub.faults.statuses = [(503, {}), (429, {"Retry-After": "0.1"}), (500, {})]
    said: set[str] = set()

    def changed() -> None:
        said.add(progress.waiting)
        if any("cannot be reached" in sentence for sentence in said):
            hub.faults.down = False

    worker, progress, _ = downloader(hub, tmp_path / "models", changed=changed)
    target = worker.run(REPO)
    assert filecmp.cmp(target / WEIGHTS, repository / WEIGHTS, shallow=False)
    assert any("cannot be reached" in sentence for sentence in said)
    assert any("in trouble (error 503)" in sentence for sentence in said)
    assert any("too many requests" in sentence for sentence in said)


def fetch_a_part(hub: LoopbackHub, folder: Path) -> None:
    """Begins a download and stops it on its way."""

    def changed() -> None:
        if progress.fetched > 2_000_000:
            stop.set()

    worker, progress, stop = downloader(hub, folder, changed=changed)
    with pytest.raises(Stopped):
        worker.run(REPO)


def test_pause_and_resume(hub: LoopbackHub, repository: Path, tmp_path: Path) -> None:
    hub.faults.bytes_per_s = 4_000_000
    fetch_a_part(hub, tmp_path / "models")
    assert not (tmp_path / "models" / REPO).exists(), "visible only when whole"
    hub.faults.bytes_per_s = 0
    again, rest, _ = downloader(hub, tmp_path / "models")
    target = again.run(REPO)
    assert filecmp.cmp(target / WEIGHTS, repository / WEIGHTS, shallow=False)
    assert rest.fetched < rest.total - 1_500_000


def test_wrong_content_is_fetched_once_more_and_then_said(hub: LoopbackHub, repository: Path, tmp_path: Path) -> None:
    hub.faults.corrupt = 1
    target = downloader(hub, tmp_path / "models")[0].run(REPO)
    assert filecmp.cmp(target / WEIGHTS, repository / WEIGHTS, shallow=False)
    hub.faults.corrupt = 1000
    with pytest.raises(ShardboardError, match="arrived twice with the wrong content"):
        downloader(hub, tmp_path / "elsewhere")[0].run(REPO)
    assert not (tmp_path / "elsewhere" / REPO).exists()


def test_a_change_upstream_in_the_middle(hub: LoopbackHub, repository: Path, tmp_path: Path) -> None:
    """Parts of the old commit are not mixed with the new one."""
    fetch_a_part(hub, tmp_path / "models")
    content = bytearray((repository / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (repository / WEIGHTS).write_bytes(content)
    target = downloader(hub, tmp_path / "models")[0].run(REPO)
    assert filecmp.cmp(target / WEIGHTS, repository / WEIGHTS, shallow=False)


def test_sentences(hub: LoopbackHub, repository: Path, tmp_path: Path) -> None:
    def fails(repo: str, **settings: Any) -> str:
        with pytest.raises(ShardboardError) as caught:
            downloader(hub, tmp_path / "models", **settings)[0].run(repo)
        return str(caught.value)

    assert "There is no model nobody/nothing on the hub" in fails("nobody/nothing")
    lacking = fails(REPO, free=lambda folder: 1_000_000)
    assert "of disk space are missing" in lacking and "Free them, then resume." in lacking
    hub.repositories[REPO].gated = True
    assert "is gated" in fails(REPO) and f"{hub.endpoint}/{REPO}" in fails(REPO)
    assert downloader(hub, tmp_path / "models", token=TOKEN)[0].run(REPO).is_dir()
    other = tmp_path / "gguf"
    other.mkdir()
    (other / "config.json").write_text("{}")
    (other / "model.gguf").write_bytes(b"GGUF")
    hub.add_repository("some/gguf", other)
    assert "GGUF files only" in fails("some/gguf")


def test_a_disk_that_fills_up_is_named(
    hub: LoopbackHub, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(downloading.os, "pwrite", full)
    with pytest.raises(ShardboardError, match="The disk is full"):
        downloader(hub, tmp_path / "models")[0].run(REPO)


@pytest.mark.in_turn
def test_the_command_line_goes_on_after_kill_9(hub: LoopbackHub, repository: Path, command: Command) -> None:
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    hub.faults.bytes_per_s = 3_000_000  # on each of six connections
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        process = command("models", "pull", REPO, "--json")
        before, wanted = hub.sent_from_cdn, chance.randrange(300_000, 2_000_000)
        while process.poll() is None and hub.sent_from_cdn - before < wanted and time.monotonic() < deadline:
            time.sleep(0.005)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
    out, err = process.communicate()
    assert process.returncode == 0, (seed, err)
    assert json.loads(out)["state"] == "done"
    # What was in flight at each kill comes again, and nothing else.
    assert hub.sent_from_cdn < 2 * size_of(repository), seed
    shown = command("models", "show", REPO, "--json", HF_HUB_OFFLINE="1").communicate(timeout=100)[0]
    assert json.loads(shown)["layers"] == 12
    removed = command("models", "remove", REPO).communicate(timeout=100)[0]
    assert "was deleted" in removed


def test_search_and_show_read_no_weights(hub: LoopbackHub, repository: Path, command: Command) -> None:
    hub.add_repository("somebody/tiny-shardboard-4bit", repository, gated=True, downloads=100)
    found = json.loads(command("models", "search", "shardboard", "--json").communicate(timeout=100)[0])["models"]
    assert [each["repo"] for each in found] == [REPO, "somebody/tiny-shardboard-4bit"], "mlx-community first"
    assert found[1]["gated"] and found[1]["quantization"] == "4-bit" and found[0]["licence"] == "mit"
    shown = json.loads(command("models", "show", REPO, "--json").communicate(timeout=100)[0])
    here = json.loads(command("models", "show", "--json").communicate(timeout=100)[0])
    assert shown["units"] == here["units"] and shown["kv_bytes_per_token"] == here["kv_bytes_per_token"]
    assert shown["chat_template"] is True and here["chat_template"] is True
    assert hub.sent_from_cdn < 200_000, "headers alone"
    before = len(hub.requests)
    command("models", "show", REPO).communicate(timeout=100)
    assert hub.sent_from_cdn < 200_000 and len(hub.requests) - before <= 4, "known from the last time"
    planned = command("plan", f"{hub.endpoint}/{REPO}", "--node", "a=2GB", "--node", "b=2GB", "--json")
    assert json.loads(planned.communicate(timeout=100)[0])["fits"] is True


def test_without_a_network_everything_on_disk_works(hub: LoopbackHub, repository: Path, command: Command) -> None:
    hub.faults.down = True
    listed = json.loads(command("models", "--json").communicate(timeout=100)[0])
    assert [model["name"] for model in listed["models"]] == ["shardboard-tiny"]
    assert command("models", "show").wait(100) == 0
    process = command("models", "search", "tiny")
    assert "The hub cannot be reached" in process.communicate(timeout=100)[1] and process.returncode == 1


@pytest.mark.in_turn
def test_folders_and_tokens(hub: LoopbackHub, repository: Path, command: Command, tmp_path: Path) -> None:
    added = command("models", "add", str(repository.parent))
    assert "upstream" in added.communicate(timeout=100)[0]
    assert command("models", "show", "upstream").wait(100) == 0
    assert "Nothing in it was deleted" in command("models", "remove", "upstream").communicate(timeout=100)[0]
    assert (repository / WEIGHTS).is_file()
    assert "left alone" in command("models", "remove", "shardboard-tiny").communicate(timeout=100)[1]
    hub.repositories[REPO].gated = True
    set_token = command("models", "token", "--set")
    assert "A token is known" in set_token.communicate(TOKEN + "\n", timeout=100)[0]
    assert (tmp_path / "data" / "hub-token").stat().st_mode & 0o777 == 0o600
    assert command("models", "pull", REPO).wait(100) == 0
    assert "No token" in command("models", "token", "--forget").communicate(timeout=100)[0]
