"""Published models of speech, from their packages on PyPI, agree with ONNX Runtime on recorded speech.

SPARSENN_MODELS names a folder as for test_real_models.py; the speech is of Debian's codec2-examples:

    apt-get download codec2-examples && dpkg -x codec2-examples_*.deb "$SPARSENN_MODELS"
"""

from pathlib import Path

import numpy as np
import pytest
from test_real_models import FOLDER, RNG_SEED, noise, path_of

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import scipy.signal  # noqa: E402

import sparsenn as snn  # noqa: E402

pytestmark = pytest.mark.skipif(not FOLDER, reason="SPARSENN_MODELS names no folder with published models")
OPTIONS = {"threads": 2, "tune": "off", "cache": False}


def session_of(path: Path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def speech(rate: int, window: int, before: int) -> np.ndarray:
    """Three seconds of a talker, (windows, before + window): each with the samples before it in front."""
    sound = np.fromfile(path_of("raw/hts1a.raw"), np.int16) / 32768  # at 8 kHz
    sound = scipy.signal.resample_poly(sound, rate // 8000, 1).astype(np.float32)
    count = len(sound) // window
    sound = np.concatenate([np.zeros(before, np.float32), sound[: count * window]])
    return np.lib.stride_tricks.sliding_window_view(sound, before + window)[::window]


def test_a_file_of_one_sequence():
    """Of which the steps are the first dimension; also by and by, from first states that never change."""
    path, x = path_of("silero_vad_16k_sequence.onnx"), speech(16000, 512, 64)
    h, c = np.random.default_rng(RNG_SEED).uniform(-0.5, 0.5, (2, 1, 1, 128)).astype(np.float32)
    wanted = session_of(path).run(None, {"input": x, "h": h, "c": c})
    assert wanted[0].min() < 0.1 and wanted[0].max() > 0.9  # there are pauses
    made = snn.compile(snn.from_onnx(path), **OPTIONS).run({"input": x[np.newaxis], "h": h, "c": c})
    for got, right in zip(made.values(), wanted, strict=True):
        np.testing.assert_allclose(got.ravel(), right.ravel(), rtol=0, atol=1e-5 * np.abs(right).max())
    model = snn.from_onnx(path, constants={"h": h, "c": c}, output="speech_probs")
    stream, parts = snn.compile(model, **OPTIONS).stream(), np.split(x[np.newaxis], [1, 2, 9, 40, 41], axis=1)
    fed = np.concatenate([stream.feed(part) for part in parts], axis=1)
    np.testing.assert_array_equal(fed, made["speech_probs"])


RATES = [
    ("silero_vad.onnx", 16000), ("silero_vad.onnx", 8000), ("silero_vad_16k_op15.onnx", 16000),
    ("silero_vad_op18_ifless.onnx", 16000), ("silero_vad_op18_ifless.onnx", 8000),
    ("silero_vad_half.onnx", None),
]  # fmt: skip


@pytest.mark.parametrize(("file", "rate"), RATES)
def test_files_that_choose_by_the_rate(file, rate):
    """Window after window, each with the state that the one before it left."""
    low = rate == 8000
    path, x = path_of(file), speech(rate or 16000, 256 if low else 512, 32 if low else 64)
    session, constants = session_of(path), {} if rate is None else {"sr": rate}
    model = snn.from_onnx(path, input_shapes={"input": (None, x.shape[1])}, constants=constants)
    plan = snn.compile(model, **OPTIONS)
    state, others = np.zeros((1, 2, 128), np.float32), {key: np.array(n) for key, n in constants.items()}
    theirs, seen = np.zeros((2, 1, 128), np.float32), []
    for window in x[:, np.newaxis]:
        y = plan.run({"input": window, "state": state})
        wanted, theirs = session.run(None, {"input": window, "state": theirs, **others})
        state = y["stateN"]
        seen.append((y["output"], wanted, np.moveaxis(state, 1, 0), theirs))
    output, wanted, state, theirs = map(np.stack, zip(*seen, strict=True))
    assert wanted.min() < 0.1 and wanted.max() > 0.9
    np.testing.assert_allclose(output, wanted, rtol=0, atol=1e-5)
    np.testing.assert_allclose(state, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("batch", [1, 3])
def test_a_number_a_sample(batch):
    """PLCMOS, any number of frames: (batch,), here (batch, 1)."""
    path, rng = path_of("plcmos_v2.onnx"), np.random.default_rng(RNG_SEED)
    session, plan = session_of(path), snn.compile(snn.from_onnx(path), **OPTIONS)
    for frames in (33, 100, 257):
        given = {"degraded_audio": noise(rng, batch, 1, frames, 257), "rater_embed": noise(rng, batch, 64)}
        (wanted,) = session.run(None, given)
        np.testing.assert_allclose(plan.run(given), wanted.reshape(batch, 1), rtol=0, atol=5e-5)
