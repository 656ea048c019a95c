"""Cases of the logistic function."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.Sigmoid(),),
    exact=lambda layer, z: 1 / (1 + np.exp(-z)),
    torch=lambda nn, layer: nn.Sigmoid(),
    curvature=0.1,
)
