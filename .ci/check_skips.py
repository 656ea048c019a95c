"""Ends with 1 where both stages skipped a test and no list allows it: check_skips.py FIRST SECOND MISSING.

FIRST and SECOND are what outcomes.py wrote of the two stages; the second collected the whole suite and ran
all that had not passed in the first, so what it skipped is what nothing ran. MISSING is what install.py could
not install. Allowed are the patterns of allowed_skips.txt, each for "test: reason", and reasons with a word
of a package that is missing.
"""

from __future__ import annotations

import fnmatch
import json
import sys
from collections import Counter
from pathlib import Path

LIST = Path(__file__).with_name("allowed_skips.txt")


def read_list(text: str) -> list[str]:
    """The patterns. ValueError where one has no comment above it that says why."""
    patterns, reason = [], False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("#"):
            reason = True
        elif not line:
            reason = False
        elif reason:
            patterns.append(line)
        else:
            raise ValueError(f"{LIST.name} needs a comment above each entry, got {line!r} without one")
    return patterns


def matches(pattern: str, skip: str) -> bool:
    """As in a shell, but with brackets that stand for themselves: names of tests have them."""
    return fnmatch.fnmatchcase(skip, pattern.replace("[", "[[]"))


def split(skips: list[tuple[str, str]], patterns: list[str], missing: list[str]) -> dict[str, list[str]]:
    """The skips, "test: reason", by what allows them: "listed", "not installable here", or "not allowed"."""
    found: dict[str, list[str]] = {"listed": [], "not installable here": [], "not allowed": []}
    for test, reason in skips:
        skip = f"{test}: {reason}"
        if any(matches(pattern, skip) for pattern in patterns):
            found["listed"].append(skip)
        elif any(word.lower() in reason.lower() for word in missing):
            found["not installable here"].append(skip)
        else:
            found["not allowed"].append(skip)
    return found


def main(first: str, second: str, missing: str) -> int:
    before, after = (json.loads(Path(name).read_text(encoding="utf-8")) for name in (first, second))
    ends = [Counter(run["outcomes"].values()) for run in (before, after)]
    reasons = Counter(reason for _, reason in after["skips"])
    print(f"==> first stage: {ends[0]['passed']} passed, {ends[0]['skipped']} skipped")
    print(f"==> second stage, the others: {ends[1]['passed']} passed, {ends[1]['skipped']} skipped")
    for reason, count in reasons.most_common():
        print(f"    {count:4}  {reason}")
    patterns = read_list(LIST.read_text(encoding="utf-8"))
    words = Path(missing).read_text(encoding="utf-8").split("\n")
    found = split(after["skips"], patterns, [word for word in words if word])
    print("==> skips: " + ", ".join(f"{len(skips)} {kind}" for kind, skips in found.items()))
    for skip in found["not allowed"]:
        print(f"    not in {LIST.name}: {skip}")
    if not ends[0]["passed"] or not ends[1]["passed"]:
        print("==> a stage ran no test")
        return 1
    return 1 if found["not allowed"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
