"""Sphinx: the site of docs/ and of the pages beside the code. make site builds it into build/site.

The pages of docs/ stay plain Markdown that reads well in a checkout; what the site alone has is here.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
HEADER = (ROOT / "src_c" / "include" / "sparsenn.h").read_text(encoding="utf-8")

project = "sparsenn"
author = copyright = "the authors of sparsenn"
release = version = re.search(r'SNN_VERSION_STRING "([^"]+)"', HEADER).group(1)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sparsenn_site"]
root_doc = "docs/index"
include_patterns = [
    "docs/*.md",
    "docs/site/**.md",
    "bench/README.md",
    "src_c/README.md",
    "src_c/FORMAT.md",
    "examples/*/README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
]
smartquotes = False  # strings in docstrings are code
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
pygments_style, pygments_dark_style = "friendly", "monokai"
html_theme = "furo"
html_title = f"sparsenn {release}"
html_copy_source = False
html_static_path, html_css_files = ["static"], ["site.css"]
html_extra_path = ["root"]
autodoc_mock_imports = [name for name in ("torch",) if find_spec(name) is None]  # 200 MB for four classes
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
