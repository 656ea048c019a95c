"""The OpenMP of this library beside those that PyTorch and scikit-learn bring: any order, threads, forks.

Each order is a process of its own, since what is loaded first decides which runtimes there are.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest

LIBRARIES = ("sparsenn", "torch", "sklearn")
PROGRAM = """
import json, os, sys, threading, warnings
warnings.filterwarnings("ignore", message="Sparse CSR")
order = sys.argv[1:]
for name in order:
    __import__(name)
import numpy as np
import sparsenn as snn
from threadpoolctl import threadpool_info

rng = np.random.default_rng(0)
weight = rng.standard_normal((96, 64), dtype=np.float32) * (rng.random((96, 64)) < 0.2)
x = rng.standard_normal((300, 64), dtype=np.float32)
wanted = x.astype(np.float64) @ weight.T.astype(np.float64)
plan = snn.compile(snn.Model([snn.Linear(weight)]), threads=2, tune="off", cache=False)
uses = {"sparsenn": lambda: plan.run(x)}
if "torch" in order:
    import torch
    torch.set_num_threads(2)
    uses["torch"] = lambda: (torch.from_numpy(x) @ torch.from_numpy(weight).T).numpy()
if "sklearn" in order:
    from sklearn.ensemble import HistGradientBoostingRegressor as Trees
    uses["sklearn"] = lambda: Trees(max_iter=2, max_leaf_nodes=4).fit(x, x[:, 0]).predict(x)

def right(name, got):
    if name == "sklearn":  # OpenMP in both fit and predict; boosted trees follow the feature that they are of
        return bool(np.corrcoef(got, x[:, 0])[0, 1] > 0.7)
    return bool(np.allclose(got, wanted, rtol=0, atol=1e-4))

def all_right(names):
    return all(right(name, uses[name]()) for name in names)

checks = {"one after the other": all_right([*order, *order])}
ends = []
threads = [threading.Thread(target=lambda: ends.append(all_right(order))) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
checks["in threads"] = ends == [True] * 3

# A child cannot use GNU's runtime once its parent used it, whoever asks; this library takes one thread there.
child = os.fork()
if child == 0:
    ours = snn.compile(snn.Model([snn.Linear(weight)]), threads=2, tune="off", cache=False)
    os._exit(0 if right("sparsenn", plan.run(x)) and right("sparsenn", ours.run(x)) else 1)
checks["in a fork"] = os.waitpid(child, 0)[1] == 0
checks["after the fork"] = all_right(order)
runtimes = [pool["filepath"] for pool in threadpool_info() if pool["user_api"] == "openmp"]
print(json.dumps({"checks": checks, "runtimes": runtimes}))
"""


def orders() -> list[tuple[str, ...]]:
    """This library alone, beside one, and beside both: every order."""
    some = (itertools.permutations(LIBRARIES, count) for count in (1, 2, 3))
    return [order for order in itertools.chain(*some) if "sparsenn" in order]


def test_the_orders_are_all():
    assert len(orders()) == 1 + 4 + 6


@pytest.mark.parametrize("order", orders(), ids=">".join)
def test_every_order_of_imports(order, tmp_path):
    pytest.importorskip("threadpoolctl", reason="NOT TESTED: threadpoolctl is not installed")
    for name in order:
        pytest.importorskip(name, reason=f"NOT TESTED: {name} is not installed")
    command = [sys.executable, "-c", PROGRAM, *order]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert all(told["checks"].values()), told
    print(*told["runtimes"], sep="\n")
    assert told["runtimes"], "threadpoolctl sees no OpenMP, not even this library's"
    assert len(set(told["runtimes"])) == len(told["runtimes"])  # none is loaded twice
