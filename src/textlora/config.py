"""Every setting of a run, typed, in one place; YAML mirrors it one to one.

The field names are those of Hugging Face's `TrainingArguments` and PEFT's
`LoraConfig` wherever these have one.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from textlora.errors import ConfigError

DEFAULT_MODEL = "distilbert-base-uncased"
BUNDLED_MODEL = "bundled"
Precision = Literal["auto", "fp32", "bf16"]
"""Of the products with the frozen weights."""


class Section(BaseModel):
    """A group of settings: immutable, and no key that is not declared."""

    # YAML reads a revision such as 1234567 as a number.
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class SampleText(Section):
    """A text that is shown with its prediction before and after training.

    Without a label the text is shown without an expectation.
    """

    text: str = Field(min_length=1, description="The text.")
    labels: list[str | int] = Field(
        default_factory=list, description="The right label, under any of the names it may have."
    )


class DataConfig(Section):
    """Where the texts come from and how they become token sequences."""

    train: str | None = Field(None, description="File, saved folder or Hub dataset id to train on.")
    validation: str | None = Field(None, description="Where the validation rows come from.")
    test: str | None = Field(None, description="Where the test rows come from.")
    train_split: str | None = Field(None, description="Split name inside a dataset, for training.")
    validation_split: str | None = Field(None, description="Split name for validation.")
    test_split: str | None = Field(None, description="Split name for the test part.")
    dataset_config: str | None = Field(None, description="Configuration name of a Hub dataset.")
    dataset_revision: str | None = Field(
        None, description="Commit, tag or branch of a Hub dataset."
    )
    text_column: str | None = Field(
        None, description="Column with the texts; found by name if unset."
    )
    label_column: str | None = Field(
        None, description="Column with the labels; found by name if unset."
    )
    delimiter: str | None = Field(None, description="Field delimiter of a text table.")
    header: bool = Field(
        True,
        description="Whether the first line of a text table names the columns; else they are "
        "column_1, column_2 and so on.",
    )
    encoding: str = Field("utf-8", description="Text encoding of the files.")
    label_separator: str | None = Field(
        None, description="Several labels in one cell, separated by this: multi-label."
    )
    label_names: list[str] | None = Field(
        None, description="Names of the classes 0, 1, 2 … when the data holds integers."
    )
    validation_size: float = Field(
        0.1, ge=0, description="Share (below 1) or number of rows split off for validation."
    )
    test_size: float = Field(
        0.1, ge=0, description="Share (below 1) or number of rows split off for testing."
    )
    subset: int | None = Field(None, ge=1, description="Train on this many rows, drawn at random.")
    subset_eval: int | None = Field(
        None, ge=1, description="Validate and test on at most this many rows, drawn at random."
    )
    drop_leaks: bool = Field(
        False,
        description="Leave out training rows whose text is in validation or test, too, and "
        "validation rows whose text is in test.",
    )
    strip_html: bool = Field(False, description="Remove HTML tags and entities.")
    on_bad_rows: Literal["error", "skip"] = Field(
        "error", description="Stop at a bad row, or set it aside in rejected.csv."
    )
    min_rows_per_class: int | None = Field(
        None, ge=2, description="Classes with fewer training rows are left out or merged."
    )
    rare_classes: Literal["drop", "other"] = Field(
        "drop",
        description="What becomes of them: drop sets their rows aside in rejected.csv, other "
        "makes them one class, 'other'.",
    )
    on_unknown_classes: Literal["error", "skip"] = Field(
        "error",
        description="Stop at validation or test rows of a class that the training rows lack, or "
        "set them aside in rejected.csv.",
    )
    max_length: int | None = Field(
        None, ge=4, description="Tokens a text may have; unset: what the model takes, at most 512."
    )
    truncation_side: Literal["auto", "left", "right", "head+tail"] = Field(
        "auto",
        description="The end at which a long text loses tokens; head+tail: in the middle; auto: "
        "the one with which the frozen encoder does best on the training rows.",
    )
    head_share: float = Field(
        0.25, gt=0, lt=1, description="For head+tail: the share of the tokens kept from the start."
    )
    long_texts: Literal["truncate", "windows"] = Field(
        "truncate",
        description="windows: a long text is read in overlapping windows of max_length tokens "
        "and their probabilities are pooled: slower, and nothing is left out.",
    )
    window_stride: int | None = Field(
        None,
        ge=0,
        description="Tokens that a window shares with the one before; unset: max_length / 4.",
    )
    window_pooling: Literal["mean", "max"] = Field(
        "mean", description="How the probabilities of a text's windows become one."
    )
    max_windows: int = Field(
        64, ge=1, description="A longer text gets this many windows, spread evenly over it."
    )
    train_windows: bool = Field(
        False,
        description="Train on windows, too, each with its text's label; else on truncated texts.",
    )
    sample_texts: list[SampleText] = Field(
        default_factory=list,
        description="Texts shown before and after training; unset: five validation rows.",
    )
    seed: int = Field(42, ge=0, description="Seed of the split and of the subset.")

    @model_validator(mode="after")
    def _rare_needs_a_number(self) -> DataConfig:
        if self.rare_classes == "other" and self.min_rows_per_class is None:
            raise ValueError("rare_classes=other needs min_rows_per_class (--min-rows-per-class)")
        return self


class ModelConfig(Section):
    """The pretrained encoder and the classification head on it."""

    name_or_path: str = Field(DEFAULT_MODEL, description="Hub id, local folder, or 'bundled'.")
    revision: str | None = Field(None, description="Commit, tag or branch on the Hub.")
    head: Literal["auto", "mlp", "linear"] = Field(
        "linear",
        description="auto: the architecture's own ([CLS]), mlp when pooling is mean; "
        "mlp: dense, ReLU, dropout, linear; linear: one linear layer.",
    )
    pooling: Literal["cls", "mean"] = Field(
        "mean", description="What the head sees of the last hidden states."
    )
    head_init: Literal["auto", "logistic_regression", "random"] = Field(
        "auto",
        description="Where training starts: logistic_regression: the head is the logistic "
        "regression on the frozen encoder's states; auto: that, where the head is one linear "
        "layer on the mean, else random.",
    )
    loss: Literal["auto", "cross_entropy", "bce"] = Field(
        "auto",
        description="bce with two classes and a linear or mlp head: ONE output unit; "
        "auto: cross_entropy, or bce for multi-label data.",
    )


class LoraSettings(Section):
    """The adapter, in PEFT's vocabulary."""

    r: int = Field(8, ge=1, description="Rank of the update matrices.")
    lora_alpha: float = Field(16, gt=0, description="Scale: the update is multiplied by alpha / r.")
    lora_dropout: float = Field(0.05, ge=0, lt=1, description="Dropout on the adapters' input.")
    bias: Literal["none", "all", "lora_only"] = Field("none", description="Which biases to train.")
    target_modules: list[str] = Field(
        default_factory=lambda: ["q", "k", "v", "out", "ffn"],
        min_length=1,
        description="q, k, v, out, ffn, head, or names of the model's own modules.",
    )
    layers: list[int] | str | None = Field(
        None, description="Layers with adapters: [4, 5], '4-5', 'top:2'; unset: all."
    )
    modules_to_save: list[str] = Field(
        default_factory=list, description="Further modules to train in full and save."
    )
    use_rslora: bool = Field(False, description="Scale by alpha / sqrt(r).")
    use_dora: bool = Field(False, description="Weight-decomposed LoRA (DoRA).")
    init_lora_weights: bool | str = Field(
        True, description="true, false, gaussian, pissa, pissa_niter_N, olora or orthogonal."
    )


class TrainingConfig(Section):
    """The optimisation, in `transformers.TrainingArguments`' vocabulary."""

    num_train_epochs: float | None = Field(
        None, gt=0, description="Passes over the training rows; unset: by the table."
    )
    max_steps: int = Field(-1, ge=-1, description="Stop after this many steps; -1: by epochs.")
    per_device_train_batch_size: int | None = Field(
        None, ge=1, description="Rows in a training step; unset: by the table."
    )
    gradient_accumulation_steps: int = Field(1, ge=1, description="Steps summed before an update.")
    learning_rate: float | None = Field(
        None, gt=0, description="Peak learning rate; unset: by the table."
    )
    weight_decay: float = Field(0.01, ge=0, description="Weight decay.")
    optim: Literal["adamw", "adam"] = Field(
        "adamw", description="adamw: decoupled weight decay; adam: L2 penalty in the gradient."
    )
    lr_scheduler_type: Literal[
        "linear", "cosine", "constant", "constant_with_warmup", "polynomial", "inverse_sqrt"
    ] = Field("linear", description="Course of the learning rate.")
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="Share of the steps spent warming up.")
    max_grad_norm: float = Field(1.0, ge=0, description="Clip gradients to this norm; 0: off.")
    mixed_precision: Literal["no", "fp16", "bf16"] = Field("no", description="Autocast type.")
    eval_strategy: Literal["epoch", "steps"] = Field(
        "epoch", description="When to evaluate and save a checkpoint."
    )
    eval_steps: int = Field(500, ge=1, description="Steps between evaluations, if by steps.")
    logging_steps: int = Field(10, ge=1, description="Steps between logged training losses.")
    metric_for_best_model: Literal["auto", "accuracy", "f1", "loss", "mcc"] = Field(
        "auto",
        description="Metric that chooses the best checkpoint and the best baseline, and that the "
        "verdict is about; f1 is macro F1; auto: accuracy, or f1 where the classes are uneven or "
        "a text may have several.",
    )
    early_stopping_patience: int | None = Field(
        None, ge=1, description="Stop after this many evaluations without improvement."
    )
    contrastive_weight: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of the supervised contrastive loss beside the cross-entropy, for one "
        "label per text and a linear head; unset: by the table; 0: none.",
    )
    token_dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of a text's tokens that is left out in training, others in every epoch; "
        "unset: by the table; 0: none.",
    )
    class_names: bool | None = Field(
        None,
        description="Train on the names of the classes as further texts, for one label per text; "
        "unset: where rows are few and cross-validation of the frozen encoder gains by it.",
    )
    refit: bool | None = Field(
        None,
        description="Train once more in the end, with the validation rows among the rows to train "
        "on, for as many epochs as validation found best; for validation rows that were split off "
        "the training rows, and only with test rows; unset: where it costs minutes at most.",
    )
    second_try: bool = Field(
        True,
        description="Train once more, at a quarter of the learning rate, where training does not "
        "beat the regression that it started from.",
    )
    save_total_limit: int = Field(2, ge=1, description="Checkpoints kept, the best among them.")
    seed: int = Field(42, ge=0, description="Seed of weights, shuffling and dropout.")
    report_to: list[Literal["tensorboard", "wandb", "mlflow"]] = Field(
        default_factory=list, description="Trackers to log to."
    )
    class_weight: (
        Literal["auto", "balanced", "sqrt_balanced"]
        | dict[str, Annotated[float, Field(gt=0)]]
        | None
    ) = Field(
        "auto",
        description="Weight of each class in the loss: balanced (rare classes count for more, "
        "as in scikit-learn), sqrt_balanced (the square roots of these), or {class: weight}, "
        "where one not named counts 1; multi-label: "
        "the weight of a label's presence; null: all alike; auto: by the table.",
    )

    @field_validator("mixed_precision", mode="before")
    @classmethod
    def _no_is_a_word(cls, value: Any) -> Any:
        # YAML reads a bare `no` as false.
        return "no" if value is False else value


class ComputeConfig(Section):
    """How the arithmetic is done; bf16 rounds what is otherwise the same function."""

    path: Literal["auto", "fast", "plain"] = Field(
        "auto",
        description="fast: packed sequences, no padding; plain: Transformers' own forward; "
        "auto: fast on CPUs where the model has it.",
    )
    precision: Precision = Field(
        "auto",
        description="Type of the frozen products on the fast path; auto: bf16 where it is native.",
    )
    attention_dropout: Literal["keep", "off"] = Field(
        "keep", description="Dropout on the attention weights, on the fast path."
    )
    prefix_cache: bool = Field(
        False,
        description="On the fast path, run the layers below the lowest adapter once, without "
        "dropout, and reuse their states in every epoch; needs lora.layers such as top:2.",
    )
    prefix_ram_gb: float = Field(
        1.0,
        ge=0,
        description="Memory for these states, in GB; what is larger goes into a temporary file "
        "in the cache folder; 0: always a file.",
    )


class EvaluationConfig(Section):
    """How the result is judged, and what is made of the probabilities by validation alone."""

    baselines: bool = Field(
        True,
        description="Train the majority class, TF-IDF and the frozen encoder with logistic "
        "regression on the same rows, and say whether LoRA is better.",
    )
    full_fine_tuning: bool = Field(
        False, description="Train all parameters, too, to compare; costs more than LoRA."
    )
    full_fine_tuning_learning_rate: float = Field(
        5e-5, gt=0, description="Peak learning rate of full fine-tuning."
    )
    bootstrap_resamples: int = Field(
        2000, ge=100, description="Draws for the intervals of the verdict."
    )
    explained_errors: int = Field(
        10, ge=0, description="Explain this many of the surest mistakes in the report, by word."
    )
    calibrate: bool = Field(
        True, description="Fit a temperature, so that probabilities mean what they say."
    )
    threshold: Literal["auto", "default", "accuracy", "f1", "mcc"] = Field(
        "auto",
        description="Metric by which to choose the probability from which the second of two "
        "classes is the answer; multi-label: of each label; default: the most probable class, "
        "0.5 for labels; auto: f1 for multi-label data judged by f1, else default. f1 is macro F1.",
    )
    costs: dict[str, dict[str, Annotated[float, Field(ge=0)]]] | None = Field(
        None,
        description="What mistakes cost, {true class: {answered class: cost}}: the answer is the "
        "one with the least expected cost; mistakes not named cost 1.",
    )
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="Answers below this confidence are 'unsure'."
    )

    @model_validator(mode="after")
    def _one_rule(self) -> EvaluationConfig:
        if self.costs is not None and self.threshold not in ("auto", "default"):
            raise ValueError("threshold and costs are two rules: give one of them")
        return self


class RunConfig(Section):
    """All settings of a run.

    The saved form (`config.yaml` in the run folder) can be handed to
    `textlora train --recipe config.yaml` and reruns to the same result.
    """

    recipe: str | None = Field(None, description="The recipe the settings started from.")
    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    lora: LoraSettings = Field(default_factory=LoraSettings)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    compute: ComputeConfig = Field(default_factory=ComputeConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)

    @model_validator(mode="after")
    def _check_combinations(self) -> RunConfig:
        if self.model.head == "auto" and self.model.pooling == "cls" and self.model.loss == "bce":
            raise ValueError(
                "model.loss=bce needs model.head=linear or mlp "
                "(the architectures' own heads have one unit a class)"
            )
        if self.data.train_windows and self.data.long_texts == "truncate":
            raise ValueError("data.train_windows needs data.long_texts=windows")
        linear = self.trains_linear_head
        if self.model.head_init == "logistic_regression" and not (
            linear and self.model.pooling == "mean"
        ):
            raise ValueError(
                "model.head_init=logistic_regression needs model.head=linear, model.pooling=mean "
                "and no adapter on the head (lora.target_modules)"
            )
        if self.training.contrastive_weight and not linear:
            raise ValueError(
                "training.contrastive_weight needs model.head=linear and no adapter on the head "
                "(lora.target_modules)"
            )
        return self

    @property
    def trains_linear_head(self) -> bool:
        """Whether the head is one linear layer that is trained itself, and has no adapter."""
        return self.model.head == "linear" and "head" not in self.lora.target_modules

    def to_yaml(self) -> str:
        """Return the settings as YAML that `load_recipe` reads back unchanged."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class SettledData(DataConfig):
    """The same, with a truncation side."""

    truncation_side: Literal["left", "right", "head+tail"]


class SettledModel(ModelConfig):
    """The same, with a start for the head."""

    head_init: Literal["logistic_regression", "random"]


class SettledTraining(TrainingConfig):
    """The same, with a value for everything that can follow the table."""

    num_train_epochs: float = Field(gt=0)
    per_device_train_batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    contrastive_weight: float = Field(ge=0, lt=1)
    token_dropout: float = Field(ge=0, lt=1)
    class_names: bool
    refit: bool
    metric_for_best_model: Literal["accuracy", "f1", "loss", "mcc"]
    class_weight: (
        Literal["balanced", "sqrt_balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None
    )


class SettledEvaluation(EvaluationConfig):
    """The same, with a rule for thresholds."""

    threshold: Literal["default", "accuracy", "f1", "mcc"]


class SettledConfig(RunConfig):
    """All settings of a run, none of which is automatic any more: what a training takes."""

    data: SettledData
    model: SettledModel
    training: SettledTraining
    evaluation: SettledEvaluation

    @classmethod
    def of(cls, config: RunConfig) -> SettledConfig:
        """Return settings in which nothing is left to choose.

        Raises:
            ValidationError: something is.
        """
        return cls.model_validate(config.model_dump())


def build_config(values: dict[str, Any], *, origin: str) -> RunConfig:
    """Validate nested plain values into a `RunConfig`.

    Args:
        values: sections and their settings.
        origin: where the values come from, for messages.

    Raises:
        ConfigError: an unknown key or a value of the wrong type; the message
            names the nearest valid key.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(*_explain(error, origin)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that must hold a mapping.

    Raises:
        ConfigError: the file is missing, no YAML, or no mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}.", "Give the path of a YAML file.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{place}: this is not valid YAML.", "Mend the file.") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path}: a mapping of sections is expected.", "See: textlora recipes show"
        )
    return values


def set_value(values: dict[str, Any], assignment: str) -> None:
    """Apply one `section.key=value` of the command line to nested values, in place.

    The value is read as YAML, so `true`, `3`, `1e-3`, `[q, v]` and `null` mean what they say.

    Raises:
        ConfigError: the assignment has no `=`, or names an unknown key.
    """
    key, equals, raw = assignment.partition("=")
    key = key.strip()
    if not equals:
        raise ConfigError(
            f"--set {assignment}: a value is missing.", "Write --set section.key=value."
        )
    if key not in valid_keys():
        raise ConfigError(f"--set {key}: there is no such setting.", _nearest(key))
    section, name = key.split(".", 1)
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: '{raw}' cannot be read.", "Quote the value.") from None
    values.setdefault(section, {})[name] = value


def valid_keys() -> list[str]:
    """Return every setting as `section.key`, in the order of their declaration."""
    return [
        f"{section}.{name}"
        for section, field in RunConfig.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        for name in field.annotation.model_fields
    ]


def _nearest(key: str) -> str:
    keys = valid_keys()
    by_name = [known for known in keys if known.split(".")[1] == key.rsplit(".", 1)[-1]]
    close = difflib.get_close_matches(key, by_name or keys, n=1, cutoff=0.0)
    return f"Did you mean {close[0]}?"


def _explain(error: ValidationError, origin: str) -> tuple[str, str]:
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    key = ".".join(place[:2])
    if first["type"] == "extra_forbidden":
        return f"{origin}: there is no setting '{'.'.join(place)}'.", _nearest(key)
    if not place:
        return f"{origin}: {first['msg'].removeprefix('Value error, ')}.", ""
    remedy = f"Give {key} another value."
    if key in valid_keys():
        section, name = key.split(".")
        field = RunConfig.model_fields[section].annotation.model_fields[name]  # type: ignore[union-attr]
        remedy = f"{key}: {field.description}"
    return f"{origin}: {key} = {first['input']!r} is not valid ({first['msg']}).", remedy
