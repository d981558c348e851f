"""Once more on all rows: what is chosen is chosen before, and the baselines have them, too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.tiny import Reviews
from textlora.files import RunFolder
from textlora.inference.predictor import Predictor
from textlora.recipes import load_recipe
from textlora.report.wording import ALL_REFITTED
from textlora.training import job
from textlora.training.trainer import run_trainer

from .conftest import adapter_bytes, cut_and_resumed
from .test_start import FROM_REGRESSION, WRECKED

Run = Callable[..., Any]
# 48 rows, of which some are split off to validate; the test rows are a file of their own.
KEPT_START = {**WRECKED, "training.second_try": False}
SPLIT_OFF = {"data.validation": None, "data.validation_size": 0.25, "training.refit": True}


def rows_trained_on(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of rows of every last training."""
    from textlora.training import fitting

    rows: list[int] = []

    def spy(predictor: Any, forward: Any, config: Any, train: Any, *held: Any, **how: Any) -> Any:
        if not held:
            rows.append(len(train))
        return run_trainer(predictor, forward, config, train, *held, **how)

    monkeypatch.setattr(fitting, "run_trainer", spy)
    return rows


@pytest.mark.parametrize("start", [{}, FROM_REGRESSION], ids=["random", "regression"])
def test_all_rows_are_trained_on_in_the_end(
    run: Run, reviews: Reviews, monkeypatch: pytest.MonkeyPatch, start: dict[str, Any]
) -> None:
    rows = rows_trained_on(monkeypatch)
    first = run({**SPLIT_OFF, **start, "training.refit": False}, "first")
    assert rows == []
    done = run({**SPLIT_OFF, **start}, "done")
    assert rows == [48]
    assert adapter_bytes(done) != adapter_bytes(first)
    # Validation's figures are of the classifier that had not seen it, and it chose the temperature.
    assert done.results["validation"].metrics == first.results["validation"].metrics
    assert [record.best for record in done.history] == [record.best for record in first.history]
    assert done.predictor.spec.temperature == first.predictor.spec.temperature
    # The test's are of the one that is saved.
    test = done.results["test"]
    saved = Predictor.load(done.folder.path).predict_proba(test.part.table.texts)
    np.testing.assert_allclose(saved, test.probabilities, atol=1e-5)
    told = [json.loads(each.folder.metrics.read_text())["training"] for each in (first, done)]
    assert [each["refitted"] for each in told] == [False, True]


def test_it_takes_as_many_epochs_as_were_best(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from textlora.training.progress import ProgressCallback

    ends: list[float] = []
    begin = ProgressCallback.on_train_end

    def spy(self: Any, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        ends.append(state.epoch)
        begin(self, args, state, control, **kwargs)

    monkeypatch.setattr(ProgressCallback, "on_train_end", spy)
    done = run({**SPLIT_OFF, "training.num_train_epochs": 4, "training.learning_rate": 0.03})
    best = next(record.epoch for record in done.history if record.best)
    assert ends == [4, best]


@pytest.mark.parametrize(
    "changes",
    [
        {"data.validation_size": 0.1},  # named validation rows stay apart
        {"data.validation": None, "data.test": None, "data.test_size": 0},  # they judge
        {"data.validation": None, "data.subset": 30},  # so many rows were asked for
        {**KEPT_START, "data.validation": None, "data.validation_size": 0.5},
    ],
)
def test_where_it_would_be_wrong_it_is_not(
    run: Run, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    rows = rows_trained_on(monkeypatch)
    done = run({"training.refit": True, **changes})
    assert rows == []
    assert done.refitted is None


def test_baselines_are_trained_on_the_same_rows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from textlora.baselines import FrozenEncoder, MajorityClass, TfidfLogisticRegression

    counts: dict[str, list[int]] = {}
    for kind in (MajorityClass, TfidfLogisticRegression, FrozenEncoder):

        def spy(self: Any, rows: Any, refit: Any = kind.refit) -> None:
            counts.setdefault(self.name, []).append(len(rows.targets))
            assert len(rows.texts) == len(rows.sequences) == len(rows.targets)
            refit(self, rows)

        monkeypatch.setattr(kind, "refit", spy)
    done = run({**SPLIT_OFF, "evaluation.baselines": True})
    assert set(counts) == {
        kind.name for kind in (MajorityClass, TfidfLogisticRegression, FrozenEncoder)
    }
    assert all(each == [48] for each in counts.values())
    assert ALL_REFITTED in done.conclusion.verdict.notes


IN_THE_MIDDLE = {"training.eval_strategy": "steps", "training.eval_steps": 3}


@pytest.mark.parametrize(
    ("nth", "way"),
    [
        (1, {}),
        (2, {}),
        (2, IN_THE_MIDDLE),
        (2, {**IN_THE_MIDDLE, "training.contrastive_weight": 0.5}),
    ],
)
def test_a_resumed_run_ends_in_the_same_bytes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int, way: dict[str, Any]
) -> None:
    changes = {**SPLIT_OFF, **FROM_REGRESSION, "training.token_dropout": 0.4, **way}
    whole = run(changes, "whole")
    assert whole.refitted
    done = cut_and_resumed(run, changes, nth, tmp_path, monkeypatch)
    assert adapter_bytes(done) == adapter_bytes(whole)


def test_a_kill_in_the_last_training_repeats_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textlora.training import fitting

    whole = run(SPLIT_OFF, "whole")

    def kill(predictor: Any, forward: Any, config: Any, train: Any, *held: Any, **how: Any) -> Any:
        history = run_trainer(predictor, forward, config, train, *held, **how)
        if held:
            return history
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "run_trainer", kill)
    with pytest.raises(KeyboardInterrupt):
        run(SPLIT_OFF, "cut")
    monkeypatch.undo()
    folder = RunFolder(tmp_path / "cut")
    done = job.train(load_recipe(str(folder.config)).config(), folder, resume=True)
    assert adapter_bytes(done) == adapter_bytes(whole)


def test_full_fine_tuning_has_them_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from textlora.training.verdict import FullFineTuning

    rows: list[int] = []
    train = FullFineTuning._train

    def spy(self: Any, config: Any, given: Any, validation: Any) -> None:
        rows.append(len(given.targets))
        train(self, config, given, validation)

    monkeypatch.setattr(FullFineTuning, "_train", spy)
    run({**SPLIT_OFF, "evaluation.baselines": True, "evaluation.full_fine_tuning": True})
    assert rows == [36, 48]


def test_copies_of_what_was_trained_on_in_the_end_are_no_clean_rows(
    run: Run, reviews: Reviews, tmp_path: Path
) -> None:
    test = tmp_path / "test.csv"
    test.write_bytes(reviews.train.read_bytes())
    done = run({**SPLIT_OFF, "data.test": str(test)})
    leakage = done.conclusion.leakage
    assert leakage is not None
    assert leakage.rows == 48
    assert leakage.clean is None
    plain = run({**SPLIT_OFF, "data.test": str(test), "training.refit": False}, "plain")
    assert plain.conclusion.leakage.rows == 36


def test_readers_are_told(run: Run) -> None:
    """In report and model card, also where there is no verdict."""
    done = run(SPLIT_OFF, report=True)
    assert done.conclusion.verdict is None
    for file in (done.folder.report, done.folder.adapter / "README.md"):
        assert "on all 48 rows followed" in file.read_text(encoding="utf-8").replace("\n", " ")
