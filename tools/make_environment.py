"""Makes the virtual environment that the Makefile works in: make_environment.py FOLDER.

Needs Python 3.10 and a C compiler. Debian and Ubuntu keep Python's headers, and pip for new environments, in
packages of their own; where those are not installed they are fetched with apt-get download, which needs no
rights, and unpacked into FOLDER. Nothing outside FOLDER changes. Uses the standard library alone.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def main(folder: Path) -> int:
    if sys.version_info < (3, 10):  # noqa: UP036  this file runs before pip could refuse
        return fail(
            f"this needs Python 3.10 or newer, and {sys.executable} is {VERSION}: PYTHON= names another"
        )
    compiler = os.environ.get("CC", "cc").split()[0]
    if not any(shutil.which(name) for name in (compiler, "gcc", "clang")):
        return fail("there is no C compiler: sudo apt-get install gcc")
    ensurepip = importlib.util.find_spec("ensurepip")
    has_pip = ensurepip is not None and ensurepip.origin is not None
    has_headers = Path(sysconfig.get_paths()["include"], "Python.h").exists()
    say(f"creating {folder} with Python {VERSION}")
    without_pip = [] if has_pip else ["--without-pip"]
    subprocess.run([sys.executable, "-m", "venv", "--clear", *without_pip, folder], check=True)
    try:
        if not has_pip:
            add_pip(folder)
        if not has_headers:
            add_headers(folder)
    except (OSError, subprocess.CalledProcessError):
        missing = [] if has_pip else [f"python{VERSION}-venv"]
        missing += [] if has_headers else [f"python{VERSION}-dev"]
        return fail(f"Python lacks parts that building needs: sudo apt-get install {' '.join(missing)}")
    return 0


def add_pip(folder: Path) -> None:
    """Installs pip into the environment from Debian's wheel of it."""
    say("python3-venv is not installed: fetching pip from python3-pip-whl")
    with tempfile.TemporaryDirectory() as unpacked:
        unpack_package("python3-pip-whl", Path(unpacked))
        (wheel,) = Path(unpacked).rglob("pip-*.whl")
        install = ["install", "--quiet", "--no-index", "--disable-pip-version-check", wheel]
        subprocess.run([folder / "bin" / "python", wheel / "pip", *install], check=True)


def add_headers(folder: Path) -> None:
    """Unpacks Python's headers into the environment; the Makefile puts them on the compiler's path."""
    say(f"python3-dev is not installed: fetching the headers from libpython{VERSION}-dev")
    unpack_package(f"libpython{VERSION}-dev", folder / "headers")


def unpack_package(name: str, folder: Path) -> None:
    """Downloads a Debian package and unpacks its files into folder, without installing it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as download:
        # As root, apt-get would hand over to a user who may not write here, and warn about it.
        apt_get = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
        subprocess.run([*apt_get, "download", name], cwd=download, check=True)
        (package,) = Path(download).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def fail(text: str) -> int:
    print(f"==> {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
