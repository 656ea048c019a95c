"""How much memory activations take: sparsenn's plans beside ONNX Runtime and OpenVINO.

    python bench/bench_memory.py [--networks resnet18,...] [--batch 1,16] [--threads 2] [--python PYTHON]

sparsenn: of the network pruned to 90 %, what a plan's values lie in (arena) and all that it holds for runs on
that many threads (workspace), which is no more for larger batches. The others run each network of
make_networks.py in a process of its own at batch 1 and at batch 17, where they hold activations of 16 images
more: a 16th of what resident memory differs by, inputs and outputs taken off. PYTHON is an interpreter with
openvino, where this one has none. MB, and the shares of arena and workspace in the best of the others' batch.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import make_networks
import numpy as np
import onnx

ENGINES = ("onnxruntime", "openvino")
MORE = 16  # images


def resident_mb() -> float:
    """Of this process, now."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def runner(engine: str, path: str, x: np.ndarray, threads: int):
    """What runs the network once, and gives its outputs."""
    if engine == "onnxruntime":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(None, {"x": x})
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    model.reshape({"x": x.shape})
    given = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    request = core.compile_model(model, "CPU", given).create_infer_request()
    request.set_tensor("x", openvino.Tensor(x, shared_memory=True))
    return lambda: [np.array(y) for y in request.infer().values()]


def measure(engine: str, path: str, batch: int, threads: int) -> float:
    """In this process: resident memory after three runs, without inputs and outputs, MB."""
    graph = onnx.load(path, load_external_data=False).graph
    dims = [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim[1:]]
    x = np.random.default_rng(0).standard_normal((batch, *dims), dtype=np.float32)
    run = runner(engine, path, x, threads)
    for _ in range(3):
        outputs = run()
    return resident_mb() - (x.nbytes + sum(y.nbytes for y in outputs)) / 2**20


def activations_mb(engine: str, path: Path, threads: int, python: str) -> float:
    """Of an image."""
    held = []
    for batch in (1, 1 + MORE):
        command = [python if engine == "openvino" else sys.executable, __file__, "--measure", engine, path]
        command += ["--batch", str(batch), "--threads", str(threads)]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{engine} failed:\n{done.stderr[-2000:]}")
        held.append(float(done.stdout.split()[-1]))
    return (held[1] - held[0]) / MORE


def plan_mb(path: Path, threads: int) -> tuple[float, float]:
    """arena and workspace."""
    import sparsenn as snn

    model = snn.prune(snn.from_onnx(path), sparsity=0.9)
    report = snn.compile(model, threads=threads, tune="off", cache=False).report()
    return report["arena_bytes"] / 2**20, report["workspace_bytes"] / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=",".join(make_networks.NETWORKS))
    parser.add_argument("--batch", default="1,16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(measure(*options.measure, int(options.batch), options.threads))
        return
    print(
        "network      batch    arena  workspace",
        *(f"{engine:>12}" for engine in ENGINES),
        "   arena  workspace",
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in options.networks.split(","):
            path = Path(folder) / f"{name}.onnx"
            path.write_bytes(make_networks.build(name).SerializeToString())
            arena, workspace = plan_mb(path, options.threads)
            images = [activations_mb(engine, path, options.threads, options.python) for engine in ENGINES]
            for batch in map(int, options.batch.split(",")):
                others = [batch * image for image in images]
                shares = (part / min(others) for part in (arena, workspace))
                print(
                    f"{name:12} {batch:5} {arena:8.1f} {workspace:10.1f}",
                    *(f"{mb:12.1f}" for mb in others),
                    *(f"{share:8.2f}" for share in shares),
                    flush=True,
                )


if __name__ == "__main__":
    main()
