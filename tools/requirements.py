"""Prints what the installed package needs, or an extra of it: requirements.py [EXTRA].

One line of requirements for pip install, without the package itself, so that pip asks a registry for others'
packages alone. Run by the interpreter of the environment that the package is installed in.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys

DISTRIBUTION = "sparsenn-cpu"
REQUIREMENT = re.compile(r"""(?P<what>[^;]+?)\s*(?:;\s*extra\s*==\s*["'](?P<extra>[\w-]+)["'])?""")
OWN_EXTRAS = re.compile(rf"{DISTRIBUTION}\[(.+)\]")


def requirements(extra: str, stated: list[str]) -> list[str]:
    """Those of one extra ("": of the package itself); the package's own extras among them are resolved."""
    found = []
    for line in stated:
        match = REQUIREMENT.fullmatch(line)
        if match is None:
            raise SystemExit(f"requirements.py: a requirement with a marker other than its extra: {line!r}")
        if (match["extra"] or "") != extra:
            continue
        own = OWN_EXTRAS.fullmatch(match["what"])
        if own is None:
            found.append(match["what"])
        else:
            found += [what for name in own[1].split(",") for what in requirements(name.strip(), stated)]
    if not found:
        raise SystemExit(f"requirements.py: {DISTRIBUTION} has no extra {extra!r}")
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    extra = sys.argv[1] if len(sys.argv) > 1 else ""
    print(*requirements(extra, importlib.metadata.requires(DISTRIBUTION) or []))
