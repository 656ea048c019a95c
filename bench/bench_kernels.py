"""Single layers and the three training products, by pytest-benchmark: make bench.

extra_info holds the rate in GFLOP/s counted on stored weights (2 flops a weight and batch column) and on the
dense layer that they stand for; of a timing that was disturbed, why it was, in their place.
"""

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import _core
from sparsenn.bench.baselines.sparsenn import build_model
from sparsenn.bench.masks import make_layers
from sparsenn.bench.timing import Times
from sparsenn.weights import core_indices

SHAPES = [(768, 768), (3072, 768), (2048, 2048)]  # (out, in)
SPARSITIES = [0.8, 0.9, 0.95, 0.98]


def layer_model(shape: tuple[int, int], sparsity: float) -> snn.Model:
    return build_model(make_layers([shape[1], shape[0]], sparsity))


def record_rate(benchmark, nnz: int, shape: tuple[int, int], batch: int) -> None:
    stats = benchmark.stats.stats
    times = Times([1e6 * seconds for seconds in stats.sorted_data], 1e6 * stats.min)
    if times.disturbed:
        benchmark.extra_info["disturbed"] = times.doubt
        return
    seconds = stats.median
    benchmark.extra_info["stored_gflops"] = 2e-9 * nnz * batch / seconds
    benchmark.extra_info["dense_equivalent_gflops"] = 2e-9 * shape[0] * shape[1] * batch / seconds


@pytest.mark.parametrize("batch", [1, 4, 16, 64, 256])
@pytest.mark.parametrize("sparsity", SPARSITIES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
def bench_layer(benchmark, shape, sparsity, batch):
    """One sparse layer through a compiled plan."""
    model = layer_model(shape, sparsity)
    plan = snn.compile(model, batch_sizes=(batch,), cache=False)
    x = np.random.default_rng(1).random((batch, shape[1]), np.float32)
    y = np.empty((batch, shape[0]), np.float32)
    benchmark(plan.run, x, out=y)
    record_rate(benchmark, model.nnz, shape, batch)


@pytest.mark.parametrize("product", ["forward", "backward_input", "backward_weight"])
@pytest.mark.parametrize("sparsity", [0.9, 0.95])
def bench_training_product(benchmark, product, sparsity, shape=(2048, 2048), batch=128):
    """SpMM, transposed SpMM and SDDMM of one layer, the pattern packed beforehand."""
    weight = layer_model(shape, sparsity).linear_layers[0].weight
    sparse = _core.Sparse(*core_indices(weight), weight.shape, threads=0)
    random = np.random.default_rng(1)
    x = random.random((shape[1], batch), np.float32)
    dy = random.random((shape[0], batch), np.float32)
    call = {
        "forward": lambda: sparse.forward(weight.data, None, x),
        "backward_input": lambda: sparse.backward_input(weight.data, dy),
        "backward_weight": lambda: sparse.backward_weight(dy, x),
    }[product]
    benchmark(call)
    record_rate(benchmark, weight.nnz, shape, batch)
