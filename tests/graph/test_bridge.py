"""Graphs to the core and back."""

import numpy as np
import pytest
from graphs import only_values

from sparsenn import _core
from sparsenn.bridge import from_core, to_core


def test_a_graph_comes_back_as_it_went(case):
    if not hasattr(_core.Model, "graph"):
        pytest.skip("NOT TESTED: this build of the core knows chains alone")
    back = from_core(to_core(case.model))
    for one, other in zip(case.model.nodes, back.nodes, strict=True):
        assert (one.layer.op, one.output.dims) == (other.layer.op, other.output.dims)
        assert one.layer.integer_values == other.layer.integer_values
    for values in ("input_values", "output_values"):
        pairs = zip(getattr(case.model, values), getattr(back, values), strict=True)
        assert all((one.name, one.dims) == (other.name, other.dims) for one, other in pairs)
    x = case.inputs(4)
    for one, other in zip(only_values(case.model, x), only_values(back, x), strict=True):
        np.testing.assert_array_equal(one, other)
