"""Which neurons and channels of a graph can only go together: labels that layers move, join and pin.

A label is the number of a unit: a row of a weight matrix, which is a neuron or a channel. Every value of a
sample has the label of the unit that it is of. Label 0 is what never goes. Labels are int64 arrays (dims of a
sample ..., 1); a dim that is known only when it runs counts as 1. Axes along which all is the same are
broadcast, so that an image costs no more than its channels.
"""

from __future__ import annotations

import numpy as np
import scipy

from .value import Dims


def shape_of(dims: Dims) -> tuple[int, ...]:
    """Of the labels of a value with these dims."""
    return (*(1 if dim is None else dim for dim in dims[1:]), 1)


def slim(array: np.ndarray) -> np.ndarray:
    """The array with one place along each axis along which it is broadcast."""
    return array[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in array.strides)]


def spread(first: np.ndarray, dims: Dims) -> np.ndarray:
    """first, which is along the first axis of a sample, over all of a value with these dims."""
    return np.broadcast_to(first.reshape(-1, *[1] * (len(dims) - 1)), shape_of(dims))


def along_first(array: np.ndarray) -> np.ndarray:
    """The array (first axis, all others together), none of these repeated for nothing."""
    part = slim(array)
    return np.broadcast_to(part, (array.shape[0], *part.shape[1:])).reshape(array.shape[0], -1)


class Coupling:
    """The labels of one model. Layers call it from Layer.follow."""

    def __init__(self):
        self._count = 1
        self._joined: list[np.ndarray] = []  # (2, pairs) each
        self._pinned: list[tuple[np.ndarray, str]] = []
        self.rows: dict[int, np.ndarray] = {}  # (out,) by the id of a layer
        self.columns: dict[int, np.ndarray] = {}  # of each feature or channel that it reads

    def rows_of(self, layer) -> np.ndarray:
        """The labels (out,) of a layer's rows: the same at each node where it stands."""
        if id(layer) not in self.rows:
            count = layer.shape[0]
            self.rows[id(layer)] = np.arange(self._count, self._count + count)
            self._count += count
        return self.rows[id(layer)]

    def read(self, layer, labels: np.ndarray) -> None:
        """Notes which units a layer reads; of a layer at several nodes those in the same place are joined."""
        self.join(self.columns.setdefault(id(layer), labels), labels)

    def join(self, a: np.ndarray, b: np.ndarray) -> None:
        """Makes the units of a and b, place by place, go together."""
        pairs = np.stack([part.reshape(-1) for part in np.broadcast_arrays(slim(a), slim(b))])
        pairs = pairs[:, pairs[0] != pairs[1]]
        if pairs.size:
            self._joined.append(np.unique(pairs, axis=1))

    def pin(self, labels: np.ndarray | None, why: str) -> None:
        """Makes those units stay; why: where they are, for messages. None, of a constant, has none."""
        if labels is not None:
            self._pinned.append((np.unique(slim(labels)), why))

    def of_channels(self, labels: np.ndarray) -> np.ndarray:
        """One label for each place along the first axis, (channels,); all of a channel go together."""
        by_channel = along_first(labels)
        self.join(by_channel, by_channel[:, :1])
        return by_channel[:, 0]

    def groups(self) -> tuple[np.ndarray, dict[int, str]]:
        """For each label the group that it goes with, 0 where that stays, and why by the label that is 0."""
        joined = np.concatenate([np.empty((2, 0), np.int64), *self._joined], axis=1)
        edges = scipy.sparse.coo_array(
            (np.ones(joined.shape[1], bool), (joined[0], joined[1])), shape=(self._count, self._count)
        )
        _, part = scipy.sparse.csgraph.connected_components(edges, directed=False)
        reasons: dict[int, str] = {}
        for labels, why in [*self._pinned, (np.zeros(1, np.int64), "that come in with an input")]:
            for own in np.unique(part[labels]).tolist():
                reasons.setdefault(own, why)
        stays = np.isin(part, list(reasons))
        groups = np.zeros(self._count, np.int64)
        free = np.flatnonzero(~stays)
        _, first, inverse = np.unique(part[free], return_index=True, return_inverse=True)
        order = np.argsort(np.argsort(first))  # groups are numbered in the order of their first labels
        groups[free] = order[inverse] + 1
        return groups, {label: reasons[part[label]] for label in np.flatnonzero(stays).tolist()}

    def settle(self, values: list[np.ndarray]) -> None:
        """Joins until what may go of a value is whole slices along one of its axes."""
        changed = True
        while changed:
            changed, (groups, _) = False, self.groups()
            for labels in values:
                own = groups[slim(labels)]
                varies = [axis for axis in range(own.ndim - 1) if (own != own.take([0], axis=axis)).any()]
                if len(varies) > 1:
                    axis = max(varies, key=lambda axis: (own.shape[axis], -axis))
                    self.of_channels(np.moveaxis(slim(labels), axis, 0))
                    changed = True
