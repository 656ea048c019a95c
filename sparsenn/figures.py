"""Pictures by matplotlib, for those who have it: a figure that no window shows, and its file."""

from __future__ import annotations

import io
import os

from .file_replace import replace_file
from .paths import as_path
from .require import require


def new_figure(caller: str, **options):
    """A matplotlib Figure. MissingPackageError, naming caller, where matplotlib is not installed."""
    backend = require("matplotlib.backends.backend_agg", extra="plot", caller=caller)
    figure = require("matplotlib.figure", extra="plot", caller=caller).Figure(layout="constrained", **options)
    backend.FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path: str | os.PathLike, **options) -> None:
    """Draws a matplotlib Figure into a file; the name's ending says the format, as savefig has it."""
    path = as_path(path)
    ending = os.path.splitext(path)[1].removeprefix(".")
    picture = io.BytesIO()
    figure.savefig(picture, format=ending or "png", **options)
    replace_file(path if ending else f"{path.rstrip('.')}.png", picture.getbuffer())
