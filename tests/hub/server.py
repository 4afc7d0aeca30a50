"""A hub of our own on loopback that speaks the hub's HTTP API to the real huggingface_hub client."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LFS_FROM = 100_000  # larger files travel from the "CDN", as on the real hub
PIECE = 64 * 1024
TOKEN = "hf_right"


@dataclass
class Repository:
    directory: Path
    gated: bool = False
    tags: tuple[str, ...] = ()
    downloads: int = 0

    @property
    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.directory)): path.read_bytes()
            for path in sorted(self.directory.rglob("*"))
            if path.is_file()
        }

    @property
    def commit(self) -> str:
        summary = hashlib.sha1()
        for name, content in self.files.items():
            summary.update(name.encode() + hashlib.sha1(content).digest())
        return summary.hexdigest()


@dataclass
class Faults:
    """What goes wrong from now on.

    cut_after: bytes after which a connection to the CDN breaks, so many times (cuts). statuses: answered one after the
    other instead of the CDN's. corrupt: so many files arrive with a wrong byte. bytes_per_s: how fast the CDN is.
    down: nobody answers (connections are closed).
    """

    cut_after: int = 0
    cuts: int = 0
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list[tuple[int, dict[str, str]]])
    corrupt: int = 0
    bytes_per_s: float = 0.0
    down: bool = False


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str
    sent: int


class LoopbackHub:
    """`with LoopbackHub() as hub`: hub.endpoint is its address, hub.requests what was asked and how much was sent."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.faults = Faults()
        self.lock = threading.Lock()
        hub = self

        class Handler(_Handler):
            owner = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def add_repository(self, repo: str, directory: Path, **facts: Any) -> Repository:
        self.repositories[repo] = Repository(directory, **facts)
        return self.repositories[repo]

    @property
    def sent_from_cdn(self) -> int:
        with self.lock:
            return sum(request.sent for request in self.requests if request.path.startswith("/cdn/"))

    def __enter__(self) -> LoopbackHub:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        return

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        hub, self._sent = self.owner, 0
        split = urlsplit(self.path)
        path, query = unquote(split.path), parse_qs(split.query)
        if hub.faults.down:
            self.close_connection = True
            return
        try:
            if path == "/api/models":
                self._list(query)
            elif path.startswith("/api/models/"):
                self._info(path.removeprefix("/api/models/"))
            elif path.startswith("/cdn/"):
                self._cdn(path, body)
            elif "/resolve/" in path:
                self._resolve(path.lstrip("/"), body)
            else:
                self._reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with hub.lock:
                hub.requests.append(Request(self.command, path, self.headers.get("range", ""), self._sent))

    def _allowed(self, repository: Repository) -> bool:
        return not repository.gated or self.headers.get("authorization") == f"Bearer {TOKEN}"

    def _list(self, query: dict[str, list[str]]) -> None:
        words = query.get("search", [""])[0].lower()
        author = query.get("author", [""])[0]
        rows = [
            self._facts(name, repository)
            for name, repository in self.owner.repositories.items()
            if words in name.lower() and name.startswith(f"{author}/" if author else "")
        ]
        rows.sort(key=lambda row: -row["downloads"])
        self._reply(200, json.dumps(rows[: int(query.get("limit", ["30"])[0])]).encode())

    def _facts(self, name: str, repository: Repository) -> dict[str, Any]:
        return {
            "_id": "1",
            "id": name,
            "modelId": name,
            "sha": repository.commit,
            "private": False,
            "gated": "manual" if repository.gated else False,
            "tags": ["license:mit", *repository.tags],
            "downloads": repository.downloads,
            "likes": 1,
            "lastModified": "2026-05-01T10:00:00.000Z",
            "createdAt": "2026-05-01T10:00:00.000Z",
        }

    def _info(self, rest: str) -> None:
        name, _, revision = rest.partition("/revision/")
        repository = self.owner.repositories.get(name)
        if repository is None:
            self._reply(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})
            return
        if revision not in ("", "main", repository.commit):
            self._reply(404, b'{"error": "Invalid rev"}', {"X-Error-Code": "RevisionNotFound"})
            return
        siblings: list[dict[str, Any]] = []
        for path, content in repository.files.items():
            row: dict[str, Any] = {"rfilename": path, "size": len(content)}
            row["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            if len(content) >= LFS_FROM:
                row["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            siblings.append(row)
        self._reply(200, json.dumps(self._facts(name, repository) | {"siblings": siblings}).encode())

    def _resolve(self, path: str, body: bool) -> None:
        name, _, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        repository = self.owner.repositories.get(name)
        if repository is None:
            self._reply(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif not self._allowed(repository):
            self._reply(403, b"", {"X-Error-Code": "GatedRepo"})
        elif revision not in ("main", repository.commit) or file not in repository.files:
            code = "EntryNotFound" if revision in ("main", repository.commit) else "RevisionNotFound"
            self._reply(404, b"", {"X-Error-Code": code})
        else:
            content = repository.files[file]
            commit = {"X-Repo-Commit": repository.commit}
            if len(content) >= LFS_FROM:
                digest = hashlib.sha256(content).hexdigest()
                linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
                self._reply(302, b"", commit | linked | {"Location": f"{self.owner.endpoint}/cdn/{name}/{file}"})
            else:
                digest = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
                self._send(content, body, commit | {"ETag": f'"{digest}"'})

    def _cdn(self, path: str, body: bool) -> None:
        faults = self.owner.faults
        if faults.statuses:
            status, headers = faults.statuses.pop(0)
            self._reply(status, b"", headers)
            return
        owner, name, file = path.removeprefix("/cdn/").split("/", 2)
        content = self.owner.repositories[f"{owner}/{name}"].files[file]
        if faults.corrupt and body:
            faults.corrupt -= 1
            content = content[:-1] + bytes([content[-1] ^ 1])
        self._send(content, body, {}, cdn=True)

    def _send(self, content: bytes, body: bool, headers: dict[str, str], *, cdn: bool = False) -> None:
        wanted = self.headers.get("range", "")
        start, end = 0, len(content)
        if wanted.startswith("bytes="):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1 if last else len(content), len(content))
            headers = headers | {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"}
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(end - start))
        self.end_headers()
        if not body:
            return
        faults = self.owner.faults
        while start < end:
            piece = content[start : min(end, start + PIECE)]
            if cdn and faults.cuts > 0 and self._sent + len(piece) > faults.cut_after:
                faults.cuts -= 1
                self.close_connection = True
                self.wfile.flush()
                self.connection.close()
                return
            self.wfile.write(piece)
            self._sent += len(piece)
            start += len(piece)
            if cdn and faults.bytes_per_s:
                time.sleep(len(piece) / faults.bytes_per_s)

    def _reply(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
            self._sent += len(content)
