"""A local stand-in of the Hugging Face Hub, for tests that have no network.

It answers what huggingface_hub, transformers and datasets really ask when they load a
model or a dataset by name, so that a test drives the true client code:

    with StandInHub(tmp_path) as hub:
        commits = hub.add_model("owner/name", folder, revisions={"v1": older_folder})
        subprocess.run([...], env=hub.environment(tmp_path / "home"))
        assert ("HEAD", "/owner/name/resolve/main/config.json") in hub.requests

The libraries read HF_ENDPOINT when they are imported, hence the subprocess; an
`HfApi(endpoint=hub.url)` works in any process. To serve one more endpoint (an upload's
"preupload" and "commit", say), write a method that takes a `Call` and add it to `_ROUTES`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Reply:
    """What goes back over the wire."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class HubError(Exception):
    """A reply that the clients turn into one of their exceptions, by its code."""

    def __init__(self, code: str, message: str, commit: str | None = None) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        # Clients remember that a file is missing only when they learn for which commit.
        if commit is not None:
            headers["X-Repo-Commit"] = commit
        self.reply = Reply(404, _json({"error": message}), headers)
        super().__init__(message)


@dataclass(frozen=True)
class Blob:
    """A stored file: its git object id, and its size."""

    oid: str
    size: int


@dataclass
class Repo:
    """One model or dataset: immutable commits, and names that point at them."""

    id: str
    commits: dict[str, dict[str, Blob]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> str:
        """The commit that a branch, a tag or a full commit hash means."""
        commit = self.refs.get(revision, revision)
        if commit not in self.commits:
            raise HubError("RevisionNotFound", f"Invalid rev id: {revision}")
        return commit


@dataclass(frozen=True)
class Call:
    """A request that was matched to a route; its headers have lower-case names."""

    repo: Repo
    revision: str
    path: str
    url: SplitResult
    headers: Mapping[str, str]
    body: bytes


class StandInHub:
    """A Hub on 127.0.0.1 that serves copies of local folders.

    Args:
        root: folder for the copies, named by content as git names them.
        page_size: entries per page of a listing, small so that clients have to paginate.

    Attributes:
        url: where it listens, for HF_ENDPOINT.
        requests: method and path (without query) of every call, in order.
    """

    def __init__(self, root: Path, page_size: int = 3) -> None:
        self._blobs = root / "stand-in-hub-blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._page_size = page_size
        self._repos: dict[tuple[str, str], Repo] = {}
        self._moved: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.requests: list[tuple[str, str]] = []

    def __enter__(self) -> StandInHub:
        # The default poll would make every test wait half a second at its end.
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_model(
        self, repo_id: str, folder: Path, revisions: Mapping[str, Path] | None = None
    ) -> dict[str, str]:
        """Serve `folder` as the model's "main", and more revisions by branch or tag name.

        Adding a model again moves its names; the older commits stay available.

        Returns:
            The 40-digit commit hash of every revision name.
        """
        return self._add("models", repo_id, {"main": folder, **(revisions or {})})

    def add_dataset(
        self, repo_id: str, folder: Path, revisions: Mapping[str, Path] | None = None
    ) -> dict[str, str]:
        """Serve `folder` as a dataset; otherwise as `add_model`."""
        return self._add("datasets", repo_id, {"main": folder, **(revisions or {})})

    def move(self, old_id: str, new_id: str) -> None:
        """Redirect `old_id`, as the Hub does for its first models, which had no owner."""
        self._moved[old_id] = new_id

    def environment(self, home: Path, **changes: str) -> dict[str, str]:
        """Variables for a subprocess that knows no other Hub and keeps its cache in `home`."""
        theirs = ("HF_", "HUGGING", "TRANSFORMERS_")
        mine = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
        # A proxy that the machine needs for the internet cannot reach this process.
        quiet = {"no_proxy": "*", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return mine | quiet | {"HF_ENDPOINT": self.url, "HF_HOME": str(home)} | changes

    def _add(self, kind: str, repo_id: str, folders: Mapping[str, Path]) -> dict[str, str]:
        repo = self._repos.setdefault((kind, repo_id), Repo(repo_id))
        for name, folder in folders.items():
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            files = {path.relative_to(folder).as_posix(): self._store(path) for path in paths}
            listing = repr((kind, repo_id, sorted((p, b.oid) for p, b in files.items())))
            commit = _sha1(listing.encode())
            repo.commits[commit] = files
            repo.refs[name] = commit
        return dict(repo.refs)

    def _store(self, path: Path) -> Blob:
        data = path.read_bytes()
        # Clients may compare a file with its id, so it has to be the one that git computes.
        oid = _sha1(b"blob %d\0" % len(data) + data)
        (self._blobs / oid).write_bytes(data)
        return Blob(oid, len(data))

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Reply to one request; to HEAD as to GET, for the caller to leave out the body."""
        url = urlsplit(target)
        self.requests.append((method, url.path))
        for route_method, pattern, handle in _ROUTES:
            match = pattern.fullmatch(url.path)
            if match is None or route_method != method.replace("HEAD", "GET"):
                continue
            parts = {name: unquote(value or "") for name, value in match.groupdict().items()}
            if parts["repo"] in self._moved:
                start, end = match.span("repo")
                where = url.path[:start] + self._moved[parts["repo"]] + url.path[end:]
                return Reply(307, headers={"Location": url._replace(path=where).geturl()})
            repo = self._repos.get((parts.get("kind") or "models", parts["repo"]))
            if repo is None:
                return HubError("RepoNotFound", "Repository not found").reply
            revision, path = parts.get("revision") or "main", parts.get("path", "")
            try:
                return handle(self, Call(repo, revision, path, url, headers, body))
            except HubError as error:
                return error.reply
        return Reply(404, b'{"error": "The stand-in Hub does not serve this."}')

    def _info(self, call: Call) -> Reply:
        commit = call.repo.resolve(call.revision)
        siblings = [{"rfilename": path} for path in call.repo.commits[commit]]
        fixed = {"private": False, "gated": False, "disabled": False, "tags": []}
        return Reply(200, _json({"id": call.repo.id, "sha": commit, "siblings": siblings, **fixed}))

    def _tree(self, call: Call) -> Reply:
        commit = call.repo.resolve(call.revision)
        entries = _entries(call.repo.commits[commit])
        if call.path and entries.get(call.path, {}).get("type") != "directory":
            raise HubError("EntryNotFound", f"{call.path} does not exist on {commit}", commit)
        top = PurePosixPath(call.path)
        query = parse_qs(call.url.query)
        deep = query.get("recursive", ["false"])[0].lower() == "true"
        inside = [
            entry
            for path, entry in sorted(entries.items())
            if PurePosixPath(path).parent == top or (deep and top in PurePosixPath(path).parents)
        ]
        start = int(query.get("cursor", ["0"])[0])
        end = start + self._page_size
        headers = {}
        if end < len(inside):
            next_page = f"{self.url}{call.url.path}?recursive={str(deep).lower()}&cursor={end}"
            headers["Link"] = f'<{next_page}>; rel="next"'
        return Reply(200, _json(inside[start:end]), headers)

    def _paths_info(self, call: Call) -> Reply:
        entries = _entries(call.repo.commits[call.repo.resolve(call.revision)])
        asked = parse_qs(call.body.decode()).get("paths", [])
        return Reply(200, _json([entries[path] for path in asked if path in entries]))

    def _file(self, call: Call) -> Reply:
        commit = call.repo.resolve(call.revision)
        blob = call.repo.commits[commit].get(call.path)
        if blob is None:
            raise HubError("EntryNotFound", f"{call.path} does not exist on {commit}", commit)
        data = (self._blobs / blob.oid).read_bytes()
        headers = {"ETag": f'"{blob.oid}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", call.headers.get("range", ""))
        if wanted is None:
            return Reply(200, data, headers)
        start = int(wanted[1])
        end = min(int(wanted[2] or blob.size) + 1, blob.size)
        if start >= end:
            return Reply(416, b"", headers | {"Content-Range": f"bytes */{blob.size}"})
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{blob.size}"
        return Reply(206, data[start:end], headers)


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _entries(files: Mapping[str, Blob]) -> dict[str, dict[str, Any]]:
    """The files, and the folders that they imply, as the Hub's listings describe them."""
    entries: dict[str, dict[str, Any]] = {}
    for path, blob in files.items():
        entries[path] = {"type": "file", "oid": blob.oid, "size": blob.size, "path": path}
        for folder in map(str, list(PurePosixPath(path).parents)[:-1]):
            oid = _sha1(folder.encode())
            entries[folder] = {"type": "directory", "oid": oid, "size": 0, "path": folder}
    return entries


_API = r"/api/(?P<kind>models|datasets)/(?P<repo>[^/]+(?:/[^/]+)??)"
_REVISION = r"/(?P<revision>[^/]+)"
_RESOLVE = r"/(?:(?P<kind>datasets)/)?(?P<repo>[^/]+(?:/[^/]+)??)/resolve"
# An id may lack its owner, so the routes that say more than an id have to be tried first.
_ROUTES: list[tuple[str, re.Pattern[str], Callable[[StandInHub, Call], Reply]]] = [
    ("GET", re.compile(f"{_API}/tree{_REVISION}(?:/(?P<path>.+))?"), StandInHub._tree),
    ("POST", re.compile(f"{_API}/paths-info{_REVISION}"), StandInHub._paths_info),
    ("GET", re.compile(f"{_API}/revision{_REVISION}"), StandInHub._info),
    ("GET", re.compile(_API), StandInHub._info),
    ("GET", re.compile(f"{_RESOLVE}{_REVISION}/(?P<path>.+)"), StandInHub._file),
]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes, which Nagle's algorithm would hold apart for 40 ms.
    disable_nagle_algorithm = True

    def __init__(self, hub: StandInHub, *connection: Any) -> None:
        self._hub = hub
        # The base class serves the whole connection before its constructor returns.
        super().__init__(*connection)

    def _serve(self) -> None:
        # A body left unread would be taken for the next request on the same connection.
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self._hub.answer(self.command, self.path, headers, body)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: `StandInHub.requests` is the log."""
