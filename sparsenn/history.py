"""What a training run recorded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass
class History:
    """One entry an epoch in each list; a list is empty where nothing was measured.

    loss           mean training loss over the epoch's steps (penalties not counted)
    accuracy       share of training samples right, in the same steps; empty for a regression
    val_loss       validation loss after the epoch; empty without validation data
    val_accuracy   validation accuracy after the epoch
    learning_rate  the rate used
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
