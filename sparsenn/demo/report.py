"""The demo's report: a dictionary for JSON, and the table made of it."""

import sparsenn as snn

from ..bench.report import ignored_variables, table
from ..bench.timing import Times
from .measure import BASELINES
from .pipeline import SIZES, Stage

NOTE = "µs: median time of a batch; x: times as fast as the faster of numpy and sparsenn's own dense plan"


def build_report(stages: list[Stage], times: dict[int, dict[str, Times]], settings: dict) -> dict:
    """Everything measured. Times are medians in µs; dictionaries by batch have the batch as a string."""
    medians = {batch: {name: entry.median_us for name, entry in row.items()} for batch, row in times.items()}
    best = {batch: min(BASELINES, key=row.get) for batch, row in medians.items()}
    return {
        "network": "-".join(map(str, SIZES)),
        "cpu": snn.cpu_info() | {"threads": settings["threads"]},
        "version": snn.__version__,
        "settings": settings,
        "ignored_variables": ignored_variables(),
        "baseline": {str(batch): {"name": name, "us": medians[batch][name]} for batch, name in best.items()},
        "dense": {
            "accuracy": stages[0].accuracy,
            "file_bytes": stages[0].file_bytes,
            **{f"{name.split()[0]}_us": by_batch(medians, name) for name in BASELINES},
        },
        "sparse": [sparse_entry(stage, medians, best) for stage in stages[1:]],
        "times": {
            str(batch): {name: entry.as_dict() for name, entry in row.items()} for batch, row in times.items()
        },
    }


def sparse_entry(stage: Stage, medians: dict, best: dict) -> dict:
    name = f"plan {stage.name}"
    return {
        "sparsity": stage.sparsity,
        "accuracy": stage.accuracy,
        "file_bytes": stage.file_bytes,
        "nnz": stage.model.nnz,
        "file": stage.path.name,
        "us": by_batch(medians, name),
        "speedup": {str(batch): row[best[batch]] / row[name] for batch, row in medians.items()},
    }


def by_batch(medians: dict, name: str) -> dict[str, float]:
    return {str(batch): row[name] for batch, row in medians.items()}


def format_report(report: dict) -> str:
    """The table, with the machine above it and what the figures mean."""
    batches = list(report["baseline"])
    cpu, dense = report["cpu"], report["dense"]
    rows = [["network", "accuracy", "file kB", *(f"batch {batch}, µs" for batch in batches)]]
    for name in BASELINES:
        kind = name.split()[0]
        us = dense[f"{kind}_us"]
        gains = {batch: report["baseline"][batch]["us"] / us[batch] for batch in batches}
        rows.append(row_of(f"dense, {kind}", dense, us, gains))
    for entry in report["sparse"]:
        rows.append(row_of(f"{entry['sparsity']:.0%} sparse", entry, entry["us"], entry["speedup"]))
    return "\n".join(
        [
            f"{report['network']} on the UCI digits; {cpu['model'] or 'unknown processor'}, "
            f"{cpu['isa']}, {cpu['threads']} threads",
            "",
            *table(rows),
            "",
            NOTE,
        ]
    )


def row_of(name: str, entry: dict, us: dict, gains: dict) -> list[str]:
    cells = [f"{us[batch]:.1f} {gains[batch]:6.2f}x" for batch in us]
    return [name, f"{entry['accuracy']:.2%}", f"{entry['file_bytes'] / 1000:.0f}", *cells]
