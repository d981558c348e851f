"""Which labels are likely to be wrong, by cleanlab's confident learning and a second opinion.

The second opinion, a logistic regression on TF-IDF, errs on other rows than a language model does:
the mean of both is a better judge of a label than either (docs/audit.md has the figures).

Source: C. G. Northcutt, L. Jiang, I. L. Chuang, Confident Learning: Estimating Uncertainty in
Dataset Labels, JAIR 70 (2021).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textlora.baselines import fit_words
from textlora.baselines.logistic import fit_logistic
from textlora.data.labels import LabelSet, Targets
from textlora.data.loading import Part
from textlora.data.splitting import Indices
from textlora.data.tables import csv_text
from textlora.errors import MissingExtraError
from textlora.files import write_text
from textlora.metrics.decisions import predicted_labels
from textlora.metrics.scores import FloatArray, probability_of, right_rows

STRENGTH = 10.0
"""Inverse of the penalty; fixed, because a choice by held-out labels would let these in."""


def word_count_probabilities(
    texts: Sequence[str], targets: Targets, train: Indices, held_out: Indices, classes: int
) -> FloatArray:
    """Train on some rows and answer others.

    Args:
        texts: one a row.
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        train: rows to train on.
        held_out: rows to answer.
        classes: the number of classes.

    Returns:
        `[held_out, classes]`; 0 for a class without a row to train on.
    """
    vectorizer, features = fit_words([texts[row] for row in train])
    known = targets[train]
    # With one strength there is nothing to choose, so the rows to choose by do not matter.
    model = fit_logistic(features, known, features, known, classes=classes, strengths=(STRENGTH,))
    return model.predict_proba(vectorizer.transform([texts[row] for row in held_out]))


EXTRA = "audit"
LABEL_JOINER = "|"


@dataclass(frozen=True)
class LabelIssues:
    """What cleanlab says of every row.

    Args:
        quality: how likely the label is to be right, 0 to 1, float `[rows]`.
        flagged: whether cleanlab takes the label for wrong, bool `[rows]`.
    """

    quality: npt.NDArray[np.float64]
    flagged: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Suspect:
    """A row whose label is in doubt.

    Args:
        rank: 1 for the most certain one.
        line: line of a text file, or row of a table.
        given_label: as in the data; several joined by `|`.
        suggested_label: what the models that did not see the row answer.
        probability_given: of the given label; multi-label: of the least likely of its decisions.
        probability_suggested: likewise.
        label_quality: cleanlab's score, 0 to 1.
        flagged: whether cleanlab takes the label for wrong.
        text: the text.
    """

    rank: int
    line: int
    given_label: str
    suggested_label: str
    probability_given: float
    probability_suggested: float
    label_quality: float
    flagged: bool
    text: str


def require_cleanlab() -> None:
    """Ask for cleanlab before anything is trained.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("cleanlab") is None:
        raise MissingExtraError("textlora audit", EXTRA)


def find_issues(targets: npt.NDArray[Any], probabilities: npt.NDArray[np.float64]) -> LabelIssues:
    """Ask cleanlab which labels are wrong.

    Args:
        targets: class ids `[rows]`, or multi-label indicators `[rows, classes]`.
        probabilities: out-of-fold, `[rows, classes]`.
    """
    given: Any
    if targets.ndim == 2:
        from cleanlab.multilabel_classification import filter as issues
        from cleanlab.multilabel_classification import rank

        given = [np.flatnonzero(row > 0.5).tolist() for row in targets]
    else:
        from cleanlab import filter as issues
        from cleanlab import rank

        given = targets.astype(np.int64)
    # One process: a copy of a program that has torch's threads may stand still.
    flagged = issues.find_label_issues(given, probabilities, n_jobs=1)
    quality = rank.get_label_quality_scores(given, probabilities)
    return LabelIssues(np.asarray(quality, np.float64), np.asarray(flagged, np.bool_))


def rank_suspects(
    part: Part, labels: LabelSet, probabilities: npt.NDArray[np.float64], issues: LabelIssues
) -> list[Suspect]:
    """Return the rows that are answered otherwise than labelled, or flagged; the surest first.

    Args:
        part: the rows.
        labels: the classes.
        probabilities: out-of-fold, `[rows, classes]`.
        issues: what cleanlab says of these rows.
    """
    given = part.targets.astype(np.int64)
    suggested = predicted_labels(probabilities, labels.multi_label)
    rows = np.flatnonzero(~right_rows(given, suggested) | issues.flagged)
    rows = rows[np.argsort(issues.quality[rows], kind="stable")]
    of_given, of_suggested = (
        probability_of(decided, probabilities) for decided in (given, suggested)
    )
    return [
        Suspect(
            rank=rank,
            line=part.table.lines[row],
            given_label=label_text(labels, given[row]),
            suggested_label=label_text(labels, suggested[row]),
            probability_given=float(of_given[row]),
            probability_suggested=float(of_suggested[row]),
            label_quality=float(issues.quality[row]),
            flagged=bool(issues.flagged[row]),
            text=part.table.texts[row],
        )
        for rank, row in enumerate(rows.tolist(), 1)
    ]


def label_text(labels: LabelSet, target: Any) -> str:
    """Return one row's class number or indicators as a label; no label at all is empty."""
    if not labels.multi_label:
        return labels.names[int(target)]
    return LABEL_JOINER.join(labels.names[number] for number in np.flatnonzero(target > 0.5))


def write_suspects(suspects: Sequence[Suspect], path: Path) -> None:
    """Write the suspects as CSV: whole texts, and yes or no for `flagged`.

    Raises:
        StorageError: it cannot be written.
    """
    rows = [
        {**asdict(suspect), "flagged": "yes" if suspect.flagged else "no"}.values()
        for suspect in suspects
    ]
    cells = ([f"{one:.4f}" if isinstance(one, float) else one for one in row] for row in rows)
    write_text(path, csv_text([[field.name for field in fields(Suspect)], *cells]))
