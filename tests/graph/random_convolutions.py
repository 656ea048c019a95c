"""Random convolutions, transposed ones and pools: ONNX networks of one, with their values in float64 numpy.

A case of a seed is the same everywhere. Images or lines, any window, groups, depthwise with a multiplier,
sparse weights, channels first, or last between two transpositions. Needs onnx.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

EPS = float(np.finfo(np.float32).eps)
OPS = ("Conv",) * 5 + ("ConvTranspose",) * 2 + ("MaxPool", "AveragePool")
SPARSITIES = (0, 0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98)


class RandomCase:
    """op, x (17, channels, ...) float32 as the network takes it, weight, bias and the window.

    kernel, stride, dilation, before, behind, more (of ConvTranspose) have one number a dimension
    """

    def __init__(self, seed: int):
        self.rng = rng = np.random.default_rng(seed)
        self.op = str(rng.choice(OPS))
        self.last = bool(rng.random() < 0.2)
        self.dimensions = 1 if rng.random() < 0.3 else 2
        self.pool = self.op.endswith("Pool")
        self.ceil = self.pool and bool(rng.random() < 0.5)
        self.counted = bool(rng.random() < 0.5)
        self.weight = self.bias = None
        self._channels()
        while not self._window():
            pass
        if not self.pool:
            self._weights()
        self.x = rng.standard_normal((17, self.channels, *self.sizes), dtype=np.float32)

    def _channels(self) -> None:
        rng, kind = self.rng, self.rng.integers(4)
        self.groups, inside, made = 1, int(rng.integers(1, 40)), int(rng.integers(1, 40))
        if kind == 1:  # depthwise
            self.groups, inside, made = int(rng.integers(1, 24)), 1, int(rng.choice([1, 1, 2, 3]))
        elif kind == 2:
            self.groups, inside, made = (int(rng.integers(*ends)) for ends in ((2, 5), (1, 8), (1, 8)))
        self.inside, self.made = inside, made
        self.channels, self.outputs = self.groups * inside, self.groups * made

    def _window(self) -> bool:
        """Whether it fits."""
        rng, n = self.rng, self.dimensions
        most = 10 if n == 1 else 6
        self.kernel = rng.integers(1, most, n)
        self.stride = rng.integers(1, 5, n) if rng.random() < 0.5 else np.ones(n, int)
        self.dilation = rng.integers(1, 4, n) if rng.random() < 0.3 else np.ones(n, int)
        self.sizes = tuple(int(size) for size in rng.integers(1, 60 if n == 1 else 14, n))
        kind = rng.integers(3)
        self.before = rng.integers(0, most, n) if kind else np.zeros(n, int)
        self.behind = self.before if kind == 1 else rng.integers(0, most, n) if kind else np.zeros(n, int)
        self.more = np.zeros(n, int)
        reach = self.dilation * (self.kernel - 1) + 1
        if self.op == "ConvTranspose":
            self.more = np.array([rng.integers(0, s) for s in self.stride])
            whole = (np.array(self.sizes) - 1) * self.stride + reach + self.more
            return bool((whole > self.before + self.behind).all())
        if self.pool:
            self.before, self.behind = (
                np.minimum(part, (self.kernel - 1) // 2) for part in (self.before, self.behind)
            )
        return bool((np.array(self.sizes) + self.before + self.behind >= reach).all())

    def _weights(self) -> None:
        rng = self.rng
        shape = (self.channels, self.made) if self.op == "ConvTranspose" else (self.outputs, self.inside)
        self.weight = rng.standard_normal((*shape, *self.kernel), dtype=np.float32)
        self.weight[rng.random(self.weight.shape) < rng.choice(SPARSITIES)] = 0
        self.bias = rng.standard_normal(self.outputs, dtype=np.float32) if rng.random() < 0.7 else None

    def proto(self, *front) -> onnx.ModelProto:
        """The network x -> y; front: weight and bias of a 1 x 1 convolution before it, y then being flat."""
        n = self.dimensions
        arrays = {"weight": self.weight, "bias": self.bias, "front": None, "shift": None}
        if front:
            arrays |= {"front": front[0].reshape(*front[0].shape, *[1] * n), "shift": front[1]}
        nodes, at = [], "x"
        channels = front[0].shape[1] if front else self.channels
        sizes = (*self.sizes, channels) if self.last else (channels, *self.sizes)
        for name, part in (
            ("in", self.last),
            ("at front", front),
            ("own", True),
            ("out", self.last),
            ("flat", front),
        ):
            if not part:
                continue
            nodes.append(self._node(name, at))
            at = name
        nodes.append(helper.make_node("Identity", [at], ["y"]))
        rank = 2 if front else n + 2
        graph = helper.make_graph(
            nodes, "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *sizes])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)],
            [numpy_helper.from_array(array, name) for name, array in arrays.items() if array is not None],
        )  # fmt: skip
        opset = helper.make_opsetid("", 19)
        return helper.make_model(graph, opset_imports=[opset], ir_version=9)

    def _node(self, name: str, at: str):
        behind = range(1, self.dimensions + 1)
        if name in ("in", "out"):
            order = [0, self.dimensions + 1, *behind] if name == "in" else [0, *(i + 1 for i in behind), 1]
            return helper.make_node("Transpose", [at], [name], perm=order)
        if name == "at front":
            return helper.make_node("Conv", [at, "front", "shift"], [name])
        if name == "flat":
            return helper.make_node("Flatten", [at], [name])
        inputs = [at, *(n for n in ("weight", "bias") if getattr(self, n) is not None)]
        return helper.make_node(self.op, inputs, [name], **self._attributes())

    def _attributes(self) -> dict:
        given = {
            "kernel_shape": self.kernel.tolist(),
            "strides": self.stride.tolist(),
            "dilations": self.dilation.tolist(),
            "pads": [*self.before.tolist(), *self.behind.tolist()],
        }
        if self.op == "ConvTranspose":
            given["output_padding"] = self.more.tolist()
        if self.pool:
            given["ceil_mode"] = int(self.ceil)
            return given | ({"count_include_pad": int(self.counted)} if self.op == "AveragePool" else {})
        return given | {"group": self.groups}

    @property
    def given(self) -> np.ndarray:
        """x as the network takes it."""
        return np.moveaxis(self.x, 1, -1).copy() if self.last else self.x

    def exact(self) -> tuple[np.ndarray, np.ndarray]:
        """y in float64, and how far any float32 pass may be from it, as the network gives them.

        A sum of k products rounds by at most (k + 2) eps of their magnitudes, whatever its order.
        """
        x = self.x.astype(np.float64)
        if self.pool:
            y, bound = self._pooled(x)
        else:
            weight = self.weight.astype(np.float64)
            bias = np.zeros(self.outputs) if self.bias is None else self.bias.astype(np.float64)
            bias = bias.reshape(-1, *[1] * self.dimensions)
            apply = self._transposed if self.op == "ConvTranspose" else self._convolved
            y = apply(x, weight) + bias
            axis = 1 if self.op == "ConvTranspose" else 0
            terms = np.count_nonzero(
                weight.reshape(weight.shape[0], weight.shape[1], -1), axis=(1 - axis, 2)
            ).max(initial=0)
            bound = (terms + 2) * EPS * (apply(abs(x), abs(weight)) + abs(bias))
        return tuple(np.moveaxis(part, 1, -1) if self.last else part for part in (y, bound))

    def _places(self, sizes, count):
        """For each place of the window, its index, and what it meets of the padded sizes."""
        for place in product(*map(range, self.kernel)):
            starts = np.array(place) * self.dilation
            yield (
                place,
                (
                    ...,
                    *(
                        slice(s, s + (c - 1) * step + 1, step)
                        for s, c, step in zip(starts, count, self.stride, strict=True)
                    ),
                ),
            )

    def _padded(self, x, value=0.0, extra=None):
        extra = np.zeros(self.dimensions, int) if extra is None else extra
        pads = [(0, 0), (0, 0), *zip(self.before, self.behind + extra, strict=True)]
        return np.pad(x, pads, constant_values=value)

    def _convolved(self, x, weight):
        x = self._padded(x)
        count = (np.array(x.shape[2:]) - self.dilation * (self.kernel - 1) - 1) // self.stride + 1
        x = x.reshape(len(x), self.groups, self.inside, *x.shape[2:])
        weight = weight.reshape(self.groups, self.made, self.inside, *self.kernel)
        y = sum(
            np.einsum("goi,bgi...->bgo...", weight[(..., *place)], x[at])
            for place, at in self._places(x, count)
        )
        return y.reshape(len(x), self.outputs, *count)

    def _transposed(self, x, weight):
        count = np.array(self.sizes)
        whole = (count - 1) * self.stride + self.dilation * (self.kernel - 1) + 1 + self.more
        y = np.zeros((len(x), self.groups, self.made, *whole))
        x = x.reshape(len(x), self.groups, self.inside, *self.sizes)
        weight = weight.reshape(self.groups, self.inside, self.made, *self.kernel)
        for place, at in self._places(whole, count):
            y[at] += np.einsum("gio,bgi...->bgo...", weight[(..., *place)], x)
        y = y.reshape(len(x), self.outputs, *whole)
        return y[
            (..., *(slice(a, size - b) for a, b, size in zip(self.before, self.behind, whole, strict=True)))
        ]

    def _pooled(self, x):
        """Rounded up, a last window that begins before the end may reach over it, where nothing counts."""
        room = np.array(x.shape[2:]) + self.before + self.behind - self.dilation * (self.kernel - 1) - 1
        count = (-(-room // self.stride) if self.ceil else room // self.stride) + 1
        begins = (count - 1) * self.stride
        count -= self.ceil & (begins >= np.array(x.shape[2:]) + self.before)
        over = np.maximum((count - 1) * self.stride - room, 0)
        if self.op == "MaxPool":
            padded = self._padded(x, -np.inf, over)
            y = np.max([padded[at] for _, at in self._places(x, count)], axis=0)
            return y, 0 * y
        parts = [self._padded(part, 0.0, over) for part in (x, abs(x))]
        ones = np.ones_like(x)
        share = np.pad(self._padded(ones, float(self.counted)), [(0, 0), (0, 0), *((0, n) for n in over)])
        total, size, terms = (sum(part[at] for _, at in self._places(x, count)) for part in (*parts, share))
        return total / terms, (np.prod(self.kernel) + 2) * EPS * size / terms


def torch_module(case: RandomCase):
    """The case with channels first as a module of torch, padding in front where torch pads both ends alike.

    None where torch has none such.
    """
    import torch
    from torch import nn

    n, parts = case.dimensions, []
    window = {"kernel_size": tuple(case.kernel.tolist()), "stride": tuple(case.stride.tolist())}
    padding, even = case.before.tolist(), (case.before == case.behind).all()
    if case.op == "AveragePool" and (case.dilation > 1).any():
        return None
    if not even:
        if case.op == "ConvTranspose" or (case.pool and (case.ceil or not case.counted)):
            return None
        pads = [int(p) for ends in zip(case.before[::-1], case.behind[::-1], strict=True) for p in ends]
        parts = [getattr(nn, f"ConstantPad{n}d")(pads, -np.inf if case.op == "MaxPool" else 0.0)]
        padding = [0] * n
    if case.op != "AveragePool":
        window["dilation"] = tuple(case.dilation.tolist())
    if case.pool:
        window["ceil_mode"] = case.ceil
        if case.op == "AveragePool":
            window["count_include_pad"] = case.counted
        name = "MaxPool" if case.op == "MaxPool" else "AvgPool"
        return nn.Sequential(*parts, getattr(nn, f"{name}{n}d")(**window, padding=padding))
    window |= {"groups": case.groups, "bias": case.bias is not None, "padding": tuple(padding)}
    if case.op == "ConvTranspose":
        window["output_padding"] = tuple(case.more.tolist())
    module = getattr(nn, f"{case.op}{n}d")(case.channels, case.outputs, **window)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(case.weight))
        if case.bias is not None:
            module.bias.copy_(torch.from_numpy(case.bias))
    return nn.Sequential(*parts, module)
