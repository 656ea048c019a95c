"""A tensor of Keras, whose channels come last, as data whose channels come first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._data import At, Data
from ._moves import flattened, permuted, reshaped

TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@dataclass(frozen=True)
class Tensor:
    """data holds the values of the tensor.

    moved  its channels come first where those of the tensor come last
    image  (channels, height, width) of an image that was flattened: the features are in that order, and
           those of the tensor in the order (height, width, channels); None: they are as they were
    """

    data: Data
    moved: bool = False
    image: tuple[int, int, int] | None = None

    def plain(self, at: At) -> Data:
        """The data as the tensor has them."""
        if self.moved:
            return permuted(self.data, TO_LAST, at)
        if self.image is None:
            return self.data
        again = reshaped(self.data, (self.data.batch, *self.image), at)
        return flattened(permuted(again, TO_LAST, at), 1, -1, at)

    def channels_first(self, data_format: str, at: At) -> Data:
        """The images, channels first; data_format: where the tensor has them."""
        if data_format == "channels_first":
            return self.plain(at)
        if self.data.rank != 4:
            raise at.fail(f"take (batch, height, width, channels), got {self.data}")
        return self.data if self.moved else permuted(self.data, TO_FIRST, at)

    def like(self, data: Data) -> Tensor:
        """What was made of this tensor value by value."""
        return Tensor(data, self.moved, self.image)

    def ordered(self, values: np.ndarray) -> np.ndarray:
        """values (features, ...) of the tensor in the order of the data."""
        if self.image is None:
            return values
        count = int(np.prod(self.image))
        moved = np.empty_like(values)
        moved[np.arange(count).reshape(self.image).transpose(1, 2, 0).reshape(-1)] = values
        return moved


def image_tensor(data: Data, data_format: str) -> Tensor:
    """Of images, channels first; data_format: where the tensor has them."""
    return Tensor(data, moved=data_format == "channels_last" and data.rank == 4)


def flat(tensor: Tensor, data_format: str, at: At) -> Tensor:
    """The tensor as (batch, features), as Flatten makes it."""
    data = tensor.data
    if data.rank == 2:
        return tensor
    if data_format == "channels_first":  # moves them behind the others first
        plain = tensor.plain(at)
        moved = (0, *range(2, plain.rank), 1)
        return Tensor(flattened(permuted(plain, moved, at), 1, -1, at))
    if not tensor.moved:
        return Tensor(flattened(data, 1, -1, at))
    image = None if data.sizes[1:] == (1, 1) else data.sizes
    return Tensor(flattened(data, 1, -1, at), image=image)
