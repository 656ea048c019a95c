"""The parameters of an estimator as a training run and as a network, all checked.

An estimator here is anything with the attributes that SparseMLP.__init__ sets.
"""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_random_state

from ..checks import check_flag, check_integer, check_real
from ..errors import ArgumentError
from ..importers.sklearn import ACTIVATIONS
from ..layers import Linear
from ..mlp import mlp
from ..model import Model
from .fitting import Settings, make_optimizer


def training_settings(estimator, *, samples: int, mean_weight: float, loss: str) -> Settings:
    """The training run of so many samples of that mean weight that the parameters ask for."""
    if estimator.learning_rate not in ("constant", "invscaling", "adaptive"):
        raise ArgumentError(
            f"learning_rate must be 'constant', 'invscaling' or 'adaptive', got {estimator.learning_rate!r}"
        )
    if isinstance(estimator.batch_size, str) and estimator.batch_size == "auto":
        batch_size = min(200, samples)
    else:
        batch_size = min(check_integer("batch_size", estimator.batch_size, minimum=1), samples)
    fraction = check_real("validation_fraction", estimator.validation_fraction, below=1.0)
    if check_flag("early_stopping", estimator.early_stopping):
        held_out = round(fraction * samples)
        if not 1 <= held_out < samples:
            raise ArgumentError(
                f"validation_fraction must leave samples on both sides, got {fraction:g} of {samples} samples"
            )
    return Settings(
        max_iter=check_integer("max_iter", estimator.max_iter, minimum=1),
        batch_size=batch_size,
        optimizer=make_optimizer(
            estimator.solver,
            momentum=estimator.momentum,
            nesterov=check_flag("nesterovs_momentum", estimator.nesterovs_momentum),
            beta_1=estimator.beta_1,
            beta_2=estimator.beta_2,
            epsilon=estimator.epsilon,
        ),
        learning_rate=estimator.learning_rate if estimator.solver == "sgd" else "constant",
        learning_rate_init=check_real("learning_rate_init", estimator.learning_rate_init, open_minimum=True),
        power_t=check_real("power_t", estimator.power_t),
        shuffle=check_flag("shuffle", estimator.shuffle),
        tol=check_real("tol", estimator.tol),
        n_iter_no_change=check_integer("n_iter_no_change", estimator.n_iter_no_change, minimum=1),
        early_stopping=estimator.early_stopping,
        validation_fraction=fraction,
        l2=check_real("alpha", estimator.alpha) / (batch_size * mean_weight),
        loss=loss,
        seed=draw_seed(estimator.random_state),
        threads=estimator.threads,
    )


def new_network(estimator, *, features: int, outputs: int, sparsity: float = 0.0) -> Model:
    """A network of random weights without its output activation."""
    if estimator.activation not in ACTIVATIONS or estimator.activation == "softmax":
        names = ", ".join(name for name in ACTIVATIONS if name != "softmax")
        raise ArgumentError(f"activation must be one of {names}, got {estimator.activation!r}")
    hidden = _hidden(estimator)
    kind = ACTIVATIONS[estimator.activation]
    name = {"logistic": "sigmoid", "identity": "tanh"}.get(estimator.activation, estimator.activation)
    seed = draw_seed(estimator.random_state)
    layers = mlp([features, *hidden, outputs], activation=name, sparsity=sparsity, seed=seed).layers
    return Model(layers if kind is not None else [x for x in layers if isinstance(x, Linear)])


def check_same_widths(estimator, body: Model) -> None:
    """Raises unless the network that warm_start goes on with has the hidden layers asked for."""
    widths = [layer.shape[0] for layer in body.linear_layers[:-1]]
    if _hidden(estimator) != widths:
        raise ArgumentError(
            f"hidden_layer_sizes must stay {tuple(widths)} with warm_start, got {_hidden(estimator)}"
        )


def _hidden(estimator) -> list:
    return np.atleast_1d(estimator.hidden_layer_sizes).tolist()


def draw_seed(random_state) -> int:
    """A seed from what scikit-learn takes as random_state."""
    return int(check_random_state(random_state).randint(2**31 - 1))
