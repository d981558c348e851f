"""Rules, calibration and coverage in words: the same in the terminal and in the report."""

from __future__ import annotations

from collections.abc import Sequence

from textlora.evaluation.calibration import Calibration
from textlora.evaluation.coverage import DecisionFigures, Selective
from textlora.evaluation.decisions import Decision
from textlora.evaluation.wording import decimal, percent


def rule_in_words(decision: Decision, label_names: Sequence[str]) -> str | None:
    """Return how answers are given; None where it is by probability alone.

    Args:
        decision: the rule.
        label_names: the class names.
    """
    sentences = []
    if decision.costs is not None:
        sentences.append("The answer is the one with the least expected cost.")
    elif decision.thresholds is not None and len(decision.thresholds) == len(label_names):
        each = zip(label_names, decision.thresholds, strict=True)
        listed = ", ".join(f"{name} {percent(threshold)}" for name, threshold in each)
        sentences.append(f"A label is given from its own probability on: {listed}.")
    elif decision.thresholds is not None:
        no, yes = label_names
        threshold = percent(decision.thresholds[0])
        sentences.append(f"The answer is {yes} from a probability of {threshold} on, else {no}.")
    if decision.min_confidence is not None:
        sentences.append(f"Answers less sure than {percent(decision.min_confidence)} are withheld.")
    return " ".join(sentences) or None


def selective_in_words(selective: Selective) -> str:
    """Return what is left when unsure answers are withheld."""
    least = percent(selective.min_confidence)
    if selective.accuracy is None:
        return f"No answer is as sure as {least}."
    return (
        f"At a confidence of at least {least}: {percent(selective.coverage)} of the texts "
        f"answered, {percent(selective.accuracy)} of these right."
    )


def figures_in_words(figures: DecisionFigures) -> list[str]:
    """Return a sentence for each figure that the rule gives rise to."""
    sentences = []
    if figures.mean_cost is not None:
        sentences.append(
            f"Mean cost of an answer {decimal(figures.mean_cost)} "
            f"(the most probable class: {decimal(figures.mean_cost_default)})."
        )
    if figures.selective is not None:
        sentences.append(selective_in_words(figures.selective))
    return sentences


def calibration_in_words(calibration: Calibration) -> str:
    """Return the temperature and what it does, or why there is none."""
    if calibration.note is not None:
        return calibration.note
    before, after = calibration.lead.before, calibration.lead.after
    part = "validation" if calibration.test is None else "test"
    return (
        f"Temperature {decimal(calibration.temperature, 2)}: on the {part} part the calibration "
        f"error (ECE) went from {percent(before.ece)} to {percent(after.ece)}, the Brier score "
        f"from {decimal(before.brier)} to {decimal(after.brier)}."
    )
