"""This library: the compiled plan of the layers as they are."""

import numpy as np


class Runner:
    modules = ("sparsenn", "numpy")

    def available(self) -> tuple[bool, str]:
        try:
            import sparsenn  # noqa: F401
        except ImportError as error:
            return False, str(error)
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        import sparsenn

        self.plan = sparsenn.compile(build_model(layers), threads=threads, batch_sizes=(len(x),), cache=False)
        self.input = np.ascontiguousarray(x)
        self.value = np.empty((len(x), layers[-1].shape[0]), np.float32)

    def run(self) -> None:
        self.plan.run(self.input, out=self.value)

    def output(self) -> np.ndarray:
        return self.value


def build_model(layers):
    """The layers as a sparsenn.Model."""
    from scipy.sparse import csr_array

    import sparsenn

    activations = {"relu": sparsenn.ReLU, "tanh": sparsenn.Tanh, "sigmoid": sparsenn.Sigmoid}
    nodes = []
    for layer in layers:
        weight = csr_array(layer.to_csr(), shape=layer.shape) if layer.sparse else layer.weight
        nodes.append(sparsenn.Linear(weight, layer.bias))
        if layer.activation != "none":
            nodes.append(activations[layer.activation]())
    return sparsenn.Model(nodes)
