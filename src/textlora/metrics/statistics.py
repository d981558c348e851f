"""How sure a metric is, and whether two classifiers differ: bootstrap, McNemar, Student.

Every figure here is made of sums over rows. Rows drawn with replacement are then
multinomial counts of the kinds of rows that there are, and there are few kinds: thousands
of resamples cost milliseconds, and nothing is approximated.

Sources: B. Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics 7
(1979); Q. McNemar, Note on the sampling error of the difference between correlated
proportions or percentages, Psychometrika 12 (1947); T. G. Dietterich, Approximate
statistical tests for comparing supervised classification learning algorithms, Neural
Computation 10 (1998), which recommends McNemar's test where each is trained once; A. C. Davison,
D. V. Hinkley, Bootstrap Methods and their Application (1997).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from textlora.metrics.classification import Interval
from textlora.metrics.scores import FloatArray, IntArray, one_hot, ratio, right_rows

RESAMPLES = 2_000
# Fewer rows that only one of the two has right: the exact test, as is usual.
EXACT_BELOW = 25
_WEIGHTS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class RowStatistic:
    """A figure that follows from sums over rows.

    Args:
        rows: what each row adds to the sums, float `[n, terms]`.
        of_sums: from sums `[..., terms]` over n rows to figures `[...]`.
    """

    rows: FloatArray
    of_sums: Callable[[FloatArray], FloatArray]

    @property
    def value(self) -> float:
        """The figure of the rows themselves."""
        return float(self.of_sums(self.rows.sum(axis=0)))


def mean_of_rows(values: npt.ArrayLike) -> RowStatistic:
    """Return the mean of one number a row, `[n]`; of right (1) and wrong (0): the accuracy."""
    rows = np.asarray(values, dtype=np.float64)[:, None]
    count = len(rows)
    return RowStatistic(rows, lambda sums: sums[..., 0] / count)


def accuracy_of_rows(truth: IntArray, predicted: IntArray) -> RowStatistic:
    """Return the accuracy; arguments as in `scores`, so for multi-label all labels."""
    return mean_of_rows(right_rows(truth, predicted))


def macro_f1_of_rows(truth: IntArray, predicted: IntArray, classes: int) -> RowStatistic:
    """Return the macro F1, as `scores.macro` has it.

    Args:
        truth: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        predicted: likewise.
        classes: k.
    """
    members, guesses = one_hot(truth, classes), one_hot(predicted, classes)
    rows = np.concatenate([members & guesses, members, guesses], axis=1).astype(np.float64)
    over_all = truth.ndim == 2

    def of_sums(sums: FloatArray) -> FloatArray:
        hits, true, guessed = np.split(sums, 3, axis=-1)
        either = true + guessed
        f1 = ratio(2 * hits, either)
        counted = classes if over_all else (either > 0).sum(axis=-1)
        return np.asarray(f1.sum(axis=-1) / counted)

    return RowStatistic(rows, of_sums)


def mcc_of_rows(truth: IntArray, predicted: IntArray, classes: int) -> RowStatistic:
    """Return Matthews' correlation coefficient, as `scores.mcc` has it."""
    members, guesses = one_hot(truth, classes), one_hot(predicted, classes)
    rows = np.concatenate([members & guesses, members, guesses], axis=1).astype(np.float64)
    count, each_label = len(rows), truth.ndim == 2

    def of_sums(sums: FloatArray) -> FloatArray:
        hits, true, guessed = np.split(sums, 3, axis=-1)
        if each_label:
            spread = true * (count - true) * guessed * (count - guessed)
            return np.asarray(ratio(count * hits - true * guessed, np.sqrt(spread)).mean(axis=-1))
        spread = (count**2 - (true**2).sum(axis=-1)) * (count**2 - (guessed**2).sum(axis=-1))
        covariance = count * hits.sum(axis=-1) - (true * guessed).sum(axis=-1)
        return ratio(covariance, np.sqrt(spread))

    return RowStatistic(rows, of_sums)


def mean_of_statistics(statistics: Sequence[RowStatistic]) -> RowStatistic:
    """Return the mean of several figures of the same rows."""
    ends = np.cumsum([each.rows.shape[1] for each in statistics])[:-1]

    def of_sums(sums: FloatArray) -> FloatArray:
        own = np.split(sums, ends, axis=-1)
        values = [each.of_sums(part) for each, part in zip(statistics, own, strict=True)]
        return np.asarray(np.mean(values, axis=0))

    return RowStatistic(np.hstack([each.rows for each in statistics]), of_sums)


@dataclass(frozen=True)
class Resampling:
    """How the bootstrap is done.

    Args:
        resamples: how often the rows are drawn with replacement.
        level: confidence level of the intervals.
        seed: of the draws.
    """

    resamples: int = RESAMPLES
    level: float = 0.95
    seed: int = 0


USUAL = Resampling()


def bootstrap_interval(statistic: RowStatistic, how: Resampling = USUAL) -> Interval:
    """Return the percentile bootstrap interval of a figure."""
    return _percentiles(statistic.of_sums(_resampled_sums(statistic.rows, how)), how.level)


@dataclass(frozen=True)
class PairedBootstrap:
    """What resampling says of the difference of two figures of the same rows.

    Args:
        interval: percentile interval of first minus second.
        p_value: two-sided: how often a resample turns the difference round, or leaves none.
    """

    interval: Interval
    p_value: float


def paired_bootstrap(
    first: RowStatistic, second: RowStatistic, how: Resampling = USUAL
) -> PairedBootstrap:
    """Return the interval of first minus second, and whether it is chance, on the same rows.

    Both are computed on the same resamples, so what makes a text hard for both cancels out.
    The p value counts the data as one more resample (Davison and Hinkley 1997), so that it is
    never 0.

    Raises:
        ValueError: the two have different numbers of rows.
    """
    if len(first.rows) != len(second.rows):
        raise ValueError(f"{len(first.rows)} and {len(second.rows)} rows are not the same rows")
    sums = _resampled_sums(np.hstack([first.rows, second.rows]), how)
    terms = first.rows.shape[1]
    differences = first.of_sums(sums[:, :terms]) - second.of_sums(sums[:, terms:])
    tail = min((differences <= 0).sum(), (differences >= 0).sum())
    p_value = min(1.0, 2 * float(tail + 1) / (how.resamples + 1))
    return PairedBootstrap(_percentiles(differences, how.level), p_value)


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of whether two classifiers are right equally often.

    Args:
        only_first: rows that only the first has right.
        only_second: rows that only the second has right.
        p_value: two-sided.
        exact: by the binomial distribution; else chi-square with continuity correction.
    """

    only_first: int
    only_second: int
    p_value: float
    exact: bool


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> McNemar:
    """Test whether two classifiers are right equally often on the same rows.

    Args:
        first: which rows the first has right, bool `[n]`.
        second: likewise.
    """
    from scipy.stats import binom, chi2

    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    discordant = only_first + only_second
    if discordant < EXACT_BELOW:
        tail = binom.cdf(min(only_first, only_second), discordant, 0.5)
        return McNemar(only_first, only_second, min(1.0, 2 * float(tail)), exact=True)
    distance = (abs(only_first - only_second) - 1) ** 2 / discordant
    return McNemar(only_first, only_second, float(chi2.sf(distance, 1)), exact=False)


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a figure over repetitions.

    Args:
        mean: arithmetic mean.
        std: sample standard deviation (n - 1); None for a single value.
        low: smallest value.
        high: largest value.
        count: n.
    """

    mean: float
    std: float | None
    low: float
    high: float
    count: int


def spread(values: npt.ArrayLike) -> Spread:
    """Return mean and spread of values `[n]`, n at least 1."""
    given = np.asarray(values, dtype=np.float64)
    std = float(given.std(ddof=1)) if len(given) > 1 else None
    return Spread(float(given.mean()), std, float(given.min()), float(given.max()), len(given))


@dataclass(frozen=True)
class PairedTest:
    """Student's paired t-test.

    Args:
        difference: mean of first minus second.
        interval: its confidence interval; None for a single pair.
        p_value: two-sided; None for a single pair, and where all differences are equal.
        count: number of pairs.
    """

    difference: float
    interval: Interval | None
    p_value: float | None
    count: int


def paired_t_test(first: npt.ArrayLike, second: npt.ArrayLike, level: float = 0.95) -> PairedTest:
    """Test whether two figures differ on average over paired repetitions.

    Args:
        first: a figure a repetition, `[n]`.
        second: likewise; a single number stands for the same in every repetition.
        level: confidence level of the interval.
    """
    from scipy.stats import ttest_1samp

    differences = np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)
    mean, count = float(differences.mean()), len(differences)
    if count < 2:
        return PairedTest(mean, None, None, count)
    if np.ptp(differences) < 1e-12:  # scipy would divide rounding errors by each other
        return PairedTest(mean, Interval(mean, mean, level), None, count)
    test = ttest_1samp(differences, 0.0)
    bounds = test.confidence_interval(level)
    interval = Interval(float(bounds.low), float(bounds.high), level)
    return PairedTest(mean, interval, float(test.pvalue), count)


def _resampled_sums(rows: FloatArray, how: Resampling) -> FloatArray:
    """Return the sums `[resamples, terms]` over rows drawn with replacement."""
    kinds, counts = np.unique(rows, axis=0, return_counts=True)
    draw = np.random.default_rng(how.seed)
    shares = counts / len(rows)
    # In blocks: where every row is of its own kind, all counts at once would fill the memory.
    blocks = [
        draw.multinomial(len(rows), shares, size=size).astype(np.float64) @ kinds
        for size in _blocks(how.resamples, max(1, _WEIGHTS_AT_ONCE // len(kinds)))
    ]
    return np.concatenate(blocks)


def _blocks(total: int, at_once: int) -> Iterator[int]:
    for start in range(0, total, at_once):
        yield min(at_once, total - start)


def _percentiles(values: FloatArray, level: float) -> Interval:
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high), level)


Metric = Literal["accuracy", "f1", "mcc"]
MetricForBestModel = Literal["auto", "accuracy", "f1", "loss", "mcc"]

NAMES: dict[Metric, str] = {"accuracy": "accuracy", "f1": "macro F1", "mcc": "MCC"}


def judging_metric(metric_for_best_model: MetricForBestModel, multi_label: bool) -> Metric:
    """Return what classifiers are compared by.

    A loss depends on how sure answers are, and a temperature changes it; so runs whose epoch is
    chosen by the loss are judged by accuracy, and by macro F1 where texts have several labels.

    Args:
        metric_for_best_model: what the kept epoch is chosen by; "auto" in settings that no
            training has settled, which say nothing.
        multi_label: whether a text may have any number of the labels.
    """
    if metric_for_best_model == "auto" or metric_for_best_model == "loss":
        return "f1" if multi_label else "accuracy"
    return metric_for_best_model


def metric_of_rows(
    metric: Metric, truth: IntArray, predicted: IntArray, classes: int
) -> RowStatistic:
    """Return a metric as a figure that follows from sums over rows.

    Args:
        metric: which.
        truth: class numbers `[n]`; multi-label: 0 or 1, `[n, k]`.
        predicted: likewise.
        classes: k.
    """
    if metric == "accuracy":
        return accuracy_of_rows(truth, predicted)
    of_rows = macro_f1_of_rows if metric == "f1" else mcc_of_rows
    return of_rows(truth, predicted, classes)
