"""Save and load: what goes in comes out, other tools can read it, and bad files are refused."""

import json
import os
import struct

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import _core

ACTIVATIONS = [
    *(snn.ReLU(), snn.ClippedReLU(-0.25, 1.5), snn.Tanh(), snn.Sigmoid(), snn.GELU(), snn.ELU(1.5)),
    snn.Softmax(),
]


@pytest.fixture
def model(rng, random_csr) -> snn.Model:
    """Dense and sparse layers, with and without bias, an empty row, an all-pruned layer, every activation."""
    weight = random_csr(6, 9, 0.6)
    return snn.Model([
        snn.Linear(rng.standard_normal((9, 4)), rng.standard_normal(9)), ACTIVATIONS[0],
        snn.Linear(weight), ACTIVATIONS[1],
        snn.Linear(random_csr(5, 6, 1.0), np.arange(5)), ACTIVATIONS[2],
        snn.Linear(rng.standard_normal((1, 5))), *ACTIVATIONS[3:],
    ])  # fmt: skip


def assert_same(got, wanted):
    assert len(got.layers) == len(wanted.layers)
    for one, two in zip(got.layers, wanted.layers, strict=True):
        assert type(one) is type(two)
        if not isinstance(one, snn.Linear):
            assert one == two
            continue
        assert one.sparse == two.sparse and one.shape == two.shape and one.nnz == two.nnz
        if one.sparse:
            for part in ("data", "indices", "indptr"):
                np.testing.assert_array_equal(getattr(one.weight, part), getattr(two.weight, part))
        else:
            np.testing.assert_array_equal(one.weight, two.weight)
        if two.bias is None:
            assert one.bias is None
        else:
            np.testing.assert_array_equal(one.bias, two.bias)


def test_round_trip(model, tmp_path):
    path = tmp_path / "model.safetensors"
    snn.save(model, path)
    assert_same(snn.load(path), model)
    assert_same(snn.load(str(path)), model)
    assert_same(snn.load(os.fsencode(path)), model)
    assert os.listdir(tmp_path) == ["model.safetensors"], "no temporary file stays behind"


def test_saving_again_replaces_the_file(model, tmp_path):
    path = tmp_path / "model.safetensors"
    snn.save(snn.mlp([3, 2]), path)
    snn.save(model, path)
    assert_same(snn.load(path), model)


def test_wide_layers_keep_their_column_numbers(tmp_path):
    import scipy.sparse

    for columns in (65535, 65536, 65537, 70000):
        weight = scipy.sparse.csr_array(
            (np.ones(3, np.float32), np.array([0, 65534, columns - 1]), [0, 2, 3]), shape=(2, columns)
        )
        wanted = snn.Model([snn.Linear(weight)])
        snn.save(wanted, tmp_path / "wide.safetensors")
        assert_same(snn.load(tmp_path / "wide.safetensors"), wanted)


def test_safetensors_opens_the_file(model, tmp_path):
    safetensors = pytest.importorskip("safetensors", reason="the safetensors package is not installed")
    path = tmp_path / "model.safetensors"
    snn.save(model, path)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        assert metadata["format"] == "sparsenn" and "format_version" in metadata
        np.testing.assert_array_equal(file.get_tensor("0.weight"), model.layers[0].weight)
        np.testing.assert_array_equal(file.get_tensor("0.bias"), model.layers[0].bias)
        np.testing.assert_array_equal(file.get_tensor("2.weight.data"), model.layers[2].weight.data)
        np.testing.assert_array_equal(file.get_tensor("2.weight.indices"), model.layers[2].weight.indices)
        np.testing.assert_array_equal(file.get_tensor("2.weight.indptr"), model.layers[2].weight.indptr)
        assert file.get_tensor("2.weight.indices").dtype == np.uint16


def test_every_truncation_is_refused(model, tmp_path):
    path = tmp_path / "model.safetensors"
    snn.save(model, path)
    content = path.read_bytes()
    for length in range(len(content)):
        with pytest.raises((snn.FormatError, snn.CSRError)):
            _core.Model.load_memory(content[:length])
    with pytest.raises(snn.FormatError):
        _core.Model.load_memory(content + b"\0")


def test_altered_bytes_never_crash(model, tmp_path, rng):
    """Any altered byte gives a valid model or one of the three errors; never anything else."""
    path = tmp_path / "model.safetensors"
    snn.save(model, path)
    content = path.read_bytes()
    refused = 0
    for position in range(len(content)):
        altered = bytearray(content)
        altered[position] ^= int(rng.integers(1, 256))
        try:
            handle = _core.Model.load_memory(altered)
        except (snn.FormatError, snn.CSRError, snn.UnsupportedError):
            refused += 1
        else:
            for index in range(len(handle)):
                handle.node(index)
    assert refused > len(content) // 4


def test_indices_out_of_range_in_a_file_are_refused(tmp_path, random_csr):
    path = tmp_path / "model.safetensors"
    snn.save(snn.Model([snn.Linear(random_csr(4, 9, 0.5))]), path)
    content = bytearray(path.read_bytes())
    (header_bytes,) = struct.unpack_from("<Q", content)
    begin, _ = json.loads(content[8 : 8 + header_bytes])["0.weight.indices"]["data_offsets"]
    struct.pack_into("<H", content, 8 + header_bytes + begin, 9)
    path.write_bytes(content)
    with pytest.raises((snn.CSRError, snn.FormatError), match="indices"):
        snn.load(path)


def test_a_file_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    snn.save(snn.mlp([3, 2]), path)
    content = path.read_bytes()
    (header_bytes,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + header_bytes])
    header["__metadata__"]["format_version"] = "3.0"
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + header_bytes :])
    with pytest.raises(snn.VersionError, match="version"):
        snn.load(path)


def test_files_that_are_no_model(tmp_path):
    for name, content in {"empty": b"", "text": b"hello, this is no model file", "zeros": bytes(64)}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(snn.FormatError):
            snn.load(path)


def test_paths_that_cannot_be_used(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.safetensors"):
        snn.load(tmp_path / "none.safetensors")
    with pytest.raises(IsADirectoryError):
        snn.load(tmp_path)
    with pytest.raises(IsADirectoryError):
        snn.save(snn.mlp([3, 2]), tmp_path)
    with pytest.raises(FileNotFoundError, match="folder"):
        snn.save(snn.mlp([3, 2]), tmp_path / "none" / "m.safetensors")
    with pytest.raises(TypeError):
        snn.load(3)
    with pytest.raises(TypeError, match="model must be a sparsenn.Model"):
        snn.save("model", tmp_path / "m.safetensors")
    assert not (tmp_path / "m.safetensors").exists()
