"""scikit-learn's own checks of estimators, as far as they are about one that takes texts.

They train on tables of numbers, so all but those of the API run on `OfNumbers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks, get_tags
from sklearn.utils.estimator_checks import check_estimator

from support.of_numbers import OfNumbers
from support.tiny import Reviews
from textlora import TextClassifier
from textlora.errors import DataError

Make = Callable[..., TextClassifier]

EXPECTED_TO_FAIL = {
    "check_sample_weight_equivalence_on_dense_data": (
        "training goes by shuffled batches, and some rows are held out to choose the epoch: a row "
        "of weight 2 and the row twice are alike on average, not number by number"
    ),
}
OF_THE_API = (
    *("check_estimator_cloneable", "check_estimator_tags_renamed", "check_valid_tag_types"),
    *("check_estimator_repr", "check_no_attributes_set_in_init", "check_mixin_order"),
    *("check_do_not_raise_errors_in_init_or_set_params", "check_get_params_invariance"),
    *("check_set_params", "check_parameters_default_constructible"),
)
QUICK = (
    *("check_estimators_unfitted", "check_estimators_pickle", "check_fit_check_is_fitted"),
    *("check_dict_unchanged", "check_estimators_fit_returns_self", "check_requires_y_none"),
    *("check_classifiers_one_label", "check_classifiers_regression_target"),
    *("check_sample_weights_shape", "check_supervised_y_no_nan", "check_complex_data"),
    "check_classifiers_multilabel_output_format_predict_proba",
)


@pytest.fixture(scope="module")
def of_numbers(make_classifier: Make) -> OfNumbers:
    parameters = make_classifier(num_train_epochs=2, per_device_train_batch_size=16).get_params()
    return OfNumbers(**parameters)


@pytest.mark.parametrize("check", OF_THE_API)
def test_the_api(check: str, make_classifier: Make) -> None:
    getattr(estimator_checks, check)("TextClassifier", make_classifier())


@pytest.mark.parametrize("check", QUICK)
def test_some_checks_on_numbers_as_words(check: str, of_numbers: OfNumbers) -> None:
    getattr(estimator_checks, check)("OfNumbers", of_numbers)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # a hundred trainings
@pytest.mark.filterwarnings("ignore")
def test_all_checks_on_numbers_as_words(of_numbers: OfNumbers) -> None:
    found = check_estimator(of_numbers, expected_failed_checks=EXPECTED_TO_FAIL, on_fail=None)
    by_status: dict[str, list[str]] = {}
    for result in found:
        by_status.setdefault(result["status"], []).append(result["check_name"])
    assert by_status.get("failed") is None
    assert by_status["xfail"] == list(EXPECTED_TO_FAIL)
    assert len(by_status["passed"]) > 40


def test_the_tags_say_that_it_takes_texts(make_classifier: Make) -> None:
    tags = get_tags(make_classifier())
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.no_validation
    assert tags.target_tags.required
    assert tags.classifier_tags is not None
    assert tags.classifier_tags.multi_label
    with pytest.warns(SkipTestWarning, match="Can't test estimator TextClassifier"):
        check_estimator(make_classifier())


@pytest.mark.parametrize(
    "texts", [np.random.default_rng(0).random((80, 3)), np.arange(80.0), [[0.5]] * 80]
)
def test_numbers_are_no_texts(texts: Any, make_classifier: Make, reviews: Reviews) -> None:
    with pytest.raises(DataError, match="texts") as raised:
        make_classifier().fit(texts, reviews.labels)
    assert isinstance(raised.value, ValueError)
    assert "string" in str(raised.value)


def test_a_column_of_texts_is_a_list_of_texts(make_classifier: Make, reviews: Reviews) -> None:
    column = np.array(reviews.texts, dtype=object)[:, None]
    classifier = make_classifier(num_train_epochs=1).fit(column, reviews.labels)
    np.testing.assert_array_equal(
        classifier.predict_proba(column), classifier.predict_proba(reviews.texts)
    )
