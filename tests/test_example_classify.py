"""examples/classify_image: the program on images, and the whole way to it that docs/convolutions.md shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from c_tools import CORE, ROOT, c_compiler, cmake, environment, run
from test_docs import program as examples_of

import sparsenn as snn
from sparsenn import config

EXAMPLE = ROOT / "examples" / "classify_image"
PAGE = ROOT / "docs" / "convolutions.md"
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(
    not (EXAMPLE.exists() and CORE.exists()), reason=f"NOT TESTED: no example beside the tests, at {EXAMPLE}"
)


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("classify")
    flags = run(sys.executable, "-m", "sparsenn.config", "--cflags", "--libs", cwd=folder).split()
    sources = [EXAMPLE / "classify.c", EXAMPLE / "pnm.c"]
    run(c_compiler(), *STRICT, *sources, *flags, "-lm", "-o", folder / "classify")
    return folder / "classify"


def network(channels: int, rng) -> snn.Model:
    """Images (channels, 6, 7) to 7 classes."""
    weight = rng.standard_normal((8, channels, 3, 3), dtype=np.float32)
    x = snn.Input((channels, 6, 7))
    h = snn.ReLU()(snn.Conv2d(weight, padding=1)(x))
    h = snn.Flatten()(snn.MaxPool2d((6, 7))(h))
    return snn.Model(
        inputs=x, outputs=snn.Linear(rng.standard_normal((7, 8), dtype=np.float32) / 4, np.arange(7) / 8)(h)
    )


def scores(model: snn.Model, pixels: np.ndarray) -> np.ndarray:
    """The softmax of what the plan gives for one image (channels, height, width)."""
    logits = snn.compile(model).run(pixels[None].astype(np.float32))[0].astype(np.float64)
    shares = np.exp(logits - logits.max())
    return shares / shares.sum()


def write_image(path: Path, values: np.ndarray, *, largest: int = 255, header: str | None = None) -> Path:
    """values (channels, height, width) of bytes."""
    channels, height, width = values.shape
    kind = {1: "P5", 3: "P6"}[channels]
    text = header or f"{kind}\n{width} {height}\n{largest}\n"
    path.write_bytes(text.encode() + np.moveaxis(values, 0, -1).astype(np.uint8).tobytes())
    return path


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("largest", [255, 100])
def test_classes_and_scores(program, tmp_path, rng, channels, largest):
    model = network(channels, rng)
    snn.save(model, tmp_path / "m.safetensors")
    values = rng.integers(0, largest + 1, (channels, 6, 7))
    image = write_image(tmp_path / "image", values, largest=largest)
    printed = run(program, tmp_path / "m.safetensors", image).splitlines()
    expected = scores(model, values / largest)
    order = np.argsort(-expected)[:5]
    assert [int(line.split()[0]) for line in printed] == order.tolist()
    got = [float(line.split()[1]) for line in printed]
    assert np.allclose(got, expected[order], atol=1e-5)


def test_labels_and_comments(program, tmp_path, rng):
    model = network(1, rng)
    snn.save(model, tmp_path / "m.safetensors")
    (tmp_path / "labels.txt").write_text("zero\none line\r\ntwo\nthree\nfour\n")
    values = rng.integers(0, 256, (1, 6, 7))
    header = "P5 # made by\n#hand\n  7\t6 # and height\n255\n"
    image = write_image(tmp_path / "image.pgm", values, header=header)
    printed = run(program, tmp_path / "m.safetensors", image, tmp_path / "labels.txt").splitlines()
    names = ["zero", "one line", "two", "three", "four", "5", "6"]
    order = np.argsort(-scores(model, values / 255))[:5]
    assert [line.rsplit(" ", 1)[0] for line in printed] == [names[index] for index in order]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"P2 7 6 255\n" + bytes(42), "binary PGM or PPM"),
        (b"", "binary PGM or PPM"),
        (b"P5 7 6 65535\n" + bytes(84), "at most 255"),
        (b"P5 7 0 255\n", "a width and a height"),
        (b"P5 99999999999999999999 6 255\n", "a width and a height"),
        (b"P5 7 # no end", "a width and a height"),
        (b"P5 7 6 255\n" + bytes(41), "ends before its last pixel"),
        (b"P6 7 6 255\n" + bytes(126), "must have 1 channels, height 6 and width 7, got 3, 6, 7"),
        (b"P5 6 7 255\n" + bytes(42), "must have 1 channels, height 6 and width 7, got 1, 7, 6"),
    ],
)
def test_bad_images_are_named(program, tmp_path, rng, content, words):
    snn.save(network(1, rng), tmp_path / "m.safetensors")
    (tmp_path / "image").write_bytes(content)
    assert_fails([program, tmp_path / "m.safetensors", tmp_path / "image"], words)


def test_bad_arguments_are_named(program, tmp_path, rng):
    model, image = tmp_path / "m.safetensors", write_image(tmp_path / "i", np.zeros((1, 6, 7)))
    snn.save(network(1, rng), model)
    snn.save(snn.mlp([42, 3]), tmp_path / "mlp.safetensors")
    for arguments, words in [
        ([model], "usage"),
        ([model, tmp_path / "none"], "cannot be opened"),
        ([model, image, tmp_path / "none"], "labels cannot be opened"),
        ([tmp_path / "none", image], "none"),
        ([image, image], "header"),
        ([tmp_path / "mlp.safetensors", image], "must take images"),
    ]:
        assert_fails([program, *arguments], words)


def assert_fails(command: list, words: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and words in done.stderr and done.stdout == ""


def test_cmake_builds_it(program, tmp_path, rng):
    folder = cmake(EXAMPLE, tmp_path / "build", f"-DCMAKE_PREFIX_PATH={config.get_cmake_dir()}")
    snn.save(network(1, rng), tmp_path / "m.safetensors")
    arguments = [tmp_path / "m.safetensors", write_image(tmp_path / "i", np.full((1, 6, 7), 9))]
    assert run(folder / "classify", *arguments) == run(program, *arguments)


def test_the_page_s_program_prints_the_digit(tmp_path):
    """The page's Python in an empty folder, then its shell commands, with the examples where it has them."""
    pytest.importorskip("torch")
    code = examples_of(PAGE) + "\nprint('digit', test_labels[0])\n"
    folder = tmp_path / "examples" / "classify_image"
    folder.mkdir(parents=True)
    for source in EXAMPLE.iterdir():
        (folder / source.name).write_bytes(source.read_bytes())
    bin_folder = Path(sys.executable).parent
    settings = environment(OMP_NUM_THREADS=1, PATH=f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    printed = run(sys.executable, "page.py", cwd=tmp_path, env=settings)
    assert "Mmadd" in printed
    (commands,) = SHELL.findall(PAGE.read_text(encoding="utf-8"))
    c_compiler()
    best = run("sh", "-e", "-c", commands, cwd=tmp_path, env=settings).split()
    assert printed.split()[-2:] == ["digit", best[0]] and float(best[1]) > 0.5
