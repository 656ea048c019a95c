"""ONNX Runtime, CPU provider, inputs and outputs bound to fixed buffers; the faster layout is taken."""

import numpy as np

from .layer import fastest
from .onnx_model import build_onnx, from_layout, to_layout, value_shape


class Runner:
    modules = ("onnxruntime", "onnx")

    def available(self) -> tuple[bool, str]:
        try:
            import onnx  # noqa: F401
            import onnxruntime  # noqa: F401
        except ImportError as error:
            return False, str(error)
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        self.run = fastest([Session(layers, x, threads, height) for height in (0, 1)])

    def output(self) -> np.ndarray:
        return self.run.output()


class Session:
    """One model in one layout; calling it runs it."""

    def __init__(self, layers, x, threads, height) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        model = build_onnx(layers, len(x), height)
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.height = height
        output = np.empty(value_shape(layers[-1].shape[0], len(x), height), np.float32)
        self.values = [
            onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in (to_layout(x, height), output)
        ]
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input("x", self.values[0])
        self.binding.bind_ortvalue_output("y", self.values[1])

    def __call__(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def output(self) -> np.ndarray:
        return from_layout(self.values[1].numpy(), self.height)
