"""The stand-in Hub, to write to: repositories are made, files sent, and then served.

    with WritableHub(tmp_path, {"hf_mine": ["me"]}) as hub:
        ...  # HF_ENDPOINT=hub.url HF_TOKEN=hf_mine HF_HUB_DISABLE_XET=1
        assert hub.repositories == {"me/name": "private"}

Large files come by Git LFS's basic transfer. The Hub's newer one, Xet, has a server of its own
with a protocol of its own, which is not stood in for: hence HF_HUB_DISABLE_XET.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from support.hub import Reply, StandInHub

LARGE = (".safetensors",)
_COMMIT = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/commit/main")
_PREUPLOAD = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/preupload/main")
_LFS = re.compile(r"/(?P<repo>[^/]+/[^/]+)\.git/info/lfs/objects/batch")
_OBJECT = re.compile(r"/stand-in-lfs/(?P<oid>[0-9a-f]{64})")


class WritableHub(StandInHub):
    """A stand-in Hub that takes uploads.

    Args:
        root: folder for what it stores.
        writers: by token, the owners for whom it may write.

    Attributes:
        repositories: the visibility of every repository that was made.
        commits: what each commit held: its repository, its message, and bytes by file name.
    """

    def __init__(self, root: Path, writers: Mapping[str, Collection[str]]) -> None:
        super().__init__(root)
        self._root, self._writers = root, writers
        self._large: dict[str, bytes] = {}
        self.repositories: dict[str, str] = {}
        self.commits: list[tuple[str, str, dict[str, bytes]]] = []

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Reply to one request; what only reads is left to the stand-in Hub."""
        path = target.partition("?")[0]
        if method in ("GET", "HEAD"):
            return super().answer(method, target, headers, body)
        self.requests.append((method, path))
        if path == "/api/validate-yaml":
            return _reply({"errors": [], "warnings": []})
        sent = _OBJECT.fullmatch(path)
        if sent is not None:
            self._large[sent["oid"]] = body
            return Reply()
        owners = self._writers.get(headers.get("authorization", "").removeprefix("Bearer "))
        if owners is None:
            return _reply({"error": "Invalid username or password."}, 401)
        if path == "/api/repos/create":
            return self._create(json.loads(body), owners)
        for pattern, handle in ((_PREUPLOAD, _modes), (_LFS, self._batch), (_COMMIT, self._commit)):
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if match["repo"].partition("/")[0] not in owners:
                return _reply({"error": "You don't have the rights."}, 403)
            return handle(match["repo"], body)
        return _reply({"error": "The stand-in Hub does not take this."}, 404)

    def _create(self, asked: Mapping[str, Any], owners: Collection[str]) -> Reply:
        repo = f"{asked['organization']}/{asked['name']}"
        url = f"{self.url}/{repo}"
        if asked["organization"] not in owners:
            return _reply({"error": "You don't have the rights to create a model there."}, 403)
        if repo in self.repositories:
            return _reply({"error": "You already created this model repo", "url": url}, 409)
        self.repositories[repo] = asked.get("visibility", "public")
        empty = self._root / "empty"
        empty.mkdir(exist_ok=True)
        self.add_model(repo, empty)
        return _reply({"url": url})

    def _batch(self, repo: str, body: bytes) -> Reply:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.url}/stand-in-lfs/{each['oid']}"}}}
            for each in json.loads(body)["objects"]
        ]
        return _reply({"transfer": "basic", "objects": objects})

    def _commit(self, repo: str, body: bytes) -> Reply:
        lines = [json.loads(line) for line in body.splitlines()]
        files: dict[str, bytes] = {}
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                files[value["path"]] = self._large[value["oid"]]
        self.commits.append((repo, lines[0]["value"]["summary"], files))
        folder = self._root / f"commit-{len(self.commits)}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        oid = self.add_model(repo, folder)["main"]
        url = f"{self.url}/{repo}/commit/{oid}"
        return _reply({"commitUrl": url, "commitOid": oid, "pullRequestUrl": None})


def _modes(repo: str, body: bytes) -> Reply:
    files = [
        {
            "path": each["path"],
            "uploadMode": "lfs" if each["path"].endswith(LARGE) else "regular",
            "shouldIgnore": False,
        }
        for each in json.loads(body)["files"]
    ]
    return _reply({"files": files})


def _reply(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})
