"""Builds the C core with CMake, then links it statically into the one Cython extension.

Project metadata is in pyproject.toml. SPARSENN_DEBUG=1 builds with bounds checks and assertions.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from sysconfig import get_platform

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
CORE = ROOT / "src_c"
DEBUG = os.environ.get("SPARSENN_DEBUG", "0") not in ("", "0")
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": DEBUG,
    "initializedcheck": DEBUG,
    "embedsignature": True,
}


def read_version() -> str:
    """The version, written once: in the public header."""
    header = (CORE / "include" / "sparsenn.h").read_text(encoding="utf-8")
    return re.search(r'SNN_VERSION_STRING "([^"]+)"', header).group(1)


def find_tool(name: str) -> str | None:
    """A build tool from this interpreter's environment, else from PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def build_core(build_folder: Path, prefix: Path) -> dict:
    """Builds the core in build_folder and installs header and archive under prefix; returns core.json."""
    cmake = find_tool("cmake")
    if cmake is None:
        raise RuntimeError("building sparsenn-cpu needs cmake: pip install cmake ninja")
    configure = [
        *(cmake, "-S", str(CORE), "-B", str(build_folder)),
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        "-DCMAKE_INSTALL_INCLUDEDIR=include",
        "-DCMAKE_INSTALL_LIBDIR=lib",
        "-DBUILD_SHARED_LIBS=OFF",
        "-DSNN_BUILD_TESTS=OFF",
        "-DSNN_BUILD_EXAMPLES=OFF",
        f"-DSNN_ASSERTIONS={'ON' if DEBUG else 'OFF'}",
    ]
    ninja = find_tool("ninja")
    if ninja is not None:
        configure += ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}"]
    # Options of the caller, for example SPARSENN_CMAKE_ARGS="-DSNN_OPENMP=OFF".
    configure += os.environ.get("SPARSENN_CMAKE_ARGS", "").split()
    subprocess.run(configure, check=True)
    subprocess.run([cmake, "--build", str(build_folder), "--parallel"], check=True)
    subprocess.run([cmake, "--install", str(build_folder)], check=True)
    return json.loads((build_folder / "core.json").read_text(encoding="utf-8"))


class BuildExtension(build_ext):
    """build_ext with the core built first; header and archive go into the package for C callers."""

    def build_extension(self, ext: Extension) -> None:
        package = Path(self.build_lib).resolve() / "sparsenn"
        # Beside the folders that belong to one Python: the core is the same for all of them.
        folder = f"core-{get_platform()}{'-debug' if DEBUG else ''}"
        core = build_core(Path(self.build_temp).resolve().parent / folder, package)
        archive = package / "lib" / "libsparsenn.a"
        ext.include_dirs = [str(CORE / "include")]
        ext.extra_objects = [str(archive)]
        ext.extra_link_args = [*filter(None, core["openmp_link"]), "-lm"]
        ext.depends = [str(archive), *map(str, CORE.rglob("*.h"))]
        super().build_extension(ext)

    def copy_extensions_to_source(self) -> None:
        """For an editable or in-place build: header and archive go beside the sources as well."""
        super().copy_extensions_to_source()
        for folder in ("include", "lib"):
            built = Path(self.build_lib).resolve() / "sparsenn" / folder
            shutil.copytree(built, ROOT / "sparsenn" / folder, dirs_exist_ok=True)


setup(
    version=read_version(),
    ext_modules=cythonize(
        [Extension("sparsenn._core", ["sparsenn/_core.pyx"])],
        compiler_directives=DIRECTIVES,
        build_dir="build/cython",
    ),
    cmdclass={"build_ext": BuildExtension},
)
