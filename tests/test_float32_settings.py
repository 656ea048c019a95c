"""Numbers that layers keep as float32: one that only float64 holds is refused, not made infinite."""

import numpy as np
import pytest

import sparsenn as snn

ONES = np.ones(3, np.float32)
SETTINGS = {
    "LayerNorm epsilon": lambda value: snn.LayerNorm(ONES, epsilon=value),
    "RMSNorm epsilon": lambda value: snn.RMSNorm(ONES, epsilon=value),
    "BatchNorm epsilon": lambda value: snn.BatchNorm(ONES, epsilon=value),
    "Attention scale": lambda value: snn.Attention(scale=value),
    "LSTM clip": lambda value: snn.LSTM(np.ones((4, 1), np.float32), clip=value),
    "LeakyReLU slope": snn.LeakyReLU,
    "ELU alpha": snn.ELU,
    "HardSigmoid alpha": lambda value: snn.HardSigmoid(value, 0.5),
    "Pad fill": lambda value: snn.Pad(1, 0, 1, fill=value),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("value", [1e39, 2.0**128, 10**400])
def test_a_number_beyond_float32_is_refused(setting, value):
    with pytest.raises(snn.ArgumentError, match=setting.split()[1]):
        SETTINGS[setting](value)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_largest_of_float32_is_taken(setting):
    SETTINGS[setting](float(np.finfo(np.float32).max))
