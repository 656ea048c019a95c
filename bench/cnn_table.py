"""The table of train_cnn.py: mean and standard deviation over the seeds, differences within each seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Row:
    """One way to prune.

    kind           "dense", "longer" (dense, trained as long as the pruned ones), "weights" or "channels"
    share          of the weights or channels that was to go
    accuracy       (seeds,) float64, %
    change         (seeds,) float64, points: accuracy less that of the dense network of the same seed
    weights, multiply_adds   what is left of the dense network's, the mean over the seeds
    seconds        of the fastest epoch
    """

    kind: str
    share: float
    accuracy: np.ndarray
    change: np.ndarray
    weights: float
    multiply_adds: float
    seconds: float

    @property
    def name(self) -> str:
        fixed = {"dense": "nothing", "longer": "nothing, trained as long"}
        return fixed.get(self.kind) or f"{100 * self.share:g} % of the {self.kind}"


def read_rows(seeds: list[list[dict]]) -> list[Row]:
    """From the rows of each seed, as train_cnn.run gives them, dense first."""

    def column(rows: tuple[dict, ...], name: str) -> np.ndarray:
        return np.array([row[name] for row in rows], np.float64)

    found = []
    dense = tuple(rows[0] for rows in seeds)
    for rows in zip(*seeds, strict=True):
        accuracy = 100 * column(rows, "accuracy")
        found.append(
            Row(
                rows[0]["kind"],
                rows[0]["share"],
                accuracy,
                accuracy - 100 * column(dense, "accuracy"),
                float((column(rows, "weights") / column(dense, "weights")).mean()),
                float((column(rows, "multiply_adds") / column(dense, "multiply_adds")).mean()),
                float(column(rows, "seconds").min()),
            )
        )
    return found


def table_lines(rows: list[Row]) -> list[str]:
    """Markdown, a line a row; standard deviations are those of samples, left out for a single seed."""
    lines = [
        "| pruned | test accuracy % | by seed | against dense, points | worst seed | weights left "
        "| multiply-adds left | ms an epoch |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        each = ", ".join(f"{value:.2f}" for value in row.accuracy)
        change, worst = spread(row.change, "+.2f"), f"{row.change.min():+.2f}"
        if row.kind == "dense":
            change = worst = ""
        lines.append(
            f"| {row.name} | {spread(row.accuracy, '.2f')} | {each} | {change} | {worst} "
            f"| {100 * row.weights:.1f} % | {100 * row.multiply_adds:.1f} % | {1000 * row.seconds:.0f} |"
        )
    return lines


def spread(values: np.ndarray, form: str) -> str:
    """Mean and standard deviation in words."""
    mean = format(values.mean(), form)
    return f"{mean} ± {values.std(ddof=1):.2f}" if len(values) > 1 else mean
