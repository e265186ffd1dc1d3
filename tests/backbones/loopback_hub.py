"""A small Hugging Face hub on loopback: real HTTP for the real download code."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


class LoopbackHub:
    """Serves repositories of files at commits; `publish` adds a commit and moves "main" to it."""

    def __init__(self) -> None:
        self.commits: dict[str, dict[str, Files]] = {}
        self.main: dict[str, str] = {}
        self.corrupted: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        hub = self

        class Handler(_Handler):
            owner = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> LoopbackHub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def publish(self, repository: str, files: Files) -> str:
        """Commit files to a repository; returns the commit hash."""
        digest = hashlib.sha1(repository.encode())
        for name, body in sorted(files.items()):
            digest.update(name.encode() + body)
        commit = digest.hexdigest()
        self.commits.setdefault(repository, {})[commit] = dict(files)
        self.main[repository] = commit
        return commit

    def forget(self, repository: str, commit: str) -> None:
        """Remove a commit, as a rewritten history does."""
        del self.commits[repository][commit]

    def downloads(self) -> list[str]:
        """Paths of the bodies sent so far."""
        return [path for method, path in self.requests if method == "GET" and "/resolve/" in path]

    def find(self, repository: str, revision: str) -> tuple[str, Files] | None:
        """Commit hash and files of a revision."""
        commit = self.main.get(repository, "") if revision == "main" else revision
        files = self.commits.get(repository, {}).get(commit)
        return None if files is None else (commit, files)


class _Handler(BaseHTTPRequestHandler):
    owner: LoopbackHub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *args: Any) -> None:
        """Stay silent."""

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.owner.requests.append((self.command, path))
        if "/resolve/" in path:
            repository, _, rest = path.lstrip("/").partition("/resolve/")
            revision, _, file = rest.partition("/")
            self._file(repository, revision, file, with_body=with_body)
        elif path.startswith("/api/models/"):
            self._describe(path.removeprefix("/api/models/"), with_body=with_body)
        else:
            self._send(200, {}, b"a hub", with_body=with_body)

    def _file(self, repository: str, revision: str, file: str, *, with_body: bool) -> None:
        if repository not in self.owner.commits:
            return self._error("RepoNotFound", with_body=with_body)
        found = self.owner.find(repository, revision)
        if found is None:
            return self._error("RevisionNotFound", with_body=with_body)
        commit, files = found
        if file not in files:
            return self._error("EntryNotFound", with_body=with_body)
        body = files[file]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{git_blob(body)}"'}
        if file.endswith(".safetensors"):
            headers["X-Linked-Etag"] = f'"{hashlib.sha256(body).hexdigest()}"'
            headers["X-Linked-Size"] = str(len(body))
        if file in self.owner.corrupted:
            body = body[:-1] + bytes([body[-1] ^ 1])
        return self._send(200, headers, body, with_body=with_body)

    def _describe(self, rest: str, *, with_body: bool) -> None:
        repository, revision = rest, "main"
        for word in ("/revision/", "/tree/"):
            if word in rest:
                repository, _, revision = rest.partition(word)
        found = self.owner.find(repository, revision)
        if found is None:
            return self._error("RepoNotFound", with_body=with_body)
        commit, files = found
        names = [{"rfilename": name} for name in sorted(files)]
        content = {"id": repository, "sha": commit, "siblings": names, "private": False}
        return self._send(
            200, {"Content-Type": "application/json"}, json.dumps(content).encode(), with_body=with_body
        )

    def _error(self, code: str, *, with_body: bool) -> None:
        self._send(404, {"X-Error-Code": code, "X-Error-Message": code}, b"", with_body=with_body)

    def _send(self, status: int, headers: dict[str, str], body: bytes, *, with_body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def git_blob(body: bytes) -> str:
    """git's sha1 of a file, the hub's ETag of small files."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
