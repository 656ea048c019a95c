"""ONNX: graphs of matrix products and activations, opset 9 and newer."""

from __future__ import annotations

import os

from ..errors import UnsupportedError
from ..model import Model
from ..require import require
from ._steps import Affine, as_identity, build_model

# Features of a graph without weights: packing a matrix of so many rows and columns takes a second.
WIDEST_IDENTITY = 1 << 17


def from_onnx(model, *, output: str | None = None) -> Model:
    """The network of an ONNX file.

    model   a path, the bytes of a file, or an onnx.ModelProto
    output  the name of the output to import. None: the only one, or the only one of floats.

    Supported: Gemm, MatMul, Add, Sub, Mul and Div with constants, Relu, LeakyRelu, Clip, Tanh, Sigmoid, Elu,
    Gelu (the op and its formula with Erf), Softmax over the features, BatchNormalization (folded), Flatten,
    Reshape and Transpose that keep the batch, Identity, Dropout, Cast, Constant. The result takes (batch,
    features), the features of an input of more dimensions row by row. It computes in float32 in any case.
    Weights with 60 % zeros or more, and sparse initialisers, become CSR.

    UnsupportedError names the first node that is not supported, before anything is built. FormatError: not an
    ONNX file, or an inconsistent one. External data is read only from regular files in the model's folder.
    """
    onnx = require("onnx", extra="onnx", caller="from_onnx")
    from ._onnx_file import read_model
    from ._onnx_graph import Graph
    from ._onnx_values import Erf

    if not isinstance(model, (str, bytes, bytearray, memoryview, os.PathLike, onnx.ModelProto)):
        raise TypeError(f"model must be a path, bytes or an onnx.ModelProto, got {type(model).__name__}")
    if output is not None and not isinstance(output, str):
        raise TypeError(f"output must be a name or None, got {type(output).__name__}")
    proto, folder = read_model(model)
    graph = Graph(proto, folder, output=output)
    steps, width = graph.steps()
    if any(isinstance(step, Erf) for step in steps):
        raise UnsupportedError("op 'Erf' is supported in the formula of GELU alone")
    if not any(isinstance(step, Affine) for step in steps):
        if width is None or width > WIDEST_IDENTITY:
            raise UnsupportedError(
                f"a graph without a matrix product must declare 1 to {WIDEST_IDENTITY} features, got {width}"
            )
        steps = [as_identity(width, name="the input"), *steps]
    return build_model(steps, width=width)
