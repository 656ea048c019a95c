"""PyTorch with dense weights: traced and frozen, or packed for oneDNN; the faster is taken.

Networks of files are what sparsenn.to_torch makes of them, traced and frozen; images channels first or last.
"""

import numpy as np

from .layer import fastest


class Runner:
    modules = ("torch",)

    def available(self) -> tuple[bool, str]:
        try:
            import torch  # noqa: F401
        except ImportError as error:
            return False, str(error)
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        import torch

        torch.set_num_threads(threads)
        self.inference_mode = torch.inference_mode
        self.input = torch.from_numpy(x.copy())
        with torch.inference_mode():
            self.traced = torch.jit.freeze(torch.jit.trace(build_module(layers), self.input))
            for _ in range(5):  # the first calls of a traced model optimise it
                self.traced(self.input)
            candidates = [self.run_traced]
            if torch.backends.mkldnn.is_available():
                self.packed = torch.utils.mkldnn.to_mkldnn(build_module(layers))
                self.packed_input = self.input.to_mkldnn()
                candidates.append(self.run_packed)
        self.run = fastest(candidates)

    def run_traced(self) -> None:
        with self.inference_mode():
            self.value = self.traced(self.input)

    def run_packed(self) -> None:
        with self.inference_mode():
            self.value = self.packed(self.packed_input)

    def output(self) -> np.ndarray:
        return (self.value.to_dense() if self.value.is_mkldnn else self.value).numpy()

    def prepare_network(self, paths, inputs, threads) -> None:
        import torch

        import sparsenn

        torch.set_num_threads(threads)
        self.inference_mode = torch.inference_mode
        model = sparsenn.load(paths["safetensors"])
        self.names = [value.name for value in model.output_values]
        tensors = [torch.from_numpy(inputs[value.name].copy()) for value in model.input_values]
        orders = [torch.contiguous_format]
        if any(tensor.ndim == 4 for tensor in tensors):
            orders.append(torch.channels_last)
        self.run = fastest([self.traced_network(model, tensors, order) for order in orders])

    def traced_network(self, model, tensors, order):
        """A call of the model, weights and images in that order of memory."""
        import torch

        import sparsenn

        tensors = [x.contiguous(memory_format=order) if x.ndim == 4 else x for x in tensors]
        module = sparsenn.to_torch(model).to(memory_format=order)
        with torch.inference_mode():
            traced = torch.jit.freeze(torch.jit.trace(module, tuple(tensors), strict=False))
            for _ in range(3):  # the first calls of a traced model optimise it
                traced(*tensors)

        def run() -> None:
            with self.inference_mode():
                self.value = traced(*tensors)

        return run

    def outputs(self) -> list[np.ndarray]:
        values = [self.value[name] for name in self.names] if isinstance(self.value, dict) else [self.value]
        return [value.contiguous().numpy() for value in values]


def build_module(layers):
    """The layers as a torch.nn.Sequential in evaluation mode."""
    import torch
    import torch.utils.mkldnn

    activations = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid}
    modules = []
    for layer in layers:
        linear = torch.nn.Linear(layer.shape[1], layer.shape[0])
        linear.weight = torch.nn.Parameter(torch.from_numpy(layer.to_dense().copy()), requires_grad=False)
        linear.bias = torch.nn.Parameter(torch.from_numpy(layer.bias.copy()), requires_grad=False)
        modules.append(linear)
        if layer.activation != "none":
            modules.append(activations[layer.activation]())
    return torch.nn.Sequential(*modules).eval()
