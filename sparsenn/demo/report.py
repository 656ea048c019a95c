"""The demo's report: a dictionary for JSON, and the table made of it."""

import sparsenn as snn

from ..bench.report import ignored_variables, table
from ..bench.timing import MARK, NOT_BELIEVED, Times
from .networks import Network
from .pipeline import Stage

DISTURBED = f"{MARK}: {NOT_BELIEVED}"
NONE_BELIEVED = "no speed-up was measured that can be believed: the machine was busy"


def build_report(
    network: Network, stages: list[Stage], times: dict[int, dict[str, Times]], settings: dict
) -> dict:
    """Everything measured. Times are medians in µs; dictionaries by batch have the batch as a string.

    A speed-up is None where its time, or one of those it is counted against, is not believed.
    """
    medians = {batch: {name: entry.median_us for name, entry in row.items()} for batch, row in times.items()}
    best = {
        batch: min(baselines(row), key=lambda name: (row[name].disturbed, row[name].median_us))
        for batch, row in times.items()
    }
    kinds = [name.split()[0] for name in baselines(next(iter(times.values())))]
    return {
        "network": network.text,
        "cpu": snn.cpu_info() | {"threads": settings["threads"]},
        "version": snn.__version__,
        "settings": settings,
        "ignored_variables": ignored_variables(),
        "baseline": {
            str(batch): {"name": name, "us": medians[batch][name], "disturbed": times[batch][name].disturbed}
            for batch, name in best.items()
        },
        "dense": {
            "accuracy": stages[0].accuracy,
            "file_bytes": stages[0].file_bytes,
            **{f"{kind}_us": by_batch(medians, f"{kind} dense") for kind in kinds},
            "disturbed": {
                str(batch): [kind for kind in kinds if row[f"{kind} dense"].disturbed]
                for batch, row in times.items()
            },
        },
        "sparse": [sparse_entry(stage, times, medians, best) for stage in stages[1:]],
        "times": {
            str(batch): {name: entry.as_dict() for name, entry in row.items()} for batch, row in times.items()
        },
    }


def baselines(row: dict) -> list[str]:
    """What the speed-up is counted against, the fastest of them: how the dense network was run."""
    return sorted(name for name in row if name.endswith(" dense"))


def kinds_of(report: dict) -> list[str]:
    """Those of a report, by the first word."""
    return [name.removesuffix("_us") for name in report["dense"] if name.endswith("_us")]


def against(report: dict, plan: str) -> str:
    """What speed-ups are counted against, in words; plan: what to call the dense plan."""
    peers = [kind for kind in kinds_of(report) if kind != "plan"]
    if not peers:
        return plan
    return f"the {'faster' if len(peers) == 1 else 'fastest'} of {', '.join(peers)} and {plan}"


def sparse_entry(stage: Stage, times: dict, medians: dict, best: dict) -> dict:
    name = f"plan {stage.name}"
    believed = {
        batch: not any(row[one].disturbed for one in (name, *baselines(row))) for batch, row in times.items()
    }
    return {
        "sparsity": stage.sparsity,
        "accuracy": stage.accuracy,
        "file_bytes": stage.file_bytes,
        "nnz": stage.model.nnz,
        "file": stage.path.name,
        "us": by_batch(medians, name),
        "disturbed": [str(batch) for batch, row in times.items() if row[name].disturbed],
        "speedup": {
            str(batch): row[best[batch]] / row[name] if believed[batch] else None
            for batch, row in medians.items()
        },
    }


def by_batch(medians: dict, name: str) -> dict[str, float]:
    return {str(batch): row[name] for batch, row in medians.items()}


def headline(report: dict) -> str:
    """The largest speed-up of those that are believed, in words."""
    found = [
        (gain, entry["sparsity"], batch)
        for entry in report["sparse"]
        for batch, gain in entry["speedup"].items()
        if gain is not None
    ]
    if not found:
        return NONE_BELIEVED
    gain, sparsity, batch = max(found)
    return f"up to {gain:.2f}x, at {sparsity:.0%} and batch {batch}"


def format_report(report: dict) -> str:
    """The table, with the machine above it and what the figures mean."""
    batches = list(report["baseline"])
    cpu, dense = report["cpu"], report["dense"]
    rows = [["network", "accuracy", "file kB", *(f"batch {batch}, µs" for batch in batches)]]
    for kind in kinds_of(report):
        us = {b: None if kind in dense["disturbed"][b] else dense[f"{kind}_us"][b] for b in batches}
        gains = {b: None if dense["disturbed"][b] else report["baseline"][b]["us"] / us[b] for b in batches}
        rows.append(row_of(f"dense, {kind}", dense, us, gains))
    for entry in report["sparse"]:
        us = {b: None if b in entry["disturbed"] else entry["us"][b] for b in batches}
        rows.append(row_of(f"{entry['sparsity']:.0%} sparse", entry, us, entry["speedup"]))
    disturbed = any(MARK in cell for row in rows for cell in row)
    return "\n".join(
        [
            f"{report['network']} on the UCI digits; {cpu['model'] or 'unknown processor'}, "
            f"{cpu['isa']}, {cpu['threads']} threads",
            "",
            *table(rows),
            "",
            "µs: median time of a batch; x: times as fast as " + against(report, "sparsenn's own dense plan"),
            *([DISTURBED] if disturbed else []),
            headline(report),
        ]
    )


def row_of(name: str, entry: dict, us: dict, gains: dict) -> list[str]:
    """Times and gains by batch; None: not believed."""
    cells = [
        (MARK if us[batch] is None else f"{us[batch]:.1f}")
        + (f" {MARK:>6} " if gains[batch] is None else f" {gains[batch]:6.2f}x")
        for batch in us
    ]
    return [name, f"{entry['accuracy']:.2%}", f"{entry['file_bytes'] / 1000:.0f}", *cells]
