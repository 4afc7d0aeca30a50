"""The hub: searching it, and what a repository on it holds. Everything here blocks; call it in a thread."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from huggingface_hub import HfApi, ModelInfo, hf_hub_url
from huggingface_hub.utils import get_session, hf_raise_for_status

from app.core.errors import ShardboardError
from app.core.library.hub_errors import HubError, explain
from app.core.text import phrase
from shardd.model.headers import HEADER_LIMIT
from shardd.model.survey import Description

FIRST = "mlx-community"
SMALL_FILE_BYTES = 64 << 20
HEADERS_AT_ONCE = 8
TIMEOUT_S = 20.0
EXPAND = ("downloads", "likes", "lastModified", "tags", "gated", "safetensors", "usedStorage")
ADDRESS = re.compile(r"^(?:https?://[^/]+/|hf\.co/|huggingface\.co/)?(\w[\w.-]*/\w[\w.-]*?)(?:/tree/.*|/)?$")
WANTED = re.compile(
    r"^(config\.json|generation_config\.json|hf_quant_config\.json|tokenizer.*|special_tokens_map\.json|added_tokens\.json|"
    r"vocab\.(json|txt)|merges\.txt|.*\.model|.*\.tiktoken|chat_template\.(jinja|json)|chat_templates/[\w.-]+\.jinja|"
    r"(LICENSE|LICENCE|README|USE_POLICY)(\.\w+)?|model.*\.safetensors|weights.*\.safetensors|.*\.safetensors\.index\.json)$"
)
BITS = re.compile(r"(?:^|[-_.])(\d{1,2})[-_]?bit|(?:^|[-_.])(mxfp4|nvfp4|fp8|bf16|fp16|q\d)(?:$|[-_.])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HubModel:
    """One repository in a list. bytes: of its weights, where the hub says so. quantization: "" where its name and tags
    do not tell. page: its address."""

    repo: str
    downloads: int
    likes: int
    updated: str
    bytes: int | None
    quantization: str
    licence: str
    gated: bool
    page: str = ""


@dataclass(frozen=True, slots=True)
class HubFile:
    """sha256 for large files, else git_sha1 (of "blob SIZE\\0" and the content)."""

    path: str
    size: int
    sha256: str
    git_sha1: str


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository at one commit, and the files of it that a model needs."""

    repo: str
    commit: str
    files: tuple[HubFile, ...]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


def repository_name(text: str) -> str | None:
    """owner/name from a name or an address; None where it is neither."""
    found = ADDRESS.match(text.strip())
    return found[1] if found else None


class Hub:
    """endpoint: None for the usual one (HF_ENDPOINT is respected). token: asked at each request."""

    def __init__(self, token: Callable[[], str | None], endpoint: str | None = None) -> None:
        self._token = token
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")

    def page(self, repo: str) -> str:
        return f"{self.endpoint}/{repo}"

    def search(self, words: str, limit: int = 30) -> tuple[HubModel, ...]:
        """What fits the words, models that are made for MLX first. A name or an address finds just that one.

        Raises:
            ShardboardError: with a sentence for a person.
        """
        if repository_name(words):
            return self.search_one(words, None, limit)
        unique: dict[str, HubModel] = {}
        for author in (FIRST, None):
            for each in self.search_one(words, author, limit):
                unique.setdefault(each.repo, each)
        return tuple(unique.values())[:limit]

    def search_one(self, words: str, author: str | None, limit: int = 30) -> tuple[HubModel, ...]:
        """As search, of one author's models alone, or of everybody's. Raises ShardboardError."""
        try:
            exact = repository_name(words)
            if exact:
                return (_found(self._api().model_info(exact, timeout=TIMEOUT_S), self.page(exact)),)
            # Not HfApi.list_models: it tries a lost network for half a minute before it says so.
            asked = {"author": author, "search": words, "sort": "downloads", "limit": limit, "expand": EXPAND}
            reply = get_session().get(
                f"{self.endpoint}/api/models",
                params={name: value for name, value in asked.items() if value},
                headers=self.headers(),
                timeout=TIMEOUT_S,
                follow_redirects=True,
            )
            hf_raise_for_status(reply)
            found = (ModelInfo(**row) for row in reply.json())
            return tuple(_found(each, self.page(each.id)) for each in found)
        except Exception as error:
            raise explain(error, words) from error

    def repository(self, repo: str, revision: str | None = None) -> HubRepository:
        """What is to be downloaded. Raises ShardboardError."""
        try:
            info = self._api().model_info(repo, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
        except Exception as error:
            raise explain(error, repo, self.page(repo)) from error
        siblings: list[Any] = list(info.siblings or [])
        names = {str(each.rfilename) for each in siblings}
        files = tuple(_file(each) for each in siblings if WANTED.match(each.rfilename))
        if "config.json" not in names:
            raise HubError(
                phrase("{repo} is not a language model: it has no config.json.", repo=repo),
                phrase("Choose another one."),
            )
        if not any(file.path.endswith(".safetensors") for file in files):
            other = "GGUF" if any(name.endswith(".gguf") for name in names) else "other"
            raise HubError(
                phrase(
                    "{repo} has its weights in {other} files only, and Shardboard reads safetensors.",
                    repo=repo,
                    other=other,
                ),
                phrase("Look for a version in the MLX format, most are under mlx-community."),
            )
        return HubRepository(repo, str(info.sha), files)

    def description(self, repository: HubRepository) -> Description:
        """The repository's model by its configuration and the headers of its files alone. Raises ShardboardError."""
        repo = repository.repo
        try:
            config = json.loads(self.small_file(repository, "config.json"))
            if not isinstance(config, dict):
                raise HubError(phrase("The config.json of {repo} is no table.", repo=repo))
            weights = [file for file in repository.files if file.path.endswith(".safetensors")]
            with ThreadPoolExecutor(HEADERS_AT_ONCE) as pool:
                tables = list(pool.map(partial(self._header, repository), weights))
        except ShardboardError:
            raise
        except Exception as error:
            raise explain(error, repo, self.page(repo)) from error
        tensors = [tensor for table in tables for tensor in table]
        return Description(repo, cast("dict[str, Any]", config), tuple(tensors))

    def small_file(self, repository: HubRepository, path: str) -> bytes:
        response = get_session().get(
            self.url(repository, path), headers=self.headers(), timeout=TIMEOUT_S, follow_redirects=True
        )
        hf_raise_for_status(response)
        if len(response.content) > SMALL_FILE_BYTES:
            raise HubError(
                phrase("{path} of {repo} is too large to be what it should be.", path=path, repo=repository.repo)
            )
        return response.content

    def url(self, repository: HubRepository, path: str) -> str:
        return hf_hub_url(repository.repo, path, revision=repository.commit, endpoint=self.endpoint)

    def headers(self) -> dict[str, str]:
        token = self._token()
        return {"accept-encoding": "identity"} | ({"authorization": f"Bearer {token}"} if token else {})

    def _header(self, repository: HubRepository, file: HubFile) -> list[tuple[str, str, tuple[int, ...]]]:
        found = self._api().parse_safetensors_file_metadata(
            repository.repo, file.path, revision=repository.commit, timeout=TIMEOUT_S
        )
        if found.tensors and max(info.data_offsets[1] for info in found.tensors.values()) > min(file.size, 1 << 62):
            raise HubError(
                phrase(
                    "{path} of {repo} is malformed: its header promises more than it holds.",
                    path=file.path,
                    repo=repository.repo,
                )
            )
        if len(found.tensors) * 64 > HEADER_LIMIT:
            raise HubError(phrase("{path} of {repo} has an absurd header.", path=file.path, repo=repository.repo))
        return [(name, str(info.dtype), tuple(info.shape)) for name, info in found.tensors.items()]

    def _api(self) -> HfApi:
        return HfApi(endpoint=self.endpoint, token=self._token() or False)


def _found(info: Any, page: str) -> HubModel:
    tags: Iterable[str] = info.tags or ()
    licence = next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), "")
    safetensors: Any = info.safetensors
    size = getattr(info, "used_storage", None)
    if size is None and safetensors:
        widths = {"F32": 4, "U32": 4, "I32": 4, "F16": 2, "BF16": 2, "U8": 1, "I8": 1, "F8_E4M3": 1}
        size = sum(widths.get(kind, 2) * count for kind, count in safetensors.parameters.items())
    named = BITS.search(info.id.rpartition("/")[2])
    words = (f"{named[1]}-bit" if named[1] else named[2].lower()) if named else ""
    tagged = next((tag for tag in tags if re.fullmatch(r"\d-bit", tag)), "")
    updated = info.last_modified.date().isoformat() if info.last_modified else ""
    return HubModel(
        info.id, info.downloads or 0, info.likes or 0, updated, size, words or tagged, licence, bool(info.gated), page
    )


def _file(sibling: Any) -> HubFile:
    lfs: Any = sibling.lfs
    return HubFile(
        sibling.rfilename,
        int(sibling.size or 0),
        str(lfs.sha256) if lfs else "",
        "" if lfs else str(sibling.blob_id or ""),
    )
