"""Cases of the approximation of GELU by tanh."""

import math

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.GELUTanh(),),
    exact=lambda layer, z: z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
    torch=lambda nn, layer: nn.GELU(approximate="tanh"),
    curvature=0.8,
    absolute=2e-7,  # where the gate's argument is large, as tanh's
)
