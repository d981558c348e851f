"""The scikit-learn style face of textlora."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags, check_consistent_length

from textlora.config import RunConfig
from textlora.errors import ConfigError
from textlora.metrics.scores import right_rows
from textlora.recipes import load_recipe

if TYPE_CHECKING:
    from textlora.data.loading import Parts
    from textlora.inference.predictor import Predictor
    from textlora.model.spec import ClassifierSpec
    from textlora.training.results import TrainedRun

# What a pickle or a copy does without: the model holds the encoder, the run the training texts.
_LEFT_BEHIND = ("_predictor", "_unreported")


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A text classifier, tuned by LoRA.

    Works wherever scikit-learn takes a classifier: `clone`, `Pipeline`, `cross_val_score`,
    `GridSearchCV`, `CalibratedClassifierCV`, `OneVsRestClassifier`, `VotingClassifier`.

    A fitted one can be pickled, dumped by joblib and copied. A pickle holds the files of its run
    folder, not the weights of the base encoder: that is loaded again, by its name or from its
    folder, when the unpickled classifier first answers.

    Args:
        model: Hub id, local folder, or "bundled"; None: the recipe's.
        recipe: name of a shipped recipe, or a YAML file.
        num_train_epochs: passes over the training rows; None: the recipe's.
        learning_rate: peak learning rate; None: the recipe's.
        per_device_train_batch_size: rows in a step; None: the recipe's.
        r: rank of the adapter; None: the recipe's.
        lora_alpha: scale of the adapter; None: the recipe's.
        target_modules: which modules get an adapter; None: the recipe's.
        max_length: tokens a text may have; None: the recipe's.
        pooling: "cls" or "mean"; None: the recipe's.
        validation_size: share or number of rows held out to choose the best epoch.
        random_state: seed; a RandomState draws one in every fit; None: the recipe's.
        settings: any further setting, as {"section.key": value}.
        verbose: whether progress is shown.

    Attributes:
        classes_: the labels as given, in the order of `predict_proba`'s columns.
        config_: every setting of the fit.
        history_: the evaluations during training.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        recipe: str | None = None,
        num_train_epochs: float | None = None,
        learning_rate: float | None = None,
        per_device_train_batch_size: int | None = None,
        r: int | None = None,
        lora_alpha: float | None = None,
        target_modules: list[str] | None = None,
        max_length: int | None = None,
        pooling: str | None = None,
        validation_size: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
        settings: dict[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.recipe = recipe
        self.num_train_epochs = num_train_epochs
        self.learning_rate = learning_rate
        self.per_device_train_batch_size = per_device_train_batch_size
        self.r = r
        self.lora_alpha = lora_alpha
        self.target_modules = target_modules
        self.max_length = max_length
        self.pooling = pooling
        self.validation_size = validation_size
        self.random_state = random_state
        self.settings = settings
        self.verbose = verbose

    def fit(
        self,
        X: Any,  # noqa: N803 - scikit-learn's name
        y: Any = None,
        sample_weight: Any = None,
        *,
        validation: tuple[Any, Any] | None = None,
    ) -> TextClassifier:
        """Train on texts and labels.

        Args:
            X: texts: a list, array or Series of strings; or a DataFrame with a column of them.
            y: one label per text: integers, booleans or strings. For several labels per text
                (multi-label) a matrix of 0 and 1 `[texts, labels]` (array, sparse matrix, or
                DataFrame, whose columns name the labels), or lists of strings.
            sample_weight: how much each text counts in the loss, `[texts]`, 0 or more: with
                weight 2 about as if it were there twice, with weight 0 as if it were not.
            validation: texts and labels to choose the best epoch on; else some are held out.

        Returns:
            The classifier itself.

        Raises:
            DataError: texts, labels or weights that cannot be used; a ValueError.
        """
        from rich.console import Console

        from textlora.data.python import parts_from_python
        from textlora.files import RunFolder, read_files
        from textlora.training.job import train

        config = self._config()
        boolean = _are_booleans(y)
        if boolean:
            y = [int(label) for label in y]
            if validation is not None:
                validation = validation[0], [int(label) for label in validation[1]]
        parts = parts_from_python(X, y, validation, config.data, sample_weight)
        console = Console() if self.verbose else None
        with tempfile.TemporaryDirectory(prefix="textlora-fit-") as scratch:
            folder = RunFolder(Path(scratch) / "run")
            run = train(config, folder, console=console, parts=parts, report=False)
            self._files = read_files(folder.path)
        self._unreported: tuple[TrainedRun, Parts] | None = (run, parts)
        self._predictor: Predictor | None = run.predictor
        self.config_: RunConfig = run.config
        self.history_ = run.history
        self.classes_ = _classes(run.predictor.spec)
        if boolean:
            self.classes_ = self.classes_.astype(bool)
        return self

    def predict(self, X: Any) -> np.ndarray[Any, Any]:  # noqa: N803
        """Return one label per text; for multi-label a 0/1 matrix [texts, classes].

        By the thresholds or costs of the fit, if any. Every text is answered, unsure ones too.
        """
        answers = self.predict_proba(X)
        spec = self._fitted().spec
        labels = spec.decision.labels(answers, spec.head.multi_label)
        return labels if spec.head.multi_label else np.asarray(self.classes_[labels])

    def predict_proba(self, X: Any) -> np.ndarray[Any, Any]:  # noqa: N803
        """Return probabilities [texts, classes], columns as in `classes_`."""
        from textlora.data.python import texts_from_python

        predictor = self._fitted()
        config: RunConfig | None = getattr(self, "config_", None)
        column = None if config is None else config.data.text_column
        return predictor.predict_proba(texts_from_python(X, column))

    def score(  # type: ignore[override]  # scikit-learn's stubs know of arrays of numbers only
        self,
        X: Any,  # noqa: N803
        y: Any,
        sample_weight: Any = None,
    ) -> float:
        """Return the accuracy; for multi-label the share of texts with all labels right."""
        from textlora.data.python import truth_of

        if not self._fitted().spec.head.multi_label:
            return float(super().score(X, y, sample_weight))
        predicted = self.predict(X)
        truth = truth_of(y, [str(value) for value in self.classes_])
        check_consistent_length(predicted, truth, sample_weight)
        return float(np.average(right_rows(truth, predicted), weights=sample_weight))

    def save(self, folder: str | Path) -> None:
        """Write the run folder of the fit, with adapter and figures.

        The report is drawn here, not in `fit`. It needs the texts, which a pickle or a copy does
        not have: those write it only if the classifier had been saved before.

        Raises:
            RunError: the folder is in use.
        """
        from textlora.files import RunFolder, write_files

        self._fitted()
        target = Path(folder).absolute()
        RunFolder(target).check_free()
        if getattr(self, "_unreported", None) is not None:
            self._add_report(target.name)
        write_files(self._files, target)

    @classmethod
    def load(cls, folder: str | Path) -> TextClassifier:
        """Load a finished run, or an adapter folder.

        Raises:
            RunError: the run is missing or did not finish.
            ModelError: the adapter is damaged.
        """
        from textlora.files import RunFolder, read_files
        from textlora.inference.predictor import Predictor

        predictor = Predictor.load(folder)
        classifier = cls(model=predictor.spec.backbone.name_or_path)
        saved = RunFolder(Path(folder)).config
        if saved.is_file():
            classifier.config_ = load_recipe(str(saved)).config()
        classifier._files = read_files(Path(folder))
        classifier._predictor = predictor
        classifier.classes_ = _classes(predictor.spec)
        return classifier

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but the loaded model, which is loaded anew from the run's files."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name not in _LEFT_BEHIND}

    def __sklearn_tags__(self) -> Tags:
        """Say that this takes texts in place of numbers, and several labels per text."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.classifier_tags.multi_label = True
        return tags

    def _config(self) -> RunConfig:
        assignments: dict[str, dict[str, Any]] = {}
        for key, value in (self.settings or {}).items():
            section, dot, name = key.partition(".")
            if not dot:
                raise ConfigError(f"settings: '{key}' is no section.key.", "Write 'lora.r'.")
            assignments.setdefault(section, {})[name] = value
        named: dict[str, dict[str, Any]] = {
            "data": {"max_length": self.max_length, "validation_size": self.validation_size},
            "model": {"name_or_path": self.model, "pooling": self.pooling},
            "lora": {
                "r": self.r,
                "lora_alpha": self.lora_alpha,
                "target_modules": self.target_modules,
            },
            "training": {
                "num_train_epochs": self.num_train_epochs,
                "learning_rate": self.learning_rate,
                "per_device_train_batch_size": self.per_device_train_batch_size,
                "seed": _seed(self.random_state),
            },
            # Nobody sees the verdict here, and `cross_val_score` fits many times.
            "evaluation": {"baselines": False, "explained_errors": 0},
        }
        for section, values in assignments.items():
            named[section] = {**named.get(section, {}), **values}
        return load_recipe(self.recipe).without_sources().config(None, **named)

    def _fitted(self) -> Predictor:
        from textlora.files import write_files
        from textlora.inference.predictor import Predictor

        if not hasattr(self, "_files"):
            raise NotFittedError("This TextClassifier is not fitted yet: call fit or load first.")
        predictor = getattr(self, "_predictor", None)
        if predictor is None:  # this is a copy, or was pickled
            with tempfile.TemporaryDirectory(prefix="textlora-load-") as scratch:
                folder = Path(scratch) / "run"
                write_files(self._files, folder)
                predictor = self._predictor = Predictor.load(folder)
        return predictor

    def _add_report(self, title: str) -> None:
        from textlora.files import RunFolder, read_files, write_files
        from textlora.training.building import tokenize_parts
        from textlora.training.reporting import write_report

        assert self._unreported is not None  # noqa: S101
        run, parts = self._unreported
        windows = run.config.data.train_windows
        sequences = tokenize_parts(parts, run.predictor, train_windows=windows)
        with tempfile.TemporaryDirectory(prefix="textlora-report-") as scratch:
            folder = RunFolder(Path(scratch) / title)
            write_files(self._files, folder.path)
            write_report(replace(run, folder=folder), parts, sequences)
            self._files = read_files(folder.path)
        self._unreported = None


def _seed(random_state: int | np.random.RandomState | None) -> int | None:
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    return random_state


def _classes(spec: ClassifierSpec) -> np.ndarray[Any, Any]:
    """Return the labels as they were given; those of a matrix without names are its columns."""
    values = spec.label_values
    if spec.head.multi_label and values == tuple(map(str, range(len(values)))):
        return np.arange(len(values))
    return np.array(values)


def _are_booleans(y: Any) -> bool:
    if y is None or getattr(y, "ndim", 1) != 1 or not np.iterable(y):
        return False
    return all(isinstance(label, bool | np.bool_) for label in y)
