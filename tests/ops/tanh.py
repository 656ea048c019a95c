"""Cases of the hyperbolic tangent."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.Tanh(),),
    exact=lambda layer, z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
    torch=lambda nn, layer: nn.Tanh(),
    curvature=0.77,
)
