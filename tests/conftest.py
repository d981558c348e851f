"""What the tests share: tiny models, a table to learn, and the command line."""

from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from support.examples import USUAL
from support.settled import SETTLED
from support.tiny import Reviews, make_reviews, save_model

# Threads cost more than they give on tiny models, and much more on a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The quick tests try the same examples every time: they cannot fail by chance. `make fuzz`
# searches on, with new seeds. (No deadline: the first example pays for imports.)
settings.register_profile(
    "quick", max_examples=USUAL, derandomize=True, deadline=None, database=None
)
settings.register_profile("fuzz", max_examples=10 * USUAL, deadline=None, print_blob=True)
settings.load_profile("quick")

if TYPE_CHECKING:
    from textlora import TextClassifier
    from textlora.config import RunConfig
    from textlora.training.results import TrainedRun


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder of the tests' own; the bundled encoder is converted into it once."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("TEXTLORA_CACHE")
    os.environ["TEXTLORA_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["TEXTLORA_CACHE"]
    else:
        os.environ["TEXTLORA_CACHE"] = before


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function from an architecture's name to a folder with a tiny model of it."""
    root = tmp_path_factory.mktemp("models")

    def _tiny(architecture: str) -> Path:
        folder = root / f"tiny-{architecture}"
        return folder if folder.is_dir() else save_model(folder, architecture)

    return _tiny


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Reviews:
    """Return texts that a tiny model learns in a few epochs."""
    return make_reviews(tmp_path_factory.mktemp("reviews"))


@pytest.fixture(scope="session")
def make_config(tiny: Callable[[str], Path], reviews: Reviews) -> Callable[..., RunConfig]:
    """Return a function that makes quick settings; `{"section.key": value}` changes them.

    Nothing in them is automatic, unless a change makes it so.
    """
    from textlora.config import build_config
    from textlora.training import job

    # Every training ends with a collection, which would look at all that was imported again: two
    # fifths of the time of a tiny one.
    assert job.train
    gc.freeze()

    def _make(changes: dict[str, Any] | None = None, architecture: str = "distilbert") -> RunConfig:
        values: dict[str, dict[str, Any]] = {
            "data": {
                "train": str(reviews.train),
                "validation": str(reviews.validation),
                "test": str(reviews.test),
                **SETTLED["data"],
            },
            # The head that every tool loads; tests of other heads ask for them.
            "model": {
                "name_or_path": str(tiny(architecture)),
                **{"head": "auto", "pooling": "cls"},
                **SETTLED["model"],
            },
            "lora": {"r": 4, "target_modules": ["q", "v"]},
            "training": {**SETTLED["training"], "warmup_ratio": 0.0, "logging_steps": 100},
            # The same figures on machines with and without bf16.
            "compute": {"precision": "fp32"},
            # Tests of the verdict ask for them.
            "evaluation": {**SETTLED["evaluation"], "baselines": False, "explained_errors": 0},
        }
        for key, value in (changes or {}).items():
            section, _, name = key.partition(".")
            values.setdefault(section, {})[name] = value
        return build_config({"recipe": "default", **values}, origin="a test")

    return _make


@pytest.fixture(scope="session")
def make_classifier(tiny: Callable[[str], Path]) -> Callable[..., TextClassifier]:
    """Return a function that makes a quick `TextClassifier`, not fitted; options change it."""
    from textlora import TextClassifier

    def _make(**options: Any) -> TextClassifier:
        settings = {"compute.precision": "fp32", **options.pop("settings", {})}
        defaults: dict[str, Any] = {
            **{"model": str(tiny("distilbert")), "num_train_epochs": 3, "learning_rate": 1e-2},
            **{"per_device_train_batch_size": 8, "random_state": 1, "settings": settings},
        }
        return TextClassifier(**{**defaults, **options})

    return _make


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, make_config: Callable[..., RunConfig]
) -> TrainedRun:
    """Return one finished run, for the tests that only read."""
    from textlora.files import RunFolder
    from textlora.training.job import train

    changes = {"training.num_train_epochs": 4, "data.label_names": ["Negative", "Positive"]}
    return train(make_config(changes), RunFolder(tmp_path_factory.mktemp("runs") / "finished"))


@pytest.fixture
def cli(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Return a function that runs a command in this process."""
    from textlora.cli import main

    def _run(*arguments: object, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "argv", ["textlora", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return _run


@pytest.fixture(scope="session")
def run_cli() -> Callable[..., Result]:
    """Return a function that runs a command in a new process, which costs seconds."""

    def _run(
        *arguments: object,
        stdin: str = "",
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "textlora", *map(str, arguments)],
            input=stdin,
            env=env,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=240,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return _run
