"""The picture of train_cnn.py: accuracy and cost against the weights that are gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cnn_table import Row, spread
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sparsenn.figures import save_figure

LIMITS = (0.5, 1.5)  # points below dense
WEIGHTS, CHANNELS = "tab:blue", "tab:orange"
GONE = (0, 50, 80, 90, 95, 98)  # %, the ticks


def draw(rows: list[Row], settings: dict, path: Path) -> None:
    """rows as read_rows gives them."""
    figure = Figure(figsize=(11, 5.6), dpi=88, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    draw_accuracy(left, rows)
    draw_cost(right, rows)
    seeds = len(rows[0].accuracy)
    figure.suptitle(
        f"{settings['data']}: {settings['images']:,} images to train on, "
        f"{settings['test_images']:,} to test, {settings['network']} convolutions, {seeds} seeds"
    )
    left.set(title="Accuracy", ylabel="test accuracy, %")
    right.set(title="Cost", ylabel="% of dense", ylim=(0, None))
    for axes in (left, right):
        lay_out(axes, max(1 - row.weights for row in rows))
    save_figure(figure, path, pil_kwargs={"optimize": True})


def lay_out(axes, most: float) -> None:
    """The logarithm of what is left: 80, 90 and 95 % lie as far apart as they are in size.

    most  of the weights that are gone
    """
    ticks = [gone for gone in GONE if gone / 100 <= most + 0.02]
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_xticks([1 - gone / 100 for gone in ticks], [f"{gone} %" for gone in ticks])
    axes.minorticks_off()
    axes.set_xlabel("weights that are gone")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)


def places(rows: list[Row]) -> list[float]:
    return [row.weights for row in rows]


def draw_accuracy(axes, rows: list[Row], limits: tuple[float, ...] = LIMITS) -> None:
    """Each seed a thin line, the means a thick one; dense is a band of one standard deviation.

    limits  points below dense that have a line
    """
    dense = rows[0].accuracy
    mean, deviation = dense.mean(), dense.std(ddof=1) if len(dense) > 1 else 0.0
    label = f"dense: {spread(dense, '.2f')}"
    axes.axhspan(mean - deviation, mean + deviation, color="black", alpha=0.12, lw=0)
    axes.axhline(mean, color="black", lw=1.2, label=label)
    for limit in limits:
        axes.axhline(mean - limit, color="black", lw=1, linestyle="--")
        axes.annotate(
            f"dense less {limit} points", (0.02, mean - limit), xycoords=axes.get_yaxis_transform(),
            xytext=(0, 3), textcoords="offset points", fontsize=8,
        )  # fmt: skip
    for row in rows:
        if row.kind == "longer":
            axes.axhline(row.accuracy.mean(), color="tab:green", lw=1.2, label="dense, trained as long")
    weights = [rows[0], *(row for row in rows if row.kind == "weights")]
    accuracies = np.array([row.accuracy for row in weights])
    axes.plot(places(weights), accuracies, ".-", color=WEIGHTS, lw=0.7, ms=3, alpha=0.6)
    axes.plot(
        places(weights),
        accuracies.mean(axis=1),
        "o-",
        color=WEIGHTS,
        lw=2.5,
        label="weights: mean, each seed",
    )
    channels = [row for row in rows if row.kind == "channels"]
    for row in channels:
        axes.plot(np.full(len(row.accuracy), row.weights), row.accuracy, "_", color=CHANNELS, ms=9)
        axes.annotate(
            f"{100 * row.share:g} % of\nchannels", (row.weights, row.accuracy.min()), xytext=(0, -6),
            textcoords="offset points", ha="center", va="top", fontsize=8, color=CHANNELS,
            bbox={"color": "white", "alpha": 0.7, "pad": 1},
        )  # fmt: skip
    means = [row.accuracy.mean() for row in channels]
    if not channels:
        return
    axes.plot(places(channels), means, "D", color=CHANNELS, ms=8, label="channels: mean, each seed")


def draw_cost(axes, rows: list[Row]) -> None:
    dense = min(row.seconds for row in rows if row.kind in ("dense", "longer"))  # one network
    for kind, color in (("weights", WEIGHTS), ("channels", CHANNELS)):
        own = [rows[0], *(row for row in rows if row.kind == kind)]
        counts = [100 * row.multiply_adds for row in own]
        times = [100.0, *(100 * row.seconds / dense for row in own[1:])]
        axes.plot(places(own), counts, "o-", color=color, label=f"{kind}: multiply-adds")
        axes.plot(places(own), times, "s--", color=color, mfc="none", label=f"{kind}: fastest epoch")
