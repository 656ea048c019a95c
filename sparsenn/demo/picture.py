"""The demo's picture: accuracy and speed-up against sparsity."""

from pathlib import Path

from ..file_replace import save_figure


def draw_report(report: dict, path: Path) -> None:
    """Writes report.png: accuracy with the dense line, speed-up with a line per batch and the 1.0 line."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(11, 4.6), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    entries = report["sparse"]
    places = range(len(entries))
    names = [f"{entry['sparsity']:.0%}" for entry in entries]

    left.plot(places, [100 * entry["accuracy"] for entry in entries], "o-", label="pruned, fine-tuned")
    left.axhline(100 * report["dense"]["accuracy"], color="black", linestyle="--", label="dense")
    left.set_ylabel("test accuracy, %")
    left.set_title("Accuracy")
    low = min(report["dense"]["accuracy"], *(entry["accuracy"] for entry in entries))
    left.set_ylim(100 * low - 2, 100)

    for batch in report["baseline"]:
        gains = [entry["speedup"][batch] for entry in entries]
        right.plot(places, gains, "o-", label=f"batch {batch}: up to {max(gains):.1f}x")
    right.axhline(1.0, color="black", linestyle="--", label="1.0: faster of numpy and dense plan")
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
        axes.legend(fontsize=9)
    save_figure(figure, path)
