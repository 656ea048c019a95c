"""The samples that a model is pruned or judged by: one array, or one for each of several inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ArgumentError
from ..graph.value import Dims
from ..model import Model
from ..training.samples import at_sizes, read_features


@dataclass(frozen=True)
class Features:
    """Arrays (n, ...) float32, finite, n >= 1, by the names of a model's inputs."""

    arrays: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, part) -> Features:
        """The samples that part, a slice or indices, names."""
        return Features({name: array[part] for name, array in self.arrays.items()})

    @property
    def plain(self) -> np.ndarray | dict[str, np.ndarray]:
        """As train takes them: the array of one input, a dict of several."""
        return self.arrays if len(self.arrays) > 1 else next(iter(self.arrays.values()))

    def only(self, wanted_by: str) -> np.ndarray:
        """The array of the one input. ArgumentError where there are several."""
        if len(self.arrays) > 1:
            raise ArgumentError(f"{wanted_by} takes models with one input, got {list(self.arrays)}")
        return self.plain

    @property
    def dims(self) -> list[Dims]:
        """Of a value of each input, the batch first."""
        return [(None, *array.shape[1:]) for array in self.arrays.values()]


def as_model_features(model: Model, X) -> Features:
    """X as the model takes it: an array, or a dict of input name to array, where it has several."""
    values = at_sizes(model, X).input_values
    _, arrays = read_features(values, X, "X")
    return Features({value.name: array for value, array in zip(values, arrays, strict=True)})
