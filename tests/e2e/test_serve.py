"""The server as a process: it drains when it is told to end, and a killed worker comes back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.adapters import save_served


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    url: str

    def post(self, path: str, body: Any, method: str = "POST") -> tuple[int, Any]:
        """Send JSON and return status and answer."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        request.method = method
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def is_ready(self) -> bool:
        """Whether texts would be answered."""
        try:
            return urllib.request.urlopen(f"{self.url}/health/ready", timeout=10).status == 200
        except OSError:
            return False


@contextmanager
def serving(log: Path, *arguments: object) -> Iterator[Server]:
    """Run `textlora serve` at a free port."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "textlora", "serve", *map(str, arguments), "--port", "0"],
            stderr=file,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    try:
        server = Server(process, _wait(lambda: _url(log), process))
        _wait(server.is_ready, process)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def _url(log: Path) -> str | None:
    found = re.search(r"at (http://\S+:\d+) ", log.read_text())
    return found[1] if found else None


def _wait(condition: Any, process: subprocess.Popen[str]) -> Any:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("nothing happened")


@pytest.fixture(scope="module")
def adapters(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    for number in range(2):
        save_served(folder / f"a{number}", tiny("distilbert"), seed=number)
    return folder


def test_what_has_begun_is_answered_after_sigterm(adapters: Path, tmp_path: Path) -> None:
    many = ["a good film and a very poor plot"] * 32
    with serving(tmp_path / "log", adapters / "a0", "--max-batch-tokens", 16) as server:
        with ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(server.post, "/predict", {"inputs": many}) for _ in range(8)]
            while "request" not in (tmp_path / "log").read_text().split("ready", 1)[-1]:
                time.sleep(0.005)
            server.process.send_signal(signal.SIGTERM)
            results = [_status(answer) for answer in answers]
        assert server.process.wait(60) in (0, -signal.SIGTERM)
    # Some were too late to be taken; none that was taken is lost.
    taken = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()[1:]]
    done = [line for line in taken if line.get("route") == "/predict"]
    assert results.count(200) == len(done) >= 1
    assert "good film" not in (tmp_path / "log").read_text()


def _status(answer: Any) -> int:
    try:
        return int(answer.result()[0])
    except OSError:  # not connected any more
        return 0


@pytest.mark.slow
def test_a_killed_worker_comes_back_with_its_adapters(adapters: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(log, adapters / "a0", "--adapters", adapters, "--workers", 2) as server:
        _wait(lambda: log.read_text().count("Application startup complete") == 2, server.process)
        assert server.post("/adapters/a1", {}, "PUT")[0] == 200
        pids = [
            int(pid) for pid in re.findall(r"Started server process \[(\d+)\]", log.read_text())
        ]
        assert len(pids) == 2
        os.kill(pids[0], signal.SIGKILL)
        _wait(lambda: log.read_text().count("Application startup complete") == 3, server.process)
        for _ in range(12):  # whichever of the two it is that answers
            assert server.post("/adapters/a1/predict", {"inputs": "good"})[0] == 200
        with urllib.request.urlopen(f"{server.url}/metrics") as response:
            assert b"textlora_texts_total 12.0" in response.read()


def test_mistakes_end_with_a_message(adapters: Path, tmp_path: Path) -> None:
    from socket import socket

    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments, words in (
            ((tmp_path / "none",), "no such run folder"),
            ((adapters / "a0", adapters / "a0"), "Two adapters are called"),
            ((adapters / "a0", "--port", port), "cannot be listened at"),
            ((adapters / "a0", "--adapters", tmp_path / "x"), "no such folder"),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "textlora", "serve", *map(str, arguments)],
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 2
            assert words in done.stderr
            assert "Traceback" not in done.stderr
