"""What goes wrong with the hub, as sentences; names and addresses."""

from __future__ import annotations

import errno
import os

import httpx2
import pytest
from huggingface_hub import errors

from app.core.library.hub import WANTED, repository_name
from app.core.library.hub_errors import HubError, explain


def status(code: int, kind: type[errors.HfHubHTTPError] = errors.HfHubHTTPError) -> errors.HfHubHTTPError:
    request = httpx2.Request("GET", "http://hub/api")
    return kind("it failed", response=httpx2.Response(code, request=request))


@pytest.mark.parametrize(
    ("error", "words", "temporary"),
    [
        (status(403, errors.GatedRepoError), "owner/name is gated", False),
        (status(404, errors.RepositoryNotFoundError), "There is no model owner/name on the hub", False),
        (status(404, errors.RevisionNotFoundError), "no such revision", False),
        (status(404, errors.RemoteEntryNotFoundError), "changed upstream", False),
        (status(401), "refuses owner/name with this token", False),
        (status(416), "changed upstream", False),
        (status(429), "too many requests", True),
        (status(503), "in trouble (error 503)", True),
        (status(418), "error 418", False),
        (errors.OfflineModeIsEnabled("off"), "HF_HUB_OFFLINE", False),
        (httpx2.ConnectError("refused"), "cannot be reached", True),
        (httpx2.ReadTimeout("slow"), "does not answer", True),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "disk is full", False),
        (ValueError("what"), "cannot be understood", True),
    ],
)
def test_every_failure_has_its_words(error: Exception, words: str, temporary: bool) -> None:
    told = explain(error, "owner/name", "https://hub/owner/name")
    assert words in str(told)
    assert isinstance(told, HubError) and told.temporary is temporary
    assert explain(told, "owner/name") is told


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mlx-community/Qwen3-4B-4bit", "mlx-community/Qwen3-4B-4bit"),
        ("https://huggingface.co/mlx-community/Qwen3-4B-4bit", "mlx-community/Qwen3-4B-4bit"),
        ("https://huggingface.co/a/b/tree/main", "a/b"),
        ("http://127.0.0.1:8080/a/b", "a/b"),
        ("qwen3 4bit", None),
        ("../a", None),
        ("a/..", None),
        ("a/b/c", None),
    ],
)
def test_names_and_addresses(text: str, name: str | None) -> None:
    assert repository_name(text) == name


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("model-00001-of-00004.safetensors", True),
        ("model.safetensors.index.json", True),
        ("tokenizer.model", True),
        ("chat_template.jinja", True),
        ("pytorch_model.bin", False),
        ("modeling_x.py", False),
        ("consolidated.safetensors", False),
        ("original/model.safetensors", False),
        ("model.gguf", False),
    ],
)
def test_what_is_downloaded(file: str, wanted: bool) -> None:
    assert bool(WANTED.match(file)) is wanted
