"""ONNX files: fields of the protocol buffers altered by reflection, whatever they are."""

from __future__ import annotations

import functools
from pathlib import Path
from random import Random

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from graph.graphs import CASES
from onnx import TensorProto, helper, numpy_helper
from onnx_graphs import RandomGraph

import sparsenn as snn

from . import alter
from .engine import Target, run_model

OPS = [
    "Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "Relu",
    "LeakyRelu", "Clip", "Tanh", "Sigmoid", "Elu", "Gelu", "Erf",
    "Softmax", "BatchNormalization", "Flatten", "Reshape", "Transpose", "Identity", "Dropout",
    "Cast", "Constant", "Conv", "Squeeze", "Unsqueeze", "Loop", "If",
    "Concat", "Split", "Slice", "Gather", "Shape", "Expand", "Sum", "Neg", "Range", "ConstantOfShape", "Tile",
]  # fmt: skip


def chain(nodes: int) -> onnx.ModelProto:
    """Two layers of weights and many nodes between, one of them a shape that is computed."""
    constants = [
        numpy_helper.from_array(np.eye(4, 5, dtype=np.float32), "w"),
        numpy_helper.from_array(np.array([0, -1]), "shape"),
    ]
    made = [
        helper.make_node("MatMul", ["x", "w"], ["h0"]),
        helper.make_node("Reshape", ["h0", "shape"], ["h1"]),
    ]
    for index in range(1, nodes):
        made.append(helper.make_node(["Relu", "Identity"][index % 2], [f"h{index}"], [f"h{index + 1}"]))
    made.append(helper.make_node("Identity", [f"h{nodes}"], ["y"]))
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", s]) for n, s in (("x", 4), ("y", 5))]
    graph = helper.make_graph(made, "chain", values[:1], values[1:], initializer=constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@functools.cache
def valid_files() -> list[bytes]:
    models = [RandomGraph(seed).proto for seed in range(24)]
    model = snn.mlp([6, 5, 3], sparsity=0.6, activation="elu", output="softmax")
    models += [snn.to_onnx(model, sparse=sparse) for sparse in (False, True)]
    models += [snn.to_onnx(snn.mlp([4, 3], activation="gelu")), chain(6), chain(60)]
    models += [snn.to_onnx(case.model) for case in CASES]
    return [proto.SerializeToString() for proto in models]


def find_messages(message: Message, found: list[Message]) -> list[Message]:
    """message and every message inside."""
    found.append(message)
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for inner in value if is_repeated(message, field) else [value]:
                find_messages(inner, found)
    return found


def is_repeated(message: Message, field: FieldDescriptor) -> bool:
    return hasattr(getattr(message, field.name), "append") or hasattr(getattr(message, field.name), "add")


def names_in(messages: list[Message]) -> list[str]:
    """Every name of a value, so that edges can be laid anew: cycles, values given twice, missing ones."""
    names = set()
    for message in messages:
        if isinstance(message, onnx.NodeProto):
            names.update(message.input, message.output)
        elif isinstance(message, (onnx.TensorProto, onnx.ValueInfoProto)):
            names.add(message.name)
    return sorted(names)


def other_scalar(random: Random, field: FieldDescriptor, old, names: list[str]):
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        if field.name == "op_type":
            return random.choice(OPS)
        return alter.text(random, names).replace("\ud800", "u")
    if kind == FieldDescriptor.TYPE_BYTES:
        return alter.binary(random, bytes(old))
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return random.choice([0.0, -1.0, 1e30, -1e-30, float("inf"), float("nan"), 0.5])
    if kind == FieldDescriptor.TYPE_ENUM:
        return random.choice(list(field.enum_type.values_by_number))
    if kind == FieldDescriptor.TYPE_BOOL:
        return not old
    small = kind in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32)
    unsigned = kind in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64)
    bits = 31 if small else 63
    return alter.fits(random, int(old), 0 if unsigned else -(2**bits), 2**bits - 1)


def alter_message(random: Random, message: Message, everything: list[Message]) -> None:
    """One field of message: cleared, set to something else, or with an entry added, taken away or moved."""
    fields = [field for field, _ in message.ListFields()]
    if not fields or random.random() < 0.15:
        fields = list(message.DESCRIPTOR.fields)
    field = random.choice(fields)
    is_message = field.type == FieldDescriptor.TYPE_MESSAGE
    if random.random() < 0.08:
        message.ClearField(field.name)
    elif is_message and not is_repeated(message, field):
        same = [m for m in everything if m.DESCRIPTOR is field.message_type]
        if same:
            copy = type(same[0])()
            copy.CopyFrom(random.choice(same))
            getattr(message, field.name).CopyFrom(copy)
    elif is_message:
        alter_entries(random, getattr(message, field.name))
    elif is_repeated(message, field):
        values = list(getattr(message, field.name))
        index = random.randrange(len(values) + 1)
        old = values[index] if index < len(values) else field.default_value
        if isinstance(old, list):  # of an empty field
            old = b"" if field.type == FieldDescriptor.TYPE_BYTES else 0
        names = names_in(everything)
        kind = random.randrange(4)
        if kind == 0 and values:
            values.pop(min(index, len(values) - 1))
        elif kind == 1 or index == len(values):
            values.insert(index, other_scalar(random, field, old, names))
        else:
            values[index] = other_scalar(random, field, old, names)
        del getattr(message, field.name)[:]
        getattr(message, field.name).extend(values)
    else:
        old = getattr(message, field.name)
        setattr(message, field.name, other_scalar(random, field, old, names_in(everything)))


def alter_entries(random: Random, entries) -> None:
    """A repeated field of messages: one taken away, doubled, or two changed in order."""
    if not len(entries):
        entries.add()
        return
    index = random.randrange(len(entries))
    kind = random.randrange(4)
    if kind == 0:
        del entries[index]
    elif kind == 1:
        entries.add().CopyFrom(entries[index])
    else:
        other = random.randrange(len(entries))
        held = type(entries[index])()
        held.CopyFrom(entries[index])
        entries[index].CopyFrom(entries[other])
        entries[other].CopyFrom(held)


def make_external(random: Random, messages: list[Message]) -> None:
    """A tensor whose values are said to be in a file beside the model, or elsewhere."""
    tensors = [message for message in messages if isinstance(message, onnx.TensorProto)]
    if not tensors:
        return
    tensor = random.choice(tensors)
    location = random.choice(
        ["beside.bin", "../beside.bin", "/dev/zero", "", "none.bin", ".", "a\0b", "model.onnx"]
    )
    offset, length = (str(alter.integer(random, old)) for old in (0, len(tensor.raw_data)))
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if random.random() < 0.8:
            tensor.external_data.add(key=key, value=value)


def alter_file(random: Random, folder: Path) -> Path:
    proto = onnx.ModelProto()
    proto.ParseFromString(random.choice(valid_files()))
    for _ in range(random.choice([1, 1, 2, 3])):
        messages = find_messages(proto, [])
        by_kind: dict[type, list[Message]] = {}
        for message in messages:
            by_kind.setdefault(type(message), []).append(message)
        alter_message(random, random.choice(random.choice(list(by_kind.values()))), messages)
    if random.random() < 0.05:
        make_external(random, find_messages(proto, []))
    content = proto.SerializeToString()
    if random.random() < 0.1:
        content = alter.binary(random, content)
    (folder / "beside.bin").write_bytes(bytes(64))
    path = folder / "model.onnx"
    path.write_bytes(content)
    return path


def read(path: Path) -> snn.Model:
    try:
        return snn.from_onnx(path)
    except FileNotFoundError as error:  # external data that is not there
        raise snn.FormatError(str(error)) from None


TARGETS = [Target("onnx", alter_file, read, run_model)]
