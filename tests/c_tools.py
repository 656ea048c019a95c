"""Building and running C code in tests: a missing tool skips loudly, a failing one shows its output."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src_c"


def tool(name: str, package: str | None = None) -> str:
    """The path of a build tool, from this environment first; skips the test where it is missing."""
    beside = Path(sys.executable).parent / name
    path = str(beside) if beside.exists() else shutil.which(name)
    if path is None:
        pytest.skip(f"NOT TESTED: {name} is not installed (Debian package {package or name})")
    return path


def run(*command, **options) -> str:
    """Standard output and error of a command; the test fails with them when the command fails."""
    command = list(map(str, command))
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}"
    return done.stdout


def environment(**changes) -> dict[str, str]:
    """This process's environment with some variables changed."""
    return {**os.environ, **{name: str(value) for name, value in changes.items()}}


def cmake(source: Path, folder: Path, *options: str) -> Path:
    """Configures and builds source in folder; returns folder."""
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"]
    run(tool("cmake"), "-S", source, "-B", folder, *generator, *options)
    run(tool("cmake"), "--build", folder, "--parallel", "2")
    return folder


def install_core(folder: Path, *options: str) -> Path:
    """Builds the core alone and installs it; returns the prefix."""
    prefix = folder / "prefix"
    without = ["-DSNN_BUILD_TESTS=OFF", "-DSNN_BUILD_EXAMPLES=OFF"]
    place = [f"-DCMAKE_INSTALL_PREFIX={prefix}", "-DCMAKE_INSTALL_LIBDIR=lib"]
    build = cmake(CORE, folder / "build", *without, *place, *options)
    run(tool("cmake"), "--install", build)
    return prefix


def c_compiler() -> str:
    return shutil.which(os.environ.get("CC", "cc")) or tool("gcc")


def cpp_compiler() -> str:
    return shutil.which(os.environ.get("CXX", "c++")) or tool("g++")
