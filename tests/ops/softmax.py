"""Cases of the normalised exponential."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn


def exact(layer, z):
    powers = np.exp(z)
    return powers / powers.sum(axis=1, keepdims=True)


CASES = OpCases(
    layers=(snn.Softmax(),),
    exact=exact,
    torch=lambda nn, layer: nn.Softmax(dim=1),
    mixes_features=True,
)
