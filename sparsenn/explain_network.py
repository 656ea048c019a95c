"""A report of a plan with convolutions as text: a layer a line, what it computes and what that takes."""

from __future__ import annotations

from collections.abc import Sequence

from .bench.peak import share_of_peak
from .table import lines

HEADINGS = (
    *("layer", "op", "gives", "at", "weights", "zeros", "Mmadd", "us", "time", "peak", "MB", "kernel", "kB"),
)
LEFT = {"op", "gives", "kernel"}
LEGEND = (
    "at: positions; Mmadd: million multiply-adds on stored weights; us: one sample on one thread, the least",
    "of a few runs; time: share of all; peak: of what the core can multiply and add; MB: values read and",
    "written and packed weights, each once; kB: weights as packed",
)


def explain_layers(report: dict, step_us: Sequence[float]) -> str:
    """The table of plan.explain() for a plan with convolutions.

    step_us  what each layer of the report takes for one sample on one thread, in microseconds
    """
    total_us = sum(step_us)
    rows = [list(HEADINGS)]
    for layer, us in zip(report["layers"], step_us, strict=True):
        rows.append(_row(layer, us, total_us, report["peak_gflops"]))
    rows.append(_total(report["layers"], total_us, report["peak_gflops"]))
    return lines(rows, [str.ljust if heading in LEFT else str.rjust for heading in HEADINGS])


def band_lines(report: dict) -> list[str]:
    """A line for every run of layers of which some rows at a time go through all."""
    layers = report["layers"]
    return [
        f"layers {first['node']} to {layers[index + first['together'] - 1]['node']} run "
        f"{first['band_rows']} rows of the last at a time: what lies between is never whole in memory"
        for index, first in enumerate(layers)
        if "together" in first
    ]


def multiply_adds(layer: dict) -> int:
    """Of one sample on stored weights; 0 where there are none."""
    return layer.get("nnz", 0) * layer.get("positions", 1)


def bytes_moved(layer: dict) -> int:
    """Values of a sample that are read and written, and the packed weights."""
    return 4 * (layer["reads"] + layer["outputs"]) + packed_bytes(layer)


def packed_bytes(layer: dict) -> int:
    return layer["choices"][0]["chosen"]["bytes"] if "choices" in layer else 0


def _row(layer: dict, us: float, total_us: float, peak: float) -> list[str]:
    cells = [str(layer["node"]) if layer["node"] >= 0 else "", _op(layer)]
    cells.append("x".join(map(str, layer["dims"])))
    if "choices" not in layer:
        weights = [""] * 4
    else:
        weights = [
            str(layer["positions"]),
            _short(layer["nnz"]),
            f"{layer['sparsity']:.0%}",
            f"{1e-6 * multiply_adds(layer):.1f}",
        ]
    kernel = layer["choices"][0]["chosen"]["kernel"] if "choices" in layer else ""
    packed = f"{1e-3 * packed_bytes(layer):.0f}" if "choices" in layer else ""
    timed = [_us(us), _share(us, total_us), _of_peak(layer, us, peak)]
    return [*cells, *weights, *timed, f"{1e-6 * bytes_moved(layer):.2f}", kernel, packed]


def _total(layers: list[dict], us: float, peak: float) -> list[str]:
    products, nnz = sum(map(multiply_adds, layers)), sum(layer.get("nnz", 0) for layer in layers)
    all_weights = sum(layer["rows"] * layer["cols"] for layer in layers if "choices" in layer)
    return [
        *("all", "", "", "", _short(nnz), f"{1 - nnz / all_weights:.0%}" if all_weights else ""),
        *(f"{1e-6 * products:.1f}", _us(us), "", _rate(products, us, peak)),
        *(f"{1e-6 * sum(map(bytes_moved, layers)):.2f}", ""),
        f"{1e-3 * sum(map(packed_bytes, layers)):.0f}",
    ]


def _op(layer: dict) -> str:
    """conv2d 3x3/2 add relu: the op, its window, its stride if not 1, and what is fused behind it."""
    parts = [layer["type"]]
    if "kernel_size" in layer:
        high, wide = layer["stride"]
        step = "" if (high, wide) == (1, 1) else f"/{high}" if high == wide else f"/{high},{wide}"
        parts.append("x".join(map(str, layer["kernel_size"])) + step)
    if layer.get("adds"):
        parts.append("add")
    if layer["activation"] != "none":
        parts = [layer["activation"]] if layer["type"] == "activation" else [*parts, layer["activation"]]
    return " ".join(parts)


def _short(count: int) -> str:
    """At most four digits: 864, 36.9k, 2.36M."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}" if count < 999.5 * size else f"{count / size:.0f}{unit}"
    return str(count)


def _us(us: float) -> str:
    return f"{us:.1f}" if us < 1000 else f"{us:.0f}"


def _share(us: float, total_us: float) -> str:
    return f"{us / total_us:.0%}" if total_us > 0 else "-"


def _of_peak(layer: dict, us: float, peak: float) -> str:
    return _rate(multiply_adds(layer), us, peak) if "choices" in layer else ""


def _rate(products: int, us: float, peak: float) -> str:
    """A dash where it says nothing: see share_of_peak."""
    share = share_of_peak(2e-3 * products / us, peak) if us > 0 else None
    return "-" if share is None else f"{share:.0%}"
