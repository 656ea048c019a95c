"""The operations that torch.fx recorded, evaluated on Data; what they make of shapes is plain arithmetic."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable

import torch
from torch.utils import _pytree

from ..errors import SparsennError, UnsupportedError
from ..layers import Reshape, Slice, Transpose
from ..torch_modules import hooks
from ._data import STAND_INS, Data, LearnedSizeError
from ._torch_functions import SUPPORTED
from ._torch_modules import FORWARDS, TAKES_MORE
from ._torch_ops import FUNCTIONS, IN_PLACE, METHODS, READS_BATCH
from ._torch_place import Place
from ._torch_trace import Tracer, is_plain
from ._wires import Sizes, Wire, same

HINT = "give example=, an input or inputs to see their shapes"
Named = list[tuple[str, Wire]]


class Graph:
    """sizes: of a sample of each input, by name; those that a weight tells are filled in.

    axes: where the module has the batch of each output; the model has it first
    """

    def __init__(self, tracer: Tracer, graph: torch.fx.Graph, sizes: dict[str, Sizes]):
        self.tracer, self.graph, self.sizes = tracer, graph, dict(sizes)
        self.arrays: dict[int, tuple] = {}
        self.axes: list[int] = []

    def wires(self) -> tuple[Named, Named]:
        """The inputs and the outputs by name."""
        inputs, outputs = self._learning(STAND_INS[0])
        if any(node.target in READS_BATCH for node in self.graph.nodes):
            _, others = self._learning(STAND_INS[1])
            if not same([wire for _, wire in outputs], [wire for _, wire in others]):
                raise UnsupportedError("module must compute the same for any number of samples")
        return inputs, outputs

    def _learning(self, stand_in: int) -> tuple[Named, Named]:
        """Again with each number of features that a weight tells."""
        while True:
            starts = {name: Wire(None, (), sizes) for name, sizes in self.sizes.items()}
            try:
                outputs = _Evaluation(self, starts, stand_in).outputs()
                self.axes = [data.axis for _, data in outputs]
                return list(starts.items()), [(name, data.wire) for name, data in outputs]
            except LearnedSizeError as learned:
                name = next(name for name, wire in starts.items() if wire is learned.wire)
                self.sizes[name] = (learned.size,)


class _Evaluation:
    def __init__(self, graph: Graph, starts: dict[str, Wire], batch: int):
        self.tracer, self.nodes, self.arrays = graph.tracer, graph.graph.nodes, graph.arrays
        self.starts, self.batch = iter(starts.values()), batch
        self.values: dict[torch.fx.Node, object] = {}
        self.written: set[Wire] = set()  # whose memory holds something else now

    def outputs(self) -> list[tuple[str, Data]]:
        for node in self.nodes:
            if node.op == "output":
                recurrent = any(isinstance(leaf, torch.nn.RNNBase) for leaf in self.tracer.leaves.values())
                return _named(self._loaded(node.args[0], "the end"), axes=2 if recurrent else 1)
            self.values[node] = self._value(node)
        raise UnsupportedError("module must return a tensor, got nothing")

    def _loaded(self, argument, where: str):
        """An argument of a node with the values of the nodes in it."""
        loaded = torch.fx.node.map_arg(argument, lambda node: self.values[node])
        for leaf in _pytree.tree_leaves(loaded):
            if isinstance(leaf, Data) and _memory_of(leaf.wire) in self.written:
                raise UnsupportedError(f"{where} must not read what was written in place since")
        return loaded

    def _value(self, node: torch.fx.Node):
        if node.op == "placeholder":
            return Data(next(self.starts), self.batch)
        if node.op == "get_attr":
            return self.tracer.constants[node.target]
        where = self.tracer.describe(node)
        args, kwargs = self._loaded(node.args, where), self._loaded(dict(node.kwargs), where)
        if not _on_data(node, args, kwargs):
            return self._computed(node, args, kwargs, where)
        at = Place(where, self.arrays, hint=HINT)
        if node.op == "call_module":
            return self._of_module(at, self.tracer.leaves[node.target], args, kwargs)
        if node.target in (getattr, "size", "dim", "numel"):
            return _fact(at, node.target, *args, **kwargs)
        return self._of_function(at, node, args, kwargs)

    def _computed(self, node: torch.fx.Node, args: tuple, kwargs: dict, where: str):
        """What does not depend on the inputs, but for their shapes: as torch computes it."""
        try:
            if node.op == "call_module":
                return self.tracer.leaves[node.target](*args, **kwargs)
            function = node.target if node.op == "call_function" else getattr(args[0], node.target)
            return function(*(args if node.op == "call_function" else args[1:]), **kwargs)
        except SparsennError:
            raise
        except Exception as error:  # sizes that are not known are None, in any arithmetic
            unknown = any(leaf is None for leaf in _pytree.tree_leaves((args, kwargs)))
            hint = f": {HINT}" if unknown else ""
            raise UnsupportedError(f"{where} must be computable from shapes alone: {error}{hint}") from None

    def _of_module(self, at: Place, module: torch.nn.Module, args: tuple, kwargs: dict) -> Data:
        if not is_plain(module):
            raise UnsupportedError(f"{at.label} is not supported; supported are {SUPPORTED}")
        hooks.run(module)
        run = FORWARDS[type(module).forward]
        if isinstance(module, TAKES_MORE):
            return self._called(at, run, module, args, kwargs)
        given = [*args, *kwargs.values()]
        if len(given) != 1:
            raise at.fail(f"take one tensor, got {len(given)}")
        data = at.data(given[0])
        made = run(at, module, data)
        if getattr(module, "inplace", False):
            self._write(data, made)
        return made

    def _called(self, at: Place, function: Callable, *given):
        """What a function makes of (..., args, kwargs), those of the source's call."""
        *first, args, kwargs = given
        try:
            bound = inspect.signature(function).bind(at, *first, *args, **kwargs)
        except TypeError as error:
            raise at.fail(f"have arguments that are supported: {error}") from None
        return function(*bound.args, **bound.kwargs)

    def _of_function(self, at: Place, node: torch.fx.Node, args: tuple, kwargs: dict):
        function, in_place = _find(node)
        if function is None:
            raise UnsupportedError(f"{at.label} is not supported; supported are {SUPPORTED}")
        try:
            bound = inspect.signature(function).bind(at, *args, **kwargs)
        except TypeError as error:
            raise at.fail(f"have arguments that are supported: {error}") from None
        made = function(*bound.args, **bound.kwargs)
        if in_place or bound.arguments.get("inplace", False):
            self._write(at.data(args[0] if args else kwargs.get("input")), made)
        return made

    def _write(self, data: Data, made: Data) -> None:
        if made.wire is not data.wire:
            self.written.add(_memory_of(data.wire))


def _on_data(node: torch.fx.Node, args: tuple, kwargs: dict) -> bool:
    """Whether a node does something with a tensor that depends on the inputs, not with a list of such."""
    if node.target is operator.getitem and not isinstance(args[0], (Data, torch.Tensor)):
        return False
    return any(isinstance(leaf, Data) for leaf in _pytree.tree_leaves((args, kwargs)))


def _find(node: torch.fx.Node) -> tuple[Callable | None, bool]:
    """The entry of a node in the tables, and whether it writes to its first operand."""
    if node.op == "call_function":
        return FUNCTIONS.get(node.target), node.target in IN_PLACE
    name = node.target
    if name.endswith("_") and not name.endswith("__"):
        return METHODS.get(name[:-1]), True
    return METHODS.get(name), False


def _memory_of(wire: Wire) -> Wire:
    """The wire whose memory this one may be a view of."""
    while isinstance(wire.step, (Reshape, Slice, Transpose)):
        wire = wire.operands[0]
    return wire


def _fact(at: Place, target, data: Data, *args, **kwargs):
    """What a program may ask of a tensor; None for a size that is not known."""
    name = args[0] if target is getattr else target
    if not isinstance(data, Data):
        raise at.fail("ask a tensor")
    if name == "shape" or (name == "size" and not args and not kwargs):
        return data.shape
    if name == "size":
        dim = at.integer(args[0] if args else kwargs.get("dim"), "dim")
        if not -data.rank <= dim < data.rank:
            raise at.bad(f"have a dim in [{-data.rank}, {data.rank}), got {dim}")
        return data.shape[dim]
    if name in ("ndim", "dim"):
        return data.rank
    if name == "numel":
        return None if data.features is None else math.prod(data.shape)
    if name == "dtype":
        return torch.float32
    if name == "device":
        return torch.device("cpu")
    if name in ("T", "mT") and data.rank == 2:
        return METHODS["t"](at, data)
    raise at.fail(f"ask for the shape, dtype or device, got {name}")


def _named(result, *, axes: int) -> list[tuple[str, Data]]:
    """The outputs by name: those of a dict, else numbered where there are several.

    axes: how many may be the batch's; it is in the second one of the states of recurrent layers
    """
    if axes > 1 and isinstance(result, (list, tuple)):
        result = _pytree.tree_leaves(result)  # states of an LSTM are a pair
    if isinstance(result, Data):
        outputs = {"y": result}
    elif isinstance(result, dict):
        outputs = {str(name): value for name, value in result.items()}
    elif isinstance(result, (list, tuple)):
        outputs = {f"y{index}": value for index, value in enumerate(result)}
    else:
        outputs = {"y": result}
    if not outputs:
        raise UnsupportedError("module must return a tensor, got none")
    for name, value in outputs.items():
        if not isinstance(value, Data):
            kind = type(value).__name__
            raise UnsupportedError(
                f"module must return tensors that depend on its inputs, got {kind} as {name}"
            )
        if value.axis >= axes:
            raise UnsupportedError(f"module must return tensors with the batch first, got {value} as {name}")
    return list(outputs.items())
