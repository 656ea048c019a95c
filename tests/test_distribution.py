"""The distribution is sparsenn-cpu: PyPI's sparsenn is a stranger's, and nothing here may bring it."""

import importlib.metadata
import os
import re
import runpy

import pytest
from c_tools import ROOT

import sparsenn

NAME = "sparsenn-cpu"
TOOL = ROOT / "tools" / "requirements.py"
STRANGER = re.compile(
    r"""sparsenn\\?\[                                     # extras of it
    | pip3?\ +install\b[^\n]*[ '"]sparsenn(?![\w./-])     # installing it
    | (?:PIP\)|pip)\ install\b[^\n]*[ '"]sparsenn(?![\w./-])
    | sparsenn-[*\d][^\s]*\.whl                           # its wheels
    | metadata\.\w+\(["']sparsenn["']                     # asking for its metadata
    | ^\s*(?:requires|dependencies|name)\b.*["']sparsenn["']""",
    re.VERBOSE | re.MULTILINE,
)
SKIPPED = ("build", "dist", "__pycache__", "sparsenn.egg-info", "sparsenn_cpu.egg-info")
TEXT = {".py", ".pyx", ".pxd", ".pyi", ".toml", ".md", ".txt", ".in", ".sh", ".c", ".h", ".cmake", ""}


@pytest.mark.parametrize(
    "line",
    [
        "pip install 'sparsenn[torch]'",
        "pip install 'sparsenn\\[torch\\]'",
        "all = ['sparsenn[bench]']",
        "pip install sparsenn 'cython>=3'",
        "pip install --quiet sparsenn",
        "$(PIP) install --quiet sparsenn",
        "pip install sparsenn-*.whl",
        'importlib.metadata.version("sparsenn")',
        'requires = ["cython", "sparsenn"]',
        'name = "sparsenn"',
    ],
)
def test_the_pattern_knows_the_old_form(line):
    assert STRANGER.search(line)
    assert not STRANGER.search(line.replace("sparsenn-*", "sparsenn_cpu-*").replace("sparsenn", NAME, 1))


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="NOT TESTED: no checkout around the tests")
def test_nothing_in_the_tree_asks_for_the_stranger():
    found, read = [], 0
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith((".", *SKIPPED))]
        for path in (os.path.join(folder, name) for name in files):
            if os.path.splitext(path)[1] in TEXT and os.path.realpath(path) != os.path.realpath(__file__):
                with open(path, encoding="utf-8", errors="replace") as file:
                    found += [(path, match[0]) for match in STRANGER.finditer(file.read())]
                read += 1
    assert not found
    assert read > 100


def test_the_metadata_say_the_name_and_the_version():
    metadata = importlib.metadata.metadata(NAME)
    assert metadata["Name"] == NAME
    assert metadata["Version"] == sparsenn.__version__
    scripts = importlib.metadata.distribution(NAME).entry_points.select(group="console_scripts")
    assert [(script.name, script.value) for script in scripts] == [("sparsenn", "sparsenn.cli:main")]
    stated = importlib.metadata.requires(NAME)
    needed = [re.match(r"[\w-]+", line)[0] for line in stated if "extra ==" not in line]
    assert sorted(needed) == ["numpy", "scipy"]
    assert not [line for line in stated if re.match(r"sparsenn(?!-cpu\[)", line)]


def test_every_extra_that_a_message_names_is_there():
    extras = set(importlib.metadata.metadata(NAME).get_all("Provides-Extra"))
    with pytest.raises(sparsenn.MissingPackageError, match=r"pip install 'sparsenn-cpu\[torch\]'"):
        sparsenn.require.require("no_such_package", extra="torch", caller="this")
    named = set()
    for path in (ROOT / "sparsenn").rglob("*.py"):
        named |= set(re.findall(r'extra="(\w+)"', path.read_text(encoding="utf-8")))
    assert named <= extras
    assert named >= {"torch", "onnx"} or not (ROOT / "sparsenn").exists()


@pytest.mark.skipif(not TOOL.exists(), reason="NOT TESTED: no tools folder beside the tests")
def test_what_make_installs_for_an_extra():
    requirements = runpy.run_path(str(TOOL))["requirements"]
    stated = [
        "numpy>=1.24",
        'torch>=2.1; extra == "torch"',
        "onnx>=1.16 ; extra == 'onnx'",
        'sparsenn-cpu[onnx,torch]; extra == "all"',
        'onnx>=1.16; extra == "all"',
    ]
    assert requirements("", stated) == ["numpy>=1.24"]
    assert requirements("torch", stated) == ["torch>=2.1"]
    assert requirements("all", stated) == ["onnx>=1.16", "torch>=2.1"]
    with pytest.raises(SystemExit, match="no extra 'none'"):
        requirements("none", stated)
    with pytest.raises(SystemExit, match="marker"):
        requirements("", ['numpy; python_version < "3"'])
    assert "sparsenn" not in " ".join(requirements("all", importlib.metadata.requires(NAME)))
