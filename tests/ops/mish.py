"""Cases of Mish."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.Mish(),),
    exact=lambda layer, z: z * np.tanh(np.log(1 + np.exp(z))),
    torch=lambda nn, layer: nn.Mish(),
    curvature=0.65,
)
