"""Docstrings of this package as reStructuredText: aligned text becomes paragraphs, definitions and code.

A line "name  what it is" begins a definition, with two spaces or more between both; indented lines behind it
go on with it. "->  what" is the result. Other indented lines are code.
"""

from __future__ import annotations

import re
from collections import Counter

ENTRY = re.compile(r"(\S.*?) {2,}(\S.*)$")
NEW = re.compile(r"(Raises|Warns|Source)\b")  # begins a paragraph
SPECIAL = re.compile(r"([*`|\\]|_(?=\W|$))")


def to_rst(lines: list[str]) -> list[str]:
    """-> the same docstring as lines of reStructuredText."""
    made: list[str] = []
    for block in blocks(lines):
        if block[0].lstrip().startswith(">>>"):
            made += [*block, ""]
        elif all(line.startswith("    ") for line in block):
            made += ["::", "", *block, ""]
        else:
            made += definitions(block, column(block))
    return made


def blocks(lines: list[str]) -> list[list[str]]:
    """Cut at empty lines."""
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line.rstrip())
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


def column(block: list[str]) -> int:
    """Where most entries of the block begin to say what they are; 0 without any."""
    starts = Counter(match.start(2) for match in map(ENTRY.match, block) if match)
    return max(starts, key=lambda start: (starts[start], start)) if starts else 0


def definitions(block: list[str], at: int) -> list[str]:
    """Lines of a block, in order, as definitions and paragraphs."""
    made: list[str] = []
    last = ""  # what the next line would go on with
    for line in block:
        entry = as_entry(line, at)
        if entry:
            made += ["", term(entry[0]), f"   {escaped(entry[1])}"]
            last = "   "
        elif line.startswith("  ") and made:
            made.append(f"{last}{escaped(line.strip())}")
        else:
            made += ([""] if last or NEW.match(line) else []) + [escaped(line.strip())]
            last = ""
    return [*made, ""]


def as_entry(line: str, at: int) -> tuple[str, str] | None:
    """(name, what it is), also where a name fills its column up to the last space."""
    match = ENTRY.match(line)
    if match and not line.startswith(" "):
        return match[1], match[2]
    if at and line[at - 1 : at] == " " and re.fullmatch(r"[\w.*-]+", line[: at - 1]) and line[at:]:
        return line[: at - 1], line[at:]
    return None


def term(text: str) -> str:
    return "returns" if text == "->" else f"``{text}``"


def escaped(text: str) -> str:
    return SPECIAL.sub(r"\\\1", text)
