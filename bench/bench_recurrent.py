"""Recurrent layers, pruned, beside ONNX Runtime with the dense ones, in turn in one process: ratios.

    python bench/bench_recurrent.py --kind LSTM --batch 1 --threads 1

Layers of random weights, one behind the other; ours are pruned by magnitude, each matrix to the same share.
Needs onnx and onnxruntime.
"""

from __future__ import annotations

import argparse

import numpy as np
import onnx
import onnxruntime
from in_turn import in_turn
from onnx import TensorProto, helper, numpy_helper

import sparsenn as snn

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def network(kind: str, layers: int, inputs: int, hidden: int) -> onnx.ModelProto:
    """x (batch, steps, inputs) -> y (batch, steps, hidden)."""
    rng = np.random.default_rng(0)
    arrays = {"drop": np.array([1], np.int64)}
    nodes, h = [helper.make_node("Transpose", ["x"], ["h0"], perm=[1, 0, 2])], "h0"
    options = {"linear_before_reset": 1} if kind == "GRU" else {}
    for layer in range(layers):
        rows, columns = GATES[kind] * hidden, inputs if layer == 0 else hidden
        for name, shape in (("w", (1, rows, columns)), ("r", (1, rows, hidden)), ("b", (1, 2 * rows))):
            arrays[f"{name}{layer}"] = rng.uniform(-1, 1, shape).astype(np.float32) * hidden**-0.5
        weights = [f"{name}{layer}" for name in "wrb"]
        nodes.append(helper.make_node(kind, [h, *weights], [f"y{layer}"], hidden_size=hidden, **options))
        h = f"h{layer + 1}"
        nodes.append(helper.make_node("Squeeze", [f"y{layer}", "drop"], [h]))
    nodes.append(helper.make_node("Transpose", [h], ["y"], perm=[1, 0, 2]))
    graph = helper.make_graph(
        nodes,
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "steps", inputs])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "steps", hidden])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=GATES, default="LSTM", help="default: %(default)s")
    for name, value in (("layers", 2), ("inputs", 128), ("hidden", 512), ("steps", 100), ("batch", 1)):
        parser.add_argument(f"--{name}", type=int, default=value, help="default: %(default)s")
    parser.add_argument("--sparsity", default="80,90,95", metavar="PERCENT", help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=25, help="default: %(default)s")
    args = parser.parse_args()
    proto = network(args.kind, args.layers, args.inputs, args.hidden)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    dense = snn.from_onnx(proto, input_shapes={"x": (None, args.steps, args.inputs)})
    shape = (args.batch, args.steps, args.inputs)
    x = np.random.default_rng(1).standard_normal(shape, dtype=np.float32)
    print("| zeros | ms, the least | times as fast, by the least | by the median |")
    print("|---|---|---|---|")
    for percent in args.sparsity.split(","):
        model = snn.prune(dense, sparsity=float(percent) / 100, scope="layer")
        plan = snn.compile(model, threads=args.threads, batch_sizes=(args.batch,))
        ours, other = in_turn(lambda plan=plan: plan.run(x), lambda: session.run(None, {"x": x}), args.rounds)
        least, median = other.min() / ours.min(), np.median(other) / np.median(ours)
        print(f"| {percent} % | {1e3 * ours.min():.2f} | {least:.1f} | {median:.1f} |", flush=True)


if __name__ == "__main__":
    main()
