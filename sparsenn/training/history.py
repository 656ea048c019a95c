"""What a training run recorded."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field

from ..figures import new_figure, save_figure


@dataclass
class History:
    """One entry an epoch in each list; a list is empty where nothing was measured.

    loss           mean training loss over the epoch's steps (penalties not counted)
    accuracy       share of training samples right, in the same steps; empty for a regression
    val_loss       validation loss after the epoch; empty without validation data
    val_accuracy   validation accuracy after the epoch
    learning_rate  the rate of the epoch's last step
    seconds        wall time of the epoch, validation included
    best_epoch     with early stopping, the epoch (from 0) whose weights were kept; else None
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int | None = None

    def to_dict(self) -> dict:
        """Plain lists and numbers, fit for json.dumps."""
        return asdict(self)

    def append(self, **row: float | None) -> None:
        """Adds one epoch; entries that are None were not measured."""
        for name, value in row.items():
            if value is not None:
                getattr(self, name).append(value)

    def plot(self, path: str | os.PathLike | None = None):
        """Draws loss and, where there is one, accuracy against the epoch; path also writes an image file.

        Returns the matplotlib Figure.
        """
        kinds = ["loss", "accuracy"] if self.accuracy or self.val_accuracy else ["loss"]
        figure = new_figure("History.plot", figsize=(5.5 * len(kinds), 4))
        for index, kind in enumerate(kinds, start=1):
            axes = figure.add_subplot(1, len(kinds), index, xlabel="epoch", ylabel=kind)
            for label, name in (("training", kind), ("validation", f"val_{kind}")):
                values = getattr(self, name)
                if values:
                    axes.plot(range(1, len(values) + 1), values, marker=".", label=label)
            if self.best_epoch is not None:
                axes.axvline(self.best_epoch + 1, color="grey", linestyle=":", label="weights kept")
            if axes.lines:
                axes.legend()
        if path is not None:
            save_figure(figure, path, dpi=120)
        return figure
