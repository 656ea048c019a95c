"""This library: the compiled plan. The faster of samples first and features first is taken."""

from functools import partial

import numpy as np

from .layer import batch_of, columns, quickest


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

        plan = sparsenn.compile(build_model(layers), threads=threads, batch_sizes=(len(x),), cache=False)
        self.peak_gflops = plan.report()["peak_gflops"]
        batch, outputs = len(x), layers[-1].shape[0]
        calls = {
            "samples first": partial(
                plan.run, np.ascontiguousarray(x), np.empty((batch, outputs), np.float32)
            ),
            "features first": partial(plan.run, columns(x).T, np.empty((outputs, batch), np.float32).T),
        }
        self.variant = min(calls, key=lambda order: quickest(calls[order]))
        self.run = calls[self.variant]

    def output(self) -> np.ndarray:
        return self.run.args[1]

    def prepare_network(self, paths, inputs, threads) -> None:
        import sparsenn
        from sparsenn.explain_network import multiply_adds

        model = sparsenn.load(paths["safetensors"])
        x = inputs if len(inputs) > 1 else next(iter(inputs.values()))
        plan = sparsenn.compile(model, threads=threads, batch_sizes=(batch_of(inputs),), cache=False)
        report = plan.report()
        self.peak_gflops = report["peak_gflops"]
        self.multiply_adds = sum(map(multiply_adds, report["layers"]))
        self.names = [value.name for value in model.output_values]

        def run() -> None:
            self.values = plan.run(x)

        self.run = run

    def outputs(self) -> list[np.ndarray]:
        return [self.values[name] for name in self.names] if len(self.names) > 1 else [self.values]


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
