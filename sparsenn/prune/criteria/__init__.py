"""The pruning criteria: one file each, found by its name.

A new criterion is a new file NAME.py here with one function:

    def importance(model, data) -> list of arrays

one array a Linear layer of model, larger = more important: (out, in) for a dense weight, (nnz,) in storage
order for a CSR weight. data is what the caller gave to prune (None if nothing). Files that start with an
underscore are no criteria.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable

from ...errors import ArgumentError


def criteria() -> list[str]:
    """The names that prune takes as its criterion, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def find_criterion(name: str) -> Callable:
    """The importance function of the criterion of that name."""
    if not isinstance(name, str):
        raise TypeError(f"criterion must be a name or a function, got {type(name).__name__}")
    if name not in criteria():
        raise ArgumentError(f"criterion must be one of {', '.join(criteria())}, got {name!r}")
    return importlib.import_module(f"{__name__}.{name}").importance
