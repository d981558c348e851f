"""Runs side by side, and several seeds, in words."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from textlora.metrics.comparison import Contender, Predictions
from textlora.metrics.statistics import Metric, judging_metric
from textlora.report.comparisons import Repetitions, SideBySide, repetitions, side_by_side
from textlora.report.terminal import repetitions_table, side_by_side_table
from textlora.report.wording import NO_TEST_PART

TRUTH = np.repeat([0, 0, 0, 0, 0, 0, 0, 0, 1, 2], 40)


def contender(name: str, *, rare: int, missed: int) -> Contender:
    """Find so many of the 40 texts of each rare class, and miss so many of the frequent one."""
    predicted = np.zeros(400, dtype=int)
    for number in (1, 2):
        predicted[np.flatnonzero(number == TRUTH)[:rare]] = number
    predicted[np.flatnonzero(TRUTH == 0)[:missed]] = 1
    return Contender(name, Predictions(TRUTH, predicted, 3))


def pair(*metrics: Metric | None) -> SideBySide:
    """The first is right more often; the second finds the rare classes."""
    plain, balanced = (
        contender("plain", rare=13, missed=0),
        contender("balanced", rare=32, missed=46),
    )
    return side_by_side([plain, balanced], "test", metrics)


def test_a_better_macro_f1_is_told_though_the_accuracy_fell() -> None:
    found = pair("f1", "f1")
    assert found.metric == "f1"
    assert found.candidates[1].accuracy < found.candidates[0].accuracy
    assert found.candidates[1].macro_f1 > found.candidates[0].macro_f1 + 0.05
    assert found.sentence(1).startswith("balanced is better than plain: +")
    assert "points of macro F1 (95 % interval" in found.sentence(1)
    assert "bootstrap p" in found.sentence(1)
    assert found.to_dict()["metric"] == "f1"


def test_by_accuracy_the_same_two_cannot_be_told_apart() -> None:
    found = pair("accuracy", "accuracy")
    assert found.sentence(1).startswith("balanced cannot be told apart from plain: −2.0 points (")
    assert "McNemar p" in found.sentence(1)


def test_the_first_known_metric_decides_and_others_are_told_of() -> None:
    mixed = pair("f1", "accuracy")
    assert mixed.metric == "f1"
    assert "judged by macro F1 and accuracy" in mixed.notes[0]
    alone = pair(None, "mcc")
    assert (alone.metric, alone.notes) == ("mcc", ())
    assert pair(None, None).metric == "accuracy"
    assert "MCC" in str([each.header for each in side_by_side_table(alone).renderables[0].columns])


def test_a_loss_cannot_be_compared_so_answers_are() -> None:
    assert judging_metric("loss", multi_label=False) == "accuracy"
    assert judging_metric("loss", multi_label=True) == "f1"
    assert judging_metric("accuracy", multi_label=True) == "accuracy"
    assert judging_metric("mcc", multi_label=True) == "mcc"


CLASSES = np.arange(1_000) % 2


def predictions(wrong: int, shift: int = 0) -> Predictions:
    rows = (np.arange(1_000) + shift) % 1_000 < wrong
    return Predictions(CLASSES, np.where(rows, 1 - CLASSES, CLASSES), 2)


def summary(*wrong: int, baseline: int | None = 160, part: str = "test") -> Repetitions:
    runs = {
        42 + n: Contender(f"seed-{42 + n}", predictions(each, 7 * n), seconds=60.0 + n)
        for n, each in enumerate(wrong)
    }
    best = None if baseline is None else Contender("TF-IDF", predictions(baseline), seconds=2.0)
    return repetitions(runs, part, best)


def test_mean_and_spread() -> None:
    found = summary(110, 120, 130)
    assert found.accuracy.mean == pytest.approx(0.88)
    assert found.accuracy.std == pytest.approx(0.01)
    assert [run["seed"] for run in found.runs] == [42, 43, 44]
    assert found.advantage is not None
    expected = stats.ttest_rel([0.89, 0.88, 0.87], [0.84] * 3)
    assert found.advantage.over_seeds.p_value == pytest.approx(float(expected.pvalue))
    assert found.advantage.over_seeds.difference == pytest.approx(0.04)
    assert found.advantage.over_texts.low < 0.04 < found.advantage.over_texts.high


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((110, 120, 130), "it is better than TF-IDF by 4.0 points"),
        ((200, 205, 210), "it is worse than TF-IDF by 4.5 points"),
        ((110, 160, 200), "it cannot be told apart from TF-IDF: +0.3 points"),
        # Every seed is better by as much, and still the texts are too few.
        ((157, 157, 157), "it cannot be told apart from TF-IDF: +0.3 points"),
    ],
)
def test_sure_is_what_neither_seeds_nor_texts_would_turn_round(
    wrong: tuple[int, ...], words: str
) -> None:
    sentence = summary(*wrong).sentence
    assert words in sentence
    for part in ("over seeds", "over texts", "average over 3 seeds", "1,000 test texts"):
        assert part in sentence


def test_no_baselines_and_no_test_part() -> None:
    alone: Any = summary(100, 110, baseline=None, part="validation")
    assert alone.advantage is None
    assert alone.sentence.endswith(NO_TEST_PART)
    assert "standard deviation 0.71" in alone.sentence


def test_json_and_table() -> None:
    found = summary(110, 120)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["sentence"] == found.sentence
    assert plain["advantage"]["baseline"]["name"] == "TF-IDF"
    console = Console(width=120)
    with console.capture() as captured:
        console.print(repetitions_table(found))
    for words in ("42", "89.0 %", "88.5 % ± 0.71", "TF-IDF", "1 min 00 s"):
        assert words in captured.get()


def test_seeds_are_judged_by_what_was_asked_for() -> None:
    """Each seed finds more of a rare class, at the price of as many false alarms."""
    truth = (np.arange(1_000) % 10 == 0).astype(int)
    rare, frequent = np.flatnonzero(truth), np.flatnonzero(truth == 0)

    def found(name: str, some: int) -> Contender:
        predicted = np.zeros(1_000, dtype=int)
        predicted[rare[:some]] = predicted[frequent[:some]] = 1
        return Contender(name, Predictions(truth, predicted, 2), seconds=60.0)

    runs = {seed: found(f"seed-{seed}", some) for seed, some in enumerate((60, 62, 61))}
    baseline = found("TF-IDF", 20)
    assert "cannot be told apart from TF-IDF" in repetitions(runs, "test", baseline).sentence
    by_f1 = repetitions(runs, "test", baseline, metric="f1")
    assert by_f1.sentence.startswith(f"LoRA reaches macro F1 {100 * by_f1.macro_f1.mean:.1f} % on")
    assert "it is better than TF-IDF by" in by_f1.sentence
    assert "points of macro F1" in by_f1.sentence
    by_mcc = repetitions(runs, "test", baseline, metric="mcc")
    assert f"LoRA reaches MCC {by_mcc.mcc.mean:.3f}" in by_mcc.sentence
    console = Console(width=120)
    with console.capture() as captured:
        console.print(repetitions_table(by_mcc))
    assert f"{by_mcc.mcc.mean:.3f} ± " in captured.get()
