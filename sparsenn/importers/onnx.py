"""ONNX: graphs of matrix products, activations and what moves values, opset 9 and newer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..checks import check_flag
from ..errors import SparsennError, UnsupportedError
from ..model import Model
from ..require import require


def from_onnx(
    model,
    *,
    output: str | Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    constants: Mapping | None = None,
    keep_batch_norm: bool = False,
) -> Model:
    """The network of an ONNX file.

    model         a path, the bytes of a file, or an onnx.ModelProto
    output        the name of the output to import, or several. None: every output of floats
    input_shapes  shapes (batch, ...) of inputs by name, None for a size that is not fixed; needed only where
                  the file leaves sizes open on which layers depend: errors say which. Others stay open
    constants     arrays of inputs that are the same in every run, by name: they are no inputs of the model
    keep_batch_norm  False: BatchNormalization is folded into the layers beside it; True: it becomes a
                  BatchNorm layer, to train on, which plans fold

    Supported: Conv, ConvTranspose, MaxPool, AveragePool, GlobalAveragePool, GlobalMaxPool, Pad, Resize,
    Upsample, LSTM, GRU, RNN, Where, comparisons, Gemm, MatMul with a constant (also over the last of
    several dimensions) or of two tensors of data, LayerNormalization, RMSNormalization, Attention (also
    written as products around a Softmax), Add, Sub, Mul, Sum, Neg, Div by a constant, Concat, Split, Slice,
    Gather with constant indices, Reshape, Flatten, Squeeze, Unsqueeze and Transpose, Relu, LeakyRelu, Clip,
    Tanh, Sigmoid, Elu, Gelu (the op and its formula with Erf), SiLU (x Sigmoid(x)), Softmax, ReduceSum,
    ReduceMean, ReduceMax, ReduceMin, BatchNormalization (folded), Identity, Dropout, Cast,
    Constant. Inputs of integers are moved, cast, compared by Equal with constants, or
    the rows that Gather takes of a table. What depends on
    constants and shapes alone is computed by the onnx package's reference evaluator.

    A chain of layers takes (batch, features), the features of an input of more dimensions row by row; any
    other graph takes and gives what the file does, under its names, samples first. All is computed in
    float32. Weights with 60 % zeros or more, and sparse initialisers, become CSR.

    UnsupportedError names the first node that is not supported, before anything is built. FormatError: not an
    ONNX file, or an inconsistent one. External data is read only from regular files in the model's folder.
    """
    onnx = require("onnx", extra="onnx", caller="from_onnx")
    from ._data import UnknownSizeError
    from ._emit import emit
    from ._onnx_file import read_model
    from ._onnx_graph import Graph
    from ._open_sizes import with_open_sizes

    if not isinstance(model, (str, bytes, bytearray, memoryview, os.PathLike, onnx.ModelProto)):
        raise TypeError(f"model must be a path, bytes or an onnx.ModelProto, got {type(model).__name__}")
    keep = check_flag("keep_batch_norm", keep_batch_norm)
    names = [output] if isinstance(output, str) else output
    if names is not None and (
        not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names)
    ):
        raise TypeError(f"output must be a name, a list of names or None, got {output!r:.80}")
    proto, folder = read_model(model)
    graph = Graph(proto, folder, output=names, input_shapes=input_shapes, constants=constants)
    hint = graph.hint()

    def build(dims: dict) -> Model:
        graph.dims = dict(dims)
        return emit(*graph.wires(), hint=hint, keep_batch_norm=keep, numbers=True)

    def probe(dims: dict) -> None:
        graph.dims = dict(dims)
        graph.wires()

    def imported() -> Model:
        try:
            return build(graph.dims)
        except UnknownSizeError as error:
            dims, problem = graph.dims, error
        if not any(None in sizes[1:] for sizes in dims.values()):
            raise problem
        return with_open_sizes(build, dims, graph.size_names(), probe=probe)[0]

    dims = dict(graph.dims)
    try:
        return imported()
    except UnsupportedError as error:
        graph.dims, problem = dims, error
    try:
        if graph.read_alone():
            return imported()
    except SparsennError:
        pass
    raise problem
