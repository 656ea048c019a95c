"""What `import sparsenn` loads, and what is said where an optional package is missing."""

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import sparsenn as snn

INIT = Path(snn.__file__)
# Neither for running a model: those of extras, and what of scipy and of the package a first model brings.
HEAVY = ("matplotlib", "joblib", "tqdm", "sklearn", "torch", "keras", "onnx", "onnxruntime")
LATER = ("scipy.sparse", "scipy.special", "sparsenn.importers", "sparsenn.exporters", "sparsenn.search")


def run(code: str) -> str:
    """What code prints in an empty folder: in that of the sources it would import these, without a core."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_loads_neither_optional_packages_nor_what_comes_later():
    loaded = set(run("import sys, sparsenn; print(*sys.modules)").split())
    assert "numpy" in loaded and "sparsenn._core" in loaded
    assert loaded & {*HEAVY, *LATER} == set()


def test_running_a_model_needs_no_optional_package():
    code = "import sys, sparsenn as s, numpy as n; m = s.prune(s.mlp([8, 4]), sparsity=0.5)"
    loaded = set(run(f"{code}; s.compile(m).run(n.ones((1, 8), 'f')); print(*sys.modules)").split())
    assert "sparsenn.plan" in loaded and loaded & set(HEAVY) == set()


def test_the_names_for_type_checkers_are_those_that_come_later():
    (block,) = [
        node
        for node in ast.parse(INIT.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
    ]
    shown = {alias.name: statement.module or "" for statement in block.body for alias in statement.names}
    public = {name: module for name, module in snn._MODULE_OF.items() if name in snn.__all__}
    assert shown == public and len(public) > 20


@pytest.mark.parametrize("names", snn._LATER.values(), ids=lambda names: names[0])
def test_what_comes_later_is_there_first_thing(names):
    """A process for each module: what others have loaded could hide an import that fails."""
    run("import sparsenn\n" + "".join(f"assert sparsenn.{name} is not None\n" for name in names))


def test_every_public_name_is_listed_and_there():
    assert set(snn.__all__) <= set(dir(snn))
    assert all(getattr(snn, name) is not None for name in snn.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'sparsenn' has no attribute 'no_such_name'"):
        snn.no_such_name  # noqa: B018


CALLS = {
    "matplotlib": [
        ("plot", "History.plot", "s.History().plot()"),
        ("plot", "SparsityDisplay", "s.SparsityDisplay({'candidates': []}).plot()"),
    ],
    "tqdm": [
        ("progress", "progress=True of train", "s.train(m, x, y, epochs=1, progress=True)"),
        (
            "progress",
            "progress=True of prune_iteratively",
            "s.prune_iteratively(m, x, y, sparsity=0.5, steps=1, progress=True)",
        ),
    ],
    "joblib": [("search", "select_sparsity", "s.select_sparsity(lambda: s.mlp([4, 2]), x, y, cv=2)")],
}


@pytest.mark.parametrize(
    "package, extra, caller, call", [(package, *one) for package, rows in CALLS.items() for one in rows]
)
def test_what_is_missing_is_named_with_its_extra(package, extra, caller, call):
    printed = run(
        f"import sys; sys.modules['{package}'] = None\n"
        "import numpy as n, sparsenn as s\n"
        "m, x, y = s.mlp([4, 2]), n.ones((8, 4), 'f'), n.arange(8) % 2\n"
        f"try: {call}\n"
        "except s.MissingPackageError as error: print(error)"
    )
    expected = f"{caller} needs the package {package}, which is not installed: "
    assert printed == f"{expected}pip install 'sparsenn-cpu[{extra}]'\n"


def test_the_demo_runs_with_numpy_and_scipy_alone(tmp_path):
    options = ["--epochs", "1", "--tuning-epochs", "0", "--rounds", "1", "--out", str(tmp_path)]
    code = (
        "import sys\nfor name in ('matplotlib', 'tqdm', 'joblib'): sys.modules[name] = None\n"
        f"from sparsenn.cli import main; sys.exit(main(['demo', *{options}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    message = "the picture of the demo needs the package matplotlib, which is not installed: pip install"
    assert f"no picture was drawn: {message} 'sparsenn-cpu[plot]'" in done.stderr
    assert (tmp_path / "report.json").exists() and not (tmp_path / "report.png").exists()
    assert "report.json and the models" in done.stdout
