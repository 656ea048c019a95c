"""from_safetensors: weights by name, and files that lie."""

from __future__ import annotations

import contextlib
import json
import os
import struct

import numpy as np
import pytest
from networks import assert_near

import sparsenn as snn


def write(path, tensors: dict, **overrides) -> None:
    """A .safetensors file of tensors, made here; overrides replace entries of the header."""
    header, content = {"__metadata__": {"format": "pt"}}, b""
    names = {"<f4": "F32", "<f2": "F16", "<f8": "F64", "<i8": "I64", "|u1": "BF16"}
    for name, array in tensors.items():
        array = np.ascontiguousarray(array)
        entry = {"dtype": names[array.dtype.str], "shape": list(array.shape)}
        header[name] = {**entry, "data_offsets": [len(content), len(content) + array.nbytes]}
        content += array.tobytes()
    for name, change in overrides.items():
        header[name.replace("__", ".")].update(change)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content)


@pytest.fixture
def arrays(rng):
    return {
        "fc1.weight": rng.standard_normal((5, 4)).astype(np.float32),
        "fc1.bias": rng.standard_normal(5).astype(np.float16),
        "fc2.kernel": rng.standard_normal((5, 3)),
        "norm.weight": rng.standard_normal(5).astype(np.float32),
        "norm.bias": rng.standard_normal(5).astype(np.float32),
        "norm.running_mean": rng.standard_normal(5).astype(np.float32),
        "norm.running_var": rng.uniform(0.5, 2, 5).astype(np.float32),
        "fc3.weight_orig": rng.standard_normal((2, 3)).astype(np.float32),
        "fc3.weight_mask": np.array([[1, 0, 0], [0, 0, 1]], np.float32),
    }


def test_a_network(tmp_path, arrays, rng):
    write(tmp_path / "w.safetensors", arrays)
    layers = ["fc1", "norm", "relu", "fc2", snn.Tanh(), "fc3", "softmax"]
    model = snn.from_safetensors(tmp_path / "w.safetensors", layers=layers)
    x = rng.standard_normal((6, 4)).astype(np.float32)
    exact = x.astype(np.float64) @ arrays["fc1.weight"].T.astype(np.float64) + arrays["fc1.bias"]
    scale = arrays["norm.weight"] / np.sqrt(arrays["norm.running_var"].astype(np.float64) + 1e-5)
    exact = np.maximum((exact - arrays["norm.running_mean"]) * scale + arrays["norm.bias"], 0)
    exact = np.tanh(exact @ arrays["fc2.kernel"]) @ (arrays["fc3.weight_orig"] * arrays["fc3.weight_mask"]).T
    exact = np.exp(exact) / np.exp(exact).sum(axis=1, keepdims=True)
    assert_near(model, x, exact)
    assert model.linear_layers[-1].nnz == 2


def test_files_of_the_package(tmp_path, arrays):
    package = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    package.save_file(arrays, tmp_path / "w.safetensors", {"made": "elsewhere"})
    layer = snn.from_safetensors(tmp_path / "w.safetensors", layers=["fc1"]).layers[0]
    np.testing.assert_array_equal(layer.weight, arrays["fc1.weight"])
    np.testing.assert_array_equal(layer.bias, arrays["fc1.bias"].astype(np.float32))


def test_bfloat16(tmp_path):
    exact = np.array([[1.5, -2.0, 0.15625]], np.float32)
    bits = (exact.view(np.uint32) >> 16).astype(np.uint16)
    write(tmp_path / "w.safetensors", {"a.weight": bits.view(np.uint8)}, a__weight={"shape": [1, 3]})
    np.testing.assert_array_equal(
        snn.from_safetensors(tmp_path / "w.safetensors", layers=["a"]).layers[0].weight, exact
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"fc1__weight": {"data_offsets": [0, 10_000]}}, "within its .* bytes"),
        ({"fc1__weight": {"data_offsets": [40, 0]}}, "within its"),
        ({"fc1__weight": {"shape": [5, 5]}}, "as many bytes as the tensor"),
        ({"fc1__weight": {"shape": [-5, -4]}}, "dtype, shape and data_offsets"),
        ({"fc1__weight": {"shape": "5"}}, "dtype, shape and data_offsets"),
        ({"fc1__weight": {"dtype": "C64"}}, "must be of .* got 'C64'"),
    ],
)
def test_headers_that_lie(tmp_path, arrays, overrides, message):
    write(tmp_path / "w.safetensors", arrays, **overrides)
    with pytest.raises(ValueError, match=message):
        snn.from_safetensors(tmp_path / "w.safetensors", layers=["fc1"])


def test_altered_files_raise_or_import(tmp_path, arrays):
    path = tmp_path / "w.safetensors"
    write(path, arrays)
    content, rng = path.read_bytes(), np.random.default_rng(5)
    for _ in range(1000):
        altered = bytearray(content[: rng.integers(len(content))] if rng.random() < 0.3 else content)
        for _ in range(3):
            if altered:
                altered[rng.integers(min(len(altered), 800))] = rng.integers(256)
        path.write_bytes(altered)
        with contextlib.suppress(snn.FormatError, snn.UnsupportedError, snn.ArgumentError):
            snn.from_safetensors(path, layers=["fc1", "norm", "fc2"])


def test_wrong_layers(tmp_path, arrays):
    path = tmp_path / "w.safetensors"
    write(path, arrays)
    for layers, error, message in (
        (
            ["fc1", "rilu"],
            ValueError,
            r"layers\[1\] must name a layer \(fc1, fc2, fc3, norm\) or an activation",
        ),
        (["fc2", "fc1"], ValueError, r"fc1 must take the 3 features that fc2 gives"),
        ([3], TypeError, r"layers\[0\] must be one of"),
        ("fc1", TypeError, "layers must be a list"),
        (["relu"], ValueError, "at least one linear layer"),
    ):
        with pytest.raises(error, match=message):
            snn.from_safetensors(path, layers=layers)
    with pytest.raises(FileNotFoundError):
        snn.from_safetensors(tmp_path / "none", layers=["fc1"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="must be a regular file"):
        snn.from_safetensors(tmp_path / "pipe", layers=["fc1"])
