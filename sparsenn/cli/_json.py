"""JSON as every reader takes it: figures that are not finite are null."""

from __future__ import annotations

import json
from math import isfinite


def json_text(data, *, indent: int = 2) -> str:
    """data as JSON; NaN and infinities, which JSON does not have, as null."""
    return json.dumps(finite(data), indent=indent, allow_nan=False)


def finite(value):
    """value with None for every figure that is not finite, at any depth."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value
