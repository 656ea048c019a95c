"""SparseConv2d in the place of nn.Conv2d: outputs and gradients, arguments, images of many sizes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch_layers import EPS, at_pattern, conv_pair, same_weights_every_time  # noqa: E402

from sparsenn.torch import SparseConv2d  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures(same_weights_every_time.__name__),
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths"),
]

CHANNELS, OUTPUTS = 4, 6
WINDOWS = {
    "plain": {"kernel_size": 3},
    "one place": {"kernel_size": 1},
    "padded": {"kernel_size": 3, "padding": 1},
    "as large as the image": {"kernel_size": (7, 8)},
    "same": {"kernel_size": 3, "padding": "same"},
    "same, uneven": {"kernel_size": (2, 4), "padding": "same", "dilation": (1, 2)},
    "valid": {"kernel_size": (3, 2), "padding": "valid"},
    "strides": {"kernel_size": 3, "stride": 2, "padding": 1},
    "strides apart": {"kernel_size": (3, 2), "stride": (3, 4), "dilation": (1, 2), "padding": (2, 0)},
    "positions without outputs": {"kernel_size": 1, "stride": 3},
    "groups": {"kernel_size": 3, "groups": 2, "padding": 1},
    "more in groups": {"kernel_size": 2, "groups": 2, "stride": 2},
    "reflect": {"kernel_size": 3, "padding": (1, 2), "padding_mode": "reflect"},
    "replicate, same": {"kernel_size": (2, 3), "padding": "same", "padding_mode": "replicate"},
    "circular": {"kernel_size": 3, "padding": 2, "stride": 2, "padding_mode": "circular"},
}
ORDERS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def run(layer, x, slope):
    """The output and the gradients of x, weights and bias."""
    layer.zero_grad()
    x = x.detach().requires_grad_()
    y = layer(x)
    (y * slope).sum().backward()
    weight = next(layer.parameters())
    return [y.detach(), x.grad, weight.grad, *([] if layer.bias is None else [layer.bias.grad])]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("batch", [0, 1, 33])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("window", WINDOWS)
def test_forward_and_gradients_are_those_of_the_dense_layer(window, bias, batch, order):
    sparse, dense = conv_pair(CHANNELS, OUTPUTS, bias=bias, **WINDOWS[window])
    x = torch.randn(batch, CHANNELS, 7, 8).to(memory_format=ORDERS[order])
    slope = torch.randn(dense(x).shape)
    got = run(sparse, x, slope)
    wanted = run(dense.double(), x.double(), slope.double())
    sizes = copy.deepcopy(dense)  # the same sums of absolute values: what rounding is measured by
    with torch.no_grad():
        for part in sizes.parameters():
            part.abs_()
    bounds = run(sizes, x.double().abs(), slope.double().abs())
    wanted[2], bounds[2] = (at_pattern(sparse, part) for part in (wanted[2], bounds[2]))
    places = dense.weight[0].numel()
    positions = slope[:, 0].numel()
    # A padded position of x is met by the windows of all that are copied there: 4 times as many at most.
    terms = [places + 1, 4 * dense.weight[:, 0].numel(), positions, positions]
    for found, exact, bound, count in zip(got, wanted, bounds, terms, strict=False):
        assert found.dtype == torch.float32 and found.shape == exact.shape
        assert ((found.double() - exact).abs() <= (count + 2) * EPS * bound).all()


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("window", ["plain", "strides apart", "groups"])
def test_threads_give_the_same_bits(window, threads):
    sparse, _ = conv_pair(CHANNELS, OUTPUTS, **WINDOWS[window])
    options = {name: value for name, value in WINDOWS[window].items() if name != "kernel_size"}
    sizes = {"kernel_size": sparse.kernel_size, "threads": threads}
    other = SparseConv2d(sparse.to_csr(), sparse.bias.detach().numpy(), **sizes, **options)
    x = torch.randn(35, CHANNELS, 7, 8)
    slope = torch.randn_like(sparse(x))
    for one, many in zip(run(sparse, x, slope), run(other, x, slope), strict=True):
        assert torch.equal(one, many)


@pytest.mark.parametrize("window", ["same, uneven", "strides apart", "groups", "reflect"])
def test_second_derivatives(window):
    results = []
    sparse, dense = conv_pair(CHANNELS, OUTPUTS, **WINDOWS[window])
    for layer in (sparse, dense):
        torch.manual_seed(0)
        x = torch.randn(2, CHANNELS, 7, 8, requires_grad=True)
        weight = next(layer.parameters())
        first = torch.autograd.grad(layer(x).pow(2).sum(), [x, weight], create_graph=True)
        of_weight = first[1] if layer is sparse else at_pattern(sparse, first[1])
        second = torch.autograd.grad(first[0].pow(2).sum() + of_weight.pow(2).sum(), [x, weight])
        results.append([first[0], second[0], second[1] if layer is sparse else at_pattern(sparse, second[1])])
    torch.testing.assert_close(*results, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("window", WINDOWS)
def test_what_records_it_sees_torchs_own_operations(window):
    sparse, dense = conv_pair(CHANNELS, OUTPUTS, **WINDOWS[window])
    x = torch.randn(2, CHANNELS, 7, 8)
    for made in (torch.jit.script(sparse), torch.jit.trace(sparse, x), torch.fx.symbolic_trace(sparse)):
        torch.testing.assert_close(made(x), dense(x))
    mapped = torch.func.vmap(sparse)(x)
    torch.testing.assert_close(mapped, dense(x))
    assert sparse.to("meta")(x.to("meta")).shape == dense(x).shape


def test_images_of_many_sizes_and_one_without_a_batch():
    sparse, dense = conv_pair(padding=1)
    for size in (*range(1, 12), 3, 1):
        x = torch.randn(2, 3, size, 2 * size)
        torch.testing.assert_close(sparse(x), dense(x))
        torch.testing.assert_close(sparse(x[0]), dense(x[0]))
        torch.testing.assert_close(functional.relu(sparse(x[0]), inplace=True), dense(x[0]).relu())


def test_the_order_of_channels_is_kept():
    sparse, dense = conv_pair()
    x = torch.randn(3, 3, 4, 5)
    for order in ORDERS.values():
        y = sparse(x.to(memory_format=order))
        assert y.is_contiguous(memory_format=order) and not y._is_view()
        torch.testing.assert_close(y, dense(x))
    for y in (sparse(x.transpose(2, 3).contiguous().transpose(2, 3)), sparse(torch._neg_view(-x))):
        torch.testing.assert_close(y, dense(x))


def test_autocast():
    sparse, dense = conv_pair()
    x = torch.randn(2, 3, 4, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = sparse(x.bfloat16())
    assert y.dtype == torch.bfloat16
    assert torch.equal(y, sparse(x.bfloat16().float()).bfloat16())


def test_a_weight_that_is_not_stored_reads_nothing():
    weight = scipy.sparse.csr_array(np.array([[1.0, 0.0, 0.0, 2.0]]))
    sparse = SparseConv2d(weight, kernel_size=(1, 2))
    x = torch.tensor([[[[1.0, 5.0]], [[torch.inf, 3.0]]]])
    assert sparse(x).item() == 7


@pytest.mark.parametrize("window", WINDOWS)
def test_back_to_a_dense_layer_and_copies(window):
    sparse, dense = conv_pair(CHANNELS, OUTPUTS, **WINDOWS[window])
    made = sparse.to_dense()
    assert repr(made) == repr(dense) and torch.equal(made.weight, dense.weight)
    assert torch.equal(sparse.weight, dense.weight)
    sparse.data.requires_grad_(False)
    x = torch.randn(2, CHANNELS, 7, 8)
    other = conv_pair(CHANNELS, OUTPUTS, sparsity=0.2, **WINDOWS[window])[0]
    other.load_state_dict(sparse.state_dict())
    for layer in (other, copy.deepcopy(sparse), pickle.loads(pickle.dumps(sparse))):
        assert torch.equal(layer(x), sparse(x))


def test_groups_keep_their_channels():
    """A pattern with a column beyond those of its group is refused: it would be another group's."""
    sparse, _ = conv_pair(CHANNELS, OUTPUTS, groups=2)
    state = sparse.state_dict()
    state["indices"] = state["indices"].clone()
    state["indices"][0] = CHANNELS // 2 * 4
    with pytest.raises(snn.CSRError):
        sparse.load_state_dict(state)
    sparse.indices[0] = CHANNELS // 2 * 4
    with pytest.raises(snn.CSRError):
        sparse(torch.randn(1, CHANNELS, 4, 4))


def test_repr():
    sparse, _ = conv_pair(4, 6, 3, sparsity=0.5, groups=2, padding="same")
    assert repr(sparse) == (
        "SparseConv2d(4, 6, kernel_size=(3, 3), stride=(1, 1), padding='same', groups=2, bias=True, "
        "sparsity=0.5000)"
    )
    assert sparse.nnz == 54


MATRIX = scipy.sparse.csr_array(np.ones((6, 8)))
WRONG = [
    ({"kernel_size": 3}, "weight must have 9 columns a channel, those of its kernel, got 8"),
    ({"kernel_size": (2, 2, 2)}, r"kernel_size must be a number or \(height, width\)"),
    ({"kernel_size": 2, "groups": 4}, "groups must divide 6 outputs, got 4"),
    ({"kernel_size": 2, "stride": 0}, "stride must be .* got 0"),
    ({"kernel_size": 2, "padding": -1}, "padding must be .* got -1"),
    ({"kernel_size": 2, "padding": "full"}, "padding must be numbers, 'same' or 'valid', got 'full'"),
    ({"kernel_size": 2, "padding": "same", "stride": 2}, "stride must be 1 where padding is 'same'"),
    ({"kernel_size": 2, "padding_mode": "mirror"}, "padding_mode must be one of .* got 'mirror'"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        SparseConv2d(MATRIX, **options)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((2, 4, 5, 5), r"input must have shape \(batch, 3, height, width\), .* got \(2, 4, 5, 5\)"),
        ((5, 5), r"input must have shape .* got \(5, 5\)"),
        ((1, 3, 1, 5), "kernel_size of SparseConv2d must fit into the height 1"),
        ((1, 3, 0, 5), "input must have height and width from 1 on"),
    ],
)
def test_wrong_images(size, message):
    with pytest.raises(ValueError, match=message):
        conv_pair()[0](torch.zeros(size))


def test_what_is_no_convolution_is_refused():
    with pytest.raises(TypeError, match="conv must be a torch.nn.Conv2d, got Linear"):
        SparseConv2d.from_dense(nn.Linear(3, 3))
    with pytest.raises(TypeError, match="weight must be a scipy sparse matrix, got ndarray"):
        SparseConv2d(np.ones((6, 8)), kernel_size=2)


@pytest.mark.parametrize("window", [w for w in WINDOWS if "padding_mode" not in WINDOWS[w]])
def test_models_hold_it_in_both_directions(window):
    sparse, dense = conv_pair(CHANNELS, OUTPUTS, sparsity=0.8, **WINDOWS[window])
    x = torch.randn(2, CHANNELS, 7, 8)
    model = snn.from_torch(nn.Sequential(sparse).eval(), x)
    made = snn.to_torch(model, sparse=True)
    assert any(isinstance(part, SparseConv2d) for part in made.modules())
    torch.testing.assert_close(made(x), dense(x))
    torch.testing.assert_close(torch.from_numpy(snn.compile(model).run(x.numpy())), dense(x).detach())
