"""What training a sparse layer allocates: nothing of dense size, and nothing once it is under way."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import sparsenn as snn

STATUS = Path("/proc/self/status")
WIDTH = 16384
PROGRAM = """
import json, re
import numpy as np
import sparsenn as snn

model = snn.mlp([{width}, {width}], sparsity=0.999, pattern="random", seed=0)
trainer = snn.Trainer(model, loss="mse", threads=2, group_lasso=1e-6, clip_norm=1.0)
x = np.ones((8, {width}), np.float32)
for _ in range(3):
    trainer.step(x, x)
snn.regrow(trainer, x, x, fraction=0.1)
trainer.step(x, x)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("{status}").read())
print(json.dumps([1024 * int(peak[1]), model.nnz]))
"""


@pytest.mark.skipif(not STATUS.exists(), reason=f"NOT TESTED: peak memory is read from {STATUS}")
def test_no_dense_array_for_a_layer_of_16384_by_16384(tmp_path):
    """The whole process, interpreter and libraries included, stays below half of one dense float32 array.

    VmHWM is the process's own; ru_maxrss would begin at the peak of the process that started it.
    """
    # From elsewhere: in the repository's folder python would take the sources, which are not built.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(width=WIDTH, status=STATUS)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    peak, nnz = json.loads(done.stdout)
    assert abs(nnz - 0.001 * WIDTH**2) <= 1
    assert peak < WIDTH * WIDTH * 4 // 2  # 512 MB: half of one dense array


def test_steps_reuse_their_arrays(rng):
    """After the first step nothing of the size of a layer's activations is allocated by Python or numpy."""
    model = snn.mlp([256, 2048, 2048, 4], sparsity=0.99, seed=0)
    x, y = rng.standard_normal((128, 256), dtype=np.float32), np.arange(128) % 4
    trainer = snn.Trainer(model)
    trainer.step(x, y)
    tracemalloc.start()
    for _ in range(3):
        trainer.step(x, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2048 * 128 * 4 // 4  # a quarter of one layer's activations


def test_the_pattern_stays_for_1000_steps(rng):
    model = snn.mlp([20, 30, 5], sparsity=0.8, seed=1)
    before = model.copy()
    x, y = rng.standard_normal((32, 20), dtype=np.float32), np.arange(32) % 5
    trainer = snn.Trainer(model, l1=1e-3, weight_drop=0.1)
    for _ in range(1000):
        trainer.step(x, y)
    for old, new in zip(before.linear_layers, model.linear_layers, strict=True):
        if old.sparse:
            np.testing.assert_array_equal(old.weight.indptr, new.weight.indptr)
            np.testing.assert_array_equal(old.weight.indices, new.weight.indices)
