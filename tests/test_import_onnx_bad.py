"""from_onnx on what it cannot import, on files that lie, and on files that were altered.

SPARSENN_MUTATIONS sets how many altered files are tried: 10,000 by default.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

import sparsenn as snn

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_graphs import RandomGraph  # noqa: E402
from test_import_onnx import make, weight  # noqa: E402

MUTATIONS = int(os.environ.get("SPARSENN_MUTATIONS", "10000"))


def product(**changes) -> onnx.ModelProto:
    return make([helper.make_node("MatMul", ["x", "w"], ["y"], name="first")], {"w": weight(4, 3)}, **changes)


def then(*nodes, **constants) -> onnx.ModelProto:
    """x -> MatMul -> h -> nodes -> y."""
    first = helper.make_node("MatMul", ["x", "w"], ["h"], name="first")
    return make([first, *nodes], {"w": weight(4, 3), **constants})


def node(op: str, inputs=("h",), outputs=("y",), **attributes) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, name="last", **attributes)


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            then(node("Einsum", ["h", "w"])),
            "op 'Einsum' of node 'last' is not supported; supported are Abs, Add, .*, Transpose",
        ),
        (then(node("Relu", domain="com.example")), "op 'Relu' of node 'last' is not supported"),
        (then(node("Hardmax")), "op 'Hardmax' of node 'last' is not supported"),
        (then(node("Erf")), "op 'Erf' is supported in the formula of GELU alone"),
        (then(node("Pow", ["h", "h"])), "op 'Pow' of node 'last' must have a dense constant as input 1"),
        (then(node("Pow", ["h", "c"]), c=np.float32([2, 3, 2])), "must have one exponent, got"),
        (then(node("Pow", ["h", "c"]), c=np.float32(0)), "must have a finite exponent other than 0, got 0"),
        (then(node("Pow", ["c", "h"]), c=np.float32(-2)), "must have a finite base above 0, got -2"),
        (then(node("HardSigmoid", alpha=-0.2)), "a finite alpha above 0 and a finite beta, got -0.2"),
        (then(node("Celu", alpha=0.0)), "must have a finite alpha above 0, got 0"),
        (then(node("PRelu", ["h", "c"]), c=weight(7)), "must keep the sizes"),
        (then(node("MatMul", ["h", "h"])), "must have a constant as input 1: two tensors of data"),
        (then(node("Softmax", axis=0)), "must leave the batch alone, got axis 0"),
        (then(node("Elu", alpha=-1.0)), "must have a finite alpha above 0, got -1"),
        (then(node("Gelu", approximate="sin")), "must be exact or approximated by tanh, got 'sin'"),
        (
            then(node("Clip", ["h", "c", "d"]), c=np.float32(1), d=np.float32(0)),
            "must have a lower limit below",
        ),
        (then(node("Flatten", axis=0)), r"must keep the batch \(axis 1\), got axis 0"),
        (then(node("Reshape", ["h", "c"]), c=np.array([3, -1])), "must keep the batch in dimension 0"),
        (then(node("Add", ["h", "c"]), c=weight(7, 3)), "must do the same to every sample"),
        (then(node("Dropout", ["h", "", "c"]), c=np.array(True)), "must be in inference mode"),
        (
            make(
                [helper.make_node("Gemm", ["x", "w"], ["y"], name="first")],
                {"w": weight(4, 3)},
                inputs=("batch", 2, 4),
            ),
            r"op 'Gemm' of node 'first' must take \(batch, features\), got \(batch, 2, 4\)",
        ),
        (product(inputs=(4,)), r"the input 'x' must have shape \(batch, ...\), got 1 dimensions"),
        (product(opset=8), r"the opset must be in \[9, \d+\], got 8"),
        (product(opset=99), "the opset must be in .*, got 99"),
    ],
    ids=lambda value: value.graph.node[-1].op_type if isinstance(value, onnx.ModelProto) else "",
)
def test_what_is_not_supported(proto, message):
    with pytest.raises(snn.UnsupportedError, match=message):
        snn.from_onnx(proto)


def test_two_inputs_and_branches():
    proto = product()
    proto.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ("batch", 4)))
    assert snn.from_onnx(proto).inputs == 4  # nothing uses z
    proto.graph.node[0].input[1] = "z"
    with pytest.raises(snn.UnsupportedError, match="'first' must have a constant as input 1: two tensors of"):
        snn.from_onnx(proto)
    integers = product()
    integers.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(snn.UnsupportedError, match="the input 'x' must hold floats, got type 7"):
        snn.from_onnx(integers)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.graph.node[0].input.__setitem__(1, "v"), "the value 'v' must be made before it is used"),
        (lambda p: p.graph.node.append(p.graph.node[0]), "the value 'y' must be made once"),
        (lambda p: p.graph.initializer[0].dims.__setitem__(0, 5), "tensor 'w' must hold 60 bytes, got 48"),
        (lambda p: p.graph.initializer[0].dims.__setitem__(0, -4), "must have sizes of at least 0"),
        (lambda p: p.graph.initializer[0].ClearField("raw_data"), "tensor 'w' must hold 12 values, got 0"),
        (lambda p: p.opset_import.append(helper.make_opsetid("", 9)), "must name one version"),
        (lambda p: p.ClearField("graph"), "without a graph"),
    ],
)
def test_inconsistent_files(change, message):
    proto = product()
    change(proto)
    with pytest.raises(snn.FormatError, match=message):
        snn.from_onnx(proto.SerializeToString())


def test_wrong_arguments_and_no_files(tmp_path):
    with pytest.raises(TypeError, match="model must be a path, bytes or an onnx.ModelProto, got int"):
        snn.from_onnx(3)
    with pytest.raises(FileNotFoundError):
        snn.from_onnx(tmp_path / "none.onnx")
    with pytest.raises(snn.FormatError, match="must be an ONNX file, got 9 bytes"):
        snn.from_onnx(b"not one\xff\xff")
    with pytest.raises(snn.FormatError, match="without a graph"):
        snn.from_onnx(b"")
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(snn.FormatError, match="must be a regular file"):
        snn.from_onnx(tmp_path / "pipe.onnx")


def test_weights_must_be_finite_and_fit():
    broken = product()
    values = weight(4, 3)
    values[2, 1] = np.inf
    broken.graph.initializer[0].CopyFrom(numpy_helper.from_array(values, "w"))
    with pytest.raises(ValueError, match="MatMul 'first': the weight must be finite as float32, got inf"):
        snn.from_onnx(broken)
    with pytest.raises(snn.FormatError, match="must have a weight for 5 features, got 4"):
        snn.from_onnx(product(inputs=("batch", 5)))


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("../secret.bin", "must be in the folder of the model"),
        ("/etc/hostname", "must be in the folder of the model"),
        ("inner/../../secret.bin", "must be in the folder of the model"),
        ("..\\secret.bin", "must be in the folder of the model"),
        ("C:\\secret.bin", "must be in the folder of the model"),
        ("", "must be in the folder of the model"),
        ("link.bin", "must be in a file that is no symbolic link"),
        ("linked/secret.bin", "must be in a file that is no symbolic link"),
        ("inner", "must be a regular file|Is a directory"),
        ("short.bin", "must hold 48 bytes, got 3"),
        ("a\0b", "must be in the folder of the model"),
    ],
)
def test_external_data_stays_in_its_folder(tmp_path, location, message):
    folder = tmp_path / "models"
    (folder / "inner").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(weight(4, 3).tobytes())
    (folder / "short.bin").write_bytes(b"abc")
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "linked").symlink_to(tmp_path)
    proto = product()
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    (folder / "m.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises((snn.FormatError, OSError), match=message):
        snn.from_onnx(folder / "m.onnx")


@pytest.mark.parametrize(
    ("offset", "length", "message"),
    [
        ("4", "48", "must hold 52 bytes, got 48"),
        ("0", "44", "must hold 48 bytes, got 44"),
        ("-4", "48", "must have a numeric offset"),
        ("9" * 30, "48", "must have a numeric offset"),
    ],
)
def test_external_ranges(tmp_path, offset, length, message):
    (tmp_path / "w.bin").write_bytes(weight(4, 3).tobytes())
    proto = product()
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "w.bin"), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=value)
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(snn.FormatError, match=message):
        snn.from_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("dims", "places", "message"),
    [
        ((1 << 30, 1 << 30), [0, 1], "must have dimensions in proportion to its file"),
        ((4, 3), [0, 12], r"must have indices in \[0, 12\), got 0 to 12"),
        ((4, 3), [-1, 3], "must have indices in"),
        ((4, 3), [5, 5], "must have each index once"),
        ((4, 3), [[0, 1], [4, 0]], r"must have indices in \[0, 4\)"),
        ((12,), [0, 1], "must have two dimensions"),
    ],
)
def test_sparse_initialisers(dims, places, message):
    proto = product()
    del proto.graph.initializer[:]
    tensor = proto.graph.sparse_initializer.add(dims=dims)
    tensor.values.CopyFrom(numpy_helper.from_array(np.ones(2, np.float32), "w"))
    tensor.indices.CopyFrom(numpy_helper.from_array(np.array(places, np.int64)))
    with pytest.raises((snn.FormatError, snn.UnsupportedError), match=message):
        snn.from_onnx(proto)


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """content with some bytes changed, removed, repeated or inserted, or cut off."""
    altered = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        if not altered:
            break
        kind, place = rng.integers(6), int(rng.integers(len(altered)))
        end = min(len(altered), place + int(rng.integers(1, 20)))
        if kind == 0:
            altered[place] = int(rng.integers(256))
        elif kind == 1:
            altered[place] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del altered[place:end]
        elif kind == 3:
            altered[place:place] = altered[place:end]
        elif kind == 4:
            altered[place:place] = rng.bytes(end - place)
        else:
            del altered[place:]
    return bytes(altered)


def change_fields(content: bytes, rng: np.random.Generator) -> bytes:
    """The same graph with some fields changed: a well-formed file that makes no sense."""
    proto = onnx.load_from_string(content)
    graph = proto.graph
    names = [name for n in graph.node for name in (*n.input, *n.output)]
    tensors = [
        *graph.initializer,
        *(part for s in graph.sparse_initializer for part in (s.values, s.indices)),
    ]
    tensors += [a.t for n in graph.node for a in n.attribute if a.HasField("t")]
    for _ in range(rng.integers(1, 4)):
        n = graph.node[rng.integers(len(graph.node))]
        number = int(rng.choice([-(2**63), -7, -1, 0, 1, 2, 3, 2**31, 2**62]))
        kind = rng.integers(9)
        if kind == 0 and n.input:
            n.input[rng.integers(len(n.input))] = names[rng.integers(len(names))]
        elif kind == 1:
            n.op_type = graph.node[rng.integers(len(graph.node))].op_type
        elif kind == 2 and n.input:
            del n.input[rng.integers(len(n.input)) :]
        elif kind == 3 and n.attribute:
            attribute = n.attribute[rng.integers(len(n.attribute))]
            attribute.i, attribute.f, attribute.type = (
                number,
                float(rng.choice([np.nan, -1, 1e38])),
                rng.integers(1, 9),
            )
        elif kind == 4:
            dims = graph.input[0].type.tensor_type.shape.dim
            dims[rng.integers(len(dims))].dim_value = number
        elif tensors:
            tensor = tensors[rng.integers(len(tensors))]
            if kind == 5 and tensor.dims:
                tensor.dims[rng.integers(len(tensor.dims))] = number
            elif kind == 6:
                tensor.data_type = int(rng.integers(24))
            elif kind == 7:
                tensor.raw_data = rng.bytes(len(tensor.raw_data))
            else:
                tensor.dims.append(number)
    return proto.SerializeToString()


def test_altered_files_raise_or_import():
    """Nothing but the library's own errors: no crash, no other exception, no memory beyond reason."""
    rng = np.random.default_rng(11)
    graphs = [RandomGraph(seed).proto.SerializeToString() for seed in range(60)]
    outcomes = {"imported": 0, "refused": 0}
    for number in range(MUTATIONS):
        content = (mutate, change_fields)[number % 2](graphs[number % len(graphs)], rng)
        try:
            model = snn.from_onnx(content)
        except (snn.FormatError, snn.UnsupportedError, snn.ArgumentError):
            outcomes["refused"] += 1
        else:
            assert model.nodes and model.output_values
            outcomes["imported"] += 1
    assert min(outcomes.values()) > MUTATIONS // 20
