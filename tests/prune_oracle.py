"""The criteria in float64, sample by sample: slow, obvious, and what the fast ones must match."""

import numpy as np


def dense_of(layer) -> np.ndarray:
    return layer.weight.toarray() if layer.sparse else layer.weight


def sample_gradients(model, x, target, loss):
    """One sample -> for each Linear layer dL/dW (out, in) float64 and its input (in,).

    target is a class for "cross_entropy", a vector for "mse".
    """
    values, layers = [x.astype(np.float64)[:, np.newaxis]], list(model.layers)
    if loss == "cross_entropy" and type(layers[-1]).__name__ == "Softmax":
        layers = layers[:-1]
    for layer in layers:
        a = values[-1]
        if hasattr(layer, "weight"):
            bias = 0 if layer.bias is None else layer.bias.astype(np.float64)[:, np.newaxis]
            values.append(dense_of(layer).astype(np.float64) @ a + bias)
        else:
            values.append(layer.value(a))
    z = values[-1]
    if loss == "cross_entropy":
        slope = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        slope[target, 0] -= 1
    else:
        slope = 2 * (z - np.asarray(target, np.float64)[:, np.newaxis]) / z.size
    found = []
    for layer, a, y in zip(reversed(layers), reversed(values[:-1]), reversed(values[1:]), strict=True):
        if hasattr(layer, "weight"):
            found.append((slope @ a.T, a[:, 0]))
            slope = dense_of(layer).astype(np.float64).T @ slope
        else:
            slope = layer.gradient(a, y, slope)
    return found[::-1]


def importance(name, model, X, targets, loss):
    """-> for each Linear layer (out, in) float64, also where a sparse layer stores nothing."""
    samples = [sample_gradients(model, x, target, loss) for x, target in zip(X, targets, strict=True)]
    result = []
    for index, layer in enumerate(model.linear_layers):
        w = dense_of(layer).astype(np.float64)
        total = np.zeros_like(w)
        for sample in samples:
            gradient, a = sample[index]
            if name == "contribution":
                total += np.abs(w * a)
            elif name == "gradient":
                total += np.abs(gradient)
            elif name == "taylor":
                total += gradient
            else:
                total += gradient**2
        mean = total / len(samples)
        if name == "taylor":
            mean = np.abs(w * mean)
        elif name == "hessian":
            mean = 0.5 * w**2 * mean
        result.append(mean)
    return result
