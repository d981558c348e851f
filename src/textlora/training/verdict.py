"""Whether the adapter earned its cost: baselines, full fine-tuning, and the verdict on them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from torch import nn
from transformers import PreTrainedTokenizerBase, set_seed

from textlora.baselines import (
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
from textlora.errors import storage_errors
from textlora.files import cache_dir
from textlora.inference.logits import FrozenStates
from textlora.inference.predictor import Predictor
from textlora.metrics.comparison import Contender, JudgedPart, Predictions
from textlora.metrics.decisions import choose_decision
from textlora.metrics.scores import FloatArray
from textlora.metrics.statistics import Metric, Resampling, judging_metric
from textlora.model.backends.plain import PlainForward
from textlora.model.encoders import resize_embeddings
from textlora.model.heads import load_base_classifier
from textlora.model.spec import ClassifierSpec
from textlora.report.progress import LongWork
from textlora.report.terminal import labelled
from textlora.report.verdict import Verdict, judge
from textlora.report.wording import duration
from textlora.training.arguments import shortened
from textlora.training.building import labelled_texts
from textlora.training.progress import ProgressCallback
from textlora.training.trainer import LabelledSequences, run_trainer

# What keeps few rows from being learnt by heart was chosen for adapters.
_PLAIN = {"contrastive_weight": 0.0, "token_dropout": 0.0}


class FullFineTuning:
    """Trains encoder and head in full, as a `Baseline`, on Transformers' own forward.

    Args:
        spec: encoder, head and labels, as the tuned classifier has them.
        tokenizer: its tokenizer.
        config: its settings, with a learning rate for full fine-tuning.
        scratch: folder for the checkpoints, which are gone afterwards.
        console: where progress is shown.
    """

    name = "Full fine-tuning"
    _predictor: Predictor
    _epochs: float

    def __init__(
        self,
        spec: ClassifierSpec,
        tokenizer: PreTrainedTokenizerBase,
        config: SettledConfig,
        *,
        scratch: Path,
        console: Console,
    ) -> None:
        self.spec = replace(spec, temperature=1.0)
        self.tokenizer = tokenizer
        self.config = config.model_copy(
            update={
                "model": config.model.model_copy(update={"head_init": "random"}),
                "training": config.training.model_copy(update=_PLAIN),
                # As with every baseline, no temperature is chosen.
                "evaluation": config.evaluation.model_copy(update={"calibrate": False}),
            }
        )
        self.scratch = scratch
        self.console = console
        self.forward = PlainForward(int(tokenizer.pad_token_id))  # type: ignore[arg-type]

    def fit(self, train: LabelledTexts, validation: LabelledTexts) -> None:
        """Train; the best checkpoint is chosen on validation.

        Raises:
            StorageError: there is no room for a checkpoint.
            RunError: the training diverged.
        """
        self._train(self.config, train, validation)

    def refit(self, rows: LabelledTexts) -> None:
        """Train on these rows for as many epochs as were best."""
        shorter = shortened(self.config.training, self._epochs)
        self._train(self.config.model_copy(update={"training": shorter}), rows, None)

    def _train(
        self, config: SettledConfig, train: LabelledTexts, validation: LabelledTexts | None
    ) -> None:
        set_seed(config.training.seed)
        spec, several = self.spec, self.spec.head.multi_label
        base = load_base_classifier(spec.backbone, spec.head, list(spec.label_names))
        resize_embeddings(base.encoder, self.tokenizer)
        self._predictor = Predictor(base.model, self.tokenizer, spec, self.forward)
        metric = judging_metric(config.training.metric_for_best_model, several)
        progress = ProgressCallback(self.console, metric=metric, multi_label=several)
        with (
            storage_errors(f"writing a checkpoint to {self.scratch}"),
            _scratch_in(self.scratch) as folder,
            progress.bar,
        ):
            history = run_trainer(
                self._predictor,
                self.forward,
                config,
                LabelledSequences.of(train),
                None if validation is None else LabelledSequences.of(validation),
                folder=folder,
                callbacks=[progress],
            )
        if history:
            self._epochs = next(record.epoch for record in history if record.best)

    def predict_proba(self, rows: LabelledTexts) -> FloatArray:
        """Return the probabilities `[n, k]`."""
        predictor = self._predictor
        answers: FloatArray = predictor.probabilities_of(predictor.logits(rows.sequences))  # type: ignore[assignment]
        return answers

    @property
    def size_bytes(self) -> int:
        """The whole model: nothing of the encoder stays as it was."""
        return parameter_bytes(list(self._predictor.model.parameters()))


@contextmanager
def _scratch_in(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


def parameter_bytes(parameters: Sequence[nn.Parameter]) -> int:
    """Return the size of parameters on disk."""
    return sum(parameter.numel() * parameter.element_size() for parameter in parameters)


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
