"""The demo's picture: accuracy and speed-up against sparsity."""

from math import nan
from pathlib import Path

from ..figures import new_figure, save_figure
from .report import against

HOLLOW = {"linestyle": "none", "marker": "o", "markerfacecolor": "none", "color": "0.6"}
CENTRED = {"ha": "center", "va": "center", "color": "0.4"}


def draw_report(report: dict, path: Path) -> None:
    """Writes the picture: accuracy with the dense line, speed-up with a line per batch and the 1.0 line."""
    figure = new_figure("the picture of the demo", figsize=(11, 5.4), dpi=120)
    from matplotlib.ticker import LogLocator, NullFormatter  # installed: there is a figure

    left, right = figure.subplots(1, 2)
    entries = report["sparse"]
    places = range(len(entries))
    names = [f"{entry['sparsity']:.0%}" for entry in entries]

    left.plot(places, [100 * entry["accuracy"] for entry in entries], "o-", label="pruned, fine-tuned")
    left.axhline(100 * report["dense"]["accuracy"], color="black", linestyle="--", label="dense")
    left.set_ylabel("test accuracy, %")
    left.set_title(f"Accuracy ({report['network']})")
    low = min(report["dense"]["accuracy"], *(entry["accuracy"] for entry in entries))
    left.set_ylim(100 * low - 2, 100)

    draw_speedups(right, entries, list(report["baseline"]))
    right.axhline(1.0, color="black", linestyle="--", label=f"1.0: {against(report, 'dense plan')}")
    right.set_yscale("log")
    right.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    right.yaxis.set_major_formatter("{x:g}x")
    right.yaxis.set_minor_formatter(NullFormatter())
    right.set_ylabel("speed-up")
    cpu = report["cpu"]
    right.set_title(f"Speed-up ({cpu['model']}, {cpu['isa']}, {cpu['threads']} threads)")
    for axes in (left, right):
        axes.set_xticks(places, names)
        axes.set_xlabel("sparsity of the hidden layers")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    save_figure(figure, path)


def draw_speedups(axes, entries: list[dict], batches: list[str]) -> None:
    """A line a batch through the speed-ups that are believed; the others are hollow points at the bottom."""
    missing = False
    for batch in batches:
        gains = [entry["speedup"][batch] for entry in entries]
        believed = [gain for gain in gains if gain is not None]
        label = f"batch {batch}: up to {max(believed):.1f}x" if believed else f"batch {batch}: disturbed"
        axes.plot(range(len(gains)), [nan if gain is None else gain for gain in gains], "o-", label=label)
        gaps = [place for place, gain in enumerate(gains) if gain is None]
        if gaps:
            label = "" if missing else "disturbed: no figure"
            axes.plot(gaps, [0.03] * len(gaps), **HOLLOW, label=label, transform=axes.get_xaxis_transform())
            missing = True
    if all(gain is None for entry in entries for gain in entry["speedup"].values()):
        axes.set_ylim(0.5, 10)
        axes.text(
            0.5,
            0.6,
            "the machine was busy:\nno speed-up can be believed",
            **CENTRED,
            transform=axes.transAxes,
        )
