"""The process of one runner: obeys one JSON command a line on stdin, answers with one JSON line on stdout.

    {"do": "start", "runner": "numpy"}   -> available, reason, versions, networks (takes prepare_network)
    {"do": "prepare", "layers": .npz, "threads": 2, "output": .npz}
    {"do": "prepare_network", "safetensors": path, "onnx": path, "inputs": .npz, "threads": 2, "output": .npz}
                                      -> variant (the way taken), peak_gflops, multiply_adds; each or null
    {"do": "burst", "seconds": 0.005, "warm": 0.01}   -> the fields of stopwatch.Burst
    {"do": "release"}

Run as a script, by whatever interpreter has the runner's library: it imports nothing of sparsenn but the
baselines folder beside it. The clock is read in here, so that pipes cost nothing.
"""

import gc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
from pathlib import Path

PACKAGE = "bench_baselines"
TOLD = ("variant", "peak_gflops", "multiply_adds")  # what a runner may have to say beside its outputs


def load_baselines():
    """The folder beside this file as a package of its own, without importing sparsenn."""
    folder = Path(__file__).resolve().parent / "baselines"
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return package


def version(module: str) -> str:
    """What the imported module says, or else the distribution of that name."""
    found = getattr(sys.modules.get(module), "__version__", None)
    try:
        return found or importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:  # without metadata
        return "unknown"


class Worker:
    """Holds one runner between commands."""

    def __init__(self) -> None:
        self.baselines = load_baselines()

    def start(self, *, runner: str) -> dict:
        self.name = runner
        self.runner = self.baselines.create(runner)
        available, reason = self.runner.available()
        versions = {"python": sys.version.split()[0]}
        if available:
            versions |= {module: version(module) for module in self.runner.modules}
        networks = hasattr(self.runner, "prepare_network")
        return {"available": available, "reason": reason, "versions": versions, "networks": networks}

    def prepare(self, *, layers: str, threads: int, output: str) -> dict:
        layer = importlib.import_module(f"{PACKAGE}.layer")
        self.runner = self.baselines.create(self.name)
        self.runner.prepare(*layer.load_layers(layers), threads)
        return self._first_run(threads, output, lambda: [self.runner.output()])

    def prepare_network(self, *, safetensors: str, onnx: str, inputs: str, threads: int, output: str) -> dict:
        import numpy

        self.runner = self.baselines.create(self.name)
        with numpy.load(inputs) as arrays:
            x = {name: arrays[name] for name in arrays.files}
        self.runner.prepare_network({"safetensors": safetensors, "onnx": onnx}, x, threads)
        return self._first_run(threads, output, lambda: self.runner.outputs())

    def _first_run(self, threads: int, output: str, outputs) -> dict:
        import numpy

        self.watch = importlib.import_module(f"{PACKAGE}.stopwatch").Stopwatch(threads)
        gc.collect()
        self.runner.run()
        numpy.savez(output, *outputs())
        return {name: getattr(self.runner, name, None) for name in TOLD}

    def burst(self, *, seconds: float, warm: float) -> dict:
        return vars(self.watch.burst(self.runner.run, seconds=seconds, warm=warm))

    def release(self) -> dict:
        self.runner = None
        gc.collect()
        return {}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries that print must not break the protocol
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder or ".") != here]
    worker = Worker()
    gc.disable()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except Exception as error:  # whatever a peer raises is a line of the report, not the end of the run
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
