"""print(model): a layer a line."""

from __future__ import annotations


def model_table(model) -> str:
    """Layer, shape (out, in), sparsity, bytes of its arrays, and the activations that follow it."""
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
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    align = (str.rjust, str.ljust, str.rjust, str.rjust, str.ljust)
    lines = ("  ".join(f(cell, w) for f, cell, w in zip(align, row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def array_bytes(layer) -> int:
    """Bytes of a Linear's arrays as they are held in memory."""
    weight = layer.weight
    arrays = [weight.data, weight.indices, weight.indptr] if layer.sparse else [weight]
    return sum(array.nbytes for array in arrays) + (0 if layer.bias is None else layer.bias.nbytes)


def model_line(model) -> str:
    """One line: the widths, and how sparse it is."""
    widths = [model.inputs, *(layer.shape[0] for layer in model.linear_layers)]
    shown = [str(width) for width in (widths if len(widths) <= 8 else [*widths[:4], "...", *widths[-3:]])]
    return f"Model({' -> '.join(shown)}, {len(model.layers)} layers, sparsity={model.sparsity:.4f})"
