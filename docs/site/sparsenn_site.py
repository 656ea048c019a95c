"""The Sphinx extension of this site: aligned docstrings, links into the checkout, sections of other pages."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from aligned import to_rst
from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]
# What pages link to in a checkout, and where the site shows it.
SHOWN = {
    "src_c/include/sparsenn.h": "docs/site/header.md",
    "src_c/include/sparsenn_train.h": "docs/site/header_train.md",
    "src_c/include/sparsenn_stream.h": "docs/site/header_stream.md",
    "src_c/examples": "docs/site/c_examples.md",
    "LICENSE": "docs/site/license.md",
    "README.md": "docs/index.md",
}
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")
SECTION = re.compile(r"^<!-- section (.+) of (\S+) -->$", re.MULTILINE)
CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)


def section(title: str, path: str) -> str:
    """What stands under that heading of the second level."""
    text = (ROOT / path).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{path} must have a section {title!r}")
    return found[1]


def moved(text: str, home: str, folder: str) -> str:
    """The links of a text of the folder home as seen from another folder; a folder is its README.md."""

    def link(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(home, match[1]))
        if not (ROOT / target).exists():
            return match[0]
        if target not in SHOWN and (ROOT / target / "README.md").exists():
            target += "/README.md"
        return f"]({posixpath.relpath(SHOWN.get(target, target), folder or '.')}{match[2] or ''})"

    parts = CODE.split(text)  # what is not code, and then code, in turn
    return "".join(part if number % 2 else LINK.sub(link, part) for number, part in enumerate(parts))


def read_page(app, docname: str, source: list[str]) -> None:
    folder = posixpath.dirname(docname)
    text = moved(source[0], folder, folder)

    def insert(match: re.Match) -> str:
        app.env.note_dependency(str(ROOT / match[2]))
        return moved(section(match[1], match[2]), posixpath.dirname(match[2]), folder)

    source[0] = SECTION.sub(insert, text)


def read_docstring(app, what, name, obj, options, lines: list[str]) -> None:
    lines[:] = to_rst([] if what == "module" else lines)


class CommandHelp(Directive):
    """What sparsenn COMMAND --help prints, of every sub-command."""

    def run(self) -> list[nodes.Node]:
        from sparsenn import cli

        os.environ["COLUMNS"] = "88"
        parser = cli.make_parser(cli.find_commands())
        shown = []
        for name, command in parser._subparsers._group_actions[0].choices.items():
            part = nodes.section(ids=[nodes.make_id(f"sparsenn-{name}")], names=[name])
            part += [
                nodes.title(text=f"sparsenn {name}"),
                nodes.literal_block(text=command.format_help(), language="text"),
            ]
            shown.append(part)
        return shown


def setup(app) -> dict:
    app.connect("source-read", read_page)
    app.connect("autodoc-process-docstring", read_docstring)
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
