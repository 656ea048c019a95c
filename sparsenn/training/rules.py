"""What may happen to gradients and weights in a step, beside the optimizer and the penalties."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..checks import check_integer, check_real
from ..errors import ArgumentError
from ..limits import check_range


@dataclass(frozen=True)
class Rules:
    """Clips, dropped weights and projections of a run; None: off.

    weight_drop          share in [0, 1) of each layer's weights that are zero during a step, drawn anew in
                         each; the others are scaled up by 1 / (1 - weight_drop), so that sums keep their
                         mean (DropConnect, Wan et al. 2013). Evaluation uses all weights.
    clip_norm            the gradient of all parameters together is scaled down to this norm
    clip_parameter_norm  the same for each parameter by itself
    clip_value           each element of a gradient is cut to [-clip_value, clip_value]
    clip_update          (limit, threshold): where |gradient| > threshold, a weight moves by limit at most
    weight_range         (low, high): weights and biases are put back into it after each step
    truncate             of recurrent layers: the steps of a sequence are cut into windows of so many, and
                         gradients go back to the beginning of their window alone, while states go on
                         (Williams and Peng 1990); None: through all steps
    """

    weight_drop: float = 0.0
    clip_norm: float | None = None
    clip_parameter_norm: float | None = None
    clip_value: float | None = None
    clip_update: Sequence[float] | None = None
    weight_range: Sequence[float] | None = None
    truncate: int | None = None

    def __post_init__(self):
        check_real("weight_drop", self.weight_drop, below=1.0)
        for name in ("clip_norm", "clip_parameter_norm", "clip_value"):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), open_minimum=True)
        if self.clip_update is not None:
            if not isinstance(self.clip_update, (tuple, list)) or len(self.clip_update) != 2:
                raise TypeError(f"clip_update must be a pair (limit, threshold), got {self.clip_update!r}")
            check_real("clip_update limit", self.clip_update[0], open_minimum=True)
            check_real("clip_update threshold", self.clip_update[1])
        check_range("weight_range", self.weight_range)
        if self.truncate is not None:
            check_integer("truncate", self.truncate, minimum=1)

    def to_dict(self) -> dict:
        """As plain data; truncate, which came later, where it is set."""
        plain = asdict(self)
        if self.truncate is None:
            del plain["truncate"]
        return plain

    def options(self) -> dict:
        """The keyword arguments of a _core.Update."""
        options = {}
        if self.clip_value is not None:
            options["gradient_limit"] = self.clip_value
        if self.clip_update is not None:
            options["move_limit"], options["move_threshold"] = self.clip_update
        if self.weight_range is not None:
            options["low"], options["high"] = self.weight_range
        return options

    def gradient_scales(self, gradients: list[np.ndarray]) -> list[float]:
        """What each gradient is multiplied by: first its own norm is limited, then that of all of them."""
        scales = [1.0] * len(gradients)
        if self.clip_norm is None and self.clip_parameter_norm is None:
            return scales
        norms = [math.sqrt(float(np.square(g, dtype=np.float64).sum())) for g in gradients]
        if self.clip_parameter_norm is not None:
            scales = [min(1.0, self.clip_parameter_norm / norm) if norm else 1.0 for norm in norms]
        if self.clip_norm is not None:
            total = math.hypot(*(norm * scale for norm, scale in zip(norms, scales, strict=True)))
            factor = min(1.0, self.clip_norm / total) if total else 1.0
            scales = [scale * factor for scale in scales]
        return scales

    def draw_mask(self, size: int, generator: np.random.Generator) -> np.ndarray:
        """(size,) float32: 0 for a dropped weight, 1 / (1 - weight_drop) for the others."""
        kept = generator.random(size, dtype=np.float32) >= np.float32(self.weight_drop)
        return kept * np.float32(1 / (1 - self.weight_drop))

    def within(self, weight_range: tuple[float, float] | None) -> Rules:
        """These rules, with weight_range inside the one given (a Limits'), which is the default."""
        if weight_range is None:
            return self
        own = self.weight_range or weight_range
        if own[0] < weight_range[0] or own[1] > weight_range[1]:
            raise ArgumentError(f"weight_range must be within the limits {weight_range}, got {tuple(own)}")
        return Rules(**{**self.__dict__, "weight_range": tuple(own)})
