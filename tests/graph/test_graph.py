"""Models of graphs: what they hold, their names, and what is refused."""

import numpy as np
import pytest
from graphs import linear, residual

import sparsenn as snn


def test_nodes_are_in_order_and_a_dead_branch_is_left_out():
    x = snn.Input((4,), name="x")
    first, dead, last = linear(5, 4, 0), linear(9, 5, 1), linear(2, 5, 2)
    h = snn.ReLU()(first(x))
    snn.Tanh()(dead(h))
    model = snn.Model(inputs=x, outputs=last(h))
    assert model.layers == (first, snn.ReLU(), last) == tuple(node.layer for node in model.nodes)
    assert model.linear_layers == (first, last)
    values = {*model.input_values}
    for node in model.nodes:
        assert set(node.inputs) <= values and node.output.producer is node
        values.add(node.output)
    assert set(model.output_values) <= values


def test_a_list_makes_the_same_nodes():
    first, last = linear(5, 4, 0), linear(2, 5, 1)
    x = snn.Input((4,))
    graph = snn.Model(inputs=x, outputs=last(snn.ReLU()(first(x))))
    chain = snn.Model([first, snn.ReLU(), last])
    assert graph.is_chain and chain.is_chain and graph.layers == chain.layers
    assert (chain.inputs, chain.outputs) == (graph.inputs, graph.outputs) == (4, 2)
    for one, other in zip(chain.nodes, graph.nodes, strict=True):
        assert (one.layer, one.output.name, one.output.dims) == (
            other.layer, other.output.name, other.output.dims,
        )  # fmt: skip
    assert [value.name for value in (*chain.input_values, *chain.output_values)] == ["x", "y"]
    np.testing.assert_array_equal(chain.predict(np.eye(4)), graph.predict(np.eye(4)))


def test_what_is_no_chain(case):
    assert not case.model.is_chain


def test_a_shared_layer_counts_once():
    layer = linear(3, 3, 0)
    chain = snn.Model([layer, snn.ReLU(), layer])
    assert chain.is_chain and len(chain.layers) == 3
    assert chain.linear_layers == (layer,) and chain.nnz == 9
    copy = chain.copy()
    assert copy.layers[0] is copy.layers[2] is not layer


@pytest.mark.parametrize(
    "inputs, outputs, names",
    [
        (lambda a, b: [a, b], lambda p, q: [p, q], ["x0", "x1", "y0", "y1"]),
        (lambda a, b: {"left": a, "right": b}, lambda p, q: {"sum": p, "product": q},
         ["left", "right", "sum", "product"]),
        (lambda a, b: (a, b), lambda p, q: p, ["x0", "x1", "y"]),
        (lambda a, b: {"y": a, "h0": b}, lambda p, q: p, ["y", "h0", "y_"]),
        (lambda a, b: (a, b), lambda p, q: {"x0": p}, ["x0_", "x1", "x0"]),
    ],
)  # fmt: skip
def test_names(inputs, outputs, names):
    a, b = snn.Input((3,)), snn.Input((3,))
    p, q = snn.Add()(a, b), snn.Mul()(a, b)
    model = snn.Model(inputs=inputs(a, b), outputs=outputs(p, q))
    assert [value.name for value in (*model.input_values, *model.output_values)] == names
    every = [*model.input_values, *(node.output for node in model.nodes)]
    assert len({value.name for value in every}) == len(every)
    assert a.name is None and p.name is None  # the caller's own values are left alone


def test_a_model_may_end_inside_another():
    model = residual().model
    inner = snn.Model(inputs=model.input_values, outputs=model.nodes[1].output)
    assert inner.layers == model.layers[:2] and inner.is_chain


X, Z = snn.Input((3,), name="x"), snn.Input((3,), name="z")
Y = snn.ReLU()(X)


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({}, TypeError, "inputs and outputs must both be given, or layers"),
        ({"inputs": X}, TypeError, "inputs and outputs must both be given"),
        ({"layers": [snn.ReLU()], "inputs": X, "outputs": Y}, TypeError, "layers must be given alone"),
        ({"inputs": 3, "outputs": Y}, TypeError, "inputs must be a Value, a sequence of .* got int"),
        ({"inputs": [], "outputs": Y}, ValueError, "inputs must hold at least one Value"),
        ({"inputs": X, "outputs": {}}, ValueError, "outputs must hold at least one Value"),
        ({"inputs": X, "outputs": [Y, np.ones(3)]}, TypeError, r"outputs\[1\] must be a Value, got ndarray"),
        ({"inputs": {"x": "x"}, "outputs": Y}, TypeError, r"inputs\['x'\] must be a Value, got str"),
        ({"inputs": {1: X}, "outputs": Y}, TypeError, "name must be a string, got int"),
        ({"inputs": Y, "outputs": Y}, ValueError, "inputs must be made by Input, got .* of ReLU"),
        ({"inputs": X, "outputs": X}, ValueError, "outputs must be computed by a layer, got .*'x'"),
        ({"inputs": Z, "outputs": Y}, ValueError, "inputs must hold every Input .* got none for .*'x'"),
        ({"inputs": X, "outputs": snn.Add()(X, Z)}, ValueError, "inputs must hold every Input .* for .*'z'"),
        ({"inputs": [X, Z], "outputs": Y}, ValueError, "inputs must be read for the outputs, got .*'z'"),
        ({"inputs": [X, X], "outputs": Y}, ValueError, "inputs must hold each Value once"),
        ({"inputs": X, "outputs": {"a": Y, "b": Y}}, ValueError, "outputs must hold each Value once"),
        ({"inputs": X, "outputs": {"x": Y}}, ValueError, "must have names of their own, got 'x' twice"),
        ({"inputs": {"y": X}, "outputs": {"y": Y}}, ValueError, "got 'y' twice"),
    ],
)  # fmt: skip
def test_models_that_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        snn.Model(**arguments)


def test_inputs_and_outputs_as_numbers_need_one_of_rank_two():
    two = snn.Model(inputs=[X, Z], outputs=snn.Add()(X, Z))
    with pytest.raises(
        ValueError, match=r"one input of \(batch, features\) .* input_values holds 'x' \(None, 3\), 'z'"
    ):
        two.inputs  # noqa: B018
    assert two.outputs == 3
    image = snn.Input((3, 8))
    with pytest.raises(ValueError, match=r"output_values holds 'y' \(None, 3, 8\)"):
        snn.Model(inputs=image, outputs=snn.ReLU()(image)).outputs  # noqa: B018


def test_copies_share_no_weights(case):
    copy = case.model.copy()
    x = case.inputs(3)
    before = case.model.predict(x if len(x) > 1 else next(iter(x.values())))
    for layer in copy.linear_layers:
        layer.weight = layer.weight * 0
    after = case.model.predict(x if len(x) > 1 else next(iter(x.values())))
    np.testing.assert_equal(after, before)
    assert [node.layer.op for node in copy.nodes] == [node.layer.op for node in case.model.nodes]
    assert [value.name for value in copy.output_values] == [v.name for v in case.model.output_values]


def test_print_names_what_each_node_reads_and_gives(case):
    lines = str(case.model).splitlines()
    assert len(lines) == 2 + len(case.model.input_values) + len(case.model.nodes)
    for line, node in zip(lines[1 + len(case.model.input_values) :], case.model.nodes, strict=False):
        assert node.output.name in line and type(node.layer).__name__ in line
        assert all(operand.name in line for operand in node.inputs)
    assert "->" in repr(case.model) and f"{len(case.model.nodes)} nodes" in repr(case.model)


def test_a_deep_graph_is_built_without_recursion():
    x = value = snn.Input((2,))
    for _ in range(5000):
        value = snn.Add()(value, x)
    model = snn.Model(inputs=x, outputs=value)
    assert len(model.copy().nodes) == 5000
    np.testing.assert_array_equal(model.predict(np.ones((1, 2))), [[5001, 5001]])
