"""The verdict in plain words."""

from __future__ import annotations

from textlora.evaluation.candidates import Answers, Candidate, Comparison
from textlora.evaluation.metrics import Interval
from textlora.evaluation.wording import (
    count,
    duration,
    p_value,
    percent,
    points,
    points_interval,
)

OPTIMISTIC = (
    "There is no test part: the best epoch was chosen on these very texts, so LoRA's figure "
    "is optimistic."
)


def verdict_sentence(
    tuned: Candidate, baseline: Candidate, comparison: Comparison, part: str, rows: int
) -> str:
    """Return whether the tuned classifier is better than the baseline, how sure, at what cost.

    Args:
        tuned: the tuned classifier.
        baseline: the best baseline.
        comparison: tuned minus baseline.
        part: "test" or "validation".
        rows: texts of that part.
    """
    difference = comparison.difference
    apart = f"{points(abs(difference))} points"
    texts = f"{count(rows)} {part} texts"
    sure = evidence(comparison)
    cost = f"it took {_seconds(tuned)} against {_seconds(baseline)}"
    if comparison.significant and difference > 0:
        words = (
            f"{tuned.name} is better than {baseline.name} by {apart} on {texts} ({sure}); {cost}."
        )
    elif comparison.significant:
        words = (
            f"{tuned.name} is worse than {baseline.name} by {apart} on {texts} ({sure}); {cost}. "
            f"Use {baseline.name}."
        )
    elif difference > 0:
        words = (
            f"{tuned.name} cannot be told apart from {baseline.name} on {texts}: it is better by "
            f"{apart}, which may be chance ({sure}); {cost}.{_advice(tuned, baseline)}"
        )
    else:
        less = f"worse by {apart}" if difference < 0 else "right equally often"
        words = (
            f"{tuned.name} is not better than {baseline.name} on {texts}: it is {less} ({sure}); "
            f"{cost}.{_advice(tuned, baseline)}"
        )
    return f"{words} {OPTIMISTIC}" if part == "validation" else words


def evidence(comparison: Comparison) -> str:
    """Return "95 % interval 1.6 to 4.2, McNemar p < 0.001", signed as the words before it.

    Where the first is worse by 2.9 points, the interval is about 2.9 as well.
    """
    bounds = comparison.interval
    if comparison.difference < 0:
        bounds = Interval(-bounds.high, -bounds.low, bounds.level)
    return f"{points_interval(bounds)}, McNemar {p_value(comparison.mcnemar.p_value)}"


def chosen_note(best: Candidate, optimistic: bool) -> str:
    """Return how the baseline was chosen that LoRA is compared with."""
    if optimistic:
        return f"{best.name} is the best baseline on these same validation texts."
    return (
        f"{best.name} is the best baseline on validation; the test part was used once, at the end."
    )


def clean_note(
    names: tuple[str, str], answers: tuple[Answers, Answers], comparison: Comparison, part: str
) -> str:
    """Return how two classifiers stand where no text is in the training rows, too.

    Args:
        names: of the tuned classifier and the baseline.
        answers: what they make of these texts.
        comparison: of the two on these texts.
        part: "test" or "validation".
    """
    tuned, baseline = names
    difference = comparison.difference
    word = "better" if difference > 0 else "worse"
    chance = "" if comparison.significant else ", which may be chance"
    stands = f"is {word} than {baseline} by {points(abs(difference))} points{chance}"
    if not difference:
        stands = f"and {baseline} are right equally often"
    mine, theirs = (percent(each.accuracy) for each in answers)
    return (
        f"On the {count(len(answers[0].truth))} {part} texts that are not in the training rows, "
        f"{tuned} {stands}: {mine} against {theirs} right ({evidence(comparison)})."
    )


def aside(tuned: Candidate, other: Candidate, comparison: Comparison) -> str:
    """Return how the tuned classifier stands to one that is no cheap alternative."""
    difference = comparison.difference
    word = "better" if difference > 0 else "worse"
    if comparison.significant:
        stands = f"{tuned.name} is {word} than {other.name} by {points(abs(difference))} points"
    else:
        stands = (
            f"{tuned.name} cannot be told apart from {other.name}: "
            f"{points(abs(difference))} points {word}"
        )
    return (
        f"{stands} ({evidence(comparison)}); it took {_seconds(tuned)} against {_seconds(other)}."
    )


def _advice(tuned: Candidate, baseline: Candidate) -> str:
    if (baseline.seconds or 0) >= (tuned.seconds or 0):
        return ""
    return f" Use {baseline.name}, unless more test texts tell otherwise."


def _seconds(each: Candidate) -> str:
    return "an unknown time" if each.seconds is None else duration(each.seconds)
