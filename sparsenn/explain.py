"""A plan's report as text: per layer and kind of batch the candidates, their times and the choice."""

from __future__ import annotations

from collections.abc import Sequence

from .bench.peak import share_of_peak
from .explain_network import LEGEND, band_lines, explain_layers

HEADINGS = (
    *("layer", "shape (out x in)", "sparsity", "stored", "batch", "kernel"),
    *("estimate us", "measured us", "GFLOP/s", "of peak", "dense GFLOP/s", "why"),
)
LEFT = {"shape (out x in)", "stored", "batch", "kernel", "why"}


def has_windows(report: dict) -> bool:
    """Whether the plan is one of convolutions or pools, which runs sample by sample."""
    return any("kernel_size" in layer for layer in report["layers"])


def explain_network(report: dict, step_us: Sequence[float]) -> str:
    """What plan.explain() says of a plan with convolutions: see explain_layers."""
    table = explain_layers(report, step_us)
    return "\n".join([_head(report), *LEGEND, table, *band_lines(report), *_bucket_lines(report)])


def explain_report(report: dict) -> str:
    """The table of plan.explain(). Times are microseconds of one thread for the samples of the batch column.

    GFLOP/s counts two operations a stored weight, position and sample, and its share of this core's measured
    peak of multiply-adds is beside it: a dash where it would be above 1, since one of the two was then
    measured while the machine was busy. Dense GFLOP/s counts as many operations as the dense layer needs.
    The first kernel of each kind of batch is the one chosen.
    """
    rows = [HEADINGS]
    for layer in report["layers"]:
        rows += _rows_of_layer(layer, report["peak_gflops"])
    return "\n".join([_head(report), *_layout(rows), *_bucket_lines(report)])


def _head(report: dict) -> str:
    return (
        f"{report['inputs']} -> {report['outputs']}, {report['isa']}, threads {report['threads']}, "
        f"tune {report['tune']}{' from the cache' if report['cached'] else ''}, "
        f"compiled in {report['compile_seconds']:.3f} s, "
        f"peak of one core {report['peak_gflops']:.0f} GFLOP/s"
    )


def _rows_of_layer(layer: dict, peak: float) -> list[tuple[str, ...]]:
    if "choices" not in layer:
        width = f"{layer['outputs']} wide"
        blanks = [""] * (len(HEADINGS) - 7)
        return [(str(layer["node"]), width, "", "", "any", layer["activation"], *blanks, "a step of its own")]
    shape = f"{layer['rows']} x {layer['cols']}"
    if layer["positions"] > 1:
        shape += f" at {layer['positions']}"
    start = (str(layer["node"]), shape, f"{layer['sparsity']:.2%}", layer["stored"])
    rows = []
    for choice in layer["choices"]:
        rows.append((*start, _batch(choice), *_numbers(layer, choice, choice["chosen"], peak), _why(choice)))
        start = ("", "", "", "")
        for candidate in choice["candidates"]:
            if not _same(candidate, choice["chosen"]):
                why = "estimated slower" if candidate["measured_us"] is None else "measured slower"
                rows.append((*start, "", *_numbers(layer, choice, candidate, peak), why))
    return rows


def _batch(choice: dict) -> str:
    """The kind of batch: its layout and how many samples go at once."""
    return f"{choice['layout']} of {choice['samples']}"


def _numbers(layer: dict, choice: dict, candidate: dict, peak: float) -> tuple[str, ...]:
    """Kernel, estimated and measured time, and the rates of one candidate."""
    block = f", k block {candidate['k_block']}" if candidate["k_block"] else ""
    measured = candidate["measured_us"]
    time_us = candidate["estimate_us"] if measured is None else measured
    rates = ["", "", ""]
    if time_us > 0:
        dense, times = layer["rows"] * layer["cols"], layer["positions"] * choice["samples"]
        stored_rate, dense_rate = (2e-3 * n * times / time_us for n in (layer["nnz"], dense))
        share = share_of_peak(stored_rate, peak)
        rates = [f"{stored_rate:.1f}", "-" if share is None else f"{share:.0%}", f"{dense_rate:.1f}"]
    shown = "" if measured is None else f"{measured:.2f}"
    return (candidate["kernel"] + block, f"{candidate['estimate_us']:.2f}", shown, *rates)


def _same(one: dict, other: dict) -> bool:
    return (one["kernel"], one["k_block"]) == (other["kernel"], other["k_block"])


def _why(choice: dict) -> str:
    candidates = choice["candidates"]
    if len(candidates) <= 1:
        return "the only candidate"
    measured = sum(candidate["measured_us"] is not None for candidate in candidates)
    if measured:
        return f"fastest of {measured} measured"
    return f"best estimate of {len(candidates)}"


def _bucket_lines(report: dict) -> list[str]:
    """How batches are cut into groups of samples."""
    return [
        f"a {_batch(bucket)} through all layers: about {bucket['alone_us']:.2f} us on one thread, "
        f"{bucket['split_us']:.2f} us with the rows split among the threads"
        for bucket in report["buckets"]
    ]


def _layout(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    align = [str.ljust if heading in LEFT else str.rjust for heading in HEADINGS]
    lines = ("  ".join(f(cell, w) for f, cell, w in zip(align, row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]
