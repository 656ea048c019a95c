"""Cases of the rectified linear unit."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.ReLU(),),
    exact=lambda layer, z: np.where(z > 0, z, 0),
    torch=lambda nn, layer: nn.ReLU(),
    kinks=(0.0,),
)
