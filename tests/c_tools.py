"""Building and running C code in tests: a missing tool skips loudly, a failing one shows its output."""

from __future__ import annotations

import fcntl
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


def build_core(folder: Path, *options: str) -> Path:
    """The core in folder / build with its tests, warnings being errors, and installed in folder / prefix."""
    folder.mkdir(parents=True, exist_ok=True)
    done = folder / "done"
    with open(folder / "lock", "w") as lock:  # several processes may run the tests
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            checks = ["-DSNN_ASSERTIONS=ON", "-DCMAKE_C_FLAGS=-Werror"]
            place = [f"-DCMAKE_INSTALL_PREFIX={folder / 'prefix'}", "-DCMAKE_INSTALL_LIBDIR=lib"]
            run(tool("cmake"), "--install", cmake(CORE, folder / "build", *checks, *place, *options))
            done.touch()
    return folder


def c_compiler() -> str:
    return shutil.which(os.environ.get("CC", "cc")) or tool("gcc")


def cpp_compiler() -> str:
    return shutil.which(os.environ.get("CXX", "c++")) or tool("g++")
