"""Cases of the leaky rectified linear unit."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.LeakyReLU(0.25), snn.LeakyReLU(0.015625), snn.LeakyReLU(0.0), snn.LeakyReLU(-1.5)),
    exact=lambda layer, z: np.where(z > 0, z, layer.slope * z),
    torch=lambda nn, layer: nn.LeakyReLU(layer.slope),
    kinks=(0.0,),
    refused=tuple(({"slope": slope}, "slope") for slope in (np.nan, np.inf, -np.inf, 1e39)),
)
