"""from_torch on modules that compute something else than their class says: traced, or refused by name."""

from __future__ import annotations

import copy
import warnings

import pytest

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")

from networks import assert_near, calls_of  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.utils import parametrizations, parametrize, prune  # noqa: E402
from torch_code import (  # noqa: E402
    AlwaysOn,
    Centred,
    Clamped,
    Doubled,
    DoubledByCall,
    DoubledByCallImpl,
    FunctionOf,
    Halved,
    HalvedByProperty,
    LeakyInDisguise,
    Masked,
    OwnTensor,
    Remembers,
    Renormed,
    Reversed,
    StaysOn,
    SwishInDisguise,
    changed,
    converted,
    quantisation_aware,
    replaced,
    replaced_badly,
    set_first,
    unlisted,
    with_weight,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta"),
    pytest.mark.filterwarnings("ignore:.*deprecated"),
]


SPARSE = torch.tensor([[0, 1.5, 0, 0], [2.0, 0, 0, -1.0], [0, 0, 0, 0.5], [0, 0, 3.0, 0]])

IMPORTED = {
    "subclass with a mask": lambda: nn.Sequential(nn.Linear(4, 5), nn.ReLU(), Masked(5, 3)),
    "subclass alone": lambda: Masked(4, 3),
    "weight is a property": HalvedByProperty,
    "forward of the instance": lambda: replaced(nn.Linear(4, 3)),
    "forward of a part": lambda: nn.Sequential(nn.Linear(4, 3), replaced(nn.Linear(3, 2))),
    "writes to its weight": lambda: nn.Sequential(Renormed(4, 3), nn.ReLU()),
    "writes in place": lambda: nn.Sequential(Clamped(4, 3), nn.ReLU()),
    "activation subclassed": lambda: nn.Sequential(nn.Linear(4, 3), LeakyInDisguise()),
    "SiLU in disguise": lambda: nn.Sequential(nn.Linear(4, 3), SwishInDisguise()),
    "doubled": lambda: Doubled(4, 3),
    "doubled by __call__": lambda: DoubledByCall(4, 3),
    "a part doubled by __call__": lambda: nn.Sequential(nn.Linear(4, 4), DoubledByCall(4, 3)),
    "more dimensions": lambda: FunctionOf(lambda x: x.view(-1, 2, 3)),
    "written in place and read on": lambda: FunctionOf(lambda x: x.mul_(2).relu_()),
    "Sequential subclassed": lambda: Reversed(nn.ReLU(), nn.Linear(4, 4)),
    "ReLU6 with other limits": lambda: nn.Sequential(
        nn.Linear(4, 6), changed(nn.ReLU6(), lambda m: setattr(m, "max_val", 0.5))
    ),
    "training mode": lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train(),
    "shared layer": lambda: nn.Sequential(*[nn.Linear(4, 4), nn.Tanh()] * 2),
    "a part not registered": unlisted,
    "prune": lambda: changed(nn.Linear(4, 3), lambda m: prune.l1_unstructured(m, "weight", 0.5)),
    "prune twice, and the bias": lambda: changed(
        nn.Linear(4, 3),
        lambda m: [prune.random_unstructured(m, name, 0.3) for name in ("weight", "bias", "weight")],
    ),
    "prune in a subclass": lambda: changed(Masked(4, 3), lambda m: prune.l1_unstructured(m, "weight", 0.5)),
    "weight_norm": lambda: parametrizations.weight_norm(nn.Linear(4, 3)),
    "weight_norm by hook": lambda: nn.utils.weight_norm(nn.Linear(4, 3)),
    "weight_norm in a subclass": lambda: parametrizations.weight_norm(Masked(4, 3)),
    "spectral_norm": lambda: nn.Sequential(parametrizations.spectral_norm(nn.Linear(4, 3))).train(),
    "spectral_norm by hook": lambda: nn.utils.spectral_norm(nn.Linear(4, 3)).train(),
    "orthogonal": lambda: parametrizations.orthogonal(nn.Linear(4, 4)),
    "own parametrization": lambda: changed(
        nn.Linear(4, 3), lambda m: parametrize.register_parametrization(m, "weight", Halved())
    ),
    "half": lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh()).half(),
    "bfloat16": lambda: nn.Sequential(Masked(4, 3), nn.Tanh()).bfloat16(),
    "float64": lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh()).double(),
    "csr": lambda: with_weight(SPARSE.to_sparse_csr()),
    "bsr": lambda: with_weight(SPARSE.to_sparse_bsr((2, 2))),
    "coo": lambda: with_weight(SPARSE.to_sparse_coo()),
    "graph module": lambda: torch.fx.symbolic_trace(nn.Sequential(nn.Linear(4, 3), nn.ReLU())),
    "average of models": lambda: torch.optim.swa_utils.AveragedModel(nn.Linear(4, 3)),
    "changes itself": Remembers,
    "compiled": lambda: changed(
        nn.Sequential(nn.Linear(4, 3), nn.ReLU()), lambda m: m.compile(backend="eager")
    ),
    "dropout without effect": lambda: FunctionOf(lambda x: functional.dropout(x, 0.0)),
    "fused": lambda: torch.ao.nn.intrinsic.LinearReLU(nn.Linear(4, 3), nn.ReLU()),
    "large mean": lambda: nn.Sequential(
        nn.Linear(4, 3), changed(nn.BatchNorm1d(3), lambda m: m.running_mean.fill_(1e4))
    ),
}


@pytest.mark.parametrize("name", IMPORTED)
def test_what_is_computed_is_imported(name):
    torch.manual_seed(3)
    module = IMPORTED[name]()
    model = snn.from_torch(module)
    x = torch.randn(6, 4)
    other = copy.deepcopy if name == "changes itself" else lambda m: m
    dtype = next(iter(module.parameters())).dtype
    with torch.no_grad():
        exact = other(module).eval()(x.to(dtype)).double().numpy()
    short = {torch.float16: 2e-3, torch.bfloat16: 2e-2}.get(dtype, 1e-6)
    assert_near(model, x.numpy(), exact, own_bound=short * (1 + abs(exact).max()))


REFUSED = {
    "doubled by _call_impl": (lambda: DoubledByCallImpl(4, 3), r"DoubledByCallImpl\) is not supported"),
    "forward of the instance": (lambda: replaced_badly(nn.Linear(4, 3)), "cumsum"),
    "normalisation subclassed": (lambda: nn.Sequential(nn.Linear(4, 3), Centred(3)), "must be traceable"),
    "root hook": (
        lambda: changed(nn.Linear(4, 3), lambda m: m.register_forward_hook(lambda m, x, y: 2 * y)),
        r"module \(Linear\) has forward hooks",
    ),
    "root hook of a container": (
        lambda: changed(
            nn.Sequential(nn.Linear(4, 3)), lambda m: m.register_forward_hook(lambda m, x, y: 2 * y)
        ),
        r"module \(Sequential\) has forward hooks",
    ),
    "root pre-hook": (
        lambda: changed(
            nn.Sequential(nn.Linear(4, 3)), lambda m: m.register_forward_pre_hook(lambda m, x: (2 * x[0],))
        ),
        r"module \(Sequential\) has forward hooks",
    ),
    "pre-hook with keywords": (
        lambda: changed(
            nn.Sequential(nn.Linear(4, 3)),
            lambda m: m[0].register_forward_pre_hook(lambda m, x, k: ((2 * x[0],), k), with_kwargs=True),
        ),
        r"0 \(Linear\) has forward hooks",
    ),
    "hook of a container inside": (
        lambda: changed(
            nn.Sequential(nn.Sequential(nn.Linear(4, 3)), nn.ReLU()),
            lambda m: m[0].register_forward_hook(lambda m, x, y: -y),
        ),
        r"0 \(Sequential\) has forward hooks",
    ),
    "quantisation-aware": (quantisation_aware, r"0 \(torch\.ao\.nn\.qat\..*Linear\) is not supported"),
    "quantised": (lambda: converted(nn.Sequential(nn.Linear(4, 3))), r"torch\.ao\.nn\.quantized.*not supp"),
    "complex weight": (
        lambda: nn.Sequential(with_weight(torch.randn(3, 4, dtype=torch.complex64))),
        r"0 \(Linear\): the weight must hold real numbers, got torch.complex64",
    ),
    "complex bias": (
        lambda: changed(
            nn.Linear(4, 3), lambda m: setattr(m, "bias", nn.Parameter(torch.randn(3, dtype=torch.complex64)))
        ),
        "the bias must hold real numbers",
    ),
    "complex csr": (
        lambda: with_weight(SPARSE.to(torch.complex64).to_sparse_csr()),
        "the weight must hold real numbers",
    ),
    "meta device": (lambda: nn.Linear(4, 3, device="meta"), "must have values, got a tensor on the meta"),
    "integers": (lambda: with_weight(torch.ones(3, 4, dtype=torch.int8)), "must hold floats, got int8"),
    "integers for a bias": (
        lambda: changed(
            nn.Linear(4, 3),
            lambda m: setattr(m, "bias", nn.Parameter(torch.ones(3, dtype=torch.int64), requires_grad=False)),
        ),
        "must hold floats, got int64",
    ),
    "tensor class": (
        lambda: with_weight(torch.randn(3, 4).as_subclass(OwnTensor)),
        "must be a plain tensor, got a .*OwnTensor",
    ),
    "csr with wrong indices": (
        lambda: with_weight(
            torch.sparse_csr_tensor([0, 1, 2], [0, 1 << 29], [1.0, 1.0], size=(2, 4), check_invariants=False)
        ),
        "must be a valid torch.sparse_csr matrix",
    ),
    "csc with wrong indices": (
        lambda: with_weight(
            torch.sparse_csc_tensor(
                [0, 1, 2, 2, 2], [0, 1 << 29], [1.0, 1.0], size=(2, 4), check_invariants=False
            )
        ),
        "must be a valid torch.sparse_csc matrix",
    ),
    "coo with wrong indices": (
        lambda: with_weight(
            torch.sparse_coo_tensor([[0, 9], [0, 1]], [1.0, 1.0], size=(2, 4), check_invariants=False)
        ),
        "must be a valid torch.sparse_coo matrix",
    ),
    "lazy": (lambda: nn.Sequential(nn.LazyLinear(3)), r"0 \(LazyLinear\) must know its size"),
    "TorchScript": (lambda: torch.jit.script(nn.Sequential(nn.Linear(4, 3))), "not TorchScript"),
    "parallel": (lambda: nn.DataParallel(nn.Linear(4, 3)), r"\(DataParallel\) is not supported"),
    "dropout in evaluation": (
        lambda: nn.Sequential(nn.Linear(4, 3), AlwaysOn()),
        "must be off in evaluation",
    ),
    "dropout by default": (lambda: FunctionOf(lambda x: functional.dropout(x, 0.5)), "must be off in eval"),
    "dropout that stays on": (lambda: nn.Sequential(nn.Linear(4, 3), StaysOn()), r"1 \(StaysOn\) must leave"),
    "random weights": (
        lambda: FunctionOf(lambda x: functional.linear(x, torch.randn(3, 6))),
        "computes something else",
    ),
    "other reshape": (lambda: FunctionOf(lambda x: x.view(-1, 3)), "must keep the 6 features"),
    "in place": (lambda: FunctionOf(lambda x: (x.mul_(2), x)[1]), "written in place"),
    "in place on a part": (lambda: FunctionOf(set_first), "must be traceable"),
    "slope of data": (
        lambda: FunctionOf(lambda x: functional.leaky_relu(x, x)),
        "a constant slope",
    ),
    "slope is infinite": (
        lambda: nn.Sequential(nn.Linear(4, 3), nn.LeakyReLU(float("inf"))),
        "a finite slope",
    ),
    "limit of data": (lambda: FunctionOf(lambda x: torch.clamp(x, min=x)), "must have a constant limit"),
    "data as weight": (lambda: FunctionOf(lambda x: functional.linear(x, x)), "must have a parameter"),
    "integer softmax": (lambda: FunctionOf(lambda x: x.softmax(1, dtype=torch.float16)), "must have dtype"),
    "two inputs": (lambda: nn.Bilinear(4, 4, 2), r"\(Bilinear\) is not supported"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_imported_is_named(name):
    torch.manual_seed(3)
    make, message = REFUSED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = make()
    with pytest.raises((snn.UnsupportedError, snn.ArgumentError), match=message):
        snn.from_torch(module)


@pytest.mark.parametrize("kind", ["forward_hook", "forward_pre_hook"])
def test_hooks_on_all_modules(kind):
    register = getattr(nn.modules.module, f"register_module_{kind}")
    handle = register(lambda module, *values: None)
    try:
        with pytest.raises(snn.UnsupportedError, match="forward hooks on all modules"):
            snn.from_torch(nn.Linear(4, 3))
    finally:
        handle.remove()
    snn.from_torch(nn.Linear(4, 3))


@pytest.mark.parametrize("name", [*IMPORTED, *REFUSED])
def test_the_module_is_left_as_it_was(name):
    """Its modes, attributes and tensors, and torch's random numbers."""
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = IMPORTED[name]() if name in IMPORTED else REFUSED[name][0]()
    if isinstance(module, torch.jit.ScriptModule):
        pytest.skip("TorchScript holds its attributes elsewhere")
    before = [state_of(part) for part in module.modules()]
    random = torch.get_rng_state()
    try:
        snn.from_torch(module)
    except ValueError:
        assert name in REFUSED
    assert torch.equal(torch.get_rng_state(), random)
    for part, (attributes, values, contents) in zip(module.modules(), before, strict=True):
        assert part.__dict__.keys() == attributes.keys()
        assert all(part.__dict__[key] is value for key, value in attributes.items())
        assert [len(value) for value in attributes.values() if isinstance(value, (list, dict))] == contents
        tensors = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
        for tensor, (kept, address, version, copied) in zip(tensors, values, strict=True):
            assert tensor is kept
            assert tensor._version == version or name == "changes itself"  # as a call of its own would
            if copied is not None:
                assert tensor.data_ptr() == address and torch.equal(tensor, copied)


def state_of(part: nn.Module) -> tuple:
    tensors = [*part.parameters(recurse=False), *part.buffers(recurse=False)]
    values = [
        (tensor, tensor.data_ptr(), tensor._version, tensor.detach().clone())
        if tensor.layout == torch.strided and not tensor.is_meta and not nn.parameter.is_lazy(tensor)
        else (tensor, 0, tensor._version, None)
        for tensor in tensors
    ]
    contents = [len(value) for value in part.__dict__.values() if isinstance(value, (list, dict))]
    return dict(part.__dict__), values, contents


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"a.weight": torch.ones(3, 4, dtype=torch.int8)}, "a: the weight must hold floats, got int8"),
        ({"a.weight": torch.ones(3, 4, dtype=torch.complex64)}, "a.weight must hold real numbers"),
        ({"a.weight": torch.ones(3, 4, device="meta")}, "a.weight must have values"),
        (
            {"a.weight": torch.ones(3, 4), "a.weight_scale": torch.ones(3)},
            "a: .* not known: 'a.weight_scale'",
        ),
        ({"a.weight": torch.ones(3, 4), "a.mask": torch.ones(3, 4)}, "not known: 'a.mask'"),
        (
            {"a.weight": torch.ones(3, 4), "a.weight_fake_quant.scale": torch.ones(1)},
            "not known: 'a.weight_fake_quant.scale'",
        ),
        ({"a.weight": torch.ones(3, 4), "a.lora_A.weight": torch.ones(1, 4)}, "not known: 'a.lora_A.weight'"),
        ({"a.weight": torch.ones(3, 4), "a.kernel": torch.ones(4, 3)}, "not known: 'a.kernel'"),
    ],
)
def test_state_dicts_whose_meaning_is_not_known(tensors, message):
    with pytest.raises((snn.UnsupportedError, snn.ArgumentError), match=message):
        snn.from_torch(tensors, layers=["a"])


def test_time_is_linear_in_the_layers():
    def calls(layers: int) -> int:
        module = nn.Sequential(*(part for _ in range(layers) for part in (nn.Linear(2, 2), nn.ReLU())))
        return calls_of(lambda: snn.from_torch(module))

    calls(5)
    few, many = calls(50), calls(200)
    assert many < 6 * few, (few, many)
