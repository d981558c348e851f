"""A Hub of one dataset, for tests: what `datasets` asks of the real one, over HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "owner/reviews"
_API = f"/api/datasets/{NAME}"
_FILES = f"/datasets/{NAME}/resolve/"

_OLD, _NEW = "a" * 40, "b" * 40
_COMMITS = {"main": _NEW, "v1": _OLD, _OLD: _OLD, _NEW: _NEW}
_CARD = b"---\nlicense: mit\n---\n"
CONTENT = {
    _OLD: {"README.md": _CARD, "data/train.csv": b"text,label\nold,0\nolder,1\n"},
    _NEW: {
        "README.md": _CARD,
        "data/train.csv": b"text,label\nso so,0\ngood,1\n",
        "data/test.csv": b"text,label\nbad,0\n",
    },
}


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith(_FILES):
            revision, file = path.removeprefix(_FILES).split("/", 1)
            commit = _COMMITS.get(revision)
            if commit is None:
                return self._refuse("RevisionNotFound")
            content = CONTENT[commit].get(file)
            if content is None:
                return self._refuse("EntryNotFound", commit)
            return self._send(200, content, ETag=f'"{_digest(content)}"', commit=commit)
        if path.startswith(_API):
            _, kind, revision, *below = f"{path.removeprefix(_API)}//".split("/")
            commit = _COMMITS.get(revision or "main")
            if commit is None:
                return self._refuse("RevisionNotFound")
            answer = _tree(commit, "/".join(below).strip("/")) if kind == "tree" else _info(commit)
            return self._send(200, json.dumps(answer).encode())
        return self._refuse("RepoNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _refuse(self, code: str, commit: str | None = None) -> None:
        self._send(404, b"{}", commit=commit, **{"X-Error-Code": code})

    def _send(self, status: int, content: bytes, commit: str | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        if commit is not None:
            self.send_header("X-Repo-Commit", commit)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _info(commit: str) -> dict[str, object]:
    siblings = [{"rfilename": file} for file in CONTENT[commit]]
    return {"id": NAME, "sha": commit, "private": False, "tags": [], "siblings": siblings}


def _tree(commit: str, folder: str) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = [
        {"type": "file", "path": file, "size": len(content), "oid": _digest(content)}
        for file, content in CONTENT[commit].items()
        if file.rpartition("/")[0] == folder
    ]
    return entries if folder else [*entries, {"type": "directory", "path": "data", "oid": commit}]


@contextmanager
def standin_hub() -> Iterator[str]:
    """Serve the dataset on a free port; yield what to set HF_ENDPOINT to."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
