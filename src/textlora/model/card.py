"""The model card of an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from textlora.config import BUNDLED_MODEL, RunConfig, TrainingConfig
from textlora.metrics.classification import ClassificationMetrics
from textlora.metrics.statistics import Metric, judging_metric
from textlora.model.backbones import Backbone
from textlora.model.spec import ClassifierSpec
from textlora.report.wording import (
    NO_TEST_PART,
    count,
    decimal,
    headline,
    percent,
    rule_in_words,
)

_HUB_NAMES = {BUNDLED_MODEL: "sentence-transformers/all-MiniLM-L6-v2"}
_FEW_TEXTS = 1_000
_RARE_CLASS = 50

_BODY = """
# {title}

A LoRA adapter with its classification head, trained by textlora on {base}. It says of a text
{answer}.

{figures}
{verdict}
## Use

```python
{load}
classifier.predict(["It was good."])
```
{without_textlora}
## Classes

{classes}

## How texts are prepared

At most {max_length} tokens, {cut}; HTML {html}. {probabilities}

## Data

{data}

## Training

{training}

## Limits

{limits}
"""

_LOAD = """from textlora import TextClassifier

classifier = TextClassifier.load("path/of/this/folder")"""

# A folder of its own: the Hub's cache is links, which textlora refuses in an adapter.
_LOAD_FROM_HUB = """from huggingface_hub import snapshot_download
from textlora import TextClassifier

classifier = TextClassifier.load(snapshot_download("{repo}", local_dir="adapter"))"""

_AUTO_PEFT = """
Without textlora:

```python
from peft import AutoPeftModelForSequenceClassification
from transformers import AutoTokenizer

model = AutoPeftModelForSequenceClassification.from_pretrained({folder}, num_labels={labels})
tokenizer = AutoTokenizer.from_pretrained({folder})
{side}```
"""

_OWN_HEAD = """
The head is a `{kind}` head on the {pooling} state, which Transformers has no class for;
`docs/loading.md` of textlora has the lines that load it with PEFT alone.
"""

_LOCAL_BASE = """
Its encoder {why}, so PEFT alone does not find it: `textlora export RUN --to merged` writes a
folder that needs neither.
"""


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
        figures: metrics by part.
        circumstances: what else is known of the run.
    """
    known = circumstances or Circumstances()
    metric = judging_metric(config.training.metric_for_best_model, spec.head.multi_label)
    title = known.repo.rpartition("/")[2] if known.repo else f"{config.recipe or 'textlora'}"
    body = _BODY.format(
        title=title if known.repo else f"{title} classifier",
        base=f"`{public_name(spec.backbone)}`",
        answer="which of its labels apply" if spec.head.multi_label else "which class it is of",
        figures=_figures(figures, metric),
        verdict=_verdict(known),
        load=_LOAD_FROM_HUB.format(repo=known.repo) if known.repo else _LOAD,
        without_textlora=_without_textlora(spec, known.repo),
        classes="\n".join(f"- `{name}`" for name in spec.label_names),
        max_length=spec.max_length,
        cut=spec.cut_in_words,
        html="is stripped" if spec.strip_html else "is left in",
        probabilities=_probabilities(spec),
        data="\n".join(_data(config, known)),
        training="\n".join(_training(config, known)),
        limits="\n".join(f"- {limit}" for limit in _limits(spec, figures, known)),
    )
    metadata = _metadata(spec, config, figures, known)
    return str(ModelCard(f"---\n{metadata.to_yaml()}\n---\n{body}", ignore_metadata_errors=True))


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
) -> ModelCardData:
    on_hub = spec.backbone.name_or_path in _HUB_NAMES or not spec.backbone.is_local
    more: dict[str, Any] = {}
    part = _lead(figures)
    if known.repo and part is not None:
        source = _source(config)
        measured = (("accuracy", figures[part].accuracy), ("f1", figures[part].macro_f1))
        more["model_name"] = known.repo.rpartition("/")[2]
        more["eval_results"] = [
            EvalResult(
                task_type="text-classification",
                dataset_type=source,
                dataset_name=f"{source} ({part})",
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


def _figures(figures: Mapping[str, ClassificationMetrics], metric: Metric) -> str:
    sentences = [headline(metrics, part, metric=metric) for part, metrics in figures.items()]
    part = _lead(figures)
    if part is None:
        return ""
    metrics = figures[part]
    rows = [
        f"| {_cell(entry.name)} | {percent(entry.precision)} | {percent(entry.recall)} "
        f"| {percent(entry.f1)} | {count(entry.support)} |"
        for entry in metrics.per_class
    ]
    whole = (
        f"Macro F1 {percent(metrics.macro_f1)}, MCC {decimal(metrics.mcc)}, ROC-AUC "
        f"{decimal(metrics.roc_auc)}, log loss {decimal(metrics.log_loss)}, ECE "
        f"{decimal(metrics.ece)} ({part} part)."
    )
    head = ["| class | precision | recall | F1 | rows |", "|---|---|---|---|---|"]
    return "\n\n".join([*sentences, "\n".join([*head, *rows]), whole])


def _verdict(known: Circumstances) -> str:
    if known.verdict is None:
        return "\nIt was not set beside plain baselines.\n"
    return "\n" + "\n\n".join(["## Is it worth it?", known.verdict, *known.notes]) + "\n"


def _without_textlora(spec: ClassifierSpec, repo: str | None) -> str:
    if repo and spec.backbone.is_local:
        bundled = spec.backbone.name_or_path == BUNDLED_MODEL
        why = "is converted from the Hub's by textlora" if bundled else "is a local model"
        return _LOCAL_BASE.format(why=why)
    if spec.head.kind != "auto":
        return _OWN_HEAD.format(kind=spec.head.kind, pooling=spec.head.pooling)
    folder = f'"{repo}"' if repo else "folder"
    # The tokenizer is saved as it came. At both ends it cannot cut.
    one_end = spec.truncation_side != "head+tail"
    side = f'tokenizer.truncation_side = "{spec.truncation_side}"\n' if one_end else ""
    return _AUTO_PEFT.format(labels=spec.head.num_units, folder=folder, side=side)


def _probabilities(spec: ClassifierSpec) -> str:
    scaled = spec.temperature != 1
    words = (
        f"Logits are divided by a temperature of {spec.temperature:.3f}, fitted on the validation "
        "part, before they become probabilities."
        if scaled
        else "Probabilities are not calibrated."
    )
    rule = rule_in_words(spec.decision, spec.label_names)
    return f"{words} {rule}" if rule else words


def _data(config: RunConfig, known: Circumstances) -> Iterator[str]:
    yield f"Trained on `{_source(config)}`, which is not part of this repository."
    if not known.rows:
        return
    names = list(next(iter(known.rows.values())))
    yield ""
    yield "| part | " + " | ".join(map(_cell, names)) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for part, rows in known.rows.items():
        yield f"| {part} | " + " | ".join(count(rows.get(name, 0)) for name in names) + " |"


def _training(config: RunConfig, known: Circumstances) -> Iterator[str]:
    lora, training = config.lora, config.training
    kind = "DoRA" if lora.use_dora else "rsLoRA" if lora.use_rslora else "LoRA"
    layers = "" if lora.layers is None else f", layers {lora.layers}"
    chosen_by = training.metric_for_best_model
    metric = "" if chosen_by == "auto" else f" by {chosen_by}"
    yield (
        f"{kind} of rank {lora.r}, alpha {lora.lora_alpha:g}, on {', '.join(lora.target_modules)}"
        f"{layers}; {', '.join(_optimisation(training))}; the best checkpoint{metric} on "
        "validation."
    )
    if known.refitted is not None:
        yield known.refitted
    if known.parameters is not None:
        trainable, total = known.parameters
        yield f"{count(trainable)} of {count(total)} parameters were trained."


def _optimisation(training: TrainingConfig) -> Iterator[str]:
    """Yield what is known: settings that a run's file lacks followed its table."""
    if training.num_train_epochs is not None:
        yield f"{training.num_train_epochs:g} epochs"
    if training.learning_rate is not None:
        yield f"learning rate {training.learning_rate:g}"
    if training.per_device_train_batch_size is not None:
        yield f"batches of {training.per_device_train_batch_size}"
    yield f"seed {training.seed}"


def _limits(
    spec: ClassifierSpec, figures: Mapping[str, ClassificationMetrics], known: Circumstances
) -> Iterator[str]:
    yield (
        "It knows the classes above and no other, and gives every text an answer of these: also "
        "a text of another language, kind or time than its training texts."
    )
    part = _lead(figures)
    if part == "validation" and NO_TEST_PART not in (known.verdict or ""):
        yield NO_TEST_PART
    if part is not None and figures[part].rows < _FEW_TEXTS:
        yield f"The figures are of {count(figures[part].rows)} texts: mind the interval."
    rare = [name for name, n in known.rows.get("train", {}).items() if n < _RARE_CLASS]
    if rare:
        listed = ", ".join(f"`{name}`" for name in rare)
        yield f"Classes with fewer than {_RARE_CLASS} training texts: {listed}."
    if spec.long_texts == "truncate":
        yield f"What of a text lies beyond {spec.max_length} tokens is not read."
    yield "Nobody has checked whether it treats groups of people alike."


def _cell(name: str) -> str:
    return " ".join(name.split()).replace("|", "\\|")


def _lead(figures: Mapping[str, ClassificationMetrics]) -> str | None:
    return "test" if "test" in figures else next(iter(figures), None)


def _source(config: RunConfig) -> str:
    """Return the data's name: a Hub id as it is, a file without its folder."""
    source = config.data.train or "data of its own"
    is_hub_id = source.count("/") <= 1 and not PurePath(source).suffix and source[0] not in "./~\\"
    return source if is_hub_id else PurePath(source.replace("\\", "/")).name
