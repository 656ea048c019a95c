"""The structures in which weights are removed: one file each, found by its name.

A new structure is a new file here with one function:

    def apply(request) -> Model

request is a Request; nothing in it may be changed. The result is a new Model that shares no array with
request.model. FIXES_SPARSITY = True in the file says that the structure itself fixes how much is removed,
COUNTS_NEURONS = True that an amount is a share of the hidden neurons and that layers shrink.
"""

from __future__ import annotations

import sys
from types import ModuleType

from ..registry import find, names_in

WRITTEN = {"n_m": "n:m"}


def structures() -> list[str]:
    """The names that prune takes as its structure, sorted."""
    return names_in(sys.modules[__name__])


def find_structure(name: str) -> ModuleType:
    """The module of the structure of that name."""
    return find(sys.modules[__name__], "structure", name)
