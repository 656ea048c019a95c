"""Cases of the hard sigmoid linear unit."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.HardSwish(),),
    exact=lambda layer, z: np.where(z < -3, 0, np.where(z > 3, z, z * (z + 3) / 6)),
    torch=lambda nn, layer: nn.Hardswish(),
    curvature=0.34,
    kinks=(-3.0, 3.0),
)
