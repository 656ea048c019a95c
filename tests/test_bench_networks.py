"""sparsenn bench on model files: what is pruned, what runners get and are checked against, what is told."""

import importlib.util
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import cli
from sparsenn.bench import baselines, jobs, model_files, runner, shapes

BENCH = Path(__file__).parents[1] / "bench"
needs_onnx = pytest.mark.skipif(
    importlib.util.find_spec("onnx") is None, reason="NOT TESTED: onnx is not installed"
)
needs_scripts = pytest.mark.skipif(
    not BENCH.exists(), reason=f"NOT TESTED: the scripts are not beside the tests, at {BENCH}"
)


@pytest.fixture
def model(rng) -> snn.Model:
    """8 x 8 images through two convolutions, with a skip connection, to 5 classes and 2 more outputs."""

    def weight(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    x = snn.Input((3, 8, 8), name="images")
    first = snn.ReLU()(snn.Conv2d(weight(8, 3, 3, 3), weight(8), padding=1)(x))
    second = snn.Add()(snn.Conv2d(weight(8, 8, 3, 3), padding=1)(first), first)
    flat = snn.Flatten()(snn.AvgPool2d(8)(second))
    classes, more = snn.Linear(weight(5, 8), weight(5))(flat), snn.Linear(weight(2, 8))(flat)
    return snn.Model(inputs=x, outputs={"classes": classes, "more": more})


MULTIPLY_ADDS = 64 * (8 * 27 + 8 * 72) + 7 * 8


@pytest.fixture
def onnx_file(model, tmp_path) -> Path:
    snn.to_onnx(model, tmp_path / "small.onnx")
    return tmp_path / "small.onnx"


@pytest.fixture
def bench(capsys, tmp_path):
    """Runs the command with one thread and one round -> its data and its text."""

    def run(*arguments) -> tuple[dict, str]:
        options = ["--threads", "1", "--rounds", "1", "--json", tmp_path / "out.json"]
        assert cli.main(["bench", *map(str, [*arguments, *options])]) == 0
        return json.loads((tmp_path / "out.json").read_text()), capsys.readouterr().out

    return run


@needs_onnx
def test_an_onnx_file_against_peers(onnx_file, bench):
    peers = [name for name in ("onnxruntime", "torch_dense") if baselines.create(name).available()[0]]
    data, text = bench(
        onnx_file, "--sparsity", "0,75", "--batch", "1,3", "--baseline", ",".join(peers) or "none"
    )
    cells = {(cell["sparsity"], cell["batch"]): cell for cell in data["cells"]}
    assert set(cells) == {(0.0, 1), (0.0, 3), (0.75, 1), (0.75, 3)}
    for (sparsity, batch), cell in cells.items():
        assert cell["failures"] == {} and set(cell["times"]) == {"sparsenn", *peers}
        assert cell["network"] == "small" and cell["mask"] == ("magnitude" if sparsity else "file")
        assert math.isclose(
            cell["times"]["sparsenn"]["multiply_adds"], (1 - sparsity) * MULTIPLY_ADDS, rel_tol=1e-3
        )
        for times in cell["times"].values():
            assert math.isclose(times["samples_per_second"], 1e6 * batch / times["median_us"])
    assert "times in ms" in text and "images/s" in text and "times in µs" not in text


def test_a_saved_network_runs_as_it_is_or_pruned(model, tmp_path, bench):
    sparse = snn.prune(model, sparsity=0.6, scope="layer")
    snn.save(sparse, tmp_path / "saved.safetensors")
    arguments = (tmp_path / "saved.safetensors", "--baseline", "none", "--batch", "2")
    data, text = bench(*arguments)
    (cell,) = data["cells"]
    assert (cell["mask"], cell["nnz"], cell["ratio"]) == ("file", sparse.nnz, None)
    assert math.isclose(cell["sparsity"], sparse.sparsity)
    data, _ = bench(*arguments, "--sparsity", "95")
    (cell,) = data["cells"]
    assert cell["mask"] == "magnitude" and cell["nnz"] < sparse.nnz


def test_layers_that_are_kept_stay_whole(model, tmp_path):
    snn.save(model, tmp_path / "m.safetensors")
    (network,) = shapes.find_networks(str(tmp_path / "m.safetensors"), keep=(0, -1))
    (variant,) = network.variants([0.75], "uniform")
    assert variant.nnz == 8 * 27 + 8 * 72 // 4 + 5 * 8 // 4 + 2 * 8
    with pytest.raises(ValueError, match="--keep must be indices of the 4 layers with weights, got 4"):
        next(model_files.pruned_models(model, [0.5], (4,)))


def test_files_and_widths_in_one_run(model, tmp_path, bench):
    snn.save(model, tmp_path / "m.safetensors")
    file = tmp_path / "m.safetensors"
    data, text = bench(file, "6-4", "--batch", "1", "--sparsity", "50", "--baseline", "numpy")
    times = {cell["network"]: set(cell["times"]) for cell in data["cells"]}
    assert times == {"m": {"sparsenn"}, "6-4": {"sparsenn", "numpy"}}
    assert "times in µs" in text and "times in ms" in text


# ---- what runners are given, and the check of what they give


def job_of(model, batch: int) -> jobs.NetworkJob:
    dims = model_files.input_dims(model, {})
    return jobs.NetworkJob(model, model_files.make_inputs(dims, batch))


def test_outputs_are_checked_also_where_no_float64_pass_is_made(model, monkeypatch):
    monkeypatch.setattr(jobs, "CHECKED_VALUES", 2 * 3 * 64)
    job = job_of(model, 5)
    right = [np.array(y, np.float32) for y in model.predict(job.inputs["images"]).values()]
    job.check("a", right)
    job.check("b", right)
    assert [len(expected) for expected, _ in job._exact] == [2, 2]
    wrong = [right[0], right[1].copy()]
    wrong[1][4, 1] += 0.01 * np.abs(right[1]).max()
    with pytest.raises(ValueError, match=r"c, beside a, computed .* at .*2.*1.*, expected"):
        job.check("c", wrong)
    wrong[1][:] = right[1]
    wrong[1][0, 0] = np.nan
    with pytest.raises(ValueError, match="c computed nan"):
        job.check("c", wrong)
    with pytest.raises(ValueError, match="c returned 1 outputs, expected 2"):
        job.check("c", right[:1])
    with pytest.raises(ValueError, match=r"c returned shape \(4, 2\), expected \(5, 2\)"):
        job.check("c", [right[0], right[1][:4]])


def test_a_runner_that_computes_something_else_is_not_timed(model, monkeypatch):
    def shifted(*arguments, true=jobs.exact_outputs):
        return [(expected + 1, bound) for expected, bound in true(*arguments)]

    with runner.Workers({"sparsenn": "sparsenn"}, 1) as workers:
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "exact_outputs", shifted)
            times, failures = workers.measure({"sparsenn": job_of(model, 2)}, rounds=1)
        assert times == {} and "sparsenn computed" in failures["sparsenn"]
        times, failures = workers.measure({"sparsenn": job_of(model, 2)}, rounds=1)
        assert failures == {} and times["sparsenn"].multiply_adds == MULTIPLY_ADDS


@needs_onnx
def test_peers_get_the_sizes_that_run(model):
    import onnx

    proto = onnx.load_from_string(jobs.fixed_onnx(model, job_of(model, 3).inputs))
    shapes_of = [
        [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    ]
    assert shapes_of == [[3, 3, 8, 8], [3, 5], [3, 2]]


@needs_onnx
def test_sizes_that_a_file_leaves_open_are_asked_for(onnx_file, bench, capsys):
    import onnx

    proto = onnx.load(onnx_file)
    for dim in proto.graph.input[0].type.tensor_type.shape.dim[2:]:
        dim.dim_param = "side"
    onnx.save(proto, onnx_file)
    options = ["--baseline", "none", "--batch", "1", "--sparsity", "50"]
    assert cli.main(["bench", str(onnx_file), *options]) == 2
    assert "images" in capsys.readouterr().err
    data, _ = bench(onnx_file, *options, "--input-shapes", "images=1,3,8,8")
    assert data["cells"][0]["failures"] == {} and data["cells"][0]["batch"] == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"images": (1, 3, 9, 8)}, r"--input-shapes must fit images=1,3,8,8, got \(1, 3, 9, 8\)"),
        ({"images": (1, 3)}, "--input-shapes must give images 4 sizes, batch first"),
    ],
)
def test_shapes_must_fit(model, given, words):
    with pytest.raises(ValueError, match=words):
        model_files.input_dims(model, given)


def test_shapes_are_parsed():
    assert model_files.parse_shapes(["a=b=1,3", "x=?,7"]) == {"a=b": (1, 3), "x": (None, 7)}
    for text in ("x", "x=", "=1,3", "x=1,0", "x=1,-3", "x=1;3", "x=1.5"):
        with pytest.raises(ValueError, match="--input-shapes must be like x=1,3,224,224"):
            model_files.parse_shapes([text])
    with pytest.raises(ValueError, match="must name each input once, got 'x' twice"):
        model_files.parse_shapes(["x=1,3", "x=1,4"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--baseline", "scipy"], "--baseline must be among"),
        (["--keep", "first"], "--keep must be whole numbers"),
        (["--keep", "9"], "--keep must be indices of the 4 layers"),
        (["--starts", "0"], "--starts must be at least 1, got 0"),
        (["--input-shapes", "z=1,3,8,8"], "--input-shapes must be of inputs of"),
    ],
)
def test_bad_options_are_refused(model, tmp_path, capsys, options, words):
    snn.save(model, tmp_path / "m.safetensors")
    assert cli.main(["bench", str(tmp_path / "m.safetensors"), "--sparsity", "50", *options]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and words in printed.err


# ---- the script that writes networks


@pytest.fixture
def networks(monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.syspath_prepend(BENCH)
    spec = importlib.util.spec_from_file_location("make_networks", BENCH / "make_networks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["onnx_builder"]


@needs_scripts
@pytest.mark.parametrize("name", ["basic", "bottleneck", "mobilenetv2", "conv1d"])
def test_networks_are_imported_with_their_runtime_s_outputs(networks, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    proto = {
        "basic": lambda: networks.resnet((1, 1, 1, 1), bottleneck=False, size=32),
        "bottleneck": lambda: networks.resnet((1, 1, 1, 2), bottleneck=True, size=32),
        "mobilenetv2": lambda: networks.mobilenetv2(32),
        "conv1d": lambda: networks.conv1d(512),
    }[name]()
    model = snn.from_onnx(proto)
    job = job_of(model, 2)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    job.check("onnxruntime", session.run(None, job.inputs))
    job.check("plan", [snn.compile(model, tune="off").run(job.inputs["x"])])
    assert 0.01 < np.abs(job._exact[0][0]).max() < 100


@needs_scripts
def test_the_detector_s_outputs_are_strided_by_8_16_32(networks):
    proto = networks.detector(64)
    dims = [[dim.dim_value for dim in v.type.tensor_type.shape.dim[1:]] for v in proto.graph.output]
    assert dims == [[85, 8, 8], [85, 4, 4], [85, 2, 2]]


@needs_scripts
def test_the_script_writes_files(networks, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(networks.NETWORKS, "conv1d", (networks.conv1d, 512))
    monkeypatch.setattr(sys, "argv", ["make_networks.py", str(tmp_path / "new"), "conv1d"])
    networks.main()
    assert "conv1d.onnx" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["conv1d.onnx"]
    monkeypatch.setattr(sys, "argv", ["make_networks.py", str(tmp_path), "vgg"])
    with pytest.raises(SystemExit):
        networks.main()
