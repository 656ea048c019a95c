"""Two-dimensional convolution, dense or CSR."""

from __future__ import annotations

import math

import numpy as np
import scipy

from ..checks import check_integer
from ..errors import ArgumentError
from ..graph.coupling import Coupling
from ..graph.node import Node
from ..graph.value import Dims
from .matrix import Matrix
from .window import INTEGERS, Window


class Conv2d(Matrix):
    """Cross-correlation of (batch, channels, height, width) with W, as torch.nn.Conv2d computes it.

    weight       (out, channels / groups, kernel height, kernel width); or, with kernel_size, the matrix
                 (out, channels * kernel height * kernel width), an ndarray or any scipy sparse matrix
    bias         (out,) or None
    kernel_size, stride, dilation   a number or (height, width)
    padding      of zeros: a number, (height, width) or (top, left, bottom, right); or
                 "same_upper", "same_lower": for ceil(size / stride) places, the odd one behind or in front

    The weight is kept as that matrix over all channels, its columns in the order (channel, row, column) of
    the window; what lies outside of a group is not stored. A weight that is 0 reads nothing. Raises
    TypeError, ValueError and CSRError as Linear does.
    """

    op, integers = "conv2d", INTEGERS

    def __init__(self, weight, bias=None, *, kernel_size=None, stride=1, padding=0, dilation=1, groups=1):
        groups = check_integer("groups", groups, minimum=1)
        if kernel_size is None:
            weight, kernel_size = _matrix_of(np.asarray(weight), groups)
        elif groups != 1:
            raise ArgumentError(f"groups must be 1 for a weight that is a matrix, got {groups}")
        self.window = Window.of(kernel_size, stride=stride, padding=padding, dilation=dilation)
        super().__init__(weight, bias)
        places = self.window.kernel_h * self.window.kernel_w
        if self.shape[1] % places:
            raise ArgumentError(
                f"weight must have {places} columns a channel, those of its kernel, got {self.shape[1]}"
            )

    @property
    def channels(self) -> int:
        """That go in."""
        return self.shape[1] // (self.window.kernel_h * self.window.kernel_w)

    @property
    def integer_values(self) -> dict[str, int]:
        return self.window.numbers

    @classmethod
    def of_window(cls, weight, bias, window: Window) -> Conv2d:
        """Of a weight matrix."""
        return cls(
            weight,
            bias,
            kernel_size=window.kernel,
            stride=window.stride,
            padding=window.given_padding,
            dilation=window.dilation,
        )

    def with_weight(self, weight, bias) -> Conv2d:
        return Conv2d.of_window(weight, bias, self.window)

    @property
    def dense_kernel(self) -> np.ndarray:
        """A copy of the weight as (out, channels, kernel height, kernel width), zeros filled in."""
        weight = self._weight.toarray() if self.sparse else self._weight.copy()
        return weight.reshape(self.shape[0], self.channels, *self.window.kernel)

    @property
    def groups(self) -> int:
        """The most equal parts of channels and outputs between which no weight other than zero stands."""
        outputs = self.shape[0]
        row, column = scipy.sparse.coo_array(self._weight != 0).coords
        channel = column // (self.window.kernel_h * self.window.kernel_w)
        most = math.gcd(outputs, self.channels)
        for groups in (g for g in range(most, 0, -1) if most % g == 0):
            if (row // (outputs // groups) == channel // (self.channels // groups)).all():
                return groups
        return 1

    @property
    def group_kernel(self) -> np.ndarray:
        """The same as (out, channels / groups, kernel height, kernel width): what other frameworks take."""
        groups, (outputs, channels) = self.groups, (self.shape[0], self.channels)
        parts = self.dense_kernel.reshape(
            groups, outputs // groups, groups, channels // groups, *self.window.kernel
        )
        each = np.arange(groups)
        return parts[each, :, each].reshape(outputs, channels // groups, *self.window.kernel)

    def sized(self, dims: Dims) -> Conv2d:
        if self.window.rule is None or None in dims[2:]:
            return self
        return Conv2d.of_window(self.weight, self.bias, self.window.on(*dims[2:]))

    def infer(self, dims: Dims) -> Dims:
        made = self.window.infer("Conv2d", dims, self.shape[0])
        if dims[1] != self.channels:
            raise ArgumentError(
                f"operand of a Conv2d with a weight for {self.channels} channels must have them, got {dims}"
            )
        return made

    def columns(self, z: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        """What the windows hold, (in, positions * batch), and (out height, out width, batch)."""
        window = self.window.on(*z.shape[1:3])
        places = np.stack(window.places(window.padded(z)), axis=1)
        return places.reshape(self.shape[1], -1), places.shape[2:]

    def value(self, z: np.ndarray) -> np.ndarray:
        """z (channels, height, width, batch)."""
        columns, shape = self.columns(z)
        return self._product(columns).reshape(self.shape[0], *shape)

    def bound(self, z: np.ndarray, a: np.ndarray, bound: np.ndarray) -> np.ndarray:
        return self._product_bound(self.columns(z)[0], self.columns(bound)[0]).reshape(a.shape)

    def gradient(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """W transposed times da, added up where windows overlap."""
        made = self._weight.T.astype(da.dtype) @ da.reshape(self.shape[0], -1)
        made = made.reshape(self.channels, -1, *da.shape[1:])
        window = self.window.on(*z.shape[1:3])
        padded = window.padded(np.zeros_like(z))
        for place, part in enumerate(window.places(padded)):
            part += made[:, place]
        return window.cropped(padded)

    def depends(self, mask: np.ndarray) -> np.ndarray:
        """Positions of which a window with a weight other than zero holds one of those; mask as z."""
        columns, shape = self.columns(mask.astype(np.float32))
        used = scipy.sparse.csr_array(self._weight != 0).astype(np.float32) @ columns
        return (used > 0).reshape(self.shape[0], *shape)

    @property
    def kernel(self) -> tuple[int, int]:
        return self.window.kernel

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Told by the weights: channels that a row reads are in one part, with that row."""
        rows, places = self.shape[0], self.columns_per_unit
        first = self._weight[0] if not self.sparse else self._weight[[0]].toarray()[0]
        if (first.reshape(-1, places) != 0).any(axis=1).all():
            return super().parts
        at_row, at_column = scipy.sparse.coo_array(self._weight != 0).coords
        count = rows + self.channels
        edges = scipy.sparse.coo_array(
            (np.ones(at_row.size, bool), (at_row, rows + at_column // places)), shape=(count, count)
        )
        _, part = scipy.sparse.csgraph.connected_components(edges, directed=False)
        return part[:rows], part[rows:]

    def follow(self, coupling: Coupling, node: Node, labels: np.ndarray) -> np.ndarray:
        """Of a depthwise convolution a row goes with the channel that it reads."""
        rows, channels = self.parts
        if self.channels > 1 and np.bincount(channels).max() == 1:
            channel_of = np.full(max(rows.max(), channels.max()) + 1, -1)
            channel_of[channels] = np.arange(self.channels)
            reads = channel_of[rows] >= 0
            read = coupling.of_channels(labels)[channel_of[rows[reads]]]
            coupling.join(coupling.rows_of(self)[reads], read)
        return super().follow(coupling, node, labels)

    def known_inputs(self, z: np.ndarray) -> np.ndarray:
        """With padding, 0 alone is the same everywhere."""
        known = super().known_inputs(z)
        return np.where(known == 0, 0.0, np.nan) if any(self.window.padding) else known

    def __repr__(self) -> str:
        return f"Conv2d({self.channels} -> {self.shape[0]}, {self.window}, {self._kind()})"


def _matrix_of(weight: np.ndarray, groups: int) -> tuple:
    """A weight (out, channels / groups, kh, kw) as a matrix over all channels, and (kh, kw)."""
    if weight.ndim != 4 or 0 in weight.shape:
        raise ArgumentError(
            f"weight must have shape (out, channels, height, width), or a kernel_size, got {weight.shape}"
        )
    outputs = weight.shape[0]
    if outputs % groups:
        raise ArgumentError(f"groups must divide the {outputs} output channels, got {groups}")
    matrix = weight.reshape(outputs, -1)
    if groups == 1:
        return matrix, weight.shape[2:]
    blocks = [scipy.sparse.csr_array(block) for block in np.split(matrix, groups)]
    return scipy.sparse.block_diag(blocks, format="csr"), weight.shape[2:]
