"""Whether the trained adapter earned its cost: baselines on the same rows, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from rich.console import Console

from textlora.baselines.classifiers import (
    Baseline,
    FrozenEncoder,
    LabelledTexts,
    MajorityClass,
    TfidfLogisticRegression,
    measure,
)
from textlora.config import SettledConfig, SettledEvaluation
from textlora.data.loading import Parts
from textlora.data.tokenizing import TokenizedTexts
from textlora.files import cache_dir
from textlora.inference.frozen_states import FrozenStates
from textlora.inference.predictor import Predictor, Probabilities
from textlora.metrics.comparison import (
    Answers,
    CandidateResult,
    JudgedPart,
    Resampling,
    Truth,
    answers_of,
    compare,
)
from textlora.metrics.decisions import choose_decision
from textlora.metrics.statistics import Metric, judging_metric
from textlora.report.terminal import LongWork, labelled
from textlora.report.verdict import Verdict, clean_note, judge
from textlora.report.wording import duration
from textlora.training.building import labelled_texts, named_parts
from textlora.training.full_fine_tuning import FullFineTuning, parameter_bytes

TUNED = "LoRA"
REFITTED = (
    "LoRA and what it is compared with were trained once more in the end, with the validation rows "
    "among their training rows."
)


@dataclass(frozen=True)
class Rivals:
    """What the adapter is set beside.

    Args:
        baselines: cheap classifiers that it has to beat.
        references: costlier ones, asked for: full fine-tuning.
    """

    baselines: tuple[CandidateResult, ...]
    references: tuple[CandidateResult, ...] = ()


def reach_verdict(
    predictor: Predictor,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    results: Mapping[str, Probabilities],
    *,
    seconds: float,
    config: SettledConfig,
    states: FrozenStates,
    console: Console,
    all_rows: LabelledTexts | None = None,
    clean: npt.NDArray[np.bool_] | None = None,
) -> Verdict:
    """Train the baselines on the same rows, and set the tuned classifier beside them.

    Call it last: it uses the test part for the comparison, after every choice.

    Args:
        predictor: the tuned classifier, with its temperature and its rule.
        parts: the data of the run; there is a validation part.
        sequences: token ids, by part.
        results: its probabilities, by part.
        seconds: its training time.
        config: every setting of the run.
        states: the frozen encoder.
        console: where progress is shown.
        all_rows: what the tuned classifier was trained on in the end; None: the training rows.
        clean: which judged rows are not in the training rows; None: not to be told apart.
    """
    rivals = train_rivals(
        predictor,
        parts,
        sequences,
        config=config,
        states=states,
        console=console,
        all_rows=all_rows,
    )
    assert parts.validation is not None  # noqa: S101 - there is no training without
    trained = [each for each in predictor.model.parameters() if each.requires_grad]
    part = judged_part(parts)
    tuned = CandidateResult(
        name=TUNED,
        validation=results["validation"],
        judged=results[part],
        seconds=seconds,
        size_bytes=parameter_bytes(trained),
        decision=predictor.spec.decision,
    )
    truth = Truth(parts.validation.targets, named_parts(parts)[part].targets, part)
    how = resampling(config.evaluation)
    metric = metric_of(config, parts)
    verdict = judge(
        tuned, rivals.baselines, truth, metric=metric, references=rivals.references, how=how
    )
    if all_rows is not None:
        verdict = replace(verdict, notes=(*verdict.notes, REFITTED))
    if clean is None:
        return verdict
    best = next(each for each in rivals.baselines if each.name == verdict.best_baseline)
    first, second = (
        answers_of(Answers.of(truth.judged, each.judged, each.decision), clean)
        for each in (tuned, best)
    )
    apart = compare(first, second, how, metric)
    note = clean_note((tuned.name, best.name), (first, second), apart, part)
    return replace(verdict, notes=(*verdict.notes, note))


def train_rivals(
    predictor: Predictor,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    *,
    config: SettledConfig,
    states: FrozenStates,
    console: Console,
    all_rows: LabelledTexts | None = None,
) -> Rivals:
    """Train what the adapter is set beside, and let it answer; arguments as above."""
    rows = labelled_texts(parts, sequences)
    if all_rows is not None:
        rows["all"] = all_rows
    classes, spec = parts.labels.num_labels, predictor.spec
    metric = metric_of(config, parts)
    plain = (
        MajorityClass(classes),
        TfidfLogisticRegression(classes, metric),
        FrozenEncoder(states, classes, metric),
    )
    for each in rows.values():  # before the other bar: a terminal shows one at a time
        states(each.sequences)
    with LongWork(console, "baselines"):
        baselines = tuple(_measured(each, rows, predictor, config, console) for each in plain)
    states.release()
    if not config.evaluation.full_fine_tuning:
        return Rivals(baselines)
    rate = config.evaluation.full_fine_tuning_learning_rate
    full = FullFineTuning(
        spec,
        predictor.tokenizer,
        config.model_copy(
            update={"training": config.training.model_copy(update={"learning_rate": rate})}
        ),
        scratch=cache_dir() / "full-fine-tuning",
        console=console,
    )
    return Rivals(baselines, (_measured(full, rows, predictor, config, console),))


def judged_part(parts: Parts) -> JudgedPart:
    """Return the name of the part that is judged."""
    return "validation" if parts.test is None else "test"


def metric_of(config: SettledConfig, parts: Parts) -> Metric:
    """Return what the classifiers of a run are judged by."""
    return judging_metric(config.training.metric_for_best_model, parts.labels.multi_label)


def resampling(config: SettledEvaluation) -> Resampling:
    """Return how the bootstrap is done."""
    return Resampling(resamples=config.bootstrap_resamples)


def _measured(
    baseline: Baseline,
    rows: Mapping[str, LabelledTexts],
    predictor: Predictor,
    config: SettledConfig,
    console: Console,
) -> CandidateResult:
    """Train a baseline, let it answer, and give it a rule by the settings that LoRA's is by."""
    result = measure(
        baseline, rows["train"], rows["validation"], rows.get("test"), all_rows=rows.get("all")
    )
    console.print(labelled("Baseline", f"{result.name}, {duration(result.seconds)}"))
    decision = choose_decision(
        result.validation,
        rows["validation"].targets,
        predictor.spec.label_names,
        threshold=config.evaluation.threshold,
        costs=config.evaluation.costs,
    )
    return replace(result, decision=decision)
