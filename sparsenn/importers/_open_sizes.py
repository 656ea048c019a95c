"""One model for inputs of any size, of the models that an importer makes for some sizes each.

An importer computes with numbers: so it reads a network several times, each time with other numbers for the
sizes that are open, and what is the same in all of these models is the same for any. A layer that holds a
size, as a Reshape does, is one of its forms that fits all of them (Layer.open_forms).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..errors import ArgumentError, SparsennError, UnsupportedError
from ..graph.value import Dims, Value
from ..layers import Layer, Matrix
from ..model import Model
from ._tables import Tables, longest

# Sizes are multiples of one of these, and then odd ones: so networks that halve them often, or cut them into
# three, five or seven, are read too. The last is for short tables of positions.
STEPS = (32, 256, 2048, 240, 2520, 8)
Place = tuple[str, int]  # an input, and an axis of it
Sizes = dict[str, Dims]


def with_open_sizes(
    build: Callable[[Sizes], Model],
    dims: Mapping[str, Dims],
    labels: Mapping[Place, object] | None = None,
    *,
    probe: Callable[[Sizes], object] | None = None,
) -> tuple[Model, Sizes]:
    """The Model of inputs whose sizes of None stay open, and dims, all known, that it was made for.

    build   makes the Model of inputs of known sizes, or raises a SparsennError
    probe   raises what build does, in less time
    dims    of each input, the batch first
    labels  of its open sizes; those of one label are always the same. None: each is one of its own
    UnsupportedError where what is computed depends on the sizes in a way that no model can follow.
    """
    places = ((name, axis) for name, sizes in dims.items() for axis in range(1, len(sizes)))
    places = [place for place in places if dims[place[0]][place[1]] is None]
    each = {place: (labels or {}).get(place, place) for place in places}
    try:
        return _fitted(build, dims, each, probe or build)
    except UnsupportedError:
        together = {place: place[1] for place in places}  # sizes of one axis are the same, as tokens are
        if labels is not None or len(set(together.values())) == len(places):
            raise
        try:
            return _fitted(build, dims, together, probe or build)
        except UnsupportedError:
            pass
        raise


def _fitted(
    build: Callable[[Sizes], Model],
    dims: Mapping[str, Dims],
    labels: Mapping[Place, object],
    probe: Callable[[Sizes], object],
) -> tuple[Model, Sizes]:
    failed = ""
    for step in STEPS:
        first, *others = _choices(step, dims, labels)
        try:
            common = _Common(build(first), first, labels, probe)
            return common.fitted(build, others[:1], others[1:]), first
        except _DependsError as error:
            failed = str(error)
            break
        except SparsennError as error:
            failed = failed or f"{error}, for {_shown(first)}"
    raise UnsupportedError(f"{failed}: {open_shapes(dims)}")


def open_shapes(dims: Mapping[str, Dims]) -> str:
    """What to give for the sizes that are None; nothing where there are none."""
    shapes = [
        f"{name!r}: ({', '.join(('None', *('?' if size is None else str(size) for size in sizes[1:])))})"
        for name, sizes in dims.items()
        if None in sizes[1:]
    ]
    return f"give input_shapes={{{', '.join(shapes)}}} with numbers for ?" if shapes else ""


class _DependsError(Exception):
    """What is computed depends on the open sizes."""


def _choices(step: int, dims: Mapping[str, Dims], labels: Mapping[Place, object]) -> Iterator[Sizes]:
    """Dims with numbers for the open sizes: two of multiples of step, then others."""
    order = {label: index for index, label in enumerate(dict.fromkeys(labels.values()))}
    for number in (
        lambda k: step * (3 + k),
        lambda k: step * (5 + 2 * k),
        lambda k: step * (3 + k) + 2 * k + 1,
        lambda k: step // 2 * (7 + 2 * k),
        lambda k: step * (4 + k) - k - 2,
    ):
        yield {
            name: tuple(
                number(order[labels[name, axis]]) if (name, axis) in labels else size
                for axis, size in enumerate(sizes)
            )
            for name, sizes in dims.items()
        }


class _Common:
    """A model made for some sizes, with the forms of its layers that fit those that were compared so far."""

    def __init__(self, model: Model, sizes: Sizes, labels: Mapping[Place, object], probe: Callable):
        self.model, self.sizes, self.labels, self.probe = model, sizes, labels, probe
        self.tables = Tables(model)
        self.forms = [_forms(node) for node in model.nodes]
        self.inputs = [value.dims for value in model.input_values]

    def fitted(self, build: Callable[[Sizes], Model], must: list[Sizes], may: list[Sizes]) -> Model:
        """The model that is right for all of those sizes; of may those that the network can take at all."""
        for sizes in must:
            self._compare(build(sizes), sizes)
        if self.tables.cut:
            self._complete(build)
        made = self._made()
        for sizes in may:
            try:
                other = build(sizes)
            except SparsennError as error:
                if _takes(made, sizes):
                    raise _DependsError(f"sizes as {_shown(sizes)} cannot stay open: {error}") from None
            else:
                self._compare(other, sizes)
        return self._made()

    def _complete(self, build: Callable[[Sizes], Model]) -> None:
        """Takes the whole tables that constants are cut from: those of the largest size that there is."""
        sizes = {table.array.shape[table.axis - 1] for table in self.tables.cut}
        found = {
            self.labels[name, axis]
            for name, dims in self.sizes.items()
            for axis, size in enumerate(dims)
            if size in sizes and (name, axis) in self.labels
        }
        if len(found) == len(sizes) == 1:
            largest = longest(self.probe, self.sizes, self.labels, found.pop())
            if self.tables.take(build(largest)):
                return
        raise _DependsError(f"constants depend on the sizes that are open, as {_shown(self.sizes)}")

    def _compare(self, other: Model, sizes: Sizes) -> None:
        here, there = _edges(self.model), _edges(other)
        if here != there or not self.tables.fit(other):
            raise _DependsError(
                f"what is computed depends on the sizes that are open: {_shown(self.sizes)} and "
                f"{_shown(sizes)} give other layers or constants"
            )
        for index, (mine, node) in enumerate(zip(self.forms, other.nodes, strict=True)):
            fits = _forms(node)
            self.forms[index] = [form for form in mine if any(_same(form, one) for one in fits)]
            if not self.forms[index]:
                raise _DependsError(
                    f"the sizes that are open change a layer: {self.model.nodes[index].layer!r} for "
                    f"{_shown(self.sizes)} is {node.layer!r} for {_shown(sizes)}"
                )
        self.inputs = [
            tuple(a if a == b else None for a, b in zip(dims, value.dims, strict=True))
            for dims, value in zip(self.inputs, other.input_values, strict=True)
        ]

    def _made(self) -> Model:
        """The model on open inputs, of the first form of each layer."""
        chosen = {
            node: self.tables.with_prefixes(index, forms[0])
            for index, (node, forms) in enumerate(zip(self.model.nodes, self.forms, strict=True))
        }
        try:
            return self.model.with_dims(self.inputs, lambda node: chosen[node])
        except ArgumentError as error:
            raise _DependsError(f"the sizes cannot stay open: {error}") from None


def _takes(model: Model, sizes: Sizes) -> bool:
    """Whether the model takes inputs of those sizes."""
    try:
        model.with_dims([sizes[value.name] for value in model.input_values])
    except (ArgumentError, UnsupportedError):
        return False
    return True


def _forms(node) -> list[Layer]:
    return list(node.layer.open_forms(*(operand.dims for operand in node.inputs)))


def _edges(model: Model) -> list:
    """What each node does to which values, and what comes out."""
    numbers: dict = {value: index for index, value in enumerate(model.input_values)}
    numbers.update((node.output, len(numbers) + index) for index, node in enumerate(model.nodes))
    nodes = [
        [numbers[operand] if isinstance(operand, Value) else "constant" for operand in node.inputs]
        for node in model.nodes
    ]
    return [*nodes, [numbers[value] for value in model.output_values]]


def _same(layer: Layer, other: Layer) -> bool:
    """Whether both layers compute the same, of the same kind and numbers."""
    if layer is other:
        return True
    if type(layer) is not type(other) or any(
        getattr(layer, name) != getattr(other, name) for name in ("attribute_values", "integer_values")
    ):
        return False
    if not all(np.array_equal(getattr(layer, name), getattr(other, name)) for name in layer.constants):
        return False
    return not isinstance(layer, Matrix) or _same_matrix(layer, other)


def _same_matrix(layer: Matrix, other: Matrix) -> bool:
    a, b = layer.weight, other.weight
    if layer.sparse != other.sparse or a.shape != b.shape or (layer.bias is None) != (other.bias is None):
        return False
    parts = [(layer.bias, other.bias)] if layer.bias is not None else []
    if layer.sparse:
        parts += [(getattr(a, name), getattr(b, name)) for name in ("data", "indices", "indptr")]
    else:
        parts.append((a, b))
    return all(np.array_equal(one, two) for one, two in parts)


def _shown(sizes: Sizes) -> str:
    return ", ".join(f"{name} ({', '.join(map(str, ('batch', *dims[1:])))})" for name, dims in sizes.items())
