"""The benchmark harness: it measures what it says and prints what it measured. No times are judged."""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import cli
from sparsenn.bench import baselines, masks, oracle, processes, report, runner, shapes, timing
from sparsenn.bench.baselines.layer import Layer, fastest, load_layers, save_layers
from sparsenn.bench.baselines.onnx_model import from_layout, to_layout
from sparsenn.bench.baselines.stopwatch import Burst
from sparsenn.bench.jobs import LayersJob

SHAPE_FILES = sorted((Path(__file__).parents[1] / "bench" / "shapes").glob("*.json"))


@pytest.fixture
def layers() -> list[Layer]:
    return masks.make_layers([20, 33, 7], 0.7)


def dense_forward(layers: list[Layer], x: np.ndarray) -> np.ndarray:
    """The plainest forward pass, float64."""
    value = x.astype(np.float64)
    for layer in layers:
        value = value @ layer.to_dense().astype(np.float64).T + layer.bias
        value = np.maximum(value, 0) if layer.activation == "relu" else value
    return value


# ---- layers, masks, shapes


def test_layers_survive_the_file_to_a_worker(tmp_path, layers):
    dense = Layer(shape=(3, 7), bias=np.ones(3, np.float32), weight=np.ones((3, 7), np.float32))
    x = shapes.make_input(5, 20)
    save_layers(str(tmp_path / "layers.npz"), [*layers, dense], x)
    back, x_back = load_layers(str(tmp_path / "layers.npz"))
    assert np.array_equal(x_back, x)
    for before, after in zip([*layers, dense], back, strict=True):
        assert (before.sparse, before.activation, before.nnz) == (after.sparse, after.activation, after.nnz)
        assert np.array_equal(before.to_dense(), after.to_dense())
        assert np.array_equal(before.bias, after.bias)


def test_dense_layer_as_csr_stores_every_weight(rng):
    weight = rng.standard_normal((3, 4), dtype=np.float32)
    data, indices, indptr = Layer(shape=(3, 4), bias=np.zeros(3, np.float32), weight=weight).to_csr()
    assert np.array_equal(data.reshape(3, 4), weight)
    assert indices.tolist() == [0, 1, 2, 3] * 3 and indptr.tolist() == [0, 4, 8, 12]


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9, 0.98])
def test_uniform_mask_has_the_exact_number_of_zeros(rng, sparsity):
    assert masks.uniform((31, 47), sparsity, rng).sum() == round(31 * 47 * (1 - sparsity))


@pytest.mark.parametrize("sparsity", [0.5, 0.9])
def test_skewed_mask_meets_the_sparsity_with_unequal_rows(rng, sparsity):
    counts = masks.skewed((400, 300), sparsity, rng).sum(axis=1)
    assert abs(counts.sum() - 400 * 300 * (1 - sparsity)) <= 400 / 2  # each row's count is rounded
    assert np.percentile(counts, 90) > 3 * np.percentile(counts, 10)  # log-normal, sigma 1: 13 before the cut


def test_magnitude_mask_comes_from_a_trained_network():
    layers = masks.make_layers([12, 30, 10], 0.8, mask="magnitude")
    assert abs(sum(layer.nnz for layer in layers) - 0.2 * (12 * 30 + 30 * 10)) <= 1
    kept = np.concatenate([np.abs(layer.data) for layer in layers])
    untrained = masks.make_layers([12, 30, 10], 0.8)
    assert kept.min() > 0 and kept.min() > np.abs(untrained[0].data).min()


def test_bad_masks_and_sparsities_are_refused():
    with pytest.raises(ValueError, match=r"sparsity must be in \[0, 1\), got 1.2"):
        masks.make_layers([3, 4], 1.2)
    with pytest.raises(ValueError, match="mask must be one of"):
        masks.make_layers([3, 4], 0.5, mask="round")


def test_model_becomes_layers(random_csr):
    weight = random_csr(5, 8, 0.6)
    model = snn.Model([snn.Linear(weight), snn.Tanh(), snn.Linear(np.ones((2, 5)), np.ones(2))])
    first, second = masks.layers_of(model)
    assert (first.activation, first.sparse, second.activation, second.sparse) == ("tanh", True, "none", False)
    assert np.array_equal(first.to_dense(), weight.toarray()) and not first.bias.any()
    with pytest.raises(ValueError, match="got Softmax"):
        masks.layers_of(snn.Model([snn.Linear(weight), snn.Softmax()]))


def test_targets(tmp_path, random_csr):
    assert shapes.find_networks("784-20-10")[0].widths == [784, 20, 10]
    snn.save(snn.Model([snn.Linear(random_csr(5, 8, 0.6))]), tmp_path / "m.safetensors")
    (network,) = shapes.find_networks(str(tmp_path / "m.safetensors"))
    (variant,) = network.variants(None, "uniform")
    (layer,) = variant.job(3).layers
    assert variant.sparsity == 1 - layer.nnz / 40 and (variant.nnz, variant.mask) == (layer.nnz, "file")
    assert [variant.nnz for variant in network.variants([0.75, 0.9], "uniform")] == [10, 4]
    for text in ("784", "0-10", "-3-4", "model.h5"):
        with pytest.raises(ValueError, match="target must be widths"):
            shapes.find_networks(text)
    (tmp_path / "bad.json").write_text('{"networks": [{"name": "x"}]}')
    with pytest.raises(ValueError, match=r"bad\.json must be a file of shapes"):
        shapes.find_networks(str(tmp_path / "bad.json"))


@pytest.mark.parametrize("path", SHAPE_FILES, ids=lambda path: path.stem)
def test_shape_files_can_be_read(path):
    networks = shapes.find_networks(str(path))
    assert networks and all(width > 0 for network in networks for width in network.widths)


# ---- oracle


def test_oracle_agrees_with_the_plain_forward_pass(layers):
    x = shapes.make_input(9, 20)
    expected, bound = oracle.forward(layers, x)
    plain = dense_forward(layers, x)
    assert np.allclose(expected, plain, rtol=1e-12, atol=1e-12)
    assert (bound > 0).all() and bound.max() < 1e-3
    oracle.check("float32", plain.astype(np.float32), expected, bound)


def test_oracle_sees_wrong_outputs(layers):
    expected, bound = oracle.forward(layers, shapes.make_input(4, 20))
    wrong = expected.copy()
    wrong[2, 3] += 2 * bound[2, 3]
    with pytest.raises(ValueError, match=r"peer computed .* at .*2.*3.* expected"):
        oracle.check("peer", wrong, expected, bound)
    wrong[2, 3] = np.nan
    with pytest.raises(ValueError, match="peer computed nan"):
        oracle.check("peer", wrong, expected, bound)
    with pytest.raises(ValueError, match=r"peer returned shape \(7, 4\), expected \(4, 7\)"):
        oracle.check("peer", expected.T, expected, bound)


# ---- timing


def test_rounds_start_with_another_runner_each_and_leave_slow_ones_out():
    calls = []

    def make(name, us):
        return lambda: calls.append(name) or Burst(us, us / 2)

    bursts = {
        "a": make("a", 10.0),
        "b": make("b", 20.0),
        "slow": make("slow", 100.0),
        "kept": make("kept", 99.0),
    }
    times = timing.interleave(bursts, rounds=5, keep=("kept",))
    assert calls[:8] == ["a", "b", "slow", "kept", "b", "slow", "kept", "a"]
    assert calls.count("slow") == timing.SLOW_ROUNDS and calls.count("kept") == calls.count("a") == 5
    assert (times["a"].median_us, times["a"].minimum_us, times["a"].spread_us) == (10.0, 5.0, 0.0)
    assert times["slow"].as_dict()["rounds"] == timing.SLOW_ROUNDS


def test_ratios_of_medians_and_of_rounds():
    slower, faster = timing.Times([10.0, 20.0, 90.0]), timing.Times([5.0, 20.0, 30.0])
    assert timing.ratio(slower, faster) == {"of_medians": 1.0, "paired": 2.0}
    half = timing.Times([10.0, 20.0, math.nan])
    assert timing.ratio(half, faster)["paired"] == 1.5


def test_fastest_takes_the_quicker_candidate():
    def slow():
        time.sleep(0.02)

    def quick():
        pass

    assert fastest([slow, quick]) is quick and fastest([quick, slow]) is quick


# ---- runners in their processes


def test_selecting_baselines():
    assert baselines.names()[0] == baselines.LIBRARY
    assert baselines.LIBRARY not in baselines.select(None)
    assert baselines.select(["numpy", "torch"]) == ["numpy", "torch_csr", "torch_dense"]
    with pytest.raises(ValueError, match="baseline must be one of .* got 'tensorflow'"):
        baselines.select(["tensorflow"])
    with pytest.raises(ValueError, match="baseline must be one of"):
        baselines.create("layer")


@pytest.mark.parametrize("height", [0, 1, 4])
def test_layouts_are_inverse(rng, height):
    x = rng.random((8, 5), np.float32)
    assert np.array_equal(from_layout(to_layout(x, height), height), x)


@pytest.mark.parametrize("name", baselines.names())
def test_runner_computes_the_network(name, layers):
    """Every runner that is installed, one process each, at batch 1 and above, one network after the other."""
    with runner.Workers({name: name}, 1) as workers:
        if name in workers.missing:
            pytest.skip(f"{name}: {workers.missing[name]}")
        dense = [
            Layer(shape=layer.shape, bias=layer.bias, activation="tanh", weight=layer.to_dense())
            for layer in layers
        ]
        for network in (layers, dense):
            for batch in (1, 3):
                job = LayersJob(network, shapes.make_input(batch, 20))
                times, failures = workers.measure({name: job}, rounds=1)
                assert failures == {}
                assert times[name].median_us >= times[name].minimum_us > 0
        assert set(workers.versions[name]) > {"python"}


def test_wrong_runner_is_named_and_not_timed(layers, monkeypatch):
    def job():
        return LayersJob(layers, shapes.make_input(2, 20))

    true_forward = oracle.forward
    with runner.Workers({"numpy": "numpy"}, 1) as workers:
        with monkeypatch.context() as patch:
            patch.setattr(oracle, "forward", lambda *a: (true_forward(*a)[0] + 1, true_forward(*a)[1]))
            times, failures = workers.measure({"numpy": job()}, rounds=1)
        assert times == {} and "numpy computed" in failures["numpy"]
        times, failures = workers.measure({"numpy": job()}, rounds=1)
        assert failures == {} and "numpy" in times


def test_worker_that_cannot_start_tells_its_last_words(monkeypatch, tmp_path):
    broken = tmp_path / "worker.py"
    broken.write_text("raise ImportError('no such library')")
    monkeypatch.setattr(processes, "WORKER", broken)
    with runner.Workers({"numpy": "numpy"}, 1) as workers:
        assert workers.running == {} and "ImportError: no such library" in workers.missing["numpy"]


def test_missing_interpreter_is_named(tmp_path):
    nowhere = str(tmp_path / "python")
    with runner.Workers({"a": "numpy", "b": "numpy"}, 1, {"numpy": nowhere}) as workers:
        assert set(workers.missing) == {"a", "b"} and nowhere in workers.missing["a"]


def test_worker_that_ends_is_an_error():
    with processes.WorkerProcess(1) as worker:
        assert worker.ask("start", runner="numpy")["available"]
        with pytest.raises(processes.WorkerError, match="KeyError|FileNotFoundError"):
            worker.ask("prepare", layers="/nowhere.npz", threads=1, output="/nowhere.npy")
        worker.process.kill()
        with pytest.raises(
            processes.WorkerError, match="its process ended with exit code -9 during 'release'"
        ):
            worker.ask("release")


def test_workers_are_started_without_settings_that_slow_one_peer(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    environment = processes.worker_environment(3, sys.executable)
    assert "OPENBLAS_CORETYPE" not in environment
    assert {environment[name] for name in processes.THREAD_VARIABLES} == {"3"}
    assert report.ignored_variables()["OPENBLAS_CORETYPE"] == "Haswell"


# ---- the command


def test_bench_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    out = tmp_path / "bench.json"
    arguments = ["16-24-8", "--batch", "1,3", "--threads", "1", "--sparsity", "50,90", "--rounds", "2"]
    code = cli.main(["bench", *arguments, "--baseline", "numpy,scipy", "--json", str(out)])
    printed = capsys.readouterr()
    assert code == 0 and "warning: OPENBLAS_CORETYPE=Haswell" in printed.err
    data = json.loads(out.read_text())
    assert data["machine"]["isa"] == snn.cpu_info()["isa"]
    assert set(data["versions"]) == {"sparsenn", "numpy", "scipy_csr"} and data["missing"] == {}
    assert {(cell["sparsity"], cell["batch"]) for cell in data["cells"]} == {
        (0.5, 1),
        (0.5, 3),
        (0.9, 1),
        (0.9, 3),
    }
    ratios = [cell["ratio"]["of_medians"] for cell in data["cells"] if not cell["disturbed"]]
    assert ratios == sorted(ratios)
    assert [cell["disturbed"] for cell in data["cells"]] == sorted(
        (cell["disturbed"] for cell in data["cells"]), reverse=True
    )
    for cell in data["cells"]:
        assert cell["failures"] == {} and set(cell["times"]) == {"sparsenn", "numpy", "scipy_csr"}
        peers = {name: cell["times"][name] for name in ("numpy", "scipy_csr")}
        peers = {name: times for name, times in peers.items() if not times["disturbed"]} or peers
        assert cell["best_peer"] == min(peers, key=lambda name: peers[name]["median_us"])
        expected = peers[cell["best_peer"]]["median_us"] / cell["times"]["sparsenn"]["median_us"]
        assert math.isclose(cell["ratio"]["of_medians"], expected)
    rows = [line.split() for line in printed.out.splitlines() if line.split()[:1] == ["16-24-8"]]
    for cell, row in zip(data["cells"], rows, strict=False):
        ours, ratio = cell["times"]["sparsenn"], cell["ratio"]["of_medians"]
        assert row[-3] == ("?" if cell["disturbed"] else f"{ratio:.2f}")
        assert row[5] == ("?" if ours["disturbed"] else f"{ours['median_us']:.1f}")
        share = 2e-3 * cell["nnz"] * cell["batch"] / ours["median_us"] / ours["peak_gflops"]
        if ours["disturbed"] or share > 1:
            assert cell["peak_share"] is None and row[-1] == "-"
        else:
            assert math.isclose(cell["peak_share"], share) and row[-1] == f"{share:.0%}"
    assert ("try again when nothing else runs" in printed.out) == any(c["disturbed"] for c in data["cells"])


def test_bench_without_peers_prints_json_alone(capsys):
    assert (
        cli.main(["bench", "5-3", "--batch", "2", "--baseline", "none", "--rounds", "1", "--json", "-"]) == 0
    )
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [cell["ratio"] for cell in cells] == [None] * 4
    assert sorted(cell["sparsity"] for cell in cells) == [0.8, 0.9, 0.95, 0.98]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "target must be widths"),
        (["4-3", "--batch", "0"], "--batch must be whole numbers of at least 1, got '0'"),
        (["4-3", "--batch", "1.5"], "--batch must be whole numbers"),
        (["4-3", "--threads", "two"], "--threads must be numbers"),
        (["4-3", "--sparsity", "100"], "--sparsity must be per cent, 0 or from 1 to below 100, got 100"),
        (["4-3", "--mask", "round"], "--mask must be one of"),
        (["4-3", "--rounds", "0"], "--rounds must be at least 1, got 0"),
        (["4-3", "--baseline", "tensorflow"], "got 'tensorflow'"),
        (["missing.json"], "missing.json"),
    ],
)
def test_bench_refuses_bad_input(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["bench", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and words in printed.err and printed.err.count("\n") == 1


def test_failed_cells_come_first_then_the_losing_ones():
    def cell(batch, ours, peer):
        times = {"sparsenn": timing.Times([ours]), "numpy": timing.Times([peer])} if ours else {}
        return runner.Cell("net", 0.9, "uniform", batch, 1, 10, times, {} if ours else {"sparsenn": "broken"})

    cells = [cell(1, 5.0, 10.0), cell(2, 10.0, 5.0), cell(3, None, None)]
    assert [entry.batch for entry in report.losing_first(cells)] == [3, 2, 1]
    text = report.as_text(cells, [])
    assert "failed: net 90% uniform batch 3 threads 1: sparsenn: broken" in text
    assert "0.50" in text and "2.00" in text


def test_cells_that_are_not_believed_state_no_ratio():
    def cell(batch, ours, peer):
        return runner.Cell("net", 0.9, "uniform", batch, 2, 1000, {"sparsenn": ours, "numpy": peer})

    stalled = timing.Times([16012.3] * 5, 15999.0, held_up=set(range(5)), peak_gflops=100.0)
    steady = timing.Times([25.5] * 5, 25.0, peak_gflops=100.0)
    cells = [
        cell(1, steady, stalled),
        cell(2, stalled, steady),
        cell(3, steady, timing.Times([51.0] * 5, 50.0)),
    ]
    assert [entry.batch for entry in report.losing_first(cells)] == [1, 2, 3]
    assert [entry.disturbed for entry in cells] == [True, True, False]
    assert [entry.peak_share is None for entry in cells] == [False, True, False]
    text = report.as_text(cells, [])
    assert "16012" not in text and "627" not in text and "2.00" in text
    assert "? in 2 of 3 cells: measured 3 times and disturbed each time" in text
    assert "batch 2 threads 2: sparsenn: its threads waited for a core in 5 of 5 rounds" in text
    data = [report.cell_data(entry) for entry in cells]
    assert [entry["disturbed"] for entry in data] == [True, True, False]
    assert "waited for a core" in data[0]["times"]["numpy"]["doubt"]


def test_a_share_above_the_peak_is_not_printed():
    """The peak was measured while the machine was busy: 1000 weights in 0.01 µs are 200 GFLOP/s, of 100."""
    entry = runner.Cell("net", 0.9, "uniform", 1, 1, 1000, {"sparsenn": timing.Times([0.01] * 5, 0.01)})
    entry.times["sparsenn"].peak_gflops = 100.0
    assert entry.peak_share is None and "%" not in report.as_text([entry], []).splitlines()[5].split()[-1]
