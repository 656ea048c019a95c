"""Whole numbers that an ONNX graph reads: moved, made floats, compared with constants, or of rows of a table.

Data is computed in float32, where whole numbers divide and wrap in another way than integers do. So an op
that computes with them is refused, and only what is the same in both is left; of what comparisons give also
sums and products, which stay small.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx

from ..errors import UnsupportedError
from ..layers import Abs, ReLU
from ._arithmetic import plus, product
from ._counts import is_whole, running_sum
from ._data import Data
from ._onnx_file import cut
from ._onnx_values import Node
from ._positions import at_positions

MOVES = frozenset(
    {"Expand", "Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
)  # by input 0
ENDS = frozenset({"Cast", "If", "Shape", "Size"})
JOINS = frozenset({"And", "Not", "Or", "Where"})  # of what comparisons give
COUNTS = frozenset({"Add", "CumSum", "Mul", "Sub"})  # of comparisons that were cast to integers
INTEGERS = (6, 7)  # types that hold what they give: INT32, INT64
ROWS = frozenset({"Gather", "GatherElements"})  # by input 1
COUNTED = "added, multiplied, moved, cast, or the rows that Gather takes"
EXACT = 1 << 24  # float32 holds every whole number below


def whole_values(inputs: Iterable[onnx.ValueInfoProto], nodes: Iterable[onnx.NodeProto], outputs) -> set[str]:
    """The names of the values that are these inputs of integers, moved. UnsupportedError for another use.

    nodes are in order; outputs: names of the graph's outputs, which must be floats.
    """
    sources = {value.name: value for value in inputs}
    compared: dict = {}
    for node in nodes:
        for index, name in enumerate(node.input):
            source = sources.get(name) or compared.get(name)
            if source is None or node.op_type in ENDS or (node.op_type in ROWS and index == 1):
                continue
            if name in compared and node.op_type in JOINS:
                continue
            if node.op_type in MOVES and index == 0:
                kept = sources if name in sources else compared
                kept.update((made, source) for made in node.output)
            elif node.op_type == "Equal" and name in sources:
                compared.update((made, source) for made in node.output)
            else:
                raise _refused(source)
    for name in outputs:
        if source := sources.get(name) or compared.get(name):
            raise _refused(source)
    return set(sources)


def _refused(source: onnx.ValueInfoProto) -> UnsupportedError:
    kind = source.type.tensor_type.elem_type
    return UnsupportedError(
        f"the input {cut(source.name)} must hold floats, got type {kind}: integers are only moved, cast to "
        f"floats, compared with Equal or the rows that Gather takes; where it is the same in every run, give "
        f"constants={{name: value}}"
    )


def counted_values(nodes: Iterable[onnx.NodeProto]) -> set[str]:
    """The names of the values that are cast to integers, and of those that are made of them."""
    counted: set = set()
    for node in nodes:
        casts = node.op_type == "Cast" and any(
            own.name == "to" and own.i in INTEGERS for own in node.attribute
        )
        read = node.input if node.op_type in COUNTS else node.input[:1] if node.op_type in MOVES else ()
        if casts or not counted.isdisjoint(read):
            counted.update(node.output)
    return counted


def check_counted(node: Node, counted: Iterable[bool]) -> None:
    """UnsupportedError where a node computes with data of integers; counted: which inputs are some."""
    own = [i for i, found in enumerate(counted) if found and isinstance(node.inputs[i], Data)]
    if own and node.op not in COUNTS | MOVES | ENDS and not (node.op in ROWS and own == [1]):
        raise node.fail(f"take integers made of comparisons as they are: they are only {COUNTED}")


def count(node: Node) -> Data:
    """CumSum, of integers made of comparisons."""
    if node.attributes.get("exclusive", 0) or node.attributes.get("reverse", 0):
        raise node.fail("add up from the first place to each, with it")
    return running_sum(node.data(), int(node.number(1)), node)


def as_integers(data: Data, node: Node) -> Data:
    """A Cast to integers of what is whole already."""
    if not is_whole(data.wire):
        raise node.fail(f"keep data floating-point, got type {node.attributes.get('to', 0)}")
    return data


def equal(node: Node) -> Data:
    """1 where whole numbers of the input are those of a constant, else 0: relu(1 - |x - c|), exactly."""
    data, values = (node.inputs[0], node.inputs[1])
    if not isinstance(data, Data):
        data, values = values, data
    if not node.whole or not isinstance(values, np.ndarray) or values.dtype.kind not in "iu":
        raise node.fail("compare integers of the input with a constant")
    if values.size and max(abs(int(values.max())), abs(int(values.min()))) >= EXACT:
        raise node.fail(f"compare with whole numbers between -{EXACT} and {EXACT}")
    apart = _difference(data, values.astype(np.float64), node)
    return plus(apart.then(Abs()), np.ones(1), node, scale=-1).then(ReLU())


def _difference(data: Data, values: np.ndarray, node: Node) -> Data:
    """data - values; one number of data against all values of a list is a product with ones."""
    count = values.size
    if data.sizes and data.sizes[-1] == 1 and count > 1 and count == values.shape[-1]:
        if values.ndim > data.rank:
            raise node.fail(f"not add dimensions, got a constant of shape {values.shape} for {data}")
        ones, bias = np.ones((count, 1), np.float32), -values.reshape(-1)
        return (product if data.rank == 2 else at_positions)(data, ones, bias, node)
    return plus(data, -values, node)
