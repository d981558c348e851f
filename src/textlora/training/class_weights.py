"""How much each class counts in the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from textlora.errors import ConfigError


def class_weights(
    setting: Literal["balanced", "sqrt_balanced"] | Mapping[str, float] | None,
    targets: np.ndarray[Any, Any],
    label_names: Sequence[str],
) -> Tensor | None:
    """Return the weights that `classification_loss` takes; None where all count alike.

    "balanced" is scikit-learn's: rows / (classes x rows of the class), so that every class
    weighs the same in all and a row weighs 1 on average; multi-label: the same for the absence
    and the presence of each label. "sqrt_balanced" takes the square roots of these: between all
    rows and all classes alike. A class without rows weighs 1: it is in no loss.

    Args:
        setting: "balanced", "sqrt_balanced", weights by class name (1 for those not named), None.
        targets: of the training part: class numbers [rows], or 0/1 [rows, classes].
        label_names: the class names.

    Returns:
        [classes], or for multi-label [2, classes]: absence and presence.

    Raises:
        ConfigError: a name is no class.
    """
    if setting is None:
        return None
    multi_label = targets.ndim == 2
    if not isinstance(setting, str):
        named = torch.tensor(_by_name(setting, label_names))
        return torch.stack([torch.ones_like(named), named]) if multi_label else named
    if multi_label:
        columns = [_balanced(column, 2) for column in targets.astype(np.int64).T]
        weights = np.stack(columns, axis=1)
    else:
        weights = _balanced(targets.astype(np.int64), len(label_names))
    if setting == "sqrt_balanced":
        weights = np.sqrt(weights)
        if not multi_label:
            weights /= weights[targets.astype(np.int64)].mean()
    return torch.tensor(weights, dtype=torch.float32)


def _balanced(numbers: np.ndarray[Any, Any], classes: int) -> np.ndarray[Any, Any]:
    from sklearn.utils.class_weight import compute_class_weight

    present = np.unique(numbers)
    weights = np.ones(classes)
    weights[present] = compute_class_weight("balanced", classes=present, y=numbers)
    return weights


def _by_name(weights: Mapping[str, float], label_names: Sequence[str]) -> list[float]:
    unknown = next((name for name in weights if name not in label_names), None)
    if unknown is not None:
        raise ConfigError(
            f"training.class_weight: '{unknown}' is no class.",
            f"Classes: {', '.join(label_names)}.",
        )
    return [float(weights.get(name, 1.0)) for name in label_names]
