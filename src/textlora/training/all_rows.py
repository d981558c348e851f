"""Once more on all rows: what was set apart to choose by is trained on in the end.

As `refit` of scikit-learn's GridSearchCV: validation has chosen the number of epochs, the
temperature and the rule by then. Its metrics stay those of the classifier that had not seen it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from torch import Tensor

from textlora.baselines.frozen import FrozenEncoder
from textlora.baselines.protocol import LabelledTexts
from textlora.config import SettledConfig
from textlora.data.loading import Parts
from textlora.data.tokenizing import TokenizedTexts
from textlora.inference.predictor import Predictor
from textlora.inference.scoring import Logits
from textlora.metrics.history import EpochRecord
from textlora.report.terminal import labelled
from textlora.training.arguments import shortened
from textlora.training.building import Classifier, tokenize_part
from textlora.training.class_names import taught
from textlora.training.diagnosis import kept_its_start
from textlora.training.fitting import fit_to_the_end, training_inputs
from textlora.training.progress import ProgressCallback
from textlora.training.settling import may_refit
from textlora.training.start import put_weights, start_at_layer
from textlora.training.trainer import LabelledSequences
from textlora.training.verdict import metric_of


@dataclass(frozen=True)
class Refit:
    """What there is to know once a classifier was trained on all rows.

    Args:
        rows: all of them, for what else is to be trained on the same.
        epochs: how long it took.
        validation: logits of the validation rows before they were trained on, [texts, units].
    """

    rows: LabelledTexts
    epochs: float
    validation: Logits

    @property
    def told(self) -> str:
        """What a reader of the figures must know."""
        return (
            f"Once everything was chosen, {self.epochs:g} epochs on all {len(self.rows.texts):,} "
            "rows followed, those of validation among them; figures on validation are from before."
        )


def is_refitted(config: SettledConfig, parts: Parts, history: Sequence[EpochRecord]) -> bool:
    """Return whether there is a last training: only where training got beyond its start."""
    return may_refit(config, parts) and not kept_its_start(history)


def refit(
    config: SettledConfig,
    classifier: Classifier,
    parts: Parts,
    sequences: Mapping[str, TokenizedTexts],
    fresh: Mapping[str, Tensor],
    regression: FrozenEncoder | None,
    history: Sequence[EpochRecord],
    console: Console,
) -> Refit:
    """Train on the rows of train and validation together, from fresh weights.

    Args:
        config: every setting.
        classifier: the classifier, which was trained.
        parts: the data.
        sequences: token ids by part.
        fresh: the trained parameters before any training, by name.
        regression: where the head began; None: at random. It is fitted to all rows.
        history: evaluations of the training before: the best one says how long this one takes.
        console: where progress is shown.
    """
    predictor = classifier.predictor
    validation = predictor.logits(sequences["validation"])
    rows = all_rows(config, predictor, parts)
    epochs = next(record.epoch for record in history if record.best)
    told = f"{epochs:g} epochs on all {len(rows.texts):,} rows, those of validation among them"
    console.print(labelled("All rows", told))
    put_weights(predictor.model, fresh)
    if regression is not None:
        regression.refit(rows)
        start_at_layer(predictor, regression, rows)
        regression.states.release()
    several = parts.labels.multi_label
    progress = ProgressCallback(console, metric=metric_of(config, parts), multi_label=several)
    inputs = training_inputs(config, classifier, {"train": rows.sequences}, console)
    with inputs as (forward, of_part), progress.bar:
        fit_to_the_end(
            config.model_copy(update={"training": shortened(config.training, epochs)}),
            predictor,
            forward,
            LabelledSequences(
                of_part["train"], rows.targets, rows.sequences.text_offsets, rows.weights
            ),
            callbacks=[progress],
        )
    return Refit(rows, epochs, validation)


def all_rows(config: SettledConfig, predictor: Predictor, parts: Parts) -> LabelledTexts:
    """Return the rows of train and validation together, as they are trained on."""
    assert parts.validation is not None  # noqa: S101 - there is no training without
    part = taught(parts.train.joined(parts.validation), parts.labels.names, config)
    tokens = tokenize_part(part, predictor, whole=config.data.train_windows)
    return LabelledTexts(part.table.texts, tokens, part.targets, part.relative_weights)
