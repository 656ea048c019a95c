"""The pruning criteria: one file each, found by its name.

A new criterion is a new file NAME.py here with one function:

    def importance(model, data) -> list of arrays

one array a Linear layer of model, larger = more important: (out, in) for a dense weight, (nnz,) in storage
order for a CSR weight. data is what the caller gave to prune (None if nothing). Files that start with an
underscore are no criteria.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from ..registry import find, names_in


def criteria() -> list[str]:
    """The names that prune takes as its criterion, sorted."""
    return names_in(sys.modules[__name__])


def find_criterion(name: str) -> Callable:
    """The importance function of the criterion of that name."""
    if not isinstance(name, str):
        raise TypeError(f"criterion must be a name or a function, got {type(name).__name__}")
    return find(sys.modules[__name__], "criterion", name).importance
