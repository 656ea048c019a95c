"""Checkpoints: the document, the arrays and the archive around them, loaded and resumed from."""

from __future__ import annotations

import functools
import io
import json
import tempfile
import zipfile
from pathlib import Path
from random import Random

import numpy as np

import sparsenn as snn

from . import alter
from .engine import Target, run_model

X = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(int)
OPTIONS = {"validation_split": 0.25, "early_stopping": 9, "epochs": 2, "batch_size": 8, "threads": 1}


def make_model(kind: str) -> snn.Model:
    if kind == "dense":
        return snn.mlp([5, 4, 3], seed=1)
    if kind == "graph":
        first, relu, last = snn.mlp([5, 5, 3], sparsity=0.5, seed=1).layers
        x = snn.Input((5,), name="x")
        return snn.Model(inputs=x, outputs=last(snn.Add()(relu(first(x)), x)))
    return snn.mlp([5, 7, 3], sparsity=0.5, seed=1, activation={"sparse": "clipped_relu"}.get(kind, "elu"))


def train(model: snn.Model, path: Path, kind: str, *, resume: bool) -> None:
    optimizer = {"sparse": "adam", "dense": "nesterov"}.get(kind, "adamw")
    regrow = snn.Regrow(fraction=0.5, until=2) if kind == "regrown" else None
    snn.train(model, X, Y, checkpoint=path, resume=resume, optimizer=optimizer, regrow=regrow, **OPTIONS)


@functools.cache
def valid_files() -> list[tuple[str, bytes]]:
    """(kind of model, content)."""
    files = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        for kind in ("sparse", "dense", "regrown", "graph"):
            train(make_model(kind), path, kind, resume=False)
            files.append((kind, path.read_bytes()))
    return files


@functools.cache
def parts_of(content: bytes) -> tuple[dict, dict[str, np.ndarray], dict[str, bytes]]:
    """-> the document, the arrays, and the members of the archive."""
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive)
    return json.loads(arrays.pop("document").tobytes()), arrays, members_of(arrays)


def alter_array(random: Random, arrays: dict[str, np.ndarray]) -> None:
    name = random.choice(sorted(arrays))
    array = arrays[name]
    kind = random.randrange(8)
    if kind <= 2 and array.size:  # a value, in place of its own bits
        array = array.copy()
        index = random.randrange(array.size)
        if array.dtype.kind == "f":
            array.flat[index] = random.choice([0.0, -1.0, 1e30, -1e30, np.inf, np.nan, 1e-40])
        elif array.dtype.kind in "iu":
            limits = np.iinfo(array.dtype)
            array.flat[index] = alter.fits(random, int(array.flat[index]), int(limits.min), int(limits.max))
        arrays[name] = array
    elif kind == 3:
        arrays[name] = array.astype(
            random.choice(["<f4", "<f8", "<i4", "<i8", ">f4", "?", "u1", "c8", "S3", "<f2"])
        )
    elif kind == 4:
        arrays[name] = random.choice([array[:-1], array[:0], array[None], array.T, np.append(array, array)])
    elif kind == 5:
        arrays[alter.text(random, list(arrays)).translate({0xD800: "u", 0: "0"}) or "0"] = arrays.pop(name)
    elif kind == 6:
        del arrays[name]
    else:
        other = random.choice(sorted(arrays))
        arrays[name], arrays[other] = arrays[other], arrays[name]


def alter_member(random: Random, member: bytes) -> bytes:
    """An .npy file with another header around the same values."""
    end = 10 + int.from_bytes(member[8:10], "little")
    header = member[10:end].decode("latin-1")
    pieces = {
        "(": random.choice(["(9999999999999, ", "(-1, ", "((", "(" * 200, "(0, ", "[", "(10**9, "]),
        "False": random.choice(["True", "None", "0", "__import__('os')"]),
        "<f4": random.choice(["|O", "<f8", "<M8[s]", ">f4", "<U9999999", "<V8", "f4,f4"]),
        "shape": random.choice(["shap", "descr", "Shape"]),
    }
    old = random.choice(list(pieces))
    text = header.rstrip().replace(old, pieces[old], 1)
    padded = text.ljust(len(header) - 1) + "\n"
    size = random.choice([len(padded), len(padded), alter.fits(random, len(padded), 0, 65535)])
    start = bytes([0x93]) + b"NUMPY" + random.choice([b"\1\0", b"\2\0", b"\3\0", b"\1\0"])
    return start + size.to_bytes(2, "little") + padded.encode("latin-1") + member[end:]


def members_of(arrays: dict[str, np.ndarray]) -> dict[str, bytes]:
    members = {}
    for name, array in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, array)
        members[f"{name}.npy"] = buffer.getvalue()
    return members


def zipped(random: Random, members: dict[str, bytes]) -> bytes:
    """An archive of the members, at times compressed, with one twice, or with sizes that lie."""
    method = zipfile.ZIP_STORED
    if random.random() < 0.05:
        method = random.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
        if random.random() < 0.03:
            name, content = random.choice(list(members.items()))
            archive.writestr(zipfile.ZipInfo(name), content)
        if random.random() < 0.1:
            info = random.choice(archive.filelist)
            field = random.choice(["file_size", "compress_size", "header_offset", "CRC", "flag_bits"])
            most = 0xFFFF if field == "flag_bits" else 0xFFFFFFFF
            setattr(info, field, alter.fits(random, getattr(info, field), 0, most))
    return buffer.getvalue()


def alter_file(random: Random, folder: Path) -> Path:
    kind, content = random.choice(valid_files())
    if random.random() < 0.15:
        content = alter.binary(random, content)
    else:
        content = alter_parts(random, *parts_of(content))
    path = folder / f"{kind}.npz"
    path.write_bytes(content)
    return path


def alter_parts(
    random: Random, document: dict, valid: dict[str, np.ndarray], members: dict[str, bytes]
) -> bytes:
    if random.random() < 0.6:
        document = alter.json_tree(random, document)
        members = dict(members)
    else:
        arrays = dict(valid)
        for _ in range(random.choice([1, 1, 2])):
            alter_array(random, arrays)
        changed = {name: array for name, array in arrays.items() if array is not valid.get(name)}
        kept = {f"{name}.npy": members[f"{name}.npy"] for name in arrays if name not in changed}
        members = {**kept, **members_of(changed)}
    text = json.dumps(document)
    if random.random() < 0.02:
        text = random.choice(["[" * 9000, text[:-1], text * 2, '{"a":' * 9000, "1" * 5000, "\ufeff" + text])
    members |= members_of({"document": np.frombuffer(text.encode(), np.uint8)})
    if random.random() < 0.1:
        name = random.choice(sorted(members))
        members[name] = alter_member(random, members[name])
    return zipped(random, members)


def bits(model: snn.Model) -> list[bytes]:
    arrays = []
    for layer in model.linear_layers:
        weight = layer.weight
        arrays += [weight.data, weight.indices, weight.indptr] if layer.sparse else [weight]
        arrays.append(layer.bias)
    return [array.tobytes() for array in arrays]


def read(path: Path):
    """Loads and resumes. Both must agree, and a resume that fails leaves the model as it was."""
    model = make_model(path.stem)
    before = bits(model)
    content = path.read_bytes()
    try:
        train(model, path, path.stem, resume=True)
    except snn.DivergedError:
        assert bits(model) == before, "a diverged run left the model changed"
    except snn.errors.SparsennError:
        assert bits(model) == before, "a failed resume left the model changed"
        assert path.read_bytes() == content, "a failed resume changed the checkpoint"
    path.write_bytes(content)
    return snn.Trainer.load(path, threads=1)


def use(trainer: snn.Trainer) -> None:
    run_model(trainer.model)
    if trainer.model.inputs == X.shape[1]:
        trainer.step(X, Y % trainer.model.outputs)


TARGETS = [Target("checkpoint", alter_file, read, use)]
