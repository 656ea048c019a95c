"""The examples in the docstrings, run as they stand."""

import doctest
import importlib
import pkgutil

import pytest

import sparsenn

OPTIONAL = ("sparsenn.torch", "sparsenn.sklearn")  # need another package to be imported


def names():
    found = [module.name for module in pkgutil.walk_packages(sparsenn.__path__, "sparsenn.")]
    return [
        "sparsenn",
        *(name for name in found if not name.endswith("__main__") and not name.startswith(OPTIONAL)),
    ]


def examples(name):
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(name)) if test.examples]


def test_the_main_functions_have_examples():
    modules = ("ops", "io", "compile", "prune", "datasets")
    shown = {test.name.rpartition(".")[2] for name in modules for test in examples(f"sparsenn.{name}")}
    assert {"spmm", "spmm_transposed", "sddmm", "save", "compile", "prune", "digits"} <= shown


@pytest.mark.parametrize("name", names())
def test_docstrings(name):
    try:
        tests = examples(name)
    except ImportError as error:
        pytest.skip(f"{name}: {error}")
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in tests:
        runner.run(test)
    assert runner.failures == 0
