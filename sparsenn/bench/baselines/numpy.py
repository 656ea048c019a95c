"""numpy: dense weights, BLAS matrix products. The faster of rows x W^T and W x columns is taken."""

import numpy as np

from .layer import activate, columns, fastest


class Runner:
    modules = ("numpy",)

    def available(self) -> tuple[bool, str]:
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        batch = len(x)
        self.activations = [layer.activation for layer in layers]
        dense = [layer.to_dense() for layer in layers]
        self.row_input, self.column_input = x, columns(x)
        self.row_weights = [columns(weight) for weight in dense]
        self.column_weights = dense
        self.biases = [layer.bias for layer in layers]
        self.row_outputs = [np.empty((batch, layer.shape[0]), np.float32) for layer in layers]
        self.column_outputs = [np.empty((layer.shape[0], batch), np.float32) for layer in layers]
        self.run = fastest([self.run_rows, self.run_columns])

    def run_rows(self) -> None:
        value = self.row_input
        for weight, bias, y, activation in zip(
            self.row_weights, self.biases, self.row_outputs, self.activations, strict=True
        ):
            np.matmul(value, weight, out=y)
            y += bias
            activate(y, activation)
            value = y

    def run_columns(self) -> None:
        value = self.column_input
        for weight, bias, y, activation in zip(
            self.column_weights, self.biases, self.column_outputs, self.activations, strict=True
        ):
            np.matmul(weight, value, out=y)
            y += bias[:, None]
            activate(y, activation)
            value = y

    def output(self) -> np.ndarray:
        return self.row_outputs[-1] if self.run == self.run_rows else self.column_outputs[-1].T
