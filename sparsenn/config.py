"""python -m sparsenn.config: how to compile and link C code against the library inside this package.

    cc program.c $(python -m sparsenn.config --cflags --libs) -o program
    cmake -Dsparsenn_DIR=$(python -m sparsenn.config --cmakedir) ...
    PKG_CONFIG_PATH=$(python -m sparsenn.config --pkgconfigdir) pkg-config --static --libs sparsenn

--cflags and --libs share one line; every other option prints a line of its own. The library is static: a
program linked with it needs no Python.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sparsenn.config", description="How to compile and link C code against sparsenn."
    )
    parser.add_argument("--cflags", action="store_true", help="flags that find sparsenn.h")
    parser.add_argument("--libs", action="store_true", help="flags that link libsparsenn.a and what it needs")
    parser.add_argument("--cmakedir", action="store_true", help="folder of sparsenn-config.cmake")
    parser.add_argument("--pkgconfigdir", action="store_true", help="folder of sparsenn.pc")
    parser.add_argument("--version", action="store_true", help="version of the library")
    args = parser.parse_args(argv)
    if not any(vars(args).values()):
        parser.error("name at least one of --cflags, --libs, --cmakedir, --pkgconfigdir, --version")
    flags = (cflags() if args.cflags else []) + (libs() if args.libs else [])
    if flags:
        print(shlex.join(flags))
    if args.cmakedir:
        print(get_cmake_dir())
    if args.pkgconfigdir:
        print(get_pkgconfig_dir())
    if args.version:
        print(read_field("Version"))
    return 0


def get_include() -> str:
    """The folder of sparsenn.h."""
    return str(_package() / "include")


def get_library_dir() -> str:
    """The folder of libsparsenn.a."""
    return str(_package() / "lib")


def get_cmake_dir() -> str:
    """The folder of sparsenn-config.cmake, for find_package(sparsenn)."""
    return str(_package() / "lib" / "cmake" / "sparsenn")


def get_pkgconfig_dir() -> str:
    """The folder of sparsenn.pc."""
    return str(_package() / "lib" / "pkgconfig")


def cflags() -> list[str]:
    return [f"-I{get_include()}"]


def libs() -> list[str]:
    """What links the static library: itself, and what sparsenn.pc says it needs."""
    return [f"-L{get_library_dir()}", "-lsparsenn", *shlex.split(read_field("Libs.private"))]


def read_field(name: str) -> str:
    """A field of sparsenn.pc, which the build of the core wrote."""
    for line in (Path(get_pkgconfig_dir()) / "sparsenn.pc").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    raise KeyError(name)


def _package() -> Path:
    return Path(__file__).resolve().parent


if __name__ == "__main__":
    sys.exit(main())
