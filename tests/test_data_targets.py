"""What a target is taken for, and that a wrong cell is named instead of changing that."""

import contextlib
import gzip
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from sparsenn import ArgumentError, FormatError
from sparsenn.datasets import read_data
from sparsenn.datasets.files import read_samples

PRICES = [f"{i * 1.37 + 0.5:.2f}" for i in range(200)]


def write_csv(path, targets, *, header=None, ends=""):
    lines = [header] if header else []
    lines += [f"{i},{i * 2}.5,{value}{ends}" for i, value in enumerate(targets)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("task", [None, "regression"])
@pytest.mark.parametrize("header", [None, "a,b,price"])
@pytest.mark.parametrize(
    "wrong",
    ["", " ", "n/a", "NaN", "nan", "inf", "-Infinity", "1e999", "1e39", "abc", "1_000", "0x1p3", '"1,234"',
     "1 234", "\u0661\u0662", "--1", "1e", "12.5%", "1.2.3", "None", "True"],
)  # fmt: skip
def test_one_wrong_cell_of_a_regression_is_named(tmp_path, wrong, header, task):
    targets = [*PRICES[:120], wrong, *PRICES[121:]]
    path = write_csv(tmp_path / "data.csv", targets, header=header)
    name = "column 2 'price'" if header else "column 2"
    if wrong in ("1e39", "1e999"):
        name = "column 'price'" if header and wrong == "1e39" else "column 2"
    with pytest.raises(FormatError) as caught:
        read_data(path, task=task)
    assert f"line {121 + bool(header)}, {name}" in str(caught.value)
    shown = "1e+39" if wrong == "1e39" else wrong.strip().strip('"')
    assert shown in str(caught.value)


@pytest.mark.parametrize("wrong", ["", "nan", "3", "1e5", "-inf", "1_000", "?"])
def test_one_wrong_cell_among_texts_is_named(tmp_path, wrong):
    targets = ["oak", "elm"] * 50 + [wrong] + ["ash"] * 20
    with pytest.raises(FormatError, match="line 101, column 2: the target must"):
        read_data(write_csv(tmp_path / "data.csv", targets))
    if wrong:
        y = read_data(tmp_path / "data.csv", task="classification")[1]
        assert len(set(y.tolist())) == 4


@pytest.mark.parametrize(
    "wrong", ["", "nan", "inf", "-Infinity", "x", "1_000", "0x10", "1e39", "1e300", "1e999", "１"]
)
@pytest.mark.parametrize("header", [None, "a,b,price"])
def test_a_wrong_feature_is_named(tmp_path, wrong, header):
    path = write_csv(tmp_path / "data.csv", PRICES, header=header)
    lines = path.read_text().split("\n")
    lines[5] = f"5,{wrong},3.5"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(FormatError, match="line 6, column 1( 'b')?: features must be"):
        read_data(path)
    lines[0] = f"5,{wrong},3.5"  # also in a first line, which is no header for it
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(FormatError, match="line 1"):
        read_data(path)


@pytest.mark.parametrize("first", [",oak", "NA,oak", "?,oak", "n/a,elm"])
def test_a_missing_first_value_makes_no_header(tmp_path, first):
    (tmp_path / "data.csv").write_text(f"{first}\n1,elm\n2,oak\n")
    with pytest.raises(FormatError, match="line 1, column 0"):
        read_data(tmp_path / "data.csv")


@pytest.mark.parametrize(
    ("text", "samples", "header"),
    [
        ("a,b,kind\n1,2,0\n3,4,1\n", 2, None),
        (",0,1,kind\n0,1.5,2,1\n1,2,3,0\n", None, None),  # names that are numbers: not to be guessed
        (",0,1,kind\n0,1.5,2,1\n1,2,3,0\n", 2, True),
        ("0,1,2\n5,6,1\n7,8,0\n", None, None),  # pandas' names, or a sample
        ("0,1,2\n5,6,1\n7,8,0\n", 2, True),
        ("0,1,2\n5,6,1\n7,8,0\n", 3, False),
        ("1,2,oak\n3,4,elm\n", 2, None),
        ("1,2,oak\n3,4,elm\n", 1, True),
        ("\ufeffa,b,kind\r\n1,2,0\r\n\r\n  \r\n3,4,1\r\n", 2, None),
        ('"a","b","kind"\n"1","2","0"\n"3","4","1"\n', 2, None),
        ("a;b;kind\n1;2;0\n3;4;1\n", 2, None),
    ],
)
def test_header(tmp_path, text, samples, header):
    (tmp_path / "data.csv").write_bytes(text.encode())
    if samples is None:
        with pytest.raises(FormatError, match="line 1 .* say header=True or False"):
            read_data(tmp_path / "data.csv", header=header)
    else:
        assert len(read_data(tmp_path / "data.csv", header=header)[0]) == samples


def test_separators_at_the_ends_of_lines(tmp_path):
    with pytest.raises(FormatError, match="line 1, column 3: .* must not be empty, got ''; every line ends"):
        read_data(write_csv(tmp_path / "data.csv", PRICES, ends=","))
    write_csv(tmp_path / "data.csv", PRICES, header="a,b,price,", ends=",")
    with pytest.raises(FormatError, match="line 2, column 3 '': features must be numbers, got ''"):
        read_data(tmp_path / "data.csv", target="price")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,5;2,5;0\n", "features must be numbers"),  # a decimal comma
        ("1,2\n3,4,5\n", "line 2 must hold 2 values like the first, got 3"),
        ("1,2\n3\n", "line 2 must hold 2 values like the first, got 1"),
        ("a,b\n", "features must be numbers"),
    ],
)
def test_odd_lines(tmp_path, text, message):
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_data(tmp_path / "data.csv")


def test_a_name_of_two_columns_is_no_target(tmp_path):
    (tmp_path / "data.csv").write_text("a,a,kind\n1,2,0\n3,4,1\n")
    with pytest.raises(
        ArgumentError, match="target must be one column of data.csv, got 'a', a name of several"
    ):
        read_data(tmp_path / "data.csv", target="a")
    assert read_data(tmp_path / "data.csv")[0].shape == (2, 2)


def save(path, y, X=None):
    np.savez(path, X=np.ones((len(y), 2)) if X is None else X, y=y)
    return path


@pytest.mark.parametrize(
    ("y", "task", "wanted"),
    [
        ([0.0, 1.0, 1.0], None, "classification with 2 classes, 0 to 1"),
        (np.array([0, 1, 2], np.float32), None, "classification with 3 classes, 0 to 2"),
        ([[0.0], [2.0]], None, "classification with 3 classes, 0 to 2"),
        ([True, False, True], None, "classification with 2 classes, 0 to 1"),
        (np.array([0, 1], np.uint64), None, "classification with 2 classes, 0 to 1"),
        ([1, 2.5, 3], None, "regression"),
        ([-1, 1, 1], None, "regression"),
        ([-1, 1, 1], "classification", "classification with 2 classes: -1, 1"),
        ([0, 1, 1], "regression", "regression"),
        (["oak", "elm", "oak"], None, "classification with 2 classes: elm, oak"),
        ([2**53, 2**53 + 1], "classification", f"classification with 2 classes: {2**53}, {2**53 + 1}"),
        (np.eye(3)[[0, 2, 1]], None, "classification with 3 classes, 0 to 2"),
        (np.eye(3)[[0, 2, 1]], "regression", "regression with 3 outputs"),
        ([[0.5, 1], [1, 2]], None, "regression with 2 outputs"),
        ([5e-324, 0.5], None, "regression"),
        (np.arange(250) % 250, "classification", "classification with 250 classes, 0 to 249"),
    ],
)  # fmt: skip
def test_what_a_target_is_taken_for(tmp_path, y, task, wanted):
    samples = read_samples(save(tmp_path / "data.npz", np.asarray(y)), task=task)
    assert samples.target.describe() == wanted
    assert samples.target.values.dtype == (np.int64 if "classification" in wanted else np.float32)
    found = read_data(tmp_path / "data.npz", task=task)[1]
    np.testing.assert_array_equal(found, samples.target.values)


@pytest.mark.parametrize(
    ("y", "task", "message"),
    [
        ([0.0, np.nan], None, "array 'y', sample 1: the target must be finite as float32, got nan"),
        ([0.0, 1.0, np.inf], None, "sample 2: the target must be finite as float32, got inf"),
        ([0.0, 1e20], None, "sample 1: .*2\\^53, got 100000000000000000000"),
        ([0.0, 2.0**63], "classification", "sample 1: .*2\\^53, got 9223372036854775808"),
        ([0.5, 1e39], None, "sample 1: the target must be finite as float32, got 1e\\+39"),
        ([0, 2005], None, "sample 1: got 2005 among 2 samples .*say task"),
        (np.arange(199.0), None, "holds 199 different whole numbers in 199 samples; say task"),
        ([str(i) + "x" for i in range(100)], None, "100 different texts in 100 samples; say"),
        ([0, 1, 1.5], "classification", "sample 2: classes must be whole numbers or text, got 1.5"),
        (["a", "b"], "regression", "the target of a regression must hold numbers, got 'a'"),
        ([["a", "b"]], None, "a target of text must have shape .n,., got .1, 2."),
        ([[0, 1], [2, 3]], "classification", "classes must be .n,. or rows with a single 1"),
        (np.array([1 + 2j, 0]), None, "y must be an array of numbers"),
        (np.array(["2020-01-01"], "M8[D]"), None, "y must be an array of numbers"),
        (np.array([object()] * 2), None, "Python objects, which are not unpickled"),
        (np.array([0, 1]), "ranking", "task must be one of .*, or None, got 'ranking'"),
    ],
)  # fmt: skip
def test_targets_that_are_refused(tmp_path, y, task, message):
    with pytest.raises((FormatError, ArgumentError), match=message):
        read_data(save(tmp_path / "data.npz", np.asarray(y)), task=task)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_features_that_are_refused(tmp_path, bad):
    X = np.ones((3, 2, 2))
    X[1, 1, 0] = bad
    with pytest.raises(FormatError, match="X must be finite as float32, got .* in sample 1, feature 2"):
        read_data(save(tmp_path / "data.npz", np.array([0, 1, 0]), X))
    for data_type, code in (("<f8", 14), (">f4", 13)):
        with np.errstate(over="ignore"):
            pixels = X.astype(data_type).astype(data_type.replace("<", ">"))
        head = struct.pack(">BBBBIII", 0, 0, code, 3, 3, 2, 2)
        (tmp_path / "images.idx").write_bytes(head + pixels.tobytes())
        (tmp_path / "labels.idx").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 3) + b"\0\1\0")
        with pytest.raises(FormatError, match="X must be finite as float32, got .* in sample 1, feature 2"):
            read_data(tmp_path / "images.idx")


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"X": np.ones(()), "y": np.ones(())},
        {"X": np.ones((0, 3)), "y": np.ones(0)},
        {"X": np.ones((3, 0)), "y": np.ones(3)},
        {"X": np.ones((3, 2)), "y": np.ones((3, 0))},
        {"X": np.array(["a"] * 3), "y": np.ones(3)},
        {"X": np.ones((3, 2)), "y": np.ones(4)},
        {"X": np.ones((3, 2)), "y": np.array(b"x")},
    ],
)
def test_empty_and_odd_archives(tmp_path, arrays):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(FormatError, match="data.npz"):
        read_data(tmp_path / "data.npz")


def header(shape, descr="'<f8'"):
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (63 - (10 + len(text)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    "content",
    [
        header("(2**40, 1)"),
        header(f"({2**40}, 1)") + bytes(16),
        header(f"({2**62}, {2**62})") + bytes(16),
        header(f"({10**3000}, 1)"),
        header("(-1, 2)") + bytes(16),
        header("(True, 2)") + bytes(16),
        header(str((1,) * 70)) + bytes(8),
        header("(1, 1)", "'|O'") + bytes(8),
        header("(1, 1)", "[('a', '<f8')]") + bytes(8),
        header("(" * 3000),
        header("(2, 1)") + bytes(17),
        b"\x93NUMPY\x09\x00" + bytes(100),
        b"",
    ],
)
@pytest.mark.parametrize("name", ["X", "y"])
def test_headers_that_promise_too_much(tmp_path, content, name):
    parts = {"X": header("(2, 1)") + bytes(16), "y": header("(2, 1)") + bytes(16), name: content}
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        for part, held in parts.items():
            archive.writestr(f"{part}.npy", held)
    with pytest.raises(FormatError, match="data.npz"):
        read_data(tmp_path / "data.npz")


def test_every_altered_byte_of_an_archive_gives_our_error(tmp_path, rng):
    np.savez_compressed(tmp_path / "good.npz", X=rng.random((4, 2)), y=np.array([0, 1, 1, 0]))
    good = (tmp_path / "good.npz").read_bytes()
    for at in range(0, len(good), 3):
        (tmp_path / "bad.npz").write_bytes(good[:at] + bytes([good[at] ^ 0x55]) + good[at + 1 :])
        with contextlib.suppress(FormatError, ArgumentError):
            read_data(tmp_path / "bad.npz")


@pytest.mark.parametrize("kind", ["csv", "idx"])
def test_broken_compression_gives_our_error(tmp_path, kind):
    if kind == "csv":
        good = "".join(f"{i * 0.37},{i * 7 % 3}\n" for i in range(500)).encode()
    else:
        good = struct.pack(">BBBBII", 0, 0, 8, 2, 50, 20) + bytes(i * 7 % 251 for i in range(1000))
        (tmp_path / "b.idx").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 50) + bytes(50))
    packed = gzip.compress(good)
    failed = 0
    for at in range(0, len(packed), 5):
        (tmp_path / f"a.{kind}.gz").write_bytes(packed[:at] + bytes([packed[at] ^ 0x7F]) + packed[at + 1 :])
        try:
            read_data(tmp_path / f"a.{kind}.gz", target=None if kind == "csv" else str(tmp_path / "b.idx"))
        except (FormatError, ArgumentError):
            failed += 1
    assert failed > len(packed) // 10
    for cut in (1, 12, len(packed) // 2, len(packed) - 3):
        (tmp_path / f"a.{kind}.gz").write_bytes(packed[:cut])
        with pytest.raises(FormatError, match=f"a.{kind}.gz"):
            read_data(tmp_path / f"a.{kind}.gz", target=None if kind == "csv" else str(tmp_path / "b.idx"))


@pytest.mark.parametrize(
    ("dimensions", "sizes"),
    [
        (65, (1,) * 65),
        (255, (1,) * 255),
        (0, ()),
        (2, (2**32 - 1, 2**32 - 1)),
        (3, (0, 2**32 - 1, 2**32 - 1)),
        (2, (0, 4)),
        (2, (4, 0)),
        (1, (2**32 - 1,)),
    ],
)
@pytest.mark.parametrize("ending", ["idx", "idx.gz"])
def test_idx_headers_that_promise_too_much(tmp_path, dimensions, sizes, ending):
    content = bytes([0, 0, 8, dimensions]) + struct.pack(f">{len(sizes)}I", *sizes) + bytes(16)
    (tmp_path / f"a.{ending}").write_bytes(gzip.compress(content) if ending.endswith("gz") else content)
    (tmp_path / "b.idx").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 16) + bytes(16))
    with pytest.raises(FormatError, match=rf"a\.{ending}"):
        read_data(tmp_path / f"a.{ending}", target=str(tmp_path / "b.idx"))


def bomb(start: bytes, body: bytes, times: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(start), *(packer.compress(body) for _ in range(times)), packer.flush()])


@pytest.mark.parametrize("kind", ["idx", "line", "row", "npz"])
def test_memory_is_bounded_by_what_is_promised(tmp_path, monkeypatch, kind):
    """Files of some 400 kB that hold 400 MB are refused before that is in memory."""
    if kind == "idx":
        path = tmp_path / "images.idx.gz"
        path.write_bytes(bomb(struct.pack(">BBBBI", 0, 0, 8, 1, 4), bytes(2**20), 400))
        (tmp_path / "labels.idx.gz").write_bytes(
            gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 4) + bytes(4))
        )
    elif kind == "npz":
        path = tmp_path / "data.npz"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("X.npy", "w") as file:
            file.write(header("(2, 1)"))
            for _ in range(400):
                file.write(bytes(2**20))
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("y.npy", header("(2, 1)") + bytes(16))
    else:
        path = tmp_path / "data.csv.gz"
        body = b"1," * 2**19 if kind == "line" else b'"1\n",' * (2**20 // 5)
        path.write_bytes(bomb(b"", body, 400))
        monkeypatch.setattr("sparsenn.datasets.csv_file.LONGEST_LINE", 2**21)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            read_data(path)
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()
