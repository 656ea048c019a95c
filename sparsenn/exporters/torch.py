"""PyTorch: a chain as nn.Sequential, a graph as a torch.fx.GraphModule."""

from __future__ import annotations

from ..graph.node import Node
from ..graph.value import Value
from ..graph.walk import walk
from ..layers import LAYER_TYPES, BatchNorm, Conv2d, Layer, Linear, Matrix, Recurrent
from ..model import Model
from ..require import require
from ._check import check_model, dense_weight
from ._recurrent import wholes
from ._torch_recurrent import call, module_of, parts, value_of


def to_torch(model: Model, *, sparse: bool = False):
    """The model as a module in evaluation mode, with weights of its own: an nn.Sequential.

    A graph becomes a torch.fx.GraphModule. It takes a tensor for each input, in their order, and gives a
    tensor, or where the model has several outputs a dict of name to tensor.

    sparse  False: every layer an nn.Linear, nn.Conv2d, nn.LSTM and so on, zeros filled in; True: a CSR layer
            is a sparsenn.torch.SparseLinear, SparseConv2d, SparseLSTM or SparseGRU, which run and train on
            this library's kernels

    A recurrent layer is one module with the product of its input, two directions of the same are one as well.
    """
    torch = require("torch", extra="torch", caller="to_torch")
    if check_model(model).is_chain:
        return torch.nn.Sequential(*(_module(torch, layer, sparse) for layer in model.layers)).eval()
    return _graph_module(torch, model, sparse).eval()


def _graph_module(torch, model: Model, sparse: bool):
    """Layers are modules layer0, layer1 and so on, one that stands at several nodes once."""
    from torch.fx import Graph, GraphModule, Proxy
    from torch.fx.proxy import GraphAppendingTracer

    root, graph = torch.nn.Module(), Graph()
    tracer = GraphAppendingTracer(graph)
    names: dict[tuple, str] = {}
    whole, absorbed = wholes(model)
    modules, called, values = parts(whole), {}, {}

    def module_name(node: Node, layer: Layer) -> str:
        key = id(node.layer), layer.window if isinstance(layer, Conv2d) else None
        if key not in names:
            names[key] = f"layer{len(names)}"
            norm = isinstance(layer, BatchNorm)
            made = layer.to_torch(torch.nn, node.output.dims) if norm else _module(torch, layer, sparse)
            root.add_module(names[key], made)
        return names[key]

    def recurrent(node: Node, states: list):
        """Each module is called once, for both of its directions."""
        part = modules[node]
        if part.ways not in called:
            name = f"layer{len(names)}"
            names[id(node.layer), None] = name
            root.add_module(name, module_of(torch, [whole[own] for own in part.ways], sparse=sparse))
            back = part.ways[0].layer.reverse  # alone
            x = Proxy(values[whole[node].x], tracer)
            x = x.flip(1) if back else x

            def run(*arguments):
                plain = torch.fx.node.map_aggregate(arguments, lambda own: getattr(own, "node", own))
                return Proxy(graph.call_module(name, plain), tracer)

            y, last = call(torch, run, whole[node], x, [Proxy(state, tracer) for state in states])
            called[part.ways] = y.flip(1) if back else y, last
        return value_of(torch, part, node, called[part.ways]).node

    def step(node: Node, operands: list):
        if node in absorbed:
            return None
        if isinstance(node.layer, Recurrent):
            values[node.output] = recurrent(node, operands[1:])
        else:
            values[node.output] = plain_step(node, operands)
        return values[node.output]

    def plain_step(node: Node, operands: list):
        layer = node.layer.sized(*(operand.dims for operand in node.inputs))
        proxies = [Proxy(operand, tracer) for operand in operands]
        if isinstance(layer, Conv2d) and layer.window.rule:  # of sizes that are known when it runs
            operands = [torch.nn.functional.pad(proxies[0], layer.window.torch_pads(proxies[0])).node]
        if isinstance(layer, (*LAYER_TYPES, Matrix, BatchNorm)):
            return graph.call_module(module_name(node, layer), tuple(operands))
        if layer.torch_takes_batch:
            value = next(p for p, own in zip(proxies, node.inputs, strict=True) if isinstance(own, Value))
            proxies = [
                p if isinstance(own, Value) else p.expand(value.shape[0], *own.array.shape)
                for p, own in zip(proxies, node.inputs, strict=True)
            ]
        options = {"rank": len(node.output.dims)} if layer.torch_takes_rank else {}
        own = [Proxy(array(getattr(layer, name)), tracer) for name in layer.constants]
        return layer.torch_value(torch, *proxies, *own, **options).node

    def constant(same):
        name = f"constant_{same.name}"
        if not hasattr(root, name):
            root.register_buffer(name, torch.from_numpy(same.array.copy()))
        return graph.get_attr(name)

    def array(own):
        """Of a layer, a buffer."""
        name = f"array{len(list(root.buffers()))}"
        root.register_buffer(name, torch.from_numpy(own.copy()))
        return graph.get_attr(name)

    start = {
        value: graph.placeholder(value.name if value.name.isidentifier() else f"input{index}")
        for index, value in enumerate(model.input_values)
    }
    values.update(start)
    made = walk(model, start, step, constant=constant)
    given = {value.name: made[value] for value in model.output_values}
    graph.output(given if len(given) > 1 else made[model.output_values[0]])
    return GraphModule(root, graph)


def _module(torch, layer, sparse: bool):
    if isinstance(layer, Linear):
        return _sparse_linear(layer) if sparse and layer.sparse else _linear(torch, layer)
    if isinstance(layer, Conv2d):
        return _convolution(torch, layer, sparse and layer.sparse)
    return layer.to_torch(torch.nn)


def _linear(torch, layer: Linear):
    outputs, inputs = layer.shape
    linear = torch.nn.Linear(inputs, outputs, bias=layer.bias is not None)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(dense_weight(layer)))
        if layer.bias is not None:
            linear.bias.copy_(torch.from_numpy(layer.bias))
    return linear


def _convolution(torch, layer: Conv2d, sparse: bool):
    """A convolution; behind a ZeroPad2d where its sides differ. Padding by a rule is not its own."""
    nn, window = torch.nn, layer.window
    top, left, bottom, right = (0,) * 4 if window.rule else window.padding
    same = (top, left) == (bottom, right)
    options = {"kernel_size": window.kernel, "stride": window.stride, "dilation": window.dilation}
    options["padding"] = (top, left) if same else 0
    convolution = _sparse_conv(layer, options) if sparse else _dense_conv(torch, layer, options)
    return convolution if same else nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), convolution)


def _dense_conv(torch, layer: Conv2d, options: dict):
    options |= {"bias": layer.bias is not None, "groups": layer.groups}
    convolution = torch.nn.Conv2d(layer.channels, layer.shape[0], **options)
    with torch.no_grad():
        convolution.weight.copy_(torch.from_numpy(layer.group_kernel))
        if layer.bias is not None:
            convolution.bias.copy_(torch.from_numpy(layer.bias))
    return convolution


def _sparse_conv(layer: Conv2d, options: dict):
    from ..torch import SparseConv2d

    return SparseConv2d(layer.weight, layer.bias, **options)


def _sparse_linear(layer: Linear):
    from ..torch import SparseLinear

    return SparseLinear(layer.weight, layer.bias)
