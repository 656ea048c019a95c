"""The node tests of the onnx package: networks of one op with their data, run through an imported model.

    cases = node_cases("Conv", "MaxPool")
    @pytest.mark.parametrize("case", cases, ids=name_of)
    def test_node(case): check_node(case, REFUSED)

REFUSED says by patterns of names which are refused by design, and with what message: those must raise it.
Weights are inputs in most of these networks. All inputs but the first become initializers, with the data of
the test; of an op in SEVERAL, which takes several tensors, all inputs of floats of one rank stay.
"""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
import warnings

import numpy as np
import pytest

import sparsenn as snn

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx import numpy_helper  # noqa: E402
from onnx.backend.test.case import node as onnx_cases  # noqa: E402

SEVERAL = frozenset({"Concat", "Add", "Sub", "Mul", "Div", "Sum", "Max", "Min", "Mean", "Where", "PRelu"})
SEVERAL |= {"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or"}


def name_of(case) -> str:
    return case.name.removeprefix("test_")


def node_cases(*ops: str, expanded: bool = False) -> list:
    """The package's cases whose graph is one node of one of these ops; expanded: and their formulas."""
    files = {name.replace("_", ""): name for _, name, _ in pkgutil.iter_modules(onnx_cases.__path__)}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of the formulas of those tests
        for op in ops:  # a file makes its cases when it is imported
            importlib.import_module(f"{onnx_cases.__name__}.{files[op.lower()]}")
    found = [
        case
        for case in onnx_cases._NodeTestCases
        if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in ops
    ]
    missing = set(ops) - {case.model.graph.node[0].op_type for case in found}
    assert not missing, f"no node tests of {missing}"
    names = {case.name for case in found}
    formulas = [c for c in onnx_cases._NodeTestCases if c.name.partition("_expanded")[0] in names - {c.name}]
    return found + (formulas if expanded else [])


def check_node(case, refused: dict[str, str], *, by_value: bool = False) -> None:
    """The model of the case gives what the case says, or is refused with the message that refused says.

    by_value: inputs that are vectors may have a batch of one in front
    """
    inputs, outputs = case.data_sets[0]
    proto, given = with_initializers(case.model, inputs)
    if by_value and all(array.ndim == 1 for array in given.values()):
        _add_batch(proto)
    message = next((text for name, text in refused.items() if fnmatch.fnmatch(name_of(case), name)), None)
    if message is not None:
        with pytest.raises(snn.SparsennError, match=message):
            snn.from_onnx(proto)
        return
    names = [value.name for value in proto.graph.output]
    wanted = dict(zip(names, map(np.asarray, outputs), strict=True))
    assert_gives(snn.from_onnx(proto), given, wanted, rtol=case.rtol)


def assert_gives(model: snn.Model, given: dict, wanted: dict, *, rtol: float) -> None:
    """A plan of the model gives the wanted outputs, samples first, where a node may have them last.

    A chain takes and gives the features of samples.
    """
    exact = [wanted.get(value.name) for value in model.output_values]
    if len(exact) == 1:  # a chain names its output itself
        exact = [next(iter(wanted.values()))]
    sizes = [int(np.prod(value.dims[1:])) for value in model.output_values]
    turned = any(y.ndim == 2 and y.shape[1] != size for y, size in zip(exact, sizes, strict=True))
    x = {
        value.name: _samples_first(array, value.dims[1:], turned)
        for value, array in zip(model.input_values, given.values(), strict=True)
    }
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    y = plan.run(x if len(x) > 1 else next(iter(x.values())))
    for array, right in zip(y.values() if isinstance(y, dict) else [y], exact, strict=True):
        right = _samples_first(right, array.shape[1:], turned)
        assert array.shape == right.shape
        scale = np.abs(right[np.isfinite(right)]).max(initial=1e-30)
        np.testing.assert_allclose(array, right, rtol=rtol, atol=1e-6 * scale)


def _samples_first(array: np.ndarray, sizes: tuple, turned: bool) -> np.ndarray:
    """A tensor of a node as samples of those sizes; turned: how a square one is meant."""
    array, features = np.asarray(array, np.float32), int(np.prod(sizes))
    if array.ndim == 2 and features in array.shape:
        turned = turned if array.shape[0] == array.shape[1] else array.shape[0] == features
        array = array.T if turned else array
    return array.reshape(-1, *sizes)


def _add_batch(proto) -> None:
    """A batch of one in front of the vectors that go in and come out."""
    for value in (*proto.graph.input, *proto.graph.output):
        dims = value.type.tensor_type.shape.dim
        sizes = [dim.dim_value for dim in dims]
        del dims[:]
        for size in (1, *sizes):
            dims.add().dim_value = size


def with_initializers(model, inputs: list):
    """A copy of the model in which only data is an input, and the data by name."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    for entry in made.opset_import:  # Not and And are as old as ONNX, and have not changed
        entry.version = max(entry.version, 9)
    several = any(node.op_type in SEVERAL for node in graph.node)
    values = list(graph.input)
    del graph.input[:]
    given = {}
    for value, array in zip(values, inputs, strict=True):
        data = not given or (
            several
            and isinstance(array, np.ndarray)
            and array.dtype.kind in "fb"
            and array.ndim == np.ndim(inputs[0])
        )
        if data:
            graph.input.append(value)
            given[value.name] = array
        else:
            graph.initializer.append(numpy_helper.from_array(np.asarray(array), value.name))
    return made, given
