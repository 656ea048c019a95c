"""Finds what is one file of a folder by its name: criteria, structures, schedules."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from ..errors import ArgumentError


def names_in(package: ModuleType) -> list[str]:
    """The names of a package's modules, sorted; those that start with an underscore do not count.

    A module whose name differs from what users write, "n:m" for n_m.py, holds that as NAME.
    """
    return sorted(_modules(package))


def find(package: ModuleType, argument: str, name: str) -> ModuleType:
    """The module of that name. ArgumentError, naming the argument and what there is, for an unknown one."""
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a name, got {type(name).__name__}")
    modules = _modules(package)
    if name not in modules:
        raise ArgumentError(f"{argument} must be one of {', '.join(sorted(modules))}, got {name!r}")
    return importlib.import_module(f"{package.__name__}.{modules[name]}")


def _modules(package: ModuleType) -> dict[str, str]:
    """Module names by the name that users write."""
    found = [info.name for info in pkgutil.iter_modules(package.__path__) if not info.name.startswith("_")]
    written = getattr(package, "WRITTEN", {})
    assert set(written) <= set(found)
    return {written.get(name, name): name for name in found}
