"""The inputs of a torch module: those of its forward, with the sizes that an example of them has."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ..checks import check_integer
from ..errors import ArgumentError, UnsupportedError
from ._wires import Sizes


@dataclass(frozen=True)
class Inputs:
    """The sizes of a sample by name, of what a call is given by position and by keyword.

    whole  names of those that hold integers; None: not known
    """

    positional: dict[str, Sizes]
    keyword: dict[str, Sizes]
    whole: frozenset[str] | None = frozenset()

    @property
    def sizes(self) -> dict[str, Sizes]:
        return self.positional | self.keyword


def inputs_of(module: torch.nn.Module, example) -> Inputs:
    """What module is called with; example is a tensor, a sequence of them, a dict by name, or None."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    kinds = inspect.Parameter
    plain = [p for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    rest = next((p for p in parameters if p.kind == kinds.VAR_POSITIONAL), None)
    if example is None:
        names = [p.name for p in plain if p.default is kinds.empty] or [p.name for p in plain[:1]]
        if not names and rest is None:
            raise UnsupportedError("module must have a forward that takes a tensor, got no parameters")
        return Inputs({name: (None,) for name in names or [rest.name]}, {})
    if isinstance(example, Mapping):
        named = [p.name for p in parameters if p.kind in (kinds.KEYWORD_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
        free = any(p.kind == kinds.VAR_KEYWORD for p in parameters)
        for name in example:
            if name not in named and not free:
                raise ArgumentError(f"example must name inputs of forward, {', '.join(named)}, got {name!r}")
        shapes = {name: _sizes(value, f"example[{name!r}]") for name, value in example.items()}
        return _checked(Inputs({}, shapes, _whole(example)))
    values = list(example) if isinstance(example, Sequence) else [example]
    names = [p.name for p in plain[: len(values)]]
    if rest is not None:
        names += [f"{rest.name}{index}" for index in range(len(values) - len(names))]
    if len(names) != len(values):
        raise ArgumentError(f"example must have at most {len(plain)} inputs like forward, got {len(values)}")
    label = "example[{}]" if isinstance(example, Sequence) else "example"
    sizes = [_sizes(value, label.format(index)) for index, value in enumerate(values)]
    return _checked(
        Inputs(dict(zip(names, sizes, strict=True)), {}, _whole(dict(zip(names, values, strict=True))))
    )


def inputs_of_shapes(module: torch.nn.Module, shapes: Mapping) -> Inputs:
    """Of shapes (batch, ...) by the names of forward's parameters; a size of None stays open."""
    if not isinstance(shapes, Mapping):
        raise TypeError(
            f"input_shapes must be a dict of name to shape such as {{'x': (None, 3, None, None)}}, "
            f"got {type(shapes).__name__}"
        )
    sizes = {}
    for name, shape in shapes.items():
        label = f"input_shapes[{name!r}]"
        if isinstance(shape, str) or not isinstance(shape, Sequence):
            raise TypeError(f"{label} must be a shape, got {type(shape).__name__}")
        if len(shape) < 2:
            raise ArgumentError(f"{label} must have shape (batch, ...), got {tuple(shape)}")
        sizes[name] = tuple(
            None if size is None else check_integer(f"{label}[{axis}]", size, minimum=1)
            for axis, size in enumerate(shape)
        )[1:]
    parameters = inspect.signature(module.forward).parameters
    free = any(p.kind == inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    for name in sizes:
        if name not in parameters and not free:
            raise ArgumentError(
                f"input_shapes must name inputs of forward, {', '.join(parameters)}, got {name!r}"
            )
    return _checked(Inputs({}, sizes, None), "input_shapes")


def _checked(inputs: Inputs, argument: str = "example") -> Inputs:
    if not inputs.sizes:
        raise ArgumentError(f"{argument} must hold at least one input, got none")
    return inputs


def _is_whole(value) -> bool:
    return "int" in str(value.dtype)


def _whole(values: Mapping) -> frozenset[str]:
    return frozenset(name for name, value in values.items() if _is_whole(value))


def _sizes(value, name: str) -> Sizes:
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise TypeError(f"{name} must be a tensor or an array, got {type(value).__name__}")
    shape = tuple(int(size) for size in value.shape)
    if "float" not in str(value.dtype) and not _is_whole(value):
        raise UnsupportedError(f"{name} must hold floats or integers, got {value.dtype}")
    if len(shape) < 2 or 0 in shape[1:]:
        raise ArgumentError(f"{name} must have shape (batch, ...) of at least one feature, got {shape}")
    return shape[1:]
