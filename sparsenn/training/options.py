"""The options of Trainer: those of Penalties and of Rules, given together."""

from __future__ import annotations

from dataclasses import fields

from .penalties import Penalties
from .rules import Rules


def split_options(options: dict) -> tuple[Penalties, Rules]:
    """Penalties and Rules from their options together."""
    kinds = {field.name: kind for kind in (Penalties, Rules) for field in fields(kind)}
    for name in options:
        if name not in kinds:
            raise TypeError(f"{name!r} is not an option of Trainer: those are {', '.join(sorted(kinds))}")
    return tuple(
        kind(**{name: value for name, value in options.items() if kinds[name] is kind})
        for kind in (Penalties, Rules)
    )
