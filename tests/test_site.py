"""The documentation site: it builds without a warning, its links lead somewhere, public names are in it."""

from __future__ import annotations

import html
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

import sparsenn as snn

ROOT = Path(__file__).parent.parent
SITE = ROOT / "docs" / "site"
LINK = re.compile(r'(?:href|src)="([^"]+)"')
ID = re.compile(r'id="([^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site that was built."""
    for package in ("sphinx", "myst_parser", "furo", "sklearn"):
        pytest.importorskip(package, reason=f"NOT TESTED: the site needs {package}")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", SITE, ROOT, folder / "html"]
    package = str(Path(snn.__file__).parent.parent)
    paths = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


def pages(site: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(site.rglob("*.html"))}


def test_every_link_inside_leads_somewhere(site):
    texts = pages(site)
    ids = {path: {html.unescape(name) for name in ID.findall(text)} for path, text in texts.items()}
    broken, seen = [], 0
    for path, text in texts.items():
        for link in LINK.findall(text):
            link = html.unescape(link)
            if re.match(r"\w+:", link):
                continue
            target, _, anchor = link.partition("#")
            target = (path.parent / unquote(target.partition("?")[0])).resolve() if target else path
            seen += 1
            if not target.exists() or (anchor and target in ids and unquote(anchor) not in ids[target]):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert seen > 1000 and not broken


def test_every_public_name_is_in_the_reference(site):
    text = "".join(
        path.read_text(encoding="utf-8") for path in sorted((site / "docs" / "site" / "api").glob("*.html"))
    )
    ids = set(ID.findall(text))
    modules = {"datasets", "losses", "ops", "optim"}
    assert not {name for name in snn.__all__ if name not in modules and f"sparsenn.{name}" not in ids}
    assert {"sparsenn.ops.spmm", "sparsenn.losses.Huber", "sparsenn.optim.Adam"} <= ids
    assert {"sparsenn.Plan.run", "sparsenn.torch.sparsify", "sparsenn.sklearn.SparseMLPClassifier.fit"} <= ids


def test_types_and_arguments_of_the_reference(site):
    text = (site / "docs" / "site" / "api" / "running.html").read_text(encoding="utf-8")
    assert 'batch_sizes</span></span><span class="p"><span class="pre">:</span></span>' in text
    assert '<span class="pre">batch_sizes</span></code></dt>' in text, "a definition of the docstring"


def test_every_page_is_in_the_site(site):
    expected = {*(ROOT / "docs").glob("*.md"), ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"}
    expected |= {ROOT / "CONTRIBUTING.md", ROOT / "bench" / "README.md", *(ROOT / "src_c").glob("*.md")}
    missing = [page for page in expected if not (site / page.relative_to(ROOT)).with_suffix(".html").exists()]
    assert not missing and (site / "index.html").exists()


def test_tables_are_tables(site):
    """A row that an empty line cut off from its table is a paragraph that begins with a bar."""
    cut = [
        str(path.relative_to(site))
        for path, text in pages(site).items()
        if re.search(r"<p>\| [^\n]* \|", re.sub(r"<code.*?</code>", "", text, flags=re.DOTALL))
    ]
    assert not cut


@pytest.fixture(scope="module")
def to_rst():
    """The function that the site makes of docstrings what Sphinx reads."""
    if not SITE.exists():
        pytest.skip(f"NOT TESTED: the site's sources are not beside the tests, at {SITE}")
    spec = importlib.util.spec_from_file_location("aligned", SITE / "aligned.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.to_rst


def test_aligned_text_becomes_definitions(to_rst):
    lines = [
        "Does *it*.",
        "",
        "first      a number,",
        "           or two",
        "percentile in [0, 100]",
        "->         what_ comes",
        "Raises ValueError.",
    ]
    made = [line for line in to_rst(lines) if line]
    assert made == [
        r"Does \*it\*.",
        "``first``",
        "   a number,",
        "   or two",
        "``percentile``",
        "   in [0, 100]",
        "returns",
        r"   what\_ comes",
        "Raises ValueError.",
    ]


def test_code_and_examples_stay_as_they_are(to_rst):
    assert to_rst(["One.", "", "    y = *x", "", ">>> a_ = 1", ">>> a_", "1"]) == [
        *("One.", "", "::", "", "    y = *x", ""),
        *(">>> a_ = 1", ">>> a_", "1", ""),
    ]
