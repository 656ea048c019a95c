"""docs/coming_from.md: a network of PyTorch and of scikit-learn to a speed-up and a C program, as printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from c_tools import ROOT, c_compiler, environment

MOST_LINES = 30


@pytest.fixture(scope="module")
def page():
    path = ROOT / "docs" / "coming_from.md"
    if not path.exists():
        pytest.skip(f"NOT TESTED: the documentation is not beside the tests, at {path}")
    return path.read_text(encoding="utf-8")


def block(text: str, language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return found


def run(command: list[str], folder: Path, **settings: str) -> str:
    done = subprocess.run(command, cwd=folder, env=environment(**settings), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(("title", "package"), [("PyTorch", "torch"), ("scikit-learn", "sklearn")])
def test_a_trained_network_becomes_a_c_program(page, tmp_path, title, package):
    pytest.importorskip(package, reason=f"NOT TESTED: needs {package}")
    c_compiler()
    section = re.search(rf"^## From {title}\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)[1]
    network, program, command = block(section, "python"), block(page, "c"), block(page, "sh")
    assert sum(text.count("\n") for text in (network, program, command)) < MOST_LINES
    (tmp_path / "network.py").write_text(network)
    (tmp_path / "program.c").write_text(program)
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    printed = run([sys.executable, "network.py"], tmp_path, **threads)
    accuracy, label = re.search(r"accuracy (\S+) class (\d)", printed).groups()
    assert float(accuracy) > 0.9
    assert float(re.search(r"([\d.]+) times as fast", printed)[1]) > 0
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    assert run(["sh", "-c", command], tmp_path, PATH=path, **threads) == f"class {label}\n"
