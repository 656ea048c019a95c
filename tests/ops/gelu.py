"""Cases of the Gaussian error linear unit."""

import math

from op_cases import OpCases
from scipy.special import erf

import sparsenn as snn

CASES = OpCases(
    layers=(snn.GELU(),),
    exact=lambda layer, z: z / 2 * (1 + erf(z / math.sqrt(2))),
    torch=lambda nn, layer: nn.GELU(),
    curvature=0.8,
)
