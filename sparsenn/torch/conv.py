"""SparseConv2d: nn.Conv2d with its weight in CSR."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ..checks import check_integer
from ..errors import ArgumentError
from ..layers.window import Window, pair
from .conv_product import ConvProduct
from .layer import SparseLayer, check_dense
from .reading import read_bias, read_weight
from .script import ScriptConv2d

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class SparseConv2d(SparseLayer):
    """nn.Conv2d with a CSR weight; forward and gradients cost what the stored weights cost at each position.

    data, indices, indptr, bias  as in SparseLinear; the matrix is (out, channels / groups * kernel height *
                                 kernel width), the weight of nn.Conv2d with a row for each output channel

    The input is (batch, channels, height, width) or (channels, height, width), float32 on the CPU, or of
    lower precision under autocast. A SparseConv2d takes the place of an nn.Conv2d as a SparseLinear
    does that of an nn.Linear. Kernels are packed for each size of images that comes, the last few are kept.
    Padding other than with zeros is done by torch. Made from a scipy matrix, or by from_dense.
    """

    dense_type = nn.Conv2d

    def __init__(
        self,
        weight,
        bias=None,
        *,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups: int = 1,
        padding_mode: str = "zeros",
        threads: int | None = None,
    ):
        """weight: (out, channels / groups * kernel height * kernel width) scipy sparse matrix; bias: (out,)
        array or None. Both are copied. The others are those of nn.Conv2d; threads None: as many as there are.

        CSRError when weight is no valid CSR matrix.
        """
        super().__init__(weight, bias, threads)
        self.kernel_size, self.stride = pair("kernel_size", kernel_size), pair("stride", stride)
        self.dilation, self.groups = pair("dilation", dilation), check_integer("groups", groups, minimum=1)
        places = self.kernel_size[0] * self.kernel_size[1]
        if self._shape[1] % places:
            raise ArgumentError(
                f"weight must have {places} columns a channel, those of its kernel, got {self._shape[1]}"
            )
        self.out_channels, self.in_channels = self._shape[0], self._shape[1] // places * self.groups
        if self.out_channels % self.groups:
            raise ArgumentError(f"groups must divide {self.out_channels} outputs, got {self.groups}")
        if padding_mode not in PADDING_MODES:
            raise ArgumentError(f"padding_mode must be one of {PADDING_MODES}, got {padding_mode!r}")
        self.padding = padding if isinstance(padding, str) else pair("padding", padding, minimum=0)
        self.padding_mode = padding_mode
        top, left, bottom, right = self._border()
        self._pads = (left, right, top, bottom)  # as functional.pad takes them
        self._pad_mode = "constant" if padding_mode == "zeros" else padding_mode
        inside = (top, left, bottom, right) if padding_mode == "zeros" else 0
        sizes = {"stride": self.stride, "padding": inside, "dilation": self.dilation}
        self._window = Window.of(self.kernel_size, **sizes)

    @classmethod
    def from_dense(
        cls, conv: nn.Conv2d, *, sparsity: float | None = None, threads: int | None = None
    ) -> SparseConv2d:
        """A SparseConv2d with a copy of the weights of conv; sparsity and hooks as in SparseLinear."""
        check_dense(conv, nn.Conv2d, "conv")
        names = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        options = {name: getattr(conv, name) for name in names}
        layer = cls(read_weight(conv, sparsity), read_bias(conv), **options, threads=threads)
        return layer._as_trained_in(conv)

    def to_dense(self) -> nn.Conv2d:
        """An nn.Conv2d with a copy of the weights, trained or frozen as they are here."""
        options = {"dtype": self.data.dtype, "device": self.data.device, "bias": self.bias is not None}
        options |= {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        options |= {"groups": self.groups, "padding_mode": self.padding_mode}
        sizes = (self.in_channels, self.out_channels, self.kernel_size)
        return self._fill(nn.utils.skip_init(nn.Conv2d, *sizes, **options))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """input (batch, channels, height, width) -> (batch, out, height, width); also without a batch.

        channels_last where input is that. Types and errors as SparseLinear has them.
        """
        return self._call(input)

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        )
        plain = {"padding": (0, 0), "dilation": (1, 1), "groups": 1, "padding_mode": "zeros"}
        text += "".join(
            f", {n}={getattr(self, n)!r}" for n, value in plain.items() if getattr(self, n) != value
        )
        return f"{text}, bias={self.bias is not None}, sparsity={self.sparsity:.4f}"

    @property
    def _dense_shape(self) -> tuple[int, int, int, int]:
        return self.out_channels, self.in_channels // self.groups, *self.kernel_size

    def _border(self) -> tuple[int, int, int, int]:
        """The padding: (top, left, bottom, right)."""
        if not isinstance(self.padding, str):
            return self.padding * 2
        if self.padding not in ("same", "valid"):
            raise ArgumentError(f"padding must be numbers, 'same' or 'valid', got {self.padding!r}")
        if self.padding == "valid":
            return (0,) * 4
        if self.stride != (1, 1):
            raise ArgumentError(f"stride must be 1 where padding is 'same', got {self.stride}")
        room = [step * (size - 1) for step, size in zip(self.dilation, self.kernel_size, strict=True)]
        before = [size // 2 for size in room]
        return *before, *(size - own for size, own in zip(room, before, strict=True))

    def _plain(self, x: torch.Tensor) -> torch.Tensor:
        how = (self.dilation, self.groups)
        left, right, top, bottom = self._pads
        if self._pad_mode == "constant" and (top, left) == (bottom, right):
            return functional.conv2d(x, self._dense_weight(), self.bias, self.stride, (top, left), *how)
        x = functional.pad(x, self._pads, self._pad_mode)
        return functional.conv2d(x, self._dense_weight(), self.bias, self.stride, 0, *how)

    def _multiply(self, x: torch.Tensor) -> torch.Tensor:
        if x.dim() not in (3, 4) or x.shape[-3] != self.in_channels:
            wanted = f"(batch, {self.in_channels}, height, width)"
            raise ArgumentError(f"input must have shape {wanted}, also without batch, got {tuple(x.shape)}")
        if x.dim() == 3:
            return self._multiply(x.unsqueeze(0)).squeeze(0)
        if min(x.shape[2:]) < 1:
            raise ArgumentError(f"input must have height and width from 1 on, got {tuple(x.shape)}")
        if self._pad_mode != "constant":
            x = functional.pad(x, self._pads, self._pad_mode)
        self._window.infer("SparseConv2d", (None, *x.shape[1:]))
        return self._product(x, ConvProduct, self._shape, self._window, self.groups, tuple(x.shape[1:]))

    def _script(self) -> nn.Module:
        return ScriptConv2d(self)
