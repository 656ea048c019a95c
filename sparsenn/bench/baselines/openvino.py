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
        import openvino

        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(build_onnx(layers, len(x))),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
            },
        )
        self.request = compiled.create_infer_request()
        self.input = np.ascontiguousarray(x)
        self.request.set_input_tensor(openvino.Tensor(self.input, shared_memory=True))

    def run(self) -> None:
        self.request.infer(share_inputs=True, share_outputs=True)

    def output(self) -> np.ndarray:
        return self.request.get_output_tensor().data
