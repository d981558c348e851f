"""The verdict: which baseline counts, what follows, and how it is said."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from support.examples import examples
from textlora.metrics.classification import Interval, wilson_interval
from textlora.metrics.comparison import Comparison, Contender, Predictions
from textlora.metrics.decisions import Decision
from textlora.metrics.statistics import McNemar
from textlora.report.terminal import verdict_table
from textlora.report.verdict import Verdict, clean_note, judge, verdict_sentence
from textlora.report.wording import ALL_REFITTED, NO_TEST_PART

TRUTH = np.arange(400) % 2


def result(
    name: str, *, wrong: int, wrong_on_validation: int | None = None, seconds: float = 1.0
) -> Contender:
    """A classifier that has the first rows wrong."""

    def predictions(count: int) -> Predictions:
        return Predictions(TRUTH, np.where(np.arange(400) < count, 1 - TRUTH, TRUTH), 2)

    validation = predictions(wrong if wrong_on_validation is None else wrong_on_validation)
    return Contender(name, predictions(wrong), validation, seconds, 1_000)


def verdict(lora: int, *baselines: Contender, **more: Any) -> Verdict:
    part = more.pop("part", "test")
    tuned = result("LoRA", wrong=lora, seconds=74)
    return judge(tuned, baselines, part, **more)


def test_the_best_baseline_is_chosen_on_validation() -> None:
    lucky = result("lucky", wrong=20, wrong_on_validation=90)
    solid = result("solid", wrong=60, wrong_on_validation=50)
    found = verdict(40, lucky, solid)
    assert found.best_baseline == "solid"
    assert found.comparison.difference == pytest.approx(20 / 400)
    assert [each.name for each in found.candidates] == ["lucky", "solid", "LoRA"]
    assert found.candidate("solid").validation == pytest.approx(350 / 400)
    assert "used once" in found.notes[0]


@pytest.mark.parametrize(
    ("lora", "baseline", "outcome", "words"),
    [
        (20, 60, "better", "LoRA is better than TF-IDF by 10.0 points on 400 test texts (95 %"),
        (60, 20, "worse", "LoRA is worse than TF-IDF by 10.0 points on 400 test texts (95 %"),
        (60, 62, "undecided", "cannot be told apart from TF-IDF on 400 test texts: it is better"),
        (62, 60, "undecided", "is not better than TF-IDF on 400 test texts: it is worse by 0.5"),
        (60, 60, "undecided", "is not better than TF-IDF on 400 test texts: it is right equally"),
    ],
)
def test_every_outcome_has_its_sentence(lora: int, baseline: int, outcome: str, words: str) -> None:
    found = verdict(lora, result("TF-IDF", wrong=baseline, seconds=2))
    assert found.outcome == outcome
    assert words in found.sentence
    assert "1 min 14 s against 2 s" in found.sentence
    assert ("Use TF-IDF" in found.sentence) == (outcome != "better")
    assert "McNemar p" in found.sentence
    assert NO_TEST_PART not in found.sentence


def test_the_words_of_a_published_sentence() -> None:
    tuned = verdict(20, result("TF-IDF + logistic regression", wrong=60, seconds=2.2)).candidate
    comparison = Comparison(0.029, Interval(0.016, 0.042), McNemar(300, 184, 2e-7, exact=False))
    names = ("LoRA", "TF-IDF + logistic regression")
    assert verdict_sentence(*map(tuned, names), comparison, "test", 4_000) == (
        "LoRA is better than TF-IDF + logistic regression by 2.9 points on 4,000 test texts "
        "(95 % interval 1.6 to 4.2, McNemar p < 0.001); it took 1 min 14 s against 2 s."
    )


def test_a_slower_baseline_is_not_recommended() -> None:
    found = verdict(60, result("slow", wrong=60, seconds=500))
    assert found.outcome == "undecided"
    assert "Use" not in found.sentence


def test_without_a_test_part_the_sentence_says_so() -> None:
    found = verdict(20, result("TF-IDF", wrong=60), part="validation")
    assert found.sentence.endswith(NO_TEST_PART)
    assert "validation texts" in found.sentence
    assert "used once" not in " ".join(found.notes)


def test_full_fine_tuning_is_shown_and_is_no_baseline() -> None:
    full = result("Full fine-tuning", wrong=10, seconds=300)
    found = verdict(60, result("TF-IDF", wrong=100), references=(full,))
    assert found.best_baseline == "TF-IDF"
    assert found.candidates[-1].name == "Full fine-tuning"
    assert "LoRA is worse than Full fine-tuning by 12.5 points" in found.notes[-1]
    assert "against 5 min 00 s" in found.notes[-1]


def test_predictions_are_by_the_rule() -> None:
    never = Predictions.of(TRUTH, np.eye(2)[TRUTH], Decision(thresholds=(1.1,)))
    found = verdict(20, Contender("TF-IDF", never, never))
    assert found.candidate("TF-IDF").accuracy == 0.5


def test_several_labels() -> None:
    truth = np.stack([TRUTH, 1 - TRUTH, np.ones(400, dtype=int)], axis=1)
    right, half = (
        Contender(name, given := Predictions.of(truth, truth * shares), given, 1, 1)
        for name, shares in (("LoRA", [0.9, 0.9, 0.9]), ("TF-IDF", [0.9, 0.9, 0.1]))
    )
    found = judge(right, [half], "test")
    assert found.candidate("LoRA").accuracy == 1
    assert found.candidate("TF-IDF").accuracy == 0
    assert found.candidate("TF-IDF").macro_f1 == pytest.approx(2 / 3)
    assert (found.comparison.mcnemar.only_first, found.comparison.mcnemar.only_second) == (400, 0)


@examples(30)
@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from(["test", "validation"]))
def test_a_verdict_survives_json(lora: int, baseline: int, part: str) -> None:
    found = verdict(lora, result("TF-IDF", wrong=baseline), part=part)
    plain = json.loads(json.dumps(found.to_dict()))
    assert plain["outcome"] == found.outcome
    assert Verdict.from_dict(plain) == found
    low, high = found.comparison.interval.low, found.comparison.interval.high
    assert low <= found.comparison.difference <= high


def test_other_rows_cannot_be_compared() -> None:
    one = Predictions(TRUTH, TRUTH, 2)
    with pytest.raises(ValueError, match="same rows"):
        Comparison.of(one, Predictions(1 - TRUTH, TRUTH, 2))


def test_the_table_marks_the_best_baseline() -> None:
    console = Console(width=140)
    found = verdict(20, result("Majority [class]", wrong=200), result("TF-IDF", wrong=60))
    with console.capture() as captured:
        console.print(verdict_table(found))
    shown = captured.get()
    for words in ("Majority [class]", "TF-IDF *", "95.0 %", "1 min 14 s", "1 kB", "85.0 %"):
        assert words in shown
    assert found.sentence[:60] in shown


@pytest.mark.parametrize(
    ("lora", "baseline", "words"),
    [
        (20, 60, "LoRA is better than TF-IDF by 10.0 points: 95.0 % against 85.0 % right (95 %"),
        (60, 20, "LoRA is worse than TF-IDF by 10.0 points: 85.0 % against 95.0 % right (95 %"),
        (20, 21, "LoRA is better than TF-IDF by 0.2 points, which may be chance: 95.0 % against"),
        (20, 20, "LoRA and TF-IDF are right equally often: 95.0 % against 95.0 % right (95 %"),
    ],
)
def test_the_note_on_rows_that_training_has_not(lora: int, baseline: int, words: str) -> None:
    tuned, plain = result("LoRA", wrong=lora), result("TF-IDF", wrong=baseline)
    apart = Comparison.of(tuned.predictions, plain.predictions)
    note = clean_note(tuned, plain, apart, "test")
    assert note.startswith(f"On the 400 test texts that are not in the training rows, {words}")


# Nine of ten texts are of the first class: an accuracy of 90 % is no achievement.
UNEVEN = (np.arange(400) % 10 == 0).astype(int)


def finder(name: str, found: int, false: int, seconds: float = 1.0) -> Contender:
    """A classifier that finds so many of the 40 rare texts, with so many false alarms."""
    given = np.zeros(400, dtype=int)
    given[np.flatnonzero(UNEVEN)[:found]] = 1
    given[np.flatnonzero(UNEVEN == 0)[:false]] = 1
    predictions = Predictions(UNEVEN, given, 2)
    return Contender(name, predictions, predictions, seconds, 1_000)


def test_macro_f1_decides_where_the_accuracy_cannot() -> None:
    """A run that finds many more rare texts, and pays for it with false alarms."""
    lora, plain = finder("LoRA", 34, 30, seconds=74), finder("TF-IDF", 12, 5, seconds=2)
    assert judge(lora, [plain], "test").outcome == "undecided"
    found = judge(lora, [plain], "test", metric="f1")
    assert (found.outcome, found.metric) == ("better", "f1")
    assert found.comparison.mcnemar is None
    assert found.comparison.bootstrap_p is not None
    assert found.comparison.bootstrap_p < 0.05
    values = [found.candidate(name).macro_f1 for name in ("LoRA", "TF-IDF")]
    assert found.comparison.difference == pytest.approx(values[0] - values[1])
    assert "points of macro F1 on 400 test texts (95 % interval" in found.sentence
    assert "bootstrap p" in found.sentence
    assert "TF-IDF is the best baseline by macro F1 on validation" in found.notes[0]
    assert Verdict.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_the_best_baseline_is_chosen_by_what_is_judged_by() -> None:
    """None of the rare texts found, and few false alarms: right in 90 %, and of no use."""
    cautious, useful = finder("cautious", 1, 0), finder("useful", 35, 60)
    lora = finder("LoRA", 36, 50)
    assert judge(lora, [cautious, useful], "test").best_baseline == "cautious"
    assert judge(lora, [cautious, useful], "test", metric="f1").best_baseline == "useful"
    by_mcc = judge(lora, [cautious, useful], "test", metric="mcc")
    assert by_mcc.best_baseline == "useful"
    assert "points of MCC" in by_mcc.sentence


def test_of_baselines_within_noise_on_validation_the_best_on_test_counts() -> None:
    """319 against 320 of 400 right on validation says nothing."""
    weak = result("TF-IDF", wrong=100, wrong_on_validation=80)
    strong = result("frozen", wrong=84, wrong_on_validation=81)
    hopeless = result("coin", wrong=60, wrong_on_validation=200)
    found = verdict(71, weak, strong, hopeless)
    assert found.best_baseline == "frozen"
    assert found.comparison.difference == pytest.approx(13 / 400)
    assert found.notes[0] == (
        "TF-IDF and frozen cannot be told apart on validation; the verdict compares with the "
        "better of them on test, frozen; the test part was used once, at the end."
    )


def test_one_answer_to_everything_is_no_rival_where_there_is_another() -> None:
    """Right as often as the best on validation, and by chance better on test."""
    always = replace(finder("Majority class", 0, 0), predictions=finder("", 40, 0).predictions)
    useful = finder("TF-IDF", 20, 18)
    lora = finder("LoRA", 36, 10)
    assert judge(lora, [always, useful], "test").best_baseline == "TF-IDF"
    assert judge(lora, [always], "test").best_baseline == "Majority class"


def test_the_table_leads_with_what_is_judged_by() -> None:
    console = Console(width=140)
    found = judge(finder("LoRA", 30, 30), [finder("TF-IDF", 12, 5)], "test", metric="f1")
    with console.capture() as captured:
        console.print(verdict_table(found))
    shown = captured.get()
    assert shown.index("Macro F1") < shown.index("Accuracy")
    assert "best baseline by macro F1" in shown


def test_the_note_on_clean_rows_is_in_the_metric() -> None:
    lora, plain = finder("LoRA", 34, 30), finder("TF-IDF", 12, 5)
    apart = Comparison.of(lora.predictions, plain.predictions, metric="f1")
    note = clean_note(lora, plain, apart, "test")
    assert "LoRA is better than TF-IDF by" in note
    assert f"points of macro F1: {100 * lora.predictions.value('f1'):.1f} % against" in note


def test_a_verdict_of_a_version_that_knew_accuracy_alone() -> None:
    found = verdict(20, result("TF-IDF", wrong=60))
    plain = json.loads(json.dumps(found.to_dict()))
    for each in plain["candidates"]:
        each["validation_accuracy"] = each.pop("validation")
        del each["mcc"], each["mcc_interval"]
    del plain["comparison"]["metric"], plain["comparison"]["bootstrap_p"]
    old = Verdict.from_dict(plain)
    assert (old.metric, old.outcome, old.sentence) == ("accuracy", "better", found.sentence)
    assert old.candidate("TF-IDF").validation == found.candidate("TF-IDF").validation


def test_one_accuracy_has_one_interval() -> None:
    """Wilson's, as the headline has it."""
    found = verdict(20, result("TF-IDF", wrong=60))
    assert found.candidate("LoRA").accuracy_interval == wilson_interval(380, 400)


def test_the_notes_tell_of_the_last_training_and_of_clean_rows() -> None:
    found = verdict(20, result("TF-IDF", wrong=60), refitted=True, clean=np.arange(400) >= 20)
    assert found.notes[-2] == ALL_REFITTED
    assert found.notes[-1].startswith("On the 380 test texts that are not in the training rows, ")
    assert "100.0 % against 89.5 % right" in found.notes[-1]
