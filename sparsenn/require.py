"""Optional packages: imported when they are needed, named with their extra when they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingPackageError


def require(package: str, *, extra: str, caller: str) -> ModuleType:
    """The imported package. MissingPackageError (an ImportError), naming the extra, where it is missing."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != package.split(".")[0]:
            raise
        raise MissingPackageError(
            f"{caller} needs the package {package.split('.')[0]}, which is not installed: "
            f"pip install 'sparsenn-cpu[{extra}]'"
        ) from None
