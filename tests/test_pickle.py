"""Models and plans in pickles: the same bits come back, in this process and in others."""

import concurrent.futures
import copy
import multiprocessing
import pickle

import joblib
import numpy as np
import pytest
import scipy.sparse
from op_cases import ALL

import sparsenn as snn
from sparsenn import _core


def network(rng, *, sparsity=0.8, widths=(40, 70, 33, 9)):
    """Dense and CSR layers in turn, with and without bias, empty rows, and every op without weights."""
    layers: list = []
    ops = [layer for _, layer in ALL]
    for index, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        weight = rng.standard_normal((outputs, inputs), dtype=np.float32) * (
            rng.random((outputs, inputs)) > sparsity
        )
        weight[index :: 1 + outputs // 3] = 0
        bias = None if index % 2 else rng.standard_normal(outputs)
        layers.append(snn.Linear(weight if index == 1 else scipy.sparse.csr_array(weight), bias))
        layers += ops[index::3]
    return snn.Model(layers)


def same_layers(a: snn.Model, b: snn.Model) -> None:
    assert [type(x) for x in a.layers] == [type(x) for x in b.layers]
    for one, two in zip(a.linear_layers, b.linear_layers, strict=True):
        assert one.sparse == two.sparse and (one.bias is None) == (two.bias is None)
        pair = [x.weight.toarray() if x.sparse else x.weight for x in (one, two)]
        np.testing.assert_array_equal(*pair)
        if one.bias is not None:
            np.testing.assert_array_equal(one.bias, two.bias)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_model_comes_back(rng, protocol):
    model = network(rng)
    again = pickle.loads(pickle.dumps(model, protocol))
    same_layers(again, model)
    again.linear_layers[0].weight.data[:] = 0
    assert model.linear_layers[0].weight.data.any()
    same_layers(copy.deepcopy(model), model)


def test_the_bytes_are_those_of_the_file(rng, tmp_path):
    model = network(rng)
    snn.save(model, tmp_path / "m.safetensors")
    handle = _core.Model.load((tmp_path / "m.safetensors").as_posix().encode())
    assert handle.save_memory().tobytes() == (tmp_path / "m.safetensors").read_bytes()


def test_large_arrays_leave_the_pickle_without_a_copy(rng):
    buffers: list = []
    small = pickle.dumps(snn.mlp([300, 400, 10]), 5, buffer_callback=buffers.append)
    assert len(small) < 2000 and sum(memoryview(b).nbytes for b in buffers) > 4 * 300 * 400
    assert pickle.loads(small, buffers=buffers).nnz == 300 * 400 + 400 * 10


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.8, 0.97, 1.0])
@pytest.mark.parametrize("widths", [(40, 70, 33, 9), (1, 1, 1, 1), (300, 17, 130, 64)], ids=str)
def test_a_plan_is_unpacked_to_what_it_computes(rng, usable_isas, widths, sparsity):
    model = network(rng, sparsity=sparsity, widths=widths)
    x = rng.standard_normal((37, model.inputs), dtype=np.float32)
    for isa in usable_isas:
        for threads in (1, 3):
            options = {"threads": threads, "isa": isa, "tune": "off", "cache": False, "batch_sizes": (2, 90)}
            plan = snn.compile(model, **options)
            again = pickle.loads(pickle.dumps(plan))
            assert (again.threads, again.isa) == (threads, isa)
            for batch in (1, 2, 37):
                np.testing.assert_array_equal(again.run(x[:batch]), plan.run(x[:batch]))
            unpacked = snn.bridge.from_core(plan._handle.model())
            assert [type(a) for a in unpacked.layers] == [type(b) for b in model.layers]
            for one, two in zip(unpacked.linear_layers, model.linear_layers, strict=True):
                assert one.sparse == two.sparse
                np.testing.assert_array_equal(
                    *(layer.weight.toarray() if layer.sparse else layer.weight for layer in (one, two))
                )


def test_rows_of_very_different_length_are_unpacked(rng):
    weight = np.zeros((200, 300), np.float32)
    for row, count in enumerate(rng.integers(0, 12, 200) ** 2):
        weight[row, rng.permutation(300)[:count]] = 1 + rng.random(count)
    plan = snn.compile(snn.Model([snn.Linear(scipy.sparse.csr_array(weight))]), cache=False)
    again = snn.bridge.from_core(plan._handle.model())
    np.testing.assert_array_equal(again.linear_layers[0].weight.toarray(), weight)


def run(plan, x):
    return plan.run(x)


def test_a_spawned_process_and_joblib_run_a_plan(rng):
    plan = snn.compile(network(rng), threads=1, tune="off", cache=False)
    x = rng.standard_normal((5, 40), dtype=np.float32)
    wanted = plan.run(x)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        np.testing.assert_array_equal(pool.submit(run, plan, x).result(timeout=120), wanted)
    for result in joblib.Parallel(n_jobs=2)(joblib.delayed(run)(plan, x) for _ in range(3)):
        np.testing.assert_array_equal(result, wanted)


def test_a_plan_maps_over_a_dask_array(rng):
    distributed = pytest.importorskip("distributed", reason="NOT TESTED: distributed is not installed")
    array = pytest.importorskip("dask.array")
    plan = snn.compile(network(rng), threads=1, tune="off", cache=False)
    x = rng.standard_normal((23, 40), dtype=np.float32)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        blocks = array.from_array(x, chunks=(6, 40))
        y = blocks.map_blocks(plan.run, dtype=np.float32, chunks=(blocks.chunks[0], (plan.outputs,)))
        np.testing.assert_array_equal(y.compute(), plan.run(x))
