"""Dropout masks, drawn many at a time.

`torch.bernoulli_` draws one by one on a CPU; here 64 random bits make four
decisions of 16 bits each, so a rate is kept to 1/65536.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_LEVELS = 1 << 16


class Masks:
    """A source of masks, seeded once a step from torch's generator.

    Args:
        device: where masks are needed.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        # Through torch's generator, so that a seed and a resumed checkpoint decide on the masks.
        seed = int(torch.randint(1 << 62, (1,)))
        if device.type == "cpu":
            self._bits = np.random.SFC64(seed)
        else:
            self._generator = torch.Generator(device).manual_seed(seed)

    def seed(self) -> int:
        """Return 64 random bits, for kernels that draw their own masks."""
        if self.device.type == "cpu":
            return int(self._bits.random_raw())
        return int(torch.randint(1 << 62, (1,)))

    def keep(self, shape: tuple[int, ...], rate: float) -> Tensor:
        """Return a bool mask, False with probability `rate`.

        Args:
            shape: of the mask.
            rate: 0 to 1.
        """
        threshold = round(rate * _LEVELS) - _LEVELS // 2
        if self.device.type != "cpu":
            draws = torch.randint(
                -_LEVELS // 2,
                _LEVELS // 2,
                shape,
                dtype=torch.int16,
                device=self.device,
                generator=self._generator,
            )
            return draws >= threshold
        count = int(np.prod(shape))
        raw = self._bits.random_raw(-(-count // 4)).view(np.int16)[:count]
        return torch.from_numpy(raw).view(shape) >= threshold


def drop(values: Tensor, keep: Tensor | None, rate: float) -> Tensor:
    """Return values with what is not kept set to 0 and the rest scaled by 1 / (1 - rate)."""
    if keep is None:
        return values
    return (values * keep).mul_(1.0 / (1.0 - rate))
