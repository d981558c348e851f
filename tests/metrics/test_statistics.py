"""Intervals and tests: the same numbers as scipy, scikit-learn and statsmodels give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from textlora.metrics import scores, statistics
from textlora.metrics.scores import macro, right_rows
from textlora.metrics.statistics import (
    Resampling,
    accuracy_of_rows,
    bootstrap_interval,
    macro_f1_of_rows,
    mcc_of_rows,
    mcnemar,
    mean_of_rows,
    mean_of_statistics,
    paired_bootstrap,
    paired_t_test,
    spread,
)

EXACT = {"rel": 1e-9, "abs": 1e-9}


@st.composite
def answers(draw: st.DrawFn, multi_label: bool | None = None) -> tuple[Any, Any, Any, int]:
    """Truth and two classifiers' answers, for one label a text or for several."""
    rows, classes = draw(st.integers(1, 60)), draw(st.integers(2, 5))
    several = draw(st.booleans()) if multi_label is None else multi_label
    shape = (rows, classes) if several else (rows,)
    numbers = hnp.arrays(np.int64, shape, elements=st.integers(0, 1 if several else classes - 1))
    return draw(numbers), draw(numbers), draw(numbers), classes


@given(answers())
def test_figures_are_those_of_scikit_learn(case: tuple[Any, Any, Any, int]) -> None:
    truth, predicted, _, classes = case
    assert accuracy_of_rows(truth, predicted).value == pytest.approx(
        accuracy_score(truth, predicted), **EXACT
    )
    expected = f1_score(truth, predicted, average="macro", zero_division=0)
    found = macro_f1_of_rows(truth, predicted, classes).value
    assert found == pytest.approx(expected, **EXACT)
    assert found == pytest.approx(macro(truth, predicted)[2], **EXACT)


@given(answers(), st.integers(0, 2**32 - 1))
def test_a_resample_has_the_figures_of_its_rows(case: tuple[Any, Any, Any, int], seed: int) -> None:
    """The figure of a sum is scikit-learn's figure of the rows that were drawn."""
    truth, predicted, _, classes = case
    drawn = np.random.default_rng(seed).integers(len(truth), size=len(truth))
    statistic = macro_f1_of_rows(truth, predicted, classes)
    found = statistic.of_sums(statistic.rows[drawn].sum(axis=0))
    expected = f1_score(truth[drawn], predicted[drawn], average="macro", zero_division=0)
    assert float(found) == pytest.approx(expected, **EXACT)


@given(answers(), st.integers(1, 3))
def test_resamples_are_of_the_rows_that_there_are(
    case: tuple[Any, Any, Any, int], seed: int
) -> None:
    """Every draw has n rows, each of a kind that occurs; blocks do not change their number."""
    truth, predicted, _, classes = case
    rows = macro_f1_of_rows(truth, predicted, classes).rows
    marked = np.column_stack([np.ones(len(rows)), rows])
    sums = statistics._resampled_sums(marked, Resampling(100, seed=seed))
    assert sums.shape == (100, marked.shape[1])
    assert (sums[:, 0] == len(rows)).all()
    assert (sums[:, rows.sum(axis=0).nonzero()[0] + 1].max(axis=0) > 0).all() or len(rows) < 10
    assert (sums[:, (rows.sum(axis=0) == 0).nonzero()[0] + 1] == 0).all()


def test_many_kinds_of_rows_are_drawn_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_WEIGHTS_AT_ONCE", 150)
    values = np.random.default_rng(0).random(50)
    sums = statistics._resampled_sums(mean_of_rows(values).rows, Resampling(1_001))
    assert sums.shape == (1_001, 1)
    assert sums.mean() / 50 == pytest.approx(values.mean(), abs=0.01)


@pytest.mark.parametrize(("rows", "share"), [(400, 0.9), (4_000, 0.85), (60, 0.5)])
def test_the_interval_of_an_accuracy_is_that_of_the_binomial(rows: int, share: float) -> None:
    """The bootstrap's distribution of a share is known: binomial."""
    right = np.arange(rows) < round(rows * share)
    bounds = bootstrap_interval(mean_of_rows(right), Resampling(20_000))
    exact = stats.binom.ppf([0.025, 0.975], rows, right.mean()) / rows
    assert bounds.low == pytest.approx(exact[0], abs=1.5 / rows + 1e-3)
    assert bounds.high == pytest.approx(exact[1], abs=1.5 / rows + 1e-3)


def test_the_interval_is_that_of_scipys_bootstrap() -> None:
    draw = np.random.default_rng(1)
    truth = draw.integers(3, size=500)
    first = np.where(draw.random(500) < 0.8, truth, draw.integers(3, size=500))
    second = np.where(draw.random(500) < 0.7, truth, draw.integers(3, size=500))

    def difference(row: Any) -> float:
        scores = [f1_score(truth[row], each[row], average="macro") for each in (first, second)]
        return float(scores[0] - scores[1])

    reference = stats.bootstrap(
        (np.arange(500),),
        difference,
        n_resamples=1_000,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(2),
    ).confidence_interval
    found = paired_bootstrap(
        macro_f1_of_rows(truth, first, 3), macro_f1_of_rows(truth, second, 3), Resampling(10_000)
    ).interval
    assert found.low == pytest.approx(reference.low, abs=0.008)
    assert found.high == pytest.approx(reference.high, abs=0.008)


@given(answers())
def test_intervals_hold_the_figure_and_depend_on_the_seed_alone(
    case: tuple[Any, Any, Any, int],
) -> None:
    truth, first, second, classes = case
    one, other = (macro_f1_of_rows(truth, each, classes) for each in (first, second))
    bounds = bootstrap_interval(one, Resampling(200, seed=3))
    assert 0 <= bounds.low <= bounds.high <= 1
    assert bounds == bootstrap_interval(one, Resampling(200, seed=3))
    forth = paired_bootstrap(one, other, Resampling(200)).interval
    nothing = paired_bootstrap(one, one, Resampling(200))
    same = nothing.interval
    assert nothing.p_value == 1
    assert -1 <= forth.low <= forth.high <= 1
    assert same.low == same.high == 0


def test_paired_is_narrower_than_unpaired_where_both_find_the_same_texts_hard() -> None:
    draw = np.random.default_rng(4)
    first = draw.random(2_000) < 0.8
    second = np.where(draw.random(2_000) < 0.05, ~first, first)
    paired = paired_bootstrap(mean_of_rows(first), mean_of_rows(second)).interval
    alone = bootstrap_interval(mean_of_rows(first))
    assert paired.high - paired.low < 0.8 * (alone.high - alone.low)
    with pytest.raises(ValueError, match="not the same rows"):
        paired_bootstrap(mean_of_rows(first), mean_of_rows(second[:10]))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200))
def test_mcnemar_is_that_of_statsmodels(pairs: list[tuple[bool, bool]]) -> None:
    first, second = np.array(pairs).T
    found = mcnemar(first, second)
    table = [[int((a & b).sum()) for b in (second, ~second)] for a in (first, ~first)]
    discordant = table[0][1] + table[1][0]
    expected = reference_mcnemar(table, exact=discordant < statistics.EXACT_BELOW, correction=True)
    assert (found.only_first, found.only_second) == (table[0][1], table[1][0])
    assert found.exact == (discordant < statistics.EXACT_BELOW)
    assert found.p_value == pytest.approx(float(expected.pvalue), **EXACT)


@given(st.integers(0, 3_000), st.integers(0, 3_000))
def test_mcnemar_of_many_rows(only_first: int, only_second: int) -> None:
    first = np.repeat([True, False], [only_first, only_second])
    exact = only_first + only_second < statistics.EXACT_BELOW
    table = [[0, only_first], [only_second, 0]]
    expected = reference_mcnemar(table, exact=exact, correction=True).pvalue
    assert mcnemar(first, ~first).p_value == pytest.approx(float(expected), **EXACT)


@given(
    st.lists(
        st.tuples(st.floats(0, 1, allow_subnormal=False), st.floats(0, 1, allow_subnormal=False)),
        min_size=2,
        max_size=12,
    ).filter(lambda pairs: np.ptp([a - b for a, b in pairs]) > 1e-6),
    st.sampled_from([0.9, 0.95, 0.99]),
)
def test_paired_t_is_that_of_scipy(pairs: list[tuple[float, float]], level: float) -> None:
    first, second = np.array(pairs).T
    found = paired_t_test(first, second, level)
    expected = stats.ttest_rel(first, second)
    bounds = expected.confidence_interval(level)
    assert found.interval is not None
    assert found.p_value == pytest.approx(float(expected.pvalue), **EXACT)
    assert found.interval.low == pytest.approx(float(bounds.low), **EXACT)
    assert found.interval.high == pytest.approx(float(bounds.high), **EXACT)


def test_paired_t_says_nothing_where_there_is_nothing_to_say() -> None:
    single = paired_t_test([0.9], 0.8)
    assert (single.interval, single.p_value, single.count) == (None, None, 1)
    equal = paired_t_test([0.9, 0.9, 0.9], 0.8)
    assert equal.p_value is None
    assert equal.interval is not None
    assert equal.interval.low == equal.interval.high == pytest.approx(0.1)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=10))
def test_spread(values: list[float]) -> None:
    found = spread(values)
    assert found.mean == pytest.approx(float(np.mean(values)), **EXACT)
    assert (found.low, found.high, found.count) == (min(values), max(values), len(values))
    if len(values) == 1:
        assert found.std is None
    else:
        assert found.std == pytest.approx(float(stats.tstd(values)), **EXACT)


def test_a_row_of_several_labels_is_right_when_all_are() -> None:
    truth = np.array([[1, 0], [1, 1]])
    assert right_rows(truth, np.array([[1, 0], [1, 0]])).tolist() == [True, False]


@given(answers())
def test_mcc_of_rows_is_that_of_the_scores(case: tuple[Any, Any, Any, int]) -> None:
    truth, predicted, other, classes = case
    assert mcc_of_rows(truth, predicted, classes).value == pytest.approx(
        scores.mcc(truth, predicted), abs=1e-9
    )
    both = [mcc_of_rows(truth, each, classes) for each in (predicted, other)]
    mean = mean_of_statistics(both).value
    assert mean == pytest.approx((both[0].value + both[1].value) / 2, abs=1e-9)


def test_a_bootstrap_p_value_is_small_where_hardly_a_resample_turns_it_round() -> None:
    right = np.arange(400) < 300
    same = paired_bootstrap(mean_of_rows(right), mean_of_rows(right))
    worse = paired_bootstrap(mean_of_rows(np.arange(400) < 200), mean_of_rows(right))
    assert same.p_value == 1
    assert worse.p_value < 0.001
    assert worse.interval.high < 0
