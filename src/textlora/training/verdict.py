"""Whether the trained adapter earned its cost: baselines on the same rows, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

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
from textlora.inference.predictor import Predictor
from textlora.metrics.comparison import Contender, JudgedPart, Predictions
from textlora.metrics.decisions import choose_decision
from textlora.metrics.statistics import Metric, Resampling, judging_metric
from textlora.report.progress import LongWork
from textlora.report.terminal import labelled
from textlora.report.verdict import Verdict, judge
from textlora.report.wording import duration
from textlora.training.building import labelled_texts
from textlora.training.full_fine_tuning import FullFineTuning, parameter_bytes

TUNED = "LoRA"


def reach_verdict(
    predictor: Predictor,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    results: Mapping[str, Predictions],
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
        results: what it predicts, by part.
        seconds: its training time.
        config: every setting of the run.
        states: the frozen encoder.
        console: where progress is shown.
        all_rows: what the tuned classifier was trained on in the end; None: the training rows.
        clean: which judged rows are not in the training rows; None: not to be told apart.
    """
    baselines, references = train_baselines(
        predictor,
        parts,
        sequences,
        config=config,
        states=states,
        console=console,
        all_rows=all_rows,
    )
    part = judged_part(parts)
    trained = [each for each in predictor.model.parameters() if each.requires_grad]
    tuned = Contender(
        name=TUNED,
        predictions=results[part],
        validation=results["validation"],
        seconds=seconds,
        size_bytes=parameter_bytes(trained),
    )
    return judge(
        tuned,
        baselines,
        part,
        metric=metric_of(config, parts),
        references=references,
        how=resampling(config.evaluation),
        refitted=all_rows is not None,
        clean=clean,
    )


def train_baselines(
    predictor: Predictor,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    *,
    config: SettledConfig,
    states: FrozenStates,
    console: Console,
    all_rows: LabelledTexts | None = None,
) -> tuple[list[Contender], list[Contender]]:
    """Train what the adapter is set beside; arguments as above.

    Returns:
        The cheap classifiers that it has to beat, and the costlier ones that were asked for.
    """
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
        baselines = [_measured(each, rows, predictor, config, console) for each in plain]
    states.release()
    if not config.evaluation.full_fine_tuning:
        return baselines, []
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
    return baselines, [_measured(full, rows, predictor, config, console)]


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
) -> Contender:
    """Train a baseline, and let it predict by a rule from the settings that LoRA's is from."""
    decide = partial(
        choose_decision,
        targets=rows["validation"].targets,
        label_names=predictor.spec.label_names,
        threshold=config.evaluation.threshold,
        costs=config.evaluation.costs,
    )
    found = measure(
        baseline,
        rows["train"],
        rows["validation"],
        rows.get("test"),
        all_rows=rows.get("all"),
        decide=decide,
    )
    console.print(labelled("Baseline", f"{found.name}, {duration(found.seconds or 0)}"))
    return found
