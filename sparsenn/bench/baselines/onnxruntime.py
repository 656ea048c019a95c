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

    def prepare_network(self, paths, inputs, threads) -> None:
        session = create_session(paths["onnx"], threads)
        values = session.run(None, inputs)
        names = [node.name for node in session.get_outputs()]
        self.run = Bound(session, inputs, dict(zip(names, values, strict=True)))

    def outputs(self) -> list[np.ndarray]:
        return self.run.outputs()


class Session:
    """One model in one layout; calling it runs it."""

    def __init__(self, layers, x, threads, height) -> None:
        self.height = height
        output = np.empty(value_shape(layers[-1].shape[0], len(x), height), np.float32)
        session = create_session(build_onnx(layers, len(x), height), threads)
        self.bound = Bound(session, {"x": to_layout(x, height)}, {"y": output})

    def __call__(self) -> None:
        self.bound()

    def output(self) -> np.ndarray:
        return from_layout(self.bound.outputs()[0], self.height)


class Bound:
    """A session on arrays that stay the same; calling it runs it."""

    def __init__(self, session, inputs, outputs) -> None:
        import onnxruntime

        self.session, self.binding = session, session.io_binding()
        self.inputs, self.values = (
            {name: onnxruntime.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
            for arrays in (inputs, outputs)
        )
        for name, value in self.inputs.items():
            self.binding.bind_ortvalue_input(name, value)
        for name, value in self.values.items():
            self.binding.bind_ortvalue_output(name, value)

    def __call__(self) -> None:
        self.session.run_with_iobinding(self.binding)

    def outputs(self) -> list[np.ndarray]:
        return [value.numpy() for value in self.values.values()]


def create_session(model, threads):
    """model: the bytes of an ONNX file, or its path."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
