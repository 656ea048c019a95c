"""DeepSparse 1.8, which reads the zeros of a dense ONNX model. Needs Python <= 3.11, numpy < 2.

Which layout it runs fastest depends on the batch, by factors of up to 5; the fastest is taken.
"""

import os
import tempfile

import numpy as np

from .layer import batch_of, quickest
from .onnx_model import build_onnx, from_layout, to_layout


class Runner:
    modules = ("deepsparse", "onnx", "numpy")

    def available(self) -> tuple[bool, str]:
        os.environ["NM_DISABLE_ANALYTICS"] = "1"
        try:
            import deepsparse  # noqa: F401
            import onnx  # noqa: F401
        except Exception as error:  # an unfit numpy or Python makes its import fail in many ways
            return False, f"{type(error).__name__}: {error}"
        return True, ""

    def prepare(self, layers, x, threads) -> None:
        heights = [0, 1] + [16] * (len(x) > 16 and len(x) % 16 == 0)
        # One engine at a time: the threads of a second one would disturb the first.
        seconds = {height: quickest(Session(layers, x, threads, height)) for height in heights}
        self.run = Session(layers, x, threads, min(seconds, key=seconds.get))

    def output(self) -> np.ndarray:
        return self.run.output()

    def prepare_network(self, paths, inputs, threads) -> None:
        from deepsparse import Engine

        arrays = list(inputs.values())
        engine = Engine(paths["onnx"], batch_size=batch_of(inputs), num_cores=threads)

        def run() -> None:
            self.values = engine.run(arrays, val_inp=False)

        self.run = run

    def outputs(self) -> list[np.ndarray]:
        return self.values


class Session:
    """One engine in one layout; calling it runs it."""

    def __init__(self, layers, x, threads, height) -> None:
        from deepsparse import Engine

        self.height = height
        self.inputs = [to_layout(x, height)]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.onnx")
            with open(path, "wb") as file:
                file.write(build_onnx(layers, len(x), height))
            self.engine = Engine(path, batch_size=1 if height else len(x), num_cores=threads)

    def __call__(self) -> None:
        self.value = self.engine.run(self.inputs, val_inp=False)[0]

    def output(self) -> np.ndarray:
        return from_layout(self.value, self.height)
