"""Where the zeros of a benchmark's layers are: uniformly random, skewed by rows, or pruned from training."""

import numpy as np

from .baselines.layer import Layer

TRAINING_EPOCHS = 3


def uniform(shape: tuple[int, int], sparsity: float, random: np.random.Generator) -> np.ndarray:
    """-> (out, in) bool: every weight has the same chance to stay; their number is exact."""
    size = shape[0] * shape[1]
    mask = np.zeros(size, bool)
    mask[random.permutation(size)[: round(size * (1 - sparsity))]] = True
    return mask.reshape(shape)


def skewed(shape: tuple[int, int], sparsity: float, random: np.random.Generator) -> np.ndarray:
    """-> (out, in) bool: nnz per row log-normal (sigma 1, full rows cut off), columns uniformly random."""
    rows, cols = shape
    share, wanted = random.lognormal(0, 1, rows), rows * cols * (1 - sparsity)
    low, high = 0.0, cols / share.min()
    for _ in range(60):  # the factor with which the rows, cut off at full, hold the wanted number
        middle = (low + high) / 2
        enough = np.minimum(share * middle, cols).sum() >= wanted
        low, high = (low, middle) if enough else (middle, high)
    mask = np.zeros(shape, bool)
    for row, count in enumerate(np.minimum(share * high, cols).round().astype(int)):
        mask[row, random.permutation(cols)[:count]] = True
    return mask


def make_layers(
    widths: list[int], sparsity: float, *, activation: str = "relu", mask: str = "uniform", seed: int = 0
) -> list[Layer]:
    """CSR layers of a network of those widths; the last one has no activation.

    mask  uniform, skewed, or magnitude: trained, then pruned by magnitude over all layers
    ValueError when mask is unknown or sparsity is outside [0, 1).
    """
    if not 0 <= sparsity < 1:
        raise ValueError(f"sparsity must be in [0, 1), got {sparsity}")
    if mask == "magnitude":
        return train_layers(widths, sparsity, activation=activation, seed=seed)
    if mask not in MASKS:
        raise ValueError(f"mask must be one of {', '.join(MASKS)}, got {mask!r}")
    random = np.random.default_rng(seed)
    layers = []
    for number, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        rows, indices = np.nonzero(MASKS[mask]((outputs, inputs), sparsity, random))
        scale = np.sqrt(2 / (inputs * (1 - sparsity)))
        layers.append(
            Layer(
                shape=(outputs, inputs),
                bias=random.normal(0, 0.1, outputs).astype(np.float32),
                activation=activation if number < len(widths) - 2 else "none",
                data=random.normal(0, scale, len(indices)).astype(np.float32),
                indices=indices.astype(np.int32),
                indptr=np.searchsorted(rows, np.arange(outputs + 1)).astype(np.int32),
            )
        )
    return layers


def train_layers(widths: list[int], sparsity: float, *, activation: str, seed: int) -> list[Layer]:
    """A network trained on the digits, then pruned by magnitude with one threshold for all layers.

    Inputs and targets are brought to the widths by fixed random projections.
    """
    import sparsenn

    random = np.random.default_rng(seed)
    images, labels, _, _ = sparsenn.datasets.digits()
    x = images @ random.normal(0, 0.125, (images.shape[1], widths[0]))
    y = np.eye(10)[labels] @ random.normal(0, 1, (10, widths[-1]))
    model = sparsenn.mlp(widths, activation=activation, seed=seed)
    sparsenn.train(
        model, x.astype(np.float32), y.astype(np.float32), epochs=TRAINING_EPOCHS, loss="mse", seed=seed
    )
    return layers_of(sparsenn.prune(model, sparsity=sparsity))


def layers_of(model) -> list[Layer]:
    """A sparsenn.Model as benchmark layers. ValueError for an activation that not every runner has."""
    names = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}
    layers: list[Layer] = []
    for node in model.layers:
        kind = type(node).__name__
        if kind == "Linear":
            bias = np.zeros(node.shape[0], np.float32) if node.bias is None else node.bias
            layers.append(Layer(shape=node.shape, bias=bias, **weight_arrays(node.weight)))
        elif kind in names and layers and layers[-1].activation == "none":
            layers[-1].activation = names[kind]
        else:
            raise ValueError(f"model must be Linear layers, each with {', '.join(names)} or none, got {kind}")
    return layers


def weight_arrays(weight) -> dict[str, np.ndarray]:
    """The fields of Layer that hold a weight: an ndarray or a csr_array."""
    if isinstance(weight, np.ndarray):
        return {"weight": weight}
    return {
        "data": weight.data,
        "indices": weight.indices.astype(np.int32),
        "indptr": weight.indptr.astype(np.int32),
    }


MASKS = {"uniform": uniform, "skewed": skewed, "magnitude": None}
