"""Progress on stderr, where that is a terminal: tqdm's bars for those who have it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable

from .require import require


def bar(numbers: range, progress: bool, *, caller: str, unit: str, done: int = 0) -> Iterable[int]:
    """The numbers; with progress, a bar goes along, which begins where done of the units are done already.

    MissingPackageError, naming caller, where a bar is wanted and tqdm is not installed.
    """
    if not progress:
        return numbers
    tqdm = require("tqdm", extra="progress", caller=f"progress=True of {caller}").tqdm
    return tqdm(numbers, initial=done, total=done + len(numbers), desc=caller, unit=unit, disable=None)


class Steps:
    """A number of steps, each with a few words: a bar, or a line each where tqdm is not installed.

    with Steps(40) as steps:
        steps.done("dense, epoch 1")
    """

    def __init__(self, total: int) -> None:
        self.total, self.count, self._bar = total, 0, None
        self._lines = sys.stderr.isatty()

    def __enter__(self) -> Steps:
        if importlib.util.find_spec("tqdm") is not None:
            from tqdm import tqdm

            self._bar = tqdm(total=self.total, disable=None, leave=False, file=sys.stderr)
        return self

    def done(self, text: str) -> None:
        """One more step is done, or begins: text says which."""
        self.count += 1
        if self._bar is not None:
            self._bar.set_description(text)
            self._bar.update()
        elif self._lines:
            print(f"{self.count}/{self.total} {text}", file=sys.stderr)

    def __exit__(self, *error) -> None:
        if self._bar is not None:
            self._bar.close()
