"""Cases of the clipped ReLU."""

import numpy as np
from op_cases import OpCases

import sparsenn as snn

CASES = OpCases(
    layers=(snn.ClippedReLU(-0.5, 0.875), snn.ClippedReLU(), snn.ClippedReLU(-1.0, 2.0)),
    exact=lambda layer, z: np.where(z < layer.low, layer.low, np.where(z > layer.high, layer.high, z)),
    torch=lambda nn, layer: nn.Hardtanh(layer.low, layer.high),
    kinks=(-0.5, 0.875),
    refused=(
        ({"low": 1, "high": 1}, "low"),
        ({"low": 2, "high": 1}, "low"),
        ({"low": 0, "high": np.nan}, "high"),
        ({"low": -np.inf, "high": 0}, "low"),
        ({"low": 0, "high": np.inf}, "high"),
    ),
)
