"""scipy: csr_array @ (features, batch). scipy's product uses one thread."""

import numpy as np

from .layer import activate, columns


class Runner:
    modules = ("scipy", "numpy")

    def available(self) -> tuple[bool, str]:
        try:
            import scipy.sparse  # noqa: F401
        except ImportError as error:
            return False, str(error)
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        from scipy.sparse import csr_array

        self.input = x[0].copy() if len(x) == 1 else columns(x)
        self.weights = [csr_array(layer.to_csr(), shape=layer.shape) for layer in layers]
        self.biases = [layer.bias if len(x) == 1 else layer.bias[:, None] for layer in layers]
        self.activations = [layer.activation for layer in layers]

    def run(self) -> None:
        value = self.input
        for weight, bias, activation in zip(self.weights, self.biases, self.activations, strict=True):
            value = weight @ value
            value += bias
            activate(value, activation)
        self.value = value

    def output(self) -> np.ndarray:
        return np.atleast_2d(self.value.T)
