"""Settings that leave nothing to choose by the table, for tests of what does not choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textlora.config import SettledConfig, SettledEvaluation, SettledTraining

# One value for everything that is automatic unless it is set.
SETTLED: dict[str, dict[str, Any]] = {
    "data": {"truncation_side": "left"},
    "model": {"head_init": "random"},
    "training": {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 8,
        "learning_rate": 1e-2,
        "class_weight": None,
        "contrastive_weight": 0.0,
        "token_dropout": 0.0,
        "class_names": False,
        "refit": False,
        "metric_for_best_model": "accuracy",
    },
    "evaluation": {"threshold": "default"},
}


def settled_config(**sections: Any) -> SettledConfig:
    """Return settings of a run; `sections` are mappings that change some, or the recipe's name."""
    from textlora.config import SettledConfig

    changed = {name: {**entries, **sections.pop(name, {})} for name, entries in SETTLED.items()}
    return SettledConfig.model_validate({**changed, **sections})


def settled_evaluation(**changes: Any) -> SettledEvaluation:
    """Return settings of an evaluation; `changes` are some of them."""
    from textlora.config import SettledEvaluation

    return SettledEvaluation.model_validate({**SETTLED["evaluation"], **changes})


def settled_training(**changes: Any) -> SettledTraining:
    """Return settings of a training; `changes` are some of them."""
    from textlora.config import SettledTraining

    return SettledTraining.model_validate({**SETTLED["training"], **changes})
