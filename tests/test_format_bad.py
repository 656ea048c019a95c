"""Bad model files: every one is refused with a message, by its name; none gives a model."""

import json
import struct

import bad_files
import good_file
import numpy as np
import pytest

import sparsenn as snn


def test_the_corpus_is_large_and_its_original_good(tmp_path):
    assert len(bad_files.BAD) >= 100
    parts = (bad_files.BYTES, bad_files.JSON, bad_files.OUTSIDE, bad_files.INSIDE, bad_files.TENSOR)
    parts += (bad_files.PLACE, bad_files.MATRIX)
    assert sum(map(len, parts)) == len(bad_files.BAD), "no name is used twice"
    path = tmp_path / "good.safetensors"
    path.write_bytes(good_file.good())
    assert len(snn.load(path).layers) == 4


@pytest.mark.parametrize("name", bad_files.BAD)
def test_bad_file_is_refused(name, tmp_path):
    make, exception, pattern = bad_files.BAD[name]
    content = make()
    assert content != good_file.good()
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(exception, match=pattern) as caught:
        snn.load(path)
    assert type(caught.value) is exception
    assert isinstance(caught.value, snn.SparsennError)
    assert str(path) in str(caught.value)


def test_every_truncation_is_refused(tmp_path):
    content = good_file.good()
    path = tmp_path / "cut.safetensors"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(snn.FormatError, match="."):
            snn.load(path)


def test_an_elu_is_read(tmp_path):
    path = tmp_path / "elu.safetensors"
    for version in ("1.1", "1.17"):
        path.write_bytes(good_file.elu(version=version))
        assert snn.load(path).layers[1] == snn.ELU(0.5)


def test_a_later_minor_version_is_read_and_its_new_keys_skipped(tmp_path):
    nodes = json.loads(json.dumps(good_file.NODES))
    nodes[1]["quantised"] = {"bits": [8, None, 1.5e3]}
    path = tmp_path / "later.safetensors"
    path.write_bytes(good_file.metadata(nodes=nodes, format_version="1.17"))
    assert len(snn.load(path).layers) == 4
    path.write_bytes(good_file.metadata(nodes=nodes))
    with pytest.raises(snn.FormatError, match="quantised"):
        snn.load(path)


def test_any_order_of_keys_and_tensors_is_read(tmp_path):
    header, data = {}, b""
    for name, (dtype, shape, content) in reversed(good_file.TENSORS.items()):
        offsets = [len(data), len(data) + len(content)]
        header[name] = {"data_offsets": offsets, "dtype": dtype, "shape": shape}
        data += content
    header["__metadata__"] = {"note": 'ünï "quoted" \t', "nodes": good_file.NODES, **good_file.METADATA}
    path = tmp_path / "order.safetensors"
    path.write_bytes(good_file.pack(good_file.header_text(header) + " \n\t  ", data))
    model = snn.load(path)
    assert model.layers[0].weight.toarray().tolist() == [[1, 0, 2], [0, 3, 0]]
    assert model.layers[0].bias.tolist() == [4, 5]
    assert model.layers[2].weight.tolist() == [[6, 7], [8, 9]]


def test_files_of_the_safetensors_package_are_read_and_the_other_way_round(tmp_path):
    package = pytest.importorskip("safetensors.numpy", reason="NOT TESTED: safetensors is missing")
    kinds = {"F32": np.float32, "I64": np.int64, "U16": np.uint16}
    tensors = {
        name: np.frombuffer(content, kinds[dtype]).reshape(shape)
        for name, (dtype, shape, content) in good_file.TENSORS.items()
    }
    theirs, ours = tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors"
    metadata = {
        **good_file.METADATA,
        "nodes": json.dumps(good_file.NODES, indent=1),
        "author": "some\u0001one é",
    }
    package.save_file(tensors, theirs, metadata=metadata)
    snn.save(snn.load(theirs), ours)
    read = package.load_file(ours)
    assert set(read) == set(tensors)
    for name, array in tensors.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)
    (header_bytes,) = struct.unpack_from("<Q", ours.read_bytes())
    assert header_bytes % 8 == 0
