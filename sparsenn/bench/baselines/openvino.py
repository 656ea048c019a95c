"""OpenVINO, CPU plug-in in float32, latency mode, one stream, tensors shared with numpy."""

import numpy as np

from .onnx_model import build_onnx


class Runner:
    modules = ("openvino", "onnx")

    def available(self) -> tuple[bool, str]:
        try:
            import onnx  # noqa: F401
            import openvino  # noqa: F401
        except ImportError as error:
            return False, str(error)
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        self.open(build_onnx(layers, len(x)), {"x": x}, threads)

    def prepare_network(self, paths, inputs, threads) -> None:
        self.open(paths["onnx"], inputs, threads)

    def open(self, model, inputs, threads) -> None:
        """model: the bytes of an ONNX file, or its path."""
        import openvino

        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(model),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
            },
        )
        self.request = compiled.create_infer_request()
        self.inputs = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        for name, array in self.inputs.items():
            self.request.set_tensor(name, openvino.Tensor(array, shared_memory=True))

    def run(self) -> None:
        self.request.infer(share_inputs=True, share_outputs=True)

    def output(self) -> np.ndarray:
        return self.outputs()[0]

    def outputs(self) -> list[np.ndarray]:
        return [tensor.data for tensor in self.request.output_tensors]
