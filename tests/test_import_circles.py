"""No module of the package imports itself by way of others, at import time."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parent.parent / "sparsenn"


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCES.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, modules: set[str]) -> set[str]:
    """The modules that a file's top level imports: not functions, and not for types alone."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    found = set()
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(statement, ast.ImportFrom):
            continue
        base = package[: len(package) - statement.level + 1] if statement.level else []
        source = ".".join(base + ([statement.module] if statement.module else []))
        for alias in statement.names:
            submodule = f"{source}.{alias.name}"
            if alias.name != "_core":  # the extension
                found.add(submodule if submodule in modules else source)
    return found & modules - {module_name(path)}


def test_no_import_circle():
    if not SOURCES.exists():
        pytest.skip(f"NOT TESTED: the sources are not beside the tests, at {SOURCES}")
    paths = sorted(SOURCES.rglob("*.py"))
    modules = {module_name(path) for path in paths}
    graph = {module_name(path): imported(path, modules) for path in paths}
    assert sum(map(len, graph.values())) > len(graph)  # imports are found at all
    list(TopologicalSorter(graph).static_order())  # CycleError names the circle
