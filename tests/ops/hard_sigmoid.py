"""Cases of the hard logistic function."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn


def module(nn, layer):
    class Line(nn.Module):
        def forward(self, x):
            return (x * layer.alpha + layer.beta).clamp(0.0, 1.0)

    return Line()


def exact(layer, z):
    line = layer.alpha * z + layer.beta
    return np.where(line < 0, 0, np.where(line > 1, 1, line))


CASES = OpCases(
    layers=(snn.HardSigmoid(0.25, 0.625), snn.HardSigmoid(), snn.HardSigmoid(0.2), snn.HardSigmoid(3, -1)),
    exact=exact,
    torch=module,
    kinks=(-2.5, 1.5),
    refused=(
        *(({"alpha": alpha, "beta": 0.5}, "alpha") for alpha in (0, -0.2, np.nan, np.inf, 1e39, 1e-46)),
        *(({"alpha": 0.2, "beta": beta}, "beta") for beta in (np.nan, np.inf, -np.inf, 1e39)),
    ),
    absolute=2.0**-22,
)
