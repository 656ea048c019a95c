"""Every Python example on a page of the repository runs: a page's blocks in order, in an empty folder.

Each page has a process of its own, with one thread, since idle threads of several libraries in one process
wait for each other on a busy machine.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
IMPORT = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)


def program(page: Path) -> str:
    """The page's blocks at their own lines, so that an error names the line of the page."""
    text = page.read_text(encoding="utf-8")
    lines: list[str] = []
    for block in BLOCK.finditer(text):
        lines += [""] * (text.count("\n", 0, block.start(1)) - len(lines))
        lines += block.group(1).splitlines()
    return "\n".join(lines)


FOLDERS = ("docs", "bench", "examples", "src_c")
ALL_PAGES = [
    *sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.md")),
    *sorted(ROOT.glob("*.md")),
]
PAGES = [page for page in ALL_PAGES if program(page)]


def test_there_are_pages():
    named = {"sklearn.md", "torch.md", "onnx.md", "keras.md", "safetensors.md", "numpy.md", "pruning.md"}
    assert named - {"pruning.md"} <= {page.name for page in PAGES}
    assert named | {"CONTRIBUTING.md", "SECURITY.md", "FORMAT.md"} <= {page.name for page in ALL_PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples(page, tmp_path):
    code = program(page)
    missing = [name for name in set(IMPORT.findall(code)) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{page.name} needs {', '.join(sorted(missing))}, which is not installed")
    settings = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    file = tmp_path / f"{page.stem}_examples.py"
    file.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file.name],
        cwd=tmp_path,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{page.name}, with the page's line numbers:\n{done.stderr[-3000:]}"
