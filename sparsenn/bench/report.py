"""A finished run as data and as text; losing cells come first."""

import os
import platform
from dataclasses import dataclass

from ..table import percent
from . import timing
from .baselines import LIBRARY
from .processes import IGNORED_VARIABLES
from .runner import Cell, Workers
from .timing import MARK, NOT_BELIEVED


def machine() -> dict:
    """The processor, the kernel set, the system, and variables that would have slowed a peer down."""
    import sparsenn

    return {
        **sparsenn.cpu_info(),
        "platform": platform.platform(),
        "load_average": list(os.getloadavg()),
        "ignored_variables": ignored_variables(),
    }


def ignored_variables() -> dict[str, str]:
    """Settings in this shell that workers are started without."""
    return {name: os.environ[name] for name in IGNORED_VARIABLES if name in os.environ}


def as_data(cells: list[Cell], runs: list[Workers], settings: dict) -> dict:
    """The whole run, fit for JSON. Times in µs; ratio > 1: the library is faster than its best peer."""
    return {
        "machine": machine(),
        "settings": settings,
        "versions": {name: found for run in runs for name, found in run.versions.items()},
        "missing": {name: reason for run in runs for name, reason in run.missing.items()},
        "cells": [cell_data(cell) for cell in losing_first(cells)],
    }


def cell_data(cell: Cell) -> dict:
    return {
        "network": cell.network,
        "sparsity": cell.sparsity,
        "mask": cell.mask,
        "batch": cell.batch,
        "threads": cell.threads,
        "nnz": cell.nnz,
        "best_peer": cell.best_peer,
        "disturbed": cell.disturbed,
        "ratio": cell.ratio,
        "peak_share": cell.peak_share,
        "times": {name: times_data(times, cell.batch) for name, times in cell.times.items()},
        "failures": cell.failures,
    }


def times_data(times, batch: int) -> dict:
    rate = samples_per_second(times, batch) if times.median_us > 0 else None
    return {**times.as_dict(), "samples_per_second": rate}


def losing_first(cells: list[Cell]) -> list[Cell]:
    """By rising ratio; before all those without one, where something failed, then those not believed."""

    def order(cell: Cell) -> tuple[int, float]:
        if cell.ratio is None:
            return 0, 0.0
        return (1, 0.0) if cell.disturbed else (2, cell.ratio["of_medians"])

    return sorted(cells, key=order)


def as_text(cells: list[Cell], runs: list[Workers]) -> str:
    """The tables: the library against its best peer, every runner's median, what failed, what is missing."""
    ordered = losing_first(cells)
    disturbed = [cell for cell in ordered if cell.disturbed]
    lines = []
    for from_file in (False, True):
        of_kind = [cell for cell in ordered if cell.from_file == from_file]
        if of_kind:
            lines += [*([""] if lines else []), *tables(of_kind, IMAGES if from_file else LAYERS)]
    if disturbed:
        lines += ["", f"{MARK} in {len(disturbed)} of {len(cells)} cells: {NOT_BELIEVED}"]
    for cell in disturbed:
        names = timing.doubtful(cell.times, keep=(LIBRARY,))
        lines += [f"disturbed: {label(cell)}: {name}: {cell.times[name].doubt}" for name in names]
    for cell in ordered:
        lines += [f"failed: {label(cell)}: {name}: {reason}" for name, reason in cell.failures.items()]
    missing = {name: reason for run in runs for name, reason in run.missing.items()}
    lines += [f"missing: {name}: {reason}" for name, reason in missing.items()]
    return "\n".join(lines)


@dataclass(frozen=True)
class Unit:
    """How times are shown: in what, and whether samples a second stand beside them."""

    name: str
    us: float
    rates: bool = False


LAYERS, IMAGES = Unit("µs", 1.0), Unit("ms", 1e3, rates=True)


def tables(cells: list[Cell], unit: Unit) -> list[str]:
    """The library against its best peer, and every runner's median, of cells in the order given."""
    rates = ["images/s = samples a second by the median"] if unit.rates else []
    return [
        f"times in {unit.name}: median, fastest call (min), interquartile range (iqr);",
        *rates,
        f"ratio = best peer / {LIBRARY}, paired = median of the rounds' own ratios; losing cells first",
        "of peak = multiply-adds on stored weights / what the cores can do; the limit is ratio / of peak",
        "",
        *table([duel_header(unit), *(duel_row(cell, unit) for cell in cells)]),
        "",
        f"medians of all runners in {unit.name}",
        "",
        *table(median_rows(cells, unit)),
    ]


def label(cell: Cell) -> str:
    return f"{cell.network} {percent(cell.sparsity)} {cell.mask} batch {cell.batch} threads {cell.threads}"


def cell_columns(cell: Cell) -> list[str]:
    return [cell.network, percent(cell.sparsity), cell.mask, str(cell.batch), str(cell.threads)]


def duel_header(unit: Unit) -> list[str]:
    first, rate = ["network", "sparsity", "mask", "batch", "threads"], ["images/s"] if unit.rates else []
    ours, theirs = [LIBRARY, "min", "iqr", *rate], ["best peer", "median", "min", "iqr", *rate]
    return [*first, *ours, *theirs, "ratio", "paired", "of peak"]


def duel_row(cell: Cell, unit: Unit) -> list[str]:
    ours, peer = (cell.times.get(name) for name in (LIBRARY, cell.best_peer))
    row = [*cell_columns(cell), *numbers(ours, cell.batch, unit), cell.best_peer or "none"]
    row += numbers(peer, cell.batch, unit) + ratios(cell)
    return [*row, f"{cell.peak_share:.0%}" if cell.peak_share is not None else "-"]


def ratios(cell: Cell) -> list[str]:
    """Of the medians and paired, as text."""
    found = cell.ratio or {}
    values = [found.get(key) for key in ("of_medians", "paired")]
    return ["-" if value is None else MARK if cell.disturbed else f"{value:.2f}" for value in values]


def numbers(times, batch: int, unit: Unit) -> list[str]:
    width = 4 if unit.rates else 3
    if times is None:
        return ["-"] * width
    if times.disturbed:
        return [MARK] * width
    shown = [f"{us / unit.us:.1f}" for us in (times.median_us, times.minimum_us, times.spread_us)]
    return [*shown, f"{samples_per_second(times, batch):.4g}"] if unit.rates else shown


def samples_per_second(times, batch: int) -> float:
    return 1e6 * batch / times.median_us


def median_rows(cells: list[Cell], unit: Unit) -> list[list[str]]:
    names = list(dict.fromkeys(name for cell in cells for name in cell.times))
    rows = [["network", "sparsity", "mask", "batch", "threads", *names]]
    for cell in cells:
        medians = [timing.shown(cell.times.get(name), us=unit.us) for name in names]
        rows.append(cell_columns(cell) + medians)
    return rows


def table(rows: list[list[str]]) -> list[str]:
    """Rows as lines of aligned columns; the first row is the header."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
