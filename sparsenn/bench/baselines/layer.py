"""A layer as every runner receives it, the file that carries layers to a worker, and numpy helpers."""

import math
import time
from dataclasses import dataclass

import numpy as np

ACTIVATIONS = ("none", "relu", "tanh", "sigmoid")


@dataclass
class Layer:
    """y = activation(W x + b), W (out, in) float32, dense or CSR.

    weight   (out, in) float32, or None when the layer is CSR
    data     (nnz,) float32; indices (nnz,) int32; indptr (out + 1,) int32; None when the layer is dense
    bias     (out,) float32
    """

    shape: tuple[int, int]
    bias: np.ndarray
    activation: str = "none"
    weight: np.ndarray | None = None
    data: np.ndarray | None = None
    indices: np.ndarray | None = None
    indptr: np.ndarray | None = None

    @property
    def sparse(self) -> bool:
        return self.weight is None

    @property
    def nnz(self) -> int:
        return len(self.data) if self.sparse else math.prod(self.shape)

    def to_dense(self) -> np.ndarray:
        """W (out, in) float32 with its zeros."""
        if not self.sparse:
            return self.weight
        dense = np.zeros(self.shape, np.float32)
        dense[np.repeat(np.arange(self.shape[0]), np.diff(self.indptr)), self.indices] = self.data
        return dense

    def to_csr(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(data, indices, indptr); of a dense layer every weight is stored."""
        if self.sparse:
            return self.data, self.indices, self.indptr
        rows, cols = self.shape
        indptr = np.arange(rows + 1, dtype=np.int32) * cols
        return self.weight.reshape(-1), np.tile(np.arange(cols, dtype=np.int32), rows), indptr


def save_layers(path: str, layers: list[Layer], x: np.ndarray) -> None:
    """Writes layers and input to an .npz; load_layers reads it back."""
    arrays = {"x": x, "activations": np.array([layer.activation for layer in layers])}
    for number, layer in enumerate(layers):
        arrays[f"{number}.shape"] = np.array(layer.shape)
        for part in ("bias", "weight", "data", "indices", "indptr"):
            if getattr(layer, part) is not None:
                arrays[f"{number}.{part}"] = getattr(layer, part)
    np.savez(path, **arrays)


def load_layers(path: str) -> tuple[list[Layer], np.ndarray]:
    """-> layers, x (batch, inputs) float32."""
    layers = []
    with np.load(path) as arrays:
        for number, activation in enumerate(arrays["activations"]):
            parts = {
                part: arrays[f"{number}.{part}"]
                for part in ("bias", "weight", "data", "indices", "indptr")
                if f"{number}.{part}" in arrays
            }
            rows, cols = arrays[f"{number}.shape"]
            layers.append(Layer(shape=(int(rows), int(cols)), activation=str(activation), **parts))
        return layers, arrays["x"]


def activate(y: np.ndarray, activation: str) -> None:
    """Applies an activation in place."""
    if activation == "relu":
        np.maximum(y, 0, out=y)
    elif activation == "tanh":
        np.tanh(y, out=y)
    elif activation == "sigmoid":
        np.negative(y, out=y)
        np.exp(y, out=y)
        y += 1
        np.reciprocal(y, out=y)
    elif activation != "none":
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")


def batch_of(inputs: dict[str, np.ndarray]) -> int:
    """Samples of arrays (batch, ...) by name."""
    return len(next(iter(inputs.values())))


def columns(x: np.ndarray) -> np.ndarray:
    """x (batch, features) as a contiguous (features, batch) array."""
    return np.ascontiguousarray(x.T)


def quickest(call, seconds: float = 0.05) -> float:
    """Seconds of the quickest of the calls that fit into that time, after one that does not count."""
    best, end = math.inf, time.perf_counter() + seconds
    call()
    while True:
        start = time.perf_counter()
        call()
        now = time.perf_counter()
        best = min(best, now - start)
        if now > end:
            return best


def fastest(candidates: list):
    """The candidate (a callable without arguments) whose quickest call took least."""
    return min(candidates, key=quickest)
