"""The scikit-learn style face of textlora."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from textlora.config import RunConfig
from textlora.errors import ConfigError
from textlora.recipes import load_recipe

if TYPE_CHECKING:
    from textlora.data.loading import Parts
    from textlora.inference.predictor import Predictor


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A text classifier, tuned by LoRA.

    Works wherever scikit-learn takes an estimator: `clone`, `cross_val_score`,
    `GridSearchCV`, `Pipeline`.

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
        random_state: seed.
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
        random_state: int | None = None,
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
        X: Sequence[str],  # noqa: N803 - scikit-learn's name
        y: Sequence[Any] | None = None,
        *,
        validation: tuple[Sequence[str], Sequence[Any]] | None = None,
    ) -> TextClassifier:
        """Train on texts and labels.

        Args:
            X: texts: a list, array or Series of strings.
            y: a label a text: integers, booleans, strings, or lists of strings (multi-label).
            validation: texts and labels to choose the best epoch on; else some are held out.

        Returns:
            The classifier itself.

        Raises:
            DataError: texts or labels that cannot be used.
        """
        from rich.console import Console

        from textlora.data.python import parts_from_python
        from textlora.run import RunFolder
        from textlora.training.job import train

        config = self._config()
        boolean = y is not None and all(isinstance(label, bool | np.bool_) for label in y)
        if boolean and y is not None:
            y = [int(label) for label in y]
            if validation is not None:
                validation = validation[0], [int(label) for label in validation[1]]
        parts: Parts = parts_from_python(X, y, validation, config.data)
        folder = RunFolder(Path(tempfile.mkdtemp(prefix="textlora-fit-")) / "run")
        try:
            run = train(config, folder, console=Console() if self.verbose else None, parts=parts)
        except BaseException:
            shutil.rmtree(folder.path.parent, ignore_errors=True)
            raise
        discard = getattr(self, "_discard", None)
        if discard is not None:
            discard()
        self._folder = folder.path
        self._discard = weakref.finalize(self, shutil.rmtree, folder.path.parent, True)
        self.config_ = config
        self.history_ = run.history
        self._predictor = run.predictor
        self.classes_ = np.array(run.predictor.spec.label_values, dtype=bool if boolean else None)
        return self

    def predict(self, X: Sequence[str]) -> np.ndarray[Any, Any]:  # noqa: N803
        """Return a label a text; for multi-label a 0/1 matrix [texts, classes].

        By the thresholds or costs of the fit, if any. Every text is answered, unsure ones too.
        """
        answers = self.predict_proba(X)
        spec = self._fitted().spec
        labels = spec.decision.labels(answers, spec.head.multi_label)
        return labels if spec.head.multi_label else np.asarray(self.classes_[labels])

    def predict_proba(self, X: Sequence[str]) -> np.ndarray[Any, Any]:  # noqa: N803
        """Return probabilities [texts, classes], columns as in `classes_`."""
        from textlora.data.python import texts_from_python

        predictor = self._fitted()
        config: RunConfig | None = getattr(self, "config_", None)
        column = None if config is None else config.data.text_column
        return predictor.predict_proba(texts_from_python(X, column))

    def score(  # type: ignore[override]  # scikit-learn's stubs know of arrays of numbers only
        self,
        X: Sequence[str],  # noqa: N803
        y: Sequence[Any],
        sample_weight: Sequence[float] | None = None,
    ) -> float:
        """Return the accuracy; for multi-label the share of texts with all labels right."""
        if self._fitted().spec.head.multi_label:
            names = [str(value) for value in self.classes_]
            y = [[int(name in set(map(str, row))) for name in names] for row in y]
        return float(super().score(X, np.asarray(y), sample_weight))

    def save(self, folder: str | Path) -> None:
        """Copy the run folder of the fit, with adapter, figures and report.

        Raises:
            RunError: the folder is in use.
        """
        from textlora.run import copy_run

        self._fitted()
        copy_run(self._folder, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> TextClassifier:
        """Load a finished run, or an adapter folder.

        Raises:
            RunError: the run is missing or did not finish.
            ModelError: the adapter is damaged.
        """
        from textlora.inference.predictor import Predictor
        from textlora.run import RunFolder

        predictor = Predictor.load(folder)
        classifier = cls(model=predictor.spec.backbone.name_or_path)
        saved = RunFolder(Path(folder)).config
        if saved.is_file():
            classifier.config_ = load_recipe(str(saved)).config()
        classifier._predictor = predictor
        classifier._folder = Path(folder)
        classifier.classes_ = np.array(predictor.spec.label_values)
        return classifier

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
                "seed": self.random_state,
            },
            # Nobody sees the verdict here, and `cross_val_score` fits many times.
            "evaluation": {"baselines": False, "explained_errors": 0},
        }
        for section, values in assignments.items():
            named[section] = {**named.get(section, {}), **values}
        return load_recipe(self.recipe).without_sources().config(None, **named)

    def _fitted(self) -> Predictor:
        predictor: Predictor | None = getattr(self, "_predictor", None)
        if predictor is None:
            raise NotFittedError("This TextClassifier is not fitted yet: call fit or load first.")
        return predictor
