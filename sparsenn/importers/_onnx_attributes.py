"""The attributes of an ONNX node."""

from __future__ import annotations

import onnx

from ..errors import FormatError
from ._onnx_file import as_text, cut, read_sparse_tensor, read_tensor


class Attributes:
    """The attributes of a node, read by name with the type that is expected."""

    def __init__(self, node, label: str, folder: str | None, file_bytes: int):
        self.label, self.folder, self.file_bytes = label, folder, file_bytes
        self.by_name = {as_text(attribute.name): attribute for attribute in node.attribute}
        if len(self.by_name) != len(node.attribute):
            raise FormatError(f"node {label} must have each attribute once")
        if any(attribute.ref_attr_name for attribute in node.attribute):
            raise FormatError(f"node {label} must have attributes with values, got one of a function")

    def get(self, name: str, default):
        """The value of an int, float, string or ints attribute of the type of default, or default."""
        if name not in self.by_name:
            return default
        attribute, kinds = self.by_name[name], onnx.AttributeProto
        wanted = {int: kinds.INT, float: kinds.FLOAT, str: kinds.STRING, tuple: kinds.INTS}[type(default)]
        if attribute.type != wanted:
            raise FormatError(f"attribute {cut(name)} of node {self.label} is of the wrong type")
        if wanted == kinds.INTS:
            return tuple(attribute.ints)
        if wanted == kinds.STRING:
            return attribute.s.decode("utf-8", "replace")
        return attribute.i if wanted == kinds.INT else attribute.f

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def names(self) -> list[str]:
        return sorted(self.by_name)

    def tensor(self, name: str):
        """A tensor attribute as an array, a sparse one as a csr_array."""
        attribute = self.by_name[name]
        if attribute.type == onnx.AttributeProto.TENSOR:
            return read_tensor(attribute.t, self.folder)
        if attribute.type == onnx.AttributeProto.SPARSE_TENSOR:
            return read_sparse_tensor(attribute.sparse_tensor, self.folder, self.file_bytes)
        raise FormatError(f"attribute {cut(name)} of node {self.label} must hold a tensor")

    def strings(self, name: str) -> list[str]:
        """The strings of a strings attribute; none where it is left out."""
        if name not in self.by_name:
            return []
        attribute = self.by_name[name]
        if attribute.type != onnx.AttributeProto.STRINGS:
            raise FormatError(f"attribute {cut(name)} of node {self.label} is of the wrong type")
        return [text.decode("utf-8", "replace") for text in attribute.strings]

    def numbers(self, name: str) -> list:
        """The numbers of an ints or floats attribute."""
        attribute = self.by_name[name]
        return list(attribute.ints if attribute.type == onnx.AttributeProto.INTS else attribute.floats)
