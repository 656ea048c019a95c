"""Cases of the sigmoid linear unit."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.SiLU(),),
    exact=lambda layer, z: z / (1 + np.exp(-z)),
    torch=lambda nn, layer: nn.SiLU(),
    curvature=0.5,
)
