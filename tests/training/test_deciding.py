"""Temperature and rule of a tiny classifier: chosen, saved, and used in a new process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.settled import settled_evaluation
from support.tiny import Reviews
from textlora.classifier import TextClassifier
from textlora.config import ComputeConfig
from textlora.data.python import parts_from_python
from textlora.errors import ConfigError
from textlora.files import RunFolder
from textlora.inference.evaluating import evaluate_file
from textlora.inference.predictor import Predictor
from textlora.metrics.classification import classification_metrics
from textlora.model.heads import HeadSpec
from textlora.training.deciding import Decided, decide
from textlora.training.job import train

NAMES = ("Negative", "Positive")
COMPUTE = ComputeConfig(precision="fp32")


@pytest.fixture(scope="module")
def predictor(finished: Any) -> Predictor:
    loaded = Predictor.load(finished.folder.path, COMPUTE)
    return replace(loaded, spec=replace(loaded.spec, temperature=1.0))


@pytest.fixture(scope="module")
def noisy(predictor: Predictor, reviews: Reviews) -> tuple[np.ndarray, np.ndarray]:
    """Logits of reviews of which every third label is wrong: the classifier is too sure."""
    targets = np.array(reviews.labels)
    targets[::3] = 1 - targets[::3]
    return predictor.logits(predictor.sequences(reviews.texts)), targets


def decided(predictor: Predictor, noisy: tuple[np.ndarray, np.ndarray], **settings: Any) -> Decided:
    return decide(predictor, *noisy, settled_evaluation(**settings))


def test_the_temperature_makes_less_sure_and_changes_no_answer(
    predictor: Predictor, noisy: tuple[np.ndarray, np.ndarray], reviews: Reviews
) -> None:
    done = decided(predictor, noisy)
    assert done.calibration is not None
    assert done.predictor.spec.temperature == done.calibration.temperature > 1
    figures = done.calibration.validation
    assert figures.after.nll < figures.before.nll
    before, after = predictor.predict(reviews.texts), done.predictor.predict(reviews.texts)
    assert [answer.label for answer in before] == [answer.label for answer in after]
    assert np.mean([a.probability for a in after]) < np.mean([b.probability for b in before])
    assert not any(answer.unsure for answer in after)
    sequences = predictor.sequences(reviews.texts)
    np.testing.assert_array_equal(done.predictor.logits(sequences), predictor.logits(sequences))


def test_without_calibration_nothing_is_scaled(
    predictor: Predictor, noisy: tuple[np.ndarray, np.ndarray]
) -> None:
    done = decided(predictor, noisy, calibrate=False)
    assert done.calibration is None
    assert done.tested(*noisy) is None
    assert done.predictor.spec == predictor.spec


def test_the_rule_is_chosen_by_calibrated_probabilities(
    predictor: Predictor, noisy: tuple[np.ndarray, np.ndarray]
) -> None:
    logits, targets = noisy
    skewed = logits + np.array([0.0, 3.0], dtype=np.float32)  # says Positive too often
    done = decided(predictor, (skewed, targets), threshold="accuracy")
    rule = done.predictor.spec.decision
    probable = done.predictor.probabilities_of(skewed)
    assert rule.thresholds is not None
    assert rule.thresholds[0] > 0.5
    right = (rule.labels(probable) == targets).mean()
    assert right >= (probable.argmax(axis=1) == targets).mean()


@pytest.mark.parametrize(
    ("head", "units", "multi_label"),
    [
        (HeadSpec("auto", "cls", "cross_entropy", 3), 3, False),
        (HeadSpec("linear", "cls", "bce", 2), 1, False),
        (HeadSpec("auto", "cls", "bce", 3, True), 3, True),
    ],
)
def test_every_kind_of_head(
    predictor: Predictor, head: HeadSpec, units: int, multi_label: bool
) -> None:
    """Calibration's probabilities are the head's own."""
    random = np.random.default_rng(0)
    logits = (5 * random.normal(size=(60, units))).astype(np.float32)
    shape = (60, units) if multi_label else (60,)
    targets = random.integers(0, head.num_labels if not multi_label else 2, shape)
    names = tuple("abc"[: head.num_labels])
    spec = replace(predictor.spec, head=head, label_names=names, label_values=names)
    threshold = "f1" if multi_label or head.num_labels == 2 else "default"
    done = decide(
        replace(predictor, spec=spec), logits, targets, settled_evaluation(threshold=threshold)
    )
    probable = torch.from_numpy(done.predictor.probabilities_of(logits)).double()
    if multi_label:
        truth = torch.from_numpy(targets).double()
        expected = torch.nn.functional.binary_cross_entropy(probable, truth)
    else:
        expected = torch.nn.functional.nll_loss(probable.log(), torch.from_numpy(targets))
    assert done.calibration is not None
    assert done.calibration.validation.after.nll == pytest.approx(float(expected), rel=1e-4)
    answer = done.predictor.answer(probable[0].numpy().astype(np.float32))
    assert isinstance(answer.label, list if multi_label else str)


def test_rules_that_do_not_fit(predictor: Predictor, noisy: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ConfigError, match="'good' is no class"):
        decided(predictor, noisy, costs={"good": {"bad": 2}})


@pytest.fixture(scope="module")
def saved(
    predictor: Predictor,
    noisy: tuple[np.ndarray, np.ndarray],
    finished: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Predictor, Path]:
    """A classifier with temperature, costs and a least confidence, and its adapter folder."""
    costs = {"Positive": {"Negative": 50}}
    done = decided(predictor, noisy, costs=costs, min_confidence=0.75).predictor
    folder = shutil.copytree(finished.folder.adapter, tmp_path_factory.mktemp("saved") / "adapter")
    done.spec.save(folder)
    return done, folder


def test_loaded_in_a_new_process_it_answers_the_same(
    saved: tuple[Predictor, Path], reviews: Reviews, run_cli: Callable[..., Any]
) -> None:
    predictor, folder = saved
    texts = reviews.texts[:6]
    done = run_cli("predict", folder, "--json", "--precision", "fp32", *texts)
    assert done.code == 0, done.err
    expected = predictor.predict(texts)
    answers = [json.loads(line) for line in done.out.splitlines()]
    for answer, wanted in zip(answers, expected, strict=True):
        assert (answer["label"], answer["unsure"]) == (wanted.label, wanted.unsure)
        assert answer["probability"] == pytest.approx(wanted.probability, abs=1e-6)
        assert answer["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-6)
    assert all((answer["label"] is None) == answer["unsure"] for answer in answers)


def test_plain_peft_still_gives_the_raw_logits(
    saved: tuple[Predictor, Path], reviews: Reviews
) -> None:
    from peft import AutoPeftModelForSequenceClassification
    from transformers import AutoTokenizer

    predictor, folder = saved
    model = AutoPeftModelForSequenceClassification.from_pretrained(folder, num_labels=2).eval()
    batch = AutoTokenizer.from_pretrained(folder)(
        reviews.texts[:4], padding=True, return_tensors="pt"
    )
    batch.pop("token_type_ids", None)
    with torch.no_grad():
        raw = model(**batch).logits.numpy()
    ours = predictor.logits(predictor.sequences(reviews.texts[:4]))
    np.testing.assert_allclose(ours, raw, atol=1e-5)
    scaled = torch.from_numpy(raw / predictor.spec.temperature).softmax(-1).numpy()
    np.testing.assert_allclose(predictor.predict_proba(reviews.texts[:4]), scaled, atol=1e-5)


def test_unsure_answers(
    saved: tuple[Predictor, Path], reviews: Reviews, cli: Callable[..., Any]
) -> None:
    _, folder = saved
    text = reviews.texts[1]
    done = cli("predict", folder, text, "--min-confidence", 1)
    assert done.out.startswith("unsure\t")
    done = cli("predict", folder, text, "--min-confidence", 0)
    assert done.out.split("\t")[0] in NAMES
    assert cli("predict", folder, text, "--min-confidence", 2).code == 2


def test_scikit_learns_predict_answers_every_text(
    saved: tuple[Predictor, Path], reviews: Reviews
) -> None:
    predictor, folder = saved
    answers = TextClassifier.load(folder).predict(reviews.texts)
    labels = predictor.spec.decision.labels(predictor.predict_proba(reviews.texts))
    assert answers.tolist() == [predictor.spec.label_values[label] for label in labels]


def test_evaluation_goes_by_the_rule(
    saved: tuple[Predictor, Path], reviews: Reviews, cli: Callable[..., Any]
) -> None:
    predictor, folder = saved
    evaluation = evaluate_file(folder, str(reviews.test), compute=COMPUTE)
    probable = predictor.predict_proba(reviews.texts[64:])
    answers = predictor.spec.decision.labels(probable)
    assert evaluation.metrics.accuracy == np.mean(answers == np.array(reviews.labels[64:]))
    assert evaluation.decisions.selective is not None
    sure = probable[np.arange(16), answers] >= 0.75
    assert evaluation.decisions.selective.answered == sure.sum()
    assert evaluation.decisions.mean_cost is not None
    command = ("evaluate", folder, reviews.test, "--precision", "fp32")
    shown = cli(*command, "--min-confidence", 0.6).out
    for words in ("ECE", "Brier", "least expected cost", "Mean cost", "confidence of at least 60"):
        assert words in shown
    values = json.loads(cli(*command, "--json").out)
    assert values["ece"] == pytest.approx(evaluation.metrics.ece)
    assert values["decisions"]["selective"]["min_confidence"] == 0.75


def test_epochs_are_judged_by_the_rule_that_they_would_get(
    make_config: Callable[..., Any], reviews: Reviews, tmp_path: Path
) -> None:
    """Trained so little that no label reaches one half, they are told apart all the same."""
    config = make_config(
        {
            **{"model.head": "linear", "model.pooling": "mean", "evaluation.threshold": "f1"},
            **{"training.metric_for_best_model": "f1", "training.learning_rate": 1e-4},
            "training.num_train_epochs": 2,
        }
    )
    data = config.data.model_copy(update={"train": None, "validation": None, "test": None})
    labels = [
        ["good"] if label and row % 3 else ["comma"] if "," in text else []
        for row, (text, label) in enumerate(zip(reviews.texts, reviews.labels, strict=True))
    ]
    parts = parts_from_python(
        reviews.texts[:50], labels[:50], (reviews.texts[50:], labels[50:]), data
    )
    done = train(config, RunFolder(tmp_path / "run"), parts=parts, report=False)
    (best,) = [record for record in done.history if record.best]
    found = done.results["validation"]
    assert best.f1 == pytest.approx(found.metrics.macro_f1)
    assert best.accuracy == pytest.approx(found.metrics.accuracy)
    at_half = classification_metrics(
        found.part.targets, found.probabilities, parts.labels.names, multi_label=True
    )
    assert at_half.macro_f1 < best.f1
