"""The modules of torch that can be imported, by their forward: (place, module, data) -> data."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ..layers import HardSwish, Mish, ReLU, Sigmoid, SiLU, Tanh
from ..torch import SparseConv2d, SparseLinear
from . import _functions, _moves
from . import _torch_axes as axes
from . import _torch_encoder as encoder
from . import _torch_functions as functions
from . import _torch_pointwise as pointwise
from . import _torch_recurrent as recurrent
from . import _torch_windows as windows
from ._arithmetic import product
from ._data import Data
from ._positions import at_positions
from ._torch_place import Place
from ._torch_resize import interpolate


def _sparse_linear(at: Place, module: nn.Module, data: Data) -> Data:
    if data.rank > 2:
        return at_positions(data, module.to_csr().toarray(), at.array(module.bias, "bias"), at)
    return product(data, module.to_csr(), at.array(module.bias, "bias"), at)


def _batch_norm(at: Place, module: nn.BatchNorm1d, data: Data) -> Data:
    if module.running_mean is None:
        raise at.fail("track running statistics: it uses those of each batch")
    _check_evaluation(at, module)
    names = ("running_mean", "running_var", "weight", "bias")
    parts = [at.array(getattr(module, name), name) for name in names]
    return _functions.normalised(data, *parts, epsilon=module.eps, at=at, momentum=module.momentum)


def _dropout(at: Place, module: nn.Module, data: Data) -> Data:
    _check_evaluation(at, module)
    return data


def _check_evaluation(at: Place, module: nn.Module) -> None:
    if module.training:
        raise at.fail("leave its training mode where eval() is called")


def _always(layer: object) -> Callable:
    return lambda _at, _module, data: data.then(layer)


def _convolution(at: Place, module: nn.Conv1d | nn.Conv2d, data: Data) -> Data:
    kind = nn.Conv1d if isinstance(module, nn.Conv1d) else nn.Conv2d
    if type(module)._conv_forward is not kind._conv_forward or "_conv_forward" in module.__dict__:
        raise at.fail(f"have the _conv_forward of {kind.__name__}")
    if module.padding_mode != "zeros" and module.padding not in (0, (0,), (0, 0), "valid"):
        raise at.fail(f"pad with zeros, got padding_mode={module.padding_mode!r}")
    parts = (module.weight, module.bias, module.stride, module.padding, module.dilation, module.groups)
    run = windows.conv1d if kind is nn.Conv1d else windows.conv2d
    return run(at, data, *parts)


def _max_pool(at: Place, m: nn.MaxPool1d | nn.MaxPool2d, x: Data) -> Data:
    parts = (m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices)
    return (windows.max_pool1d if isinstance(m, nn.MaxPool1d) else windows.max_pool2d)(at, x, *parts)


def _avg_pool(at: Place, m: nn.AvgPool2d, x: Data) -> Data:
    parts = (m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad, m.divisor_override)
    return windows.avg_pool2d(at, x, *parts)


def _transposed(function: Callable) -> Callable:
    def run(at: Place, m, x: Data, output_size=None) -> Data:
        if output_size is not None:
            raise at.fail("have no output_size: output_padding says the same")
        parts = (m.stride, m.padding, m.output_padding, m.groups, m.dilation)
        return function(at, x, m.weight, m.bias, *parts)

    return run


# ReLU6 has the forward of Hardtanh.
# Modules that take more than one tensor.
TAKES_MORE = (nn.RNNBase, nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerEncoder)
FORWARDS: dict[Callable, Callable] = {
    nn.Linear.forward: lambda at, m, x: functions.linear(at, x, m.weight, m.bias),
    SparseLinear.forward: _sparse_linear,
    SparseConv2d.forward: lambda at, m, x: _convolution(at, m.to_dense(), x),
    nn.ReLU.forward: _always(ReLU()),
    nn.Tanh.forward: _always(Tanh()),
    nn.Sigmoid.forward: _always(Sigmoid()),
    nn.SiLU.forward: _always(SiLU()),
    nn.Hardswish.forward: _always(HardSwish()),
    nn.Mish.forward: _always(Mish()),
    nn.Hardsigmoid.forward: lambda at, m, x: pointwise.hardsigmoid(at, x),
    nn.Softplus.forward: lambda at, m, x: pointwise.softplus(at, x, m.beta, m.threshold),
    nn.LogSigmoid.forward: lambda at, m, x: pointwise.logsigmoid(at, x),
    nn.Softsign.forward: lambda at, m, x: pointwise.softsign(at, x),
    nn.Hardtanh.forward: lambda at, m, x: pointwise.clamp(at, x, m.min_val, m.max_val),
    nn.Threshold.forward: lambda at, m, x: pointwise.threshold(at, x, m.threshold, m.value),
    nn.LeakyReLU.forward: lambda at, m, x: pointwise.leaky_relu(at, x, m.negative_slope),
    nn.PReLU.forward: lambda at, m, x: pointwise.prelu(at, x, m.weight),
    nn.GELU.forward: lambda at, m, x: pointwise.gelu(at, x, m.approximate),
    nn.ELU.forward: lambda at, m, x: pointwise.elu(at, x, m.alpha),
    nn.CELU.forward: lambda at, m, x: pointwise.celu(at, x, m.alpha),
    nn.SELU.forward: lambda at, m, x: pointwise.selu(at, x),
    nn.Softmax.forward: lambda at, m, x: axes.softmax(at, x, m.dim),
    nn.LogSoftmax.forward: lambda at, m, x: axes.log_softmax(at, x, m.dim),
    nn.Embedding.forward: encoder.embedding_module,
    nn.LayerNorm.forward: encoder.layer_norm_module,
    nn.RMSNorm.forward: encoder.rms_norm_module,
    nn.MultiheadAttention.forward: encoder.multihead_attention,
    nn.TransformerEncoderLayer.forward: encoder.encoder_layer,
    nn.TransformerEncoder.forward: encoder.encoder,
    nn.BatchNorm1d.forward: _batch_norm,  # that of BatchNorm2d as well
    **dict.fromkeys((nn.Conv1d.forward, nn.Conv2d.forward), _convolution),
    **dict.fromkeys((nn.LSTM.forward, nn.GRU.forward, nn.RNN.forward), recurrent.run),
    nn.ConvTranspose1d.forward: _transposed(windows.conv_transpose1d),
    nn.ConvTranspose2d.forward: _transposed(windows.conv_transpose2d),
    nn.Upsample.forward: lambda at, m, x: interpolate(
        at, x, m.size, m.scale_factor, m.mode, m.align_corners, m.recompute_scale_factor
    ),
    nn.PixelShuffle.forward: lambda at, m, x: windows.pixel_shuffle(at, x, m.upscale_factor),
    nn.PixelUnshuffle.forward: lambda at, m, x: windows.pixel_unshuffle(at, x, m.downscale_factor),
    nn.ZeroPad2d.forward: lambda at, m, x: windows.pad(at, x, m.padding, value=m.value),  # all with a number
    nn.ReflectionPad2d.forward: lambda at, m, x: windows.pad(at, x, m.padding, mode="reflect"),
    nn.ReplicationPad2d.forward: lambda at, m, x: windows.pad(at, x, m.padding, mode="replicate"),
    nn.CircularPad2d.forward: lambda at, m, x: windows.pad(at, x, m.padding, mode="circular"),
    **dict.fromkeys((nn.MaxPool1d.forward, nn.MaxPool2d.forward), _max_pool),
    nn.AdaptiveMaxPool2d.forward: lambda at, m, x: windows.adaptive_max_pool2d(
        at, x, m.output_size, m.return_indices
    ),
    nn.AvgPool1d.forward: lambda at, m, x: windows.avg_pool1d(
        at, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad
    ),
    nn.AdaptiveAvgPool1d.forward: lambda at, m, x: windows.adaptive_avg_pool1d(at, x, m.output_size),
    nn.AvgPool2d.forward: _avg_pool,
    nn.AdaptiveAvgPool2d.forward: lambda at, m, x: windows.adaptive_avg_pool2d(at, x, m.output_size),
    nn.Identity.forward: lambda _at, _m, x: x,
    nn.Flatten.forward: lambda at, m, x: _moves.flattened(x, m.start_dim, m.end_dim, at),
    nn.Unflatten.forward: lambda at, m, x: functions.unflatten(at, x, m.dim, m.unflattened_size),
    **dict.fromkeys(
        (
            *(nn.Dropout.forward, nn.Dropout1d.forward, nn.Dropout2d.forward, nn.Dropout3d.forward),
            *(nn.AlphaDropout.forward, nn.FeatureAlphaDropout.forward),
        ),
        _dropout,
    ),
}
