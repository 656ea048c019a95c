"""Which folder of the C core may include which, as src_c/README.md draws it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parent.parent / "src_c"
ALLOWED = {
    "base": {"kernels"},
    "graph": {"base"},
    "ops": {"base", "graph"},
    "file": {"base", "graph"},
    "kernels": {"graph"},
    "isa": {"kernels"},
    "pack": {"base", "kernels"},
    "plan": {"base", "graph", "pack", "kernels"},
    "train": {"base", "graph", "pack", "kernels"},
}


@pytest.mark.parametrize("folder", ALLOWED)
def test_includes_follow_the_drawing(folder):
    files = [path for path in sorted((CORE / folder).iterdir()) if path.suffix in {".c", ".h", ".inl"}]
    assert files
    for path in files:
        for name in re.findall(r'#include "([^"]+)"', path.read_text(encoding="utf-8")):
            *folders, _ = name.removeprefix("../").split("/")
            used = folders[0] if folders else folder
            assert used in ALLOWED[folder] | {folder} or name.startswith("sparsenn"), (
                f"{path.name} includes {name}"
            )


def test_every_source_lies_in_a_folder_that_is_drawn():
    elsewhere = {"include", "tests", "examples", "toolchains"}
    assert {path.name for path in CORE.iterdir() if path.is_dir()} == set(ALLOWED) | elsewhere
    assert not list(CORE.glob("*.[ch]"))
