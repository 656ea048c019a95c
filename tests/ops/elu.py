"""Cases of the exponential linear unit."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.ELU(0.75), snn.ELU(), snn.ELU(2.5)),
    exact=lambda layer, z: np.where(z > 0, z, layer.alpha * (np.exp(np.minimum(z, 0)) - 1)),
    torch=lambda nn, layer: nn.ELU(layer.alpha),
    curvature=0.75,
    kinks=(0.0,),
    refused=tuple(({"alpha": alpha}, "alpha must be in") for alpha in (0, -1, np.nan, np.inf, 1e39, 1e-46)),
)
