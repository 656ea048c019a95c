"""PyTorch with torch.sparse_csr weights, which calls MKL on x86-64. The quickest of its products is taken."""

import numpy as np

from .layer import columns, fastest


class Runner:
    modules = ("torch",)

    def available(self) -> tuple[bool, str]:
        try:
            import torch
        except ImportError as error:
            return False, str(error)
        if not torch.backends.mkl.is_available():
            return False, "this PyTorch is built without MKL"
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch = torch
        self.input = torch.from_numpy(columns(x))
        self.layers = []
        for layer in layers:
            data, indices, indptr = (torch.from_numpy(part.copy()) for part in layer.to_csr())
            weight = torch.sparse_csr_tensor(indptr, indices, data, layer.shape)
            bias = torch.from_numpy(layer.bias.copy())
            active = None if layer.activation == "none" else getattr(torch, f"{layer.activation}_")
            output = torch.empty((layer.shape[0], len(x)))
            self.layers.append((weight, bias, bias[:, None].expand(-1, len(x)), output, active))
        candidates = [self.run_addmm, self.run_addmm_out, self.run_mm]
        if len(x) == 1:
            candidates.append(self.run_addmv)
        self.run = fastest(candidates)

    def run_addmm(self) -> None:
        """W X + b in a new tensor each layer."""
        self._run(lambda weight, bias, full, output, value: self.torch.addmm(full, weight, value))

    def run_addmm_out(self) -> None:
        """W X + b in the same tensor each call."""
        self._run(lambda weight, bias, full, output, value: self.torch.addmm(full, weight, value, out=output))

    def run_mm(self) -> None:
        """W X, then b added in place."""
        self._run(lambda weight, bias, full, output, value: self.torch.mm(weight, value).add_(full))

    def run_addmv(self) -> None:
        """One column: W x + b on vectors."""
        value = self.input[:, 0]
        with self.torch.inference_mode():
            for weight, bias, _, _, active in self.layers:
                value = self.torch.addmv(bias, weight, value)
                if active is not None:
                    active(value)
        self.value = value[:, None]

    def _run(self, product) -> None:
        value = self.input
        with self.torch.inference_mode():
            for weight, bias, full, output, active in self.layers:
                value = product(weight, bias, full, output, value)
                if active is not None:
                    active(value)
        self.value = value

    def output(self) -> np.ndarray:
        return self.value.numpy().T
