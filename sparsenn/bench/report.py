"""A finished run as data and as text; losing cells come first."""

import os
import platform

from .baselines import LIBRARY
from .processes import IGNORED_VARIABLES
from .runner import Cell, Workers


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
        "ratio": cell.ratio,
        "peak_share": cell.peak_share,
        "times": {name: times.as_dict() for name, times in cell.times.items()},
        "failures": cell.failures,
    }


def losing_first(cells: list[Cell]) -> list[Cell]:
    """By rising ratio; those without one, where something failed, before all."""
    return sorted(cells, key=lambda cell: cell.ratio["of_medians"] if cell.ratio else -1)


def as_text(cells: list[Cell], runs: list[Workers]) -> str:
    """The tables: the library against its best peer, every runner's median, what failed, what is missing."""
    ordered = losing_first(cells)
    lines = [
        "times in µs: median, fastest call (min), interquartile range (iqr);",
        f"ratio = best peer / {LIBRARY}, paired = median of the rounds' own ratios; losing cells first",
        "of peak = multiply-adds on stored weights / what the cores can do; the limit is ratio / of peak",
        "",
        *table([duel_header(), *map(duel_row, ordered)]),
        "",
        "medians of all runners in µs",
        "",
        *table(median_rows(ordered)),
    ]
    for cell in ordered:
        lines += [f"failed: {label(cell)}: {name}: {reason}" for name, reason in cell.failures.items()]
    missing = {name: reason for run in runs for name, reason in run.missing.items()}
    lines += [f"missing: {name}: {reason}" for name, reason in missing.items()]
    return "\n".join(lines)


def label(cell: Cell) -> str:
    return f"{cell.network} {cell.sparsity:.0%} {cell.mask} batch {cell.batch} threads {cell.threads}"


def cell_columns(cell: Cell) -> list[str]:
    return [cell.network, f"{cell.sparsity:.1%}", cell.mask, str(cell.batch), str(cell.threads)]


def duel_header() -> list[str]:
    first = ["network", "sparsity", "mask", "batch", "threads"]
    return [*first, LIBRARY, "min", "iqr", "best peer", "median", "min", "iqr", "ratio", "paired", "of peak"]


def duel_row(cell: Cell) -> list[str]:
    ours, peer = (cell.times.get(name) for name in (LIBRARY, cell.best_peer))
    row = cell_columns(cell) + numbers(ours) + [cell.best_peer or "none"] + numbers(peer)
    ratios = [f"{cell.ratio[key]:.2f}" for key in ("of_medians", "paired")] if cell.ratio else ["-", "-"]
    return row + ratios + [f"{cell.peak_share:.0%}" if cell.peak_share else "-"]


def numbers(times) -> list[str]:
    if times is None:
        return ["-", "-", "-"]
    return [f"{value:.1f}" for value in (times.median_us, times.minimum_us, times.spread_us)]


def median_rows(cells: list[Cell]) -> list[list[str]]:
    names = list(dict.fromkeys(name for cell in cells for name in cell.times))
    rows = [["network", "sparsity", "mask", "batch", "threads", *names]]
    for cell in cells:
        medians = [f"{cell.times[name].median_us:.1f}" if name in cell.times else "-" for name in names]
        rows.append(cell_columns(cell) + medians)
    return rows


def table(rows: list[list[str]]) -> list[str]:
    """Rows as lines of aligned columns; the first row is the header."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
