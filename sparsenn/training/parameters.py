"""Parameters: the arrays that training moves, each with its gradient and optimizer state."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .. import _core
from .optim import Optimizer


@dataclass
class Parameter:
    """An array being trained.

    values    any shape, float32: the model's own array; of a sparse layer the stored values (nnz,)
    gradient  the same shape
    flat, flat_gradient   views (size,) of both
    state     the optimizer's arrays by name, (size,) each
    rows      (rows + 1,) where each neuron's weights begin in the flat values; None for a bias
    operator  the kernels that hold a copy of a sparse layer's values; None elsewhere
    """

    name: str
    values: np.ndarray
    is_weight: bool
    rows: np.ndarray | None = None
    operator: _core.Sparse | None = None
    gradient: np.ndarray = field(init=False)
    flat: np.ndarray = field(init=False)
    flat_gradient: np.ndarray = field(init=False)
    state: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self):
        self.gradient = np.zeros_like(self.values)
        self.flat, self.flat_gradient = self.values.reshape(-1), self.gradient.reshape(-1)

    def apply(self, update: _core.Update, optimizer: Optimizer, threads: int) -> None:
        """One step with those constants; the kernels' copy follows in the same pass."""
        slots = [self.state[slot] for slot in optimizer.slots]
        if self.operator is not None:
            self.operator.update(update, self.flat, self.flat_gradient, *slots)
        else:
            _core.update_values(update, self.flat, self.flat_gradient, *slots, threads=threads)

    def refresh(self, values: np.ndarray | None = None) -> None:
        """Hands the kernels the present values, or other ones (size,) for the time being."""
        if self.operator is not None:
            self.operator.set(self.flat if values is None else values)
