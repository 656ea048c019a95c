"""How much each layer suffers from being pruned alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ..errors import ArgumentError
from ..prune import prune
from ..prune.amount import check_keep, check_sparsity
from ..prune.evaluation import evaluate, score

__all__ = ["Sensitivity", "sensitivity"]


@dataclass
class Sensitivity:
    """Rows of layer (index among the Linear layers), sparsity, loss and score; those of the model itself.

    score is the accuracy, or R^2 for a regression.
    """

    rows: list[dict]
    loss: float
    score: float

    def to_dict(self) -> dict:
        """Plain data, fit for json.dumps."""
        return asdict(self)

    def of_layer(self, layer: int) -> list[dict]:
        """The rows of one layer, in ascending order of sparsity."""
        return sorted((row for row in self.rows if row["layer"] == layer), key=lambda row: row["sparsity"])


def sensitivity(
    model,
    X,
    y,
    *,
    sparsities: Iterable[float] = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98),
    keep: int | Iterable[int] = (),
    loss: str = "auto",
    data=None,
    **options,
) -> Sensitivity:
    """Loss and score on X, y with one layer pruned at a time, without fine-tuning. model is left as it is.

    sparsities  that each layer is pruned to
    keep        layers left out;  loss  as train takes it
    data        for the criterion; None: (X, y, loss)
    options     criterion and structure of prune, with what belongs to them
    Source: Li et al. 2017, arXiv:1608.08710, section 3.2
    """
    wanted = sorted({check_sparsity(value, "sparsities") for value in sparsities})
    if not wanted:
        raise ArgumentError("sparsities must hold at least one, got none")
    dense_loss, _ = evaluate(model, X, y, loss=loss)
    data = (X, y, loss) if data is None else data
    count = len(model.linear_layers)
    rows = []
    for layer in sorted(set(range(count)) - check_keep(count, keep)):
        for value in wanted:
            pruned = prune(model, sparsity={layer: value}, data=data, **options)
            found, _ = evaluate(pruned, X, y, loss=loss)
            rows.append(
                {"layer": layer, "sparsity": value, "loss": found, "score": score(pruned, X, y, loss=loss)}
            )
    return Sensitivity(rows, dense_loss, score(model, X, y, loss=loss))
