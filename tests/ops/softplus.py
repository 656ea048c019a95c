"""Cases of the smooth rectified linear unit."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.Softplus(),),
    exact=lambda layer, z: np.log(1 + np.exp(z)),
    torch=lambda nn, layer: nn.Softplus(),
    curvature=0.25,
)
