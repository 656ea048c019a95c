"""print(model): a layer a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def model_table(model) -> str:
    """Layer, shape (out, in), sparsity, bytes of its arrays, and the activations that follow it."""
    if not model.is_chain:
        return _graph_table(model)
    rows: list[list[str]] = []
    for layer in model.layers:
        if hasattr(layer, "weight"):
            kind = f"{layer.sparsity:.2%}" if layer.sparse else "dense"
            number = sum(row[0] != "" for row in rows)
            rows.append([str(number), "{} x {}".format(*layer.shape), kind, f"{array_bytes(layer):,}", ""])
        else:
            if not rows:  # an activation of the input
                rows.append([""] * 5)
            rows[-1][-1] = f"{rows[-1][-1]} {layer!r}".removesuffix("()").strip()
    total = sum(array_bytes(layer) for layer in model.linear_layers)
    rows.append(["all", f"{model.inputs} -> {model.outputs}", f"{model.sparsity:.2%}", f"{total:,}", ""])
    rows.insert(0, ["layer", "shape", "sparsity", "bytes", "activation"])
    return lines(rows, (str.rjust, str.ljust, str.rjust, str.rjust, str.ljust))


def _graph_table(model) -> str:
    """Node, what it reads and gives, its layer, sparsity and bytes."""
    rows = [["node", "reads", "gives", "dims", "layer", "sparsity", "bytes"]]
    for value in model.input_values:
        rows.append(["", "", value.name, _dims(value), "Input", "", ""])
    for index, node in enumerate(model.nodes):
        kind, size = "", ""
        if hasattr(node.layer, "weight"):
            kind = f"{node.layer.sparsity:.2%}" if node.layer.sparse else "dense"
            size = f"{array_bytes(node.layer):,}"
        reads = ", ".join(operand.name for operand in node.inputs)
        name = type(node.layer).__name__ if kind else repr(node.layer).removesuffix("()")
        rows.append([str(index), reads, node.output.name, _dims(node.output), name, kind, size])
    total = sum(array_bytes(layer) for layer in model.linear_layers)
    outputs = ", ".join(value.name for value in model.output_values)
    rows.append(["all", "", outputs, "", "", f"{model.sparsity:.2%}", f"{total:,}"])
    return lines(rows, (str.rjust, str.ljust, str.ljust, str.ljust, str.ljust, str.rjust, str.rjust))


def _dims(value) -> str:
    return " x ".join("?" if dim is None else str(dim) for dim in value.dims[1:])


def lines(rows: list[list[str]], align: Sequence[Callable[[str, int], str]]) -> str:
    """The rows as lines, columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ("  ".join(f(cell, w) for f, cell, w in zip(align, row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded)


def array_bytes(layer) -> int:
    """Bytes of a Linear's arrays as they are held in memory."""
    weight = layer.weight
    arrays = [weight.data, weight.indices, weight.indptr] if layer.sparse else [weight]
    return sum(array.nbytes for array in arrays) + (0 if layer.bias is None else layer.bias.nbytes)


def model_line(model) -> str:
    """One line: the widths, or the inputs and outputs of a graph, and how sparse it is."""
    if not model.is_chain:
        ends = [
            ", ".join(f"{value.name} ({_dims(value)})" for value in values)
            for values in (model.input_values, model.output_values)
        ]
        return f"Model({' -> '.join(ends)}, {len(model.nodes)} nodes, sparsity={model.sparsity:.4f})"
    widths = [model.inputs, *(layer.shape[0] for layer in model.layers if hasattr(layer, "weight"))]
    shown = [str(width) for width in (widths if len(widths) <= 8 else [*widths[:4], "...", *widths[-3:]])]
    return f"Model({' -> '.join(shown)}, {len(model.layers)} layers, sparsity={model.sparsity:.4f})"


def percent(share: float) -> str:
    """0.9 as 90%, 0.995 as 99.5%: four figures, so that sparsities near to 1 stay apart."""
    return f"{100 * share:.4g}%"
