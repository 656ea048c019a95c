"""The picture of a sparsity selection: score against sparsity with error bars, latency beside it."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Sequence
from math import nan

from ..bench.timing import MARK, NOT_BELIEVED
from ..figures import new_figure, save_figure
from .selection import SparsitySelection


class SparsityDisplay:
    """Score and measured latency against sparsity; made by from_results.

    figure_  the matplotlib Figure;  axes_  its two axes, score and latency
    results  the dict of SparsitySelection.to_dict
    """

    def __init__(self, results: dict):
        self.results = results
        self.figure_ = self.axes_ = None

    @classmethod
    def from_results(
        cls, results: SparsitySelection | dict, *, axes: Sequence | None = None
    ) -> SparsityDisplay:
        """Draws what select_sparsity returned, or its to_dict.

        axes  two matplotlib axes to draw on; None makes a figure that no window shows
        """
        if isinstance(results, SparsitySelection):
            results = results.to_dict()
        if not isinstance(results, dict) or "candidates" not in results:
            raise TypeError(f"results must be what select_sparsity returned, got {type(results).__name__}")
        return cls(results).plot(axes=axes)

    def plot(self, *, axes: Sequence | None = None) -> SparsityDisplay:
        """Draws and returns itself, with figure_ and axes_ set."""
        if axes is None:
            figure = new_figure("SparsityDisplay", figsize=(11, 4.4), dpi=110)
            axes = figure.subplots(1, 2)
        left, right = axes
        self.figure_, self.axes_ = left.figure, (left, right)
        self._draw_score(left)
        self._draw_latency(right)
        candidates = self.results["candidates"]
        for one in (left, right):
            one.set_xticks(range(len(candidates)), [f"{row['sparsity']:.4g}" for row in candidates])
            one.set_xlabel("sparsity")
            one.grid(alpha=0.3)
            one.legend(fontsize=9)
        return self

    def save(self, path: str | os.PathLike) -> None:
        """Writes the picture; the name's ending says the format, .png for example."""
        save_figure(self.figure_, path)

    def to_html(self) -> str:
        """A page that needs no other file: the choice, the picture and the figures as a table."""
        picture = io.BytesIO()
        self.figure_.savefig(picture, format="png")
        encoded = base64.b64encode(picture.getvalue()).decode("ascii")
        results = self.results
        metric = html.escape(results["metric"])
        rows = "".join(_row(row, results["sparsity"]) for row in [results["dense"], *results["candidates"]])
        disturbed = any(map(_disturbed, [results["dense"], *results["candidates"]]))
        note = f"<p>{MARK}: {NOT_BELIEVED}.</p>\n" if disturbed else ""
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Sparsity</title>'
            "<style>body{font:15px/1.5 sans-serif;max-width:62em;margin:2em auto;padding:0 1em}"
            "img{max-width:100%}table{border-collapse:collapse}td,th{padding:.3em .8em;text-align:right;"
            "border-bottom:1px solid #ccc}.chosen{font-weight:bold;background:#eef6ee}</style></head><body>\n"
            f"<h1>Sparsity {results['sparsity']:.4g}</h1>\n<p>{html.escape(results['reason'])}.</p>\n"
            f'<img alt="{metric} and latency against sparsity" src="data:image/png;base64,{encoded}">\n'
            f"<table><tr><th>sparsity</th><th>{metric}</th><th>std</th><th>drop</th>"
            f"<th>median µs, batch {results['batch_size']}</th><th>fastest µs</th><th>holds</th>"
            "<th>fast</th></tr>\n"
            f"{rows}</table>\n{note}</body></html>\n"
        )

    def _draw_score(self, axes) -> None:
        candidates, dense = self.results["candidates"], self.results["dense"]
        axes.errorbar(
            range(len(candidates)),
            [row["mean"] for row in candidates],
            yerr=[row["std"] for row in candidates],
            fmt="o-",
            capsize=4,
            label=f"pruned, {len(dense['scores'])} folds ± standard deviation",
        )
        axes.axhline(dense["mean"], color="black", linestyle="--", label="dense")
        floor = dense["mean"] - self.results["max_drop"]
        axes.axhline(floor, color="tab:red", linestyle=":", label=f"max_drop {self.results['max_drop']:g}")
        self._mark_choice(axes, "mean")
        axes.set_ylabel(self.results["metric"])
        axes.set_title("Cross-validated score")

    def _draw_latency(self, axes) -> None:
        candidates, dense = self.results["candidates"], self.results["dense"]
        times = [nan if _disturbed(row) else row["latency_us"] for row in candidates]
        axes.plot(range(len(times)), times, "s-", label="pruned")
        if not _disturbed(dense):
            axes.axhline(dense["latency_us"], color="black", linestyle="--", label="dense")
        gaps = [place for place, row in enumerate(candidates) if _disturbed(row)]
        if gaps:
            style = {"linestyle": "none", "marker": "s", "markerfacecolor": "none", "color": "0.6"}
            axes.plot(gaps, [0.0] * len(gaps), **style, label="disturbed: no figure", clip_on=False)
        budget = self.results["max_latency_us"]
        if budget is not None:
            axes.axhline(budget, color="tab:red", linestyle=":", label=f"budget {budget:g} µs")
        self._mark_choice(axes, "latency_us")
        axes.set_ylim(bottom=0)
        axes.set_ylabel(f"µs, median, batch {self.results['batch_size']}")
        axes.set_title("Compiled latency")

    def _mark_choice(self, axes, name: str) -> None:
        for place, row in enumerate(self.results["candidates"]):
            if row["sparsity"] == self.results["sparsity"]:
                value = 0.0 if name == "latency_us" and _disturbed(row) else row[name]
                axes.plot([place], [value], "o", ms=14, mfc="none", mec="tab:green", mew=2, label="choice")


def _disturbed(row: dict) -> bool:
    return row.get("disturbed", False)


def _row(row: dict, chosen: float) -> str:
    mark = ' class="chosen"' if row["sparsity"] == chosen else ""
    name = "dense" if row["sparsity"] == 0 else f"{row['sparsity']:.4g}"
    cells = [
        name, f"{row['mean']:.4f}", f"{row['std']:.4f}", f"{row['drop']:+.4f}",
        *(MARK if _disturbed(row) else f"{row[key]:.1f}" for key in ("latency_us", "latency_min_us")),
        "yes" if row["meets_drop"] else "no", "yes" if row["meets_latency"] else "no",
    ]  # fmt: skip
    return f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"
