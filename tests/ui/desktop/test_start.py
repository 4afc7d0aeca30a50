"""What a window imports before its first picture: nothing that the picture does not need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.chat.conversation import Conversation, Turn, linear
from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.core.cluster.node import KnownNode
from app.core.cluster.registry import NodeRegistry
from app.core.deployment.remembered import Remembered, write_remembered
from app.core.library.models import built_in_model
from app.core.paths import ControllerPaths, controller_paths
from app.core.placement.placement import even_split
from app.core.settings.store import write_change
from shardd.identity import load_or_create_identity

ROOT = Path(__file__).resolve().parents[3]
LATER = (
    "app.core.controller", "app.ui.chat.answer_view", "app.ui.cluster.add_machine", "app.ui.first_start",
    "app.ui.models.page", "app.ui.settings.page", "blake3", "cryptography", "google.protobuf", "grpc", "httpx",
    "huggingface_hub", "jinja2", "keyring", "markdown_it", "matplotlib", "mlx", "mlx_lm", "numpy", "PIL", "pygments",
    "spake2", "starlette", "tokenizers", "transformers", "uvicorn", "zeroconf",
)  # fmt: skip


def fresh(_paths: ControllerPaths) -> None:
    """The first start of all: its steps come over the window, not before it."""


def lived_in(paths: ControllerPaths) -> None:
    """Conversations, a machine, a deployment, choices."""
    store = ConversationStore(paths.conversations)
    turns = (Turn("user", "Why?"), Turn("assistant", "Because:\n\n```python\nprint(1)\n```\n", outcome="stop"))
    StoreShelf(store).save(Conversation("one", "Why", turns=linear(turns), leaf=1))
    store.close()
    load_or_create_identity(paths.identity, "controller")
    machine = load_or_create_identity(paths.data / "machine", "mini-1")
    NodeRegistry(paths).add(KnownNode("mini-1", "10.0.0.7:8101", machine.certificate_pem))
    placement = even_split(("mini-1",), 4, {})
    write_remembered(paths.deployment, Remembered(str(built_in_model()), placement, 1024))
    write_change(paths.preferences, {"first_start_done": True, "appearance": "light", "text_scale": 1.1})


@pytest.mark.parametrize("profile", [fresh, lived_in])
def test_what_the_first_picture_needs_is_all_that_is_imported(
    tmp_path: Path, profile: Callable[[ControllerPaths], None]
) -> None:
    profile(controller_paths(tmp_path / "data"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.ui.desktop.start_child"],
        cwd=ROOT,
        env={**os.environ, "SHARDBOARD_DATA": str(tmp_path / "data"), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    imported = set(json.loads(done.stdout))
    assert {"app.ui.window", "app.ui.cluster.page", "app.ui.chat.pane"} <= imported
    assert not imported.intersection(LATER)
