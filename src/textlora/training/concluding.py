"""From a trained model to what is said of it: temperature, rule, metrics, verdict, reasons.

The order is the point: what is chosen is chosen on the validation part, before the test part
is looked at. A last training on all rows is like `refit` of scikit-learn's GridSearchCV: validation
has chosen by then, and its metrics stay those of the classifier that had not seen it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console

from textlora.data.loading import Part, Parts
from textlora.data.splitting import copied_in
from textlora.data.tokenizing import TokenizedTexts
from textlora.errors import MissingExtraError
from textlora.inference.evaluating import metrics_of
from textlora.inference.explaining import explain_many, require_captum
from textlora.inference.logits import Logits
from textlora.inference.predictor import Predictor, Probabilities
from textlora.metrics.calibration import Calibration
from textlora.metrics.classification import ClassificationMetrics
from textlora.metrics.comparison import Predictions
from textlora.metrics.mistakes import Mistakes, find_mistakes
from textlora.metrics.subsets import Leakage, measure_leakage
from textlora.report.progress import progress_bar
from textlora.report.terminal import labelled
from textlora.report.verdict import Verdict
from textlora.training.deciding import Decided, decide
from textlora.training.fitting import Fitted
from textlora.training.verdict import judged_part, reach_verdict

NO_MISTAKES = Mistakes(())


@dataclass(frozen=True)
class PartResult:
    """What the trained model makes of one part.

    Args:
        part: the rows.
        probabilities: [rows, classes].
        predictions: by temperature and rule, with the truth.
        metrics: the figures.
    """

    part: Part
    probabilities: Probabilities
    predictions: Predictions
    metrics: ClassificationMetrics

    @classmethod
    def of(cls, predictor: Predictor, part: Part, logits: Logits) -> PartResult:
        """Turn the raw logits of a part into answers and figures, by temperature and rule."""
        spec = predictor.spec
        values = predictor.probabilities_of(logits)
        metrics = metrics_of(predictor, part.targets, logits)
        return cls(part, values, Predictions.of(part.targets, values, spec.decision), metrics)


@dataclass(frozen=True)
class Conclusion:
    """What is made of a trained model.

    Args:
        predictor: the classifier with its temperature and its rule.
        results: by part, "validation" and, where there is one, "test".
        calibration: what the temperature does; None if not asked for.
        verdict: the classifier beside plain baselines; None if not asked for.
        mistakes: wrong answers on the leading part, some with what spoke for them.
        leakage: rows of the leading part that are in the training rows, too; None: there are none.
    """

    predictor: Predictor
    results: dict[str, PartResult]
    calibration: Calibration | None = None
    verdict: Verdict | None = None
    mistakes: Mistakes = NO_MISTAKES
    leakage: Leakage | None = None


def conclude(fitted: Fitted, console: Console) -> Conclusion:
    """Choose temperature and rule on validation, then evaluate, judge and explain.

    Args:
        fitted: the trained classifier.
        console: where progress is shown.
    """
    config, predictor, refitted = fitted.config, fitted.predictor, fitted.refitted
    parts, sequences = fitted.prepared.parts, fitted.prepared.sequences
    assert parts.validation is not None  # noqa: S101 - there is no training without
    if refitted is None:
        logits = {"validation": _logits(predictor, "validation", sequences, console)}
    else:
        logits = {"validation": refitted.validation}
    decided = decide(predictor, logits["validation"], parts.validation.targets, config.evaluation)
    if parts.test is not None:
        logits["test"] = _logits(decided.predictor, "test", sequences, console)
    evaluated = {"validation": parts.validation, "test": parts.test}
    results = {
        name: PartResult.of(decided.predictor, part, logits[name])
        for name, part in evaluated.items()
        if part is not None
    }
    judged = judged_part(parts)
    lead = results[judged]
    seen = parts.train.table.texts if refitted is None else refitted.rows.texts
    copied = copied_in(lead.part.table.texts, seen)
    leakage = measure_leakage(judged, lead.predictions, copied)
    verdict = None
    if config.evaluation.baselines:
        verdict = reach_verdict(
            decided.predictor,
            parts,
            sequences,
            {name: result.predictions for name, result in results.items()},
            seconds=fitted.seconds,
            config=config,
            states=fitted.prepared.states,
            console=console,
            all_rows=None if refitted is None else refitted.rows,
            clean=~copied if leakage and leakage.matters and leakage.clean else None,
        )
    return Conclusion(
        predictor=decided.predictor,
        results=results,
        calibration=_calibration(decided, logits, parts),
        verdict=verdict,
        mistakes=explained_mistakes(
            decided.predictor, lead, config.evaluation.explained_errors, console
        ),
        leakage=leakage,
    )


def _logits(
    predictor: Predictor, part: str, sequences: Mapping[str, TokenizedTexts], console: Console
) -> Logits:
    with progress_bar(console, f"scoring {part}", len(sequences[part])) as progress:
        return predictor.logits(sequences[part], progress)


def explained_mistakes(
    predictor: Predictor, result: PartResult, number: int, console: Console
) -> Mistakes:
    """Return the mistakes to show, and say of some which words spoke for them.

    Args:
        predictor: the tuned classifier.
        result: its answers.
        number: how many to explain; without captum none is.
        console: where progress is shown.
    """
    spec = predictor.spec
    mistakes = find_mistakes(
        result.part.table.texts,
        result.part.targets,
        result.probabilities,
        spec.label_names,
        spec.decision,
    )
    texts = mistakes.first(number)
    if not texts:
        return mistakes
    try:
        require_captum()
    except MissingExtraError as error:
        console.print(labelled("Mistakes", f"not explained: {error.problem} {error.remedy}"))
        return mistakes
    with progress_bar(console, "explaining the surest mistakes", len(texts)) as progress:
        found = explain_many(predictor, texts, progress=progress)
    return mistakes.explained(dict(zip(texts, found, strict=True)))


def _calibration(
    decided: Decided, logits: Mapping[str, Logits], parts: Parts
) -> Calibration | None:
    if parts.test is None:
        return decided.calibration
    return decided.tested(logits["test"], parts.test.targets)
