"""The README's C section, followed as printed in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from c_tools import ROOT, c_compiler, environment, tool

import sparsenn as snn

README = ROOT / "README.md"


@pytest.fixture
def section():
    """The fenced blocks of the C section, by language."""
    if not (ROOT / "src_c").exists():
        pytest.skip(f"NOT TESTED: the C sources are not beside the tests, at {ROOT}")
    text = re.search(r"^## C\n(.*?)^## ", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)[1]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return {language: [code for name, code in blocks if name == language] for language in ("c", "sh")}


def test_the_c_section_works_as_printed(section, tmp_path, rng, random_csr):
    c_compiler()
    (tmp_path / "sparsenn").symlink_to(ROOT)
    (program,) = section["c"]
    (tmp_path / "program.c").write_text(program)
    # The program's input is zero, so the biases alone make its output.
    first = snn.Linear(random_csr(32, 64, 0.9), rng.standard_normal(32))
    model = snn.Model([first, snn.ReLU(), snn.Linear(random_csr(10, 32, 0.5), rng.standard_normal(10))])
    snn.save(model, tmp_path / "digits.safetensors")
    # This environment's tools first, and its python3 and sparsenn.
    folders = [Path(tool("cmake")).parent, Path(sys.executable).parent, os.environ["PATH"]]
    place = environment(PATH=os.pathsep.join(map(str, folders)))
    script = "set -eu\n" + "".join(section["sh"]) + "./program\n"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = re.findall(r"^(\d): (\S+)$", done.stdout, re.MULTILINE)
    assert [index for index, _ in printed] == 2 * list("0123456789"), "with the shared and the static library"
    expected = snn.reference(model, [[0.0] * 64])[0].tolist()
    # Six decimals are printed; the rest is float32 rounding of sums of a few numbers near 1.
    assert [float(value) for _, value in printed] == pytest.approx(2 * expected, abs=1e-5)
    assert (tmp_path / "digits.c").exists() and (tmp_path / "digits.h").exists()
