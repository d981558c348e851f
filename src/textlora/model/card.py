"""The model card of an adapter; its words are in `report/templates/model_card.md.j2`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import PurePath
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from textlora.config import BUNDLED_MODEL, RunConfig
from textlora.metrics.classification import ClassificationMetrics
from textlora.metrics.statistics import judging_metric
from textlora.model.encoders import Backbone
from textlora.model.spec import ClassifierSpec
from textlora.report.wording import (
    NO_TEST_PART,
    count,
    decimal,
    headline,
    percent,
    rule_in_words,
)

_TEMPLATE = files("textlora.report") / "templates" / "model_card.md.j2"
_HUB_NAMES = {BUNDLED_MODEL: "sentence-transformers/all-MiniLM-L6-v2"}
_RARE_CLASS = 50


@dataclass(frozen=True)
class Circumstances:
    """What a run knows of its adapter besides settings and figures.

    Args:
        rows: rows of every class, by part.
        verdict: the sentence that sets it beside plain baselines; None where none was reached.
        notes: what one should know about the verdict.
        parameters: trainable and total; None where it is not known.
        repo: its name on the Hub; None: it is a folder.
        refitted: how it was trained once more after the best checkpoint; None: it was not.
    """

    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    verdict: str | None = None
    notes: tuple[str, ...] = ()
    parameters: tuple[int, int] | None = None
    repo: str | None = None
    refitted: str | None = None


def model_card(
    spec: ClassifierSpec,
    config: RunConfig,
    figures: Mapping[str, ClassificationMetrics],
    circumstances: Circumstances | None = None,
) -> str:
    """Return the card's Markdown; it has none of the texts, and no path of this machine.

    Args:
        spec: what the adapter is.
        config: how it was trained.
        figures: metrics by split.
        circumstances: what else is known of the run.
    """
    known = circumstances or Circumstances()
    metric = judging_metric(config.training.metric_for_best_model, spec.head.multi_label)
    split = "test" if "test" in figures else next(iter(figures), None)
    name = known.repo.rpartition("/")[2] if known.repo else None
    with as_file(_TEMPLATE) as template:
        card = ModelCard.from_template(
            _metadata(spec, config, figures, known, split),
            template_path=str(template),
            spec=spec,
            known=known,
            title=name or f"{config.recipe or 'textlora'} classifier",
            base=public_name(spec.backbone),
            bundled=spec.backbone.name_or_path == BUNDLED_MODEL,
            sentences=[headline(each, name, metric=metric) for name, each in figures.items()],
            split=split,
            metrics=figures[split] if split else None,
            rule=rule_in_words(spec.decision, spec.label_names),
            source=_source(config),
            training=_training(config),
            no_test_part=NO_TEST_PART,
            rare=[each for each, n in known.rows.get("train", {}).items() if n < _RARE_CLASS],
            rare_below=_RARE_CLASS,
            count=count,
            decimal=decimal,
            percent=percent,
        )
    return f"{card}\n"


def public_name(backbone: Backbone) -> str:
    """Return what a base is called away from this machine: a folder by its last name."""
    name = backbone.name_or_path
    if name in _HUB_NAMES or not backbone.is_local:
        return _HUB_NAMES.get(name, name)
    return PurePath(name).name


def _metadata(
    spec: ClassifierSpec,
    config: RunConfig,
    figures: Mapping[str, ClassificationMetrics],
    known: Circumstances,
    split: str | None,
) -> ModelCardData:
    on_hub = spec.backbone.name_or_path in _HUB_NAMES or not spec.backbone.is_local
    more: dict[str, Any] = {}
    if known.repo and split is not None:
        source = _source(config)
        measured = (("accuracy", figures[split].accuracy), ("f1", figures[split].macro_f1))
        more["model_name"] = known.repo.rpartition("/")[2]
        more["eval_results"] = [
            EvalResult(
                task_type="text-classification",
                dataset_type=source,
                dataset_name=f"{source} ({split})",
                metric_type=kind,
                metric_value=round(value, 4),
            )
            for kind, value in measured
        ]
    return ModelCardData(
        base_model=public_name(spec.backbone) if on_hub else None,
        library_name="peft",
        pipeline_tag="text-classification",
        tags=["lora", "textlora"],
        **more,
    )


def _training(config: RunConfig) -> str:
    lora, training = config.lora, config.training
    kind = "DoRA" if lora.use_dora else "rsLoRA" if lora.use_rslora else "LoRA"
    layers = "" if lora.layers is None else f", layers {lora.layers}"
    chosen_by = training.metric_for_best_model
    metric = "" if chosen_by == "auto" else f" by {chosen_by}"
    return (
        f"{kind} of rank {lora.r}, alpha {lora.lora_alpha:g}, on {', '.join(lora.target_modules)}"
        f"{layers}; {', '.join(_optimisation(config))}; the best checkpoint{metric} on validation."
    )


def _optimisation(config: RunConfig) -> Iterator[str]:
    """Yield what is known: settings that a run's file lacks followed its table."""
    training = config.training
    if training.num_train_epochs is not None:
        yield f"{training.num_train_epochs:g} epochs"
    if training.learning_rate is not None:
        yield f"learning rate {training.learning_rate:g}"
    if training.per_device_train_batch_size is not None:
        yield f"batches of {training.per_device_train_batch_size}"
    yield f"seed {training.seed}"


def _source(config: RunConfig) -> str:
    """Return the data's name: a Hub id as it is, a file without its folder."""
    source = config.data.train or "data of its own"
    is_hub_id = source.count("/") <= 1 and not PurePath(source).suffix and source[0] not in "./~\\"
    return source if is_hub_id else PurePath(source.replace("\\", "/")).name
