"""A fitted classifier travels: by pickle, joblib and copy, without the base encoder's weights."""

from __future__ import annotations

import copy
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from support.tiny import Reviews, save_model
from textlora import TextClassifier
from textlora.errors import ModelError, TextloraError

Make = Callable[..., TextClassifier]


@pytest.fixture(scope="module")
def fitted(make_classifier: Make, reviews: Reviews) -> TextClassifier:
    labels = [["bad", "good"][label] for label in reviews.labels]
    return make_classifier(num_train_epochs=1).fit(reviews.texts, labels)


def by_joblib(classifier: Any, folder: Path) -> Any:
    joblib.dump(classifier, folder / "classifier.joblib")
    return joblib.load(folder / "classifier.joblib")


WAYS: dict[str, Callable[[Any, Path], Any]] = {
    "pickle": lambda classifier, _: pickle.loads(pickle.dumps(classifier)),
    "joblib": by_joblib,
    "deepcopy": lambda classifier, _: copy.deepcopy(classifier),
    "copy": lambda classifier, _: copy.copy(classifier),
    "twice": lambda classifier, _: pickle.loads(
        pickle.dumps(pickle.loads(pickle.dumps(classifier)))
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_other_one_answers_alike(
    way: str, fitted: TextClassifier, reviews: Reviews, tmp_path: Path
) -> None:
    other = WAYS[way](fitted, tmp_path)
    expected = fitted.predict_proba(reviews.texts)
    np.testing.assert_allclose(other.predict_proba(reviews.texts), expected, atol=1e-6)
    assert other.classes_.tolist() == ["bad", "good"]
    assert other.history_ == fitted.history_
    assert other.get_params() == fitted.get_params()
    assert other.config_ == fitted.config_


def test_in_the_mixed_precision_of_everyday(make_classifier: Make, reviews: Reviews) -> None:
    made = make_classifier(num_train_epochs=1, settings={"compute.precision": "auto"})
    made.fit(reviews.texts, reviews.labels)
    other = pickle.loads(pickle.dumps(made))
    expected = made.predict_proba(reviews.texts)
    np.testing.assert_allclose(other.predict_proba(reviews.texts), expected, atol=1e-6)


def test_a_loaded_one_and_its_adapter(
    fitted: TextClassifier, reviews: Reviews, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "run")
    for folder in (tmp_path / "run", tmp_path / "run" / "adapter"):
        loaded = TextClassifier.load(folder)
        expected = loaded.predict_proba(reviews.texts)
        travelling = pickle.dumps(loaded)
        shutil.move(folder, tmp_path / "elsewhere")
        other = pickle.loads(travelling)
        np.testing.assert_allclose(other.predict_proba(reviews.texts), expected, atol=1e-6)
        other.save(tmp_path / f"again-{folder.name}")
        again = TextClassifier.load(tmp_path / f"again-{folder.name}")
        np.testing.assert_array_equal(again.predict(reviews.texts), loaded.predict(reviews.texts))
        shutil.move(tmp_path / "elsewhere", folder)


def test_what_was_fitted_first_is_what_travels(make_classifier: Make, reviews: Reviews) -> None:
    classifier = make_classifier(num_train_epochs=1).fit(reviews.texts, reviews.labels)
    first = pickle.dumps(classifier)
    expected = classifier.predict_proba(reviews.texts)
    turned = [["up", "down"][label] for label in reviews.labels]
    assert classifier.fit(reviews.texts, turned).classes_.tolist() == ["down", "up"]
    np.testing.assert_allclose(
        pickle.loads(first).predict_proba(reviews.texts), expected, atol=1e-6
    )


def test_it_holds_neither_the_base_s_weights_nor_pickled_tensors(
    fitted: TextClassifier, tiny: Callable[[str], Path]
) -> None:
    from safetensors.torch import load_file

    pickled = pickle.dumps(fitted)
    for name, weight in load_file(tiny("distilbert") / "model.safetensors").items():
        if weight.ndim == 2:
            assert weight.float().numpy().tobytes() not in pickled, name
    suffixes = {Path(name).suffix for name in fitted._files}
    assert not suffixes & {".pkl", ".pt", ".bin", ".pth"}
    assert "adapter/adapter_model.safetensors" in fitted._files


def test_a_base_that_is_gone_is_named(
    make_classifier: Make, reviews: Reviews, tmp_path: Path
) -> None:
    model = save_model(tmp_path / "model", "distilbert")
    made = make_classifier(model=str(model), num_train_epochs=1)
    travelling = pickle.dumps(made.fit(reviews.texts, reviews.labels))
    shutil.rmtree(model)
    other = pickle.loads(travelling)
    with pytest.raises(TextloraError, match="model"):
        other.predict(reviews.texts)


def test_a_damaged_adapter_is_refused_as_from_a_folder(fitted: TextClassifier) -> None:
    other = copy.deepcopy(fitted)
    other._files = {**other._files, "adapter/extra.py": b"print('hello')"}
    with pytest.raises(ModelError, match=r"extra\.py"):
        other.predict(["good"])


def test_one_that_is_not_fitted(make_classifier: Make) -> None:
    classifier = make_classifier(r=2, settings={"lora.lora_dropout": 0.1})
    for other in (copy.deepcopy(classifier), pickle.loads(pickle.dumps(classifier))):
        assert other.get_params() == classifier.get_params()
        assert not hasattr(other, "classes_")


def test_clone_of_a_fitted_one_is_fresh(fitted: TextClassifier) -> None:
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    assert not hasattr(fresh, "classes_")


def shout(texts: list[str]) -> list[str]:
    return [text.upper() for text in texts]


def test_in_a_pipeline(make_classifier: Make, reviews: Reviews, tmp_path: Path) -> None:
    pipeline = make_pipeline(FunctionTransformer(shout), make_classifier(num_train_epochs=1))
    pipeline.fit(reviews.texts, reviews.labels)
    other = by_joblib(pipeline, tmp_path)
    expected = pipeline.predict_proba(reviews.texts)
    np.testing.assert_allclose(other.predict_proba(reviews.texts), expected, atol=1e-6)


def test_the_report_is_drawn_when_it_is_saved(
    make_classifier: Make, reviews: Reviews, tmp_path: Path
) -> None:
    classifier = make_classifier(num_train_epochs=1).fit(reviews.texts, reviews.labels)
    before = pickle.loads(pickle.dumps(classifier))
    classifier.save(tmp_path / "films")
    after = pickle.loads(pickle.dumps(classifier))
    assert "films" in (tmp_path / "films" / "report.html").read_text(encoding="utf-8")
    assert list((tmp_path / "films" / "plots").iterdir())
    before.save(tmp_path / "before")
    after.save(tmp_path / "after")
    assert not (tmp_path / "before" / "report.html").exists()
    assert (tmp_path / "after" / "report.html").is_file()
