"""The C library as C and C++ programs use it, without Python: built, installed, linked, examples run."""

import platform
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from c_tools import (
    CORE,
    ROOT,
    c_compiler,
    cmake,
    cpp_compiler,
    environment,
    run,
    tool,
)

import sparsenn as snn
from sparsenn import config

EXAMPLES = CORE / "examples"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
LINUX = pytest.mark.skipif(platform.system() != "Linux", reason="NOT TESTED: ELF files only")

USER_PROJECT = f"""
cmake_minimum_required(VERSION 3.18)
project(user LANGUAGES LANGUAGES_WANTED)
set(CMAKE_CXX_STANDARD 17)
find_package(sparsenn 0.1 REQUIRED)
foreach(source IN LISTS SOURCES)
  get_filename_component(name "${{source}}" NAME_WE)
  add_executable(${{name}} "{EXAMPLES.as_posix()}/${{source}}")
  target_link_libraries(${{name}} PRIVATE sparsenn::sparsenn)
endforeach()
"""


@pytest.fixture(scope="module", autouse=True)
def sources():
    if not CORE.exists():
        pytest.skip(f"NOT TESTED: the C sources are not beside the tests, at {CORE}")


@pytest.fixture(scope="module")
def shared(shared_core):
    """Prefix of a shared library with OpenMP, where the compiler has it."""
    return shared_core / "prefix"


@pytest.fixture(scope="module")
def static(static_core):
    """Prefix of a static library without OpenMP."""
    return static_core / "prefix"


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Model files of the digits network, dense and pruned, by name; and the test images as raw float32."""
    folder = tmp_path_factory.mktemp("digits")
    X, y, X_test, _ = snn.datasets.digits()
    model = snn.mlp([64, 256, 256, 10], activation="relu", seed=0)
    snn.train(model, X, y, epochs=2)
    models = {"dense": model}
    for sparsity in (0.8, 0.9, 0.95, 0.98):
        models[f"{sparsity:.0%}"] = snn.prune(model, sparsity=sparsity, keep=[-1])
    for name, model in models.items():
        snn.save(model, folder / f"{name}.safetensors")
    np.ascontiguousarray(X_test, np.float32).tofile(folder / "input.f32")
    return folder, models, X_test


def pkg_config(prefix, *options) -> list[str]:
    path = {"PKG_CONFIG_PATH": prefix / "lib" / "pkgconfig"}
    return shlex.split(run(tool("pkg-config"), *options, "sparsenn", env=environment(**path)))


def link(source, program, flags):
    """Compiles a C99 example strictly, or a C++17 one."""
    if source.suffix == ".cpp":
        command = [cpp_compiler(), "-std=c++17", *STRICT, source]
    else:
        command = [c_compiler(), "-std=c99", *STRICT, source]
    run(*command, *flags, "-o", program)
    return program


def rpath(prefix) -> str:
    return f"-Wl,-rpath,{prefix / 'lib'}"


def read_rows(text: str) -> np.ndarray:
    """What the examples print: a line a sample, nine digits a number, which give every float32 back."""
    return np.array([line.split() for line in text.splitlines()], np.float32)


def assert_same_bits(got, expected):
    assert got.shape == expected.shape and got.dtype == expected.dtype == np.float32
    assert got.tobytes() == expected.tobytes()


def assert_agrees_with_python(program, digits):
    folder, models, X_test = digits
    for name, model in models.items():
        got = read_rows(run(program, folder / f"{name}.safetensors", folder / "input.f32"))
        assert_same_bits(got, snn.compile(model, tune="off", cache=False).run(X_test))


def test_embed_with_the_shared_library_gives_the_bits_of_python(shared, digits, tmp_path):
    flags = [*pkg_config(shared, "--cflags", "--libs"), rpath(shared)]
    program = link(EXAMPLES / "embed.c", tmp_path / "embed", flags)
    assert_agrees_with_python(program, digits)
    if platform.system() == "Linux":
        libraries = run(tool("ldd", "libc-bin"), program)
        assert str(shared / "lib" / "libsparsenn.so.") in libraries
        assert "python" not in libraries.lower().replace(str(shared).lower(), "")


def test_embed_with_the_static_library_without_openmp_gives_the_bits_of_python(static, digits, tmp_path):
    flags = pkg_config(static, "--static", "--cflags", "--libs")
    assert not any("openmp" in flag for flag in flags)
    assert_agrees_with_python(link(EXAMPLES / "embed.c", tmp_path / "embed", flags), digits)


def test_embed_with_the_library_of_the_package_gives_the_bits_of_python(digits, tmp_path):
    printed = run(sys.executable, "-m", "sparsenn.config", "--cflags", "--libs", cwd=tmp_path)
    program = link(EXAMPLES / "embed.c", tmp_path / "embed", shlex.split(printed))
    assert_agrees_with_python(program, digits)


def test_embed_says_what_is_wrong(shared, digits, tmp_path):
    flags = [*pkg_config(shared, "--cflags", "--libs"), rpath(shared)]
    program = link(EXAMPLES / "embed.c", tmp_path / "embed", flags)
    (tmp_path / "short.f32").write_bytes(bytes(100))
    model = digits[0] / "dense.safetensors"
    for arguments, words in [
        ([tmp_path / "none"], "none"),
        ([tmp_path / "short.f32"], "header"),
        ([model, tmp_path / "short.f32"], "whole samples"),
        ([], "usage"),
    ]:
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        assert done.returncode == 1 and words in done.stderr and not done.stdout


def test_eight_threads_share_one_plan(shared, digits, tmp_path):
    flags = [*pkg_config(shared, "--cflags", "--libs"), rpath(shared), "-pthread"]
    program = link(EXAMPLES / "threads.c", tmp_path / "threads", flags)
    output = run(program, digits[0] / "90%.safetensors")
    assert output == "8 threads, 50 runs each, 0 differences\n"


def user_project(tmp_path, prefix, languages, examples):
    """A project that finds the library with find_package; returns its build folder."""
    (tmp_path / "CMakeLists.txt").write_text(USER_PROJECT.replace("LANGUAGES_WANTED", languages))
    options = [f"-DCMAKE_PREFIX_PATH={prefix}", f"-DSOURCES={';'.join(examples)}"]
    return cmake(tmp_path, tmp_path / "build", *options)


def test_cmake_finds_the_shared_library(shared, digits, tmp_path):
    folder = user_project(tmp_path, shared, "C", ["embed.c"])
    assert_agrees_with_python(folder / "embed", digits)


def test_cmake_finds_the_package_s_library_in_a_project_of_cpp_alone(digits, tmp_path):
    cpp_compiler()
    prefix = config.get_cmake_dir()
    folder = user_project(tmp_path, prefix, "CXX", ["embed.cpp"])
    assert_agrees_with_python(folder / "embed", digits)


def declared_in(folder):
    """The functions that the public headers declare."""
    headers = "".join(path.read_text() for path in sorted(folder.glob("*.h")))
    return set(re.findall(r"^SNN_API [^;]*?\b(snn_\w+)\(", headers, re.MULTILINE))


@LINUX
def test_the_shared_library_shows_nothing_but_the_header_s_functions(shared):
    (library,) = (shared / "lib").glob("libsparsenn.so.*.*.*")
    lines = run(tool("nm", "binutils"), "-D", "--defined-only", library).splitlines()
    exported = {line.split()[-1] for line in lines}
    assert exported == declared_in(shared / "include")
    dynamic = run(tool("readelf", "binutils"), "-d", library)
    major, minor, _ = snn.__version__.split(".")
    assert f"soname: [libsparsenn.so.{f'0.{minor}' if major == '0' else major}]" in dynamic


def test_the_pxd_declares_what_the_header_declares():
    headers = ("_header.pxd", "_header_train.pxd")
    binding = "".join((ROOT / "sparsenn" / name).read_text() for name in headers)
    assert declared_in(CORE / "include") - set(re.findall(r"\b(snn_\w+)\(", binding)) == set()


@pytest.mark.parametrize("standard", ["c99", "c11", "c++11", "c++17"])
def test_the_header_is_clean(standard, tmp_path):
    cpp = standard.startswith("c++")
    source = tmp_path / ("main.cpp" if cpp else "main.c")
    headers = ("sparsenn_train.h", "sparsenn_stream.h", "sparsenn.h", "sparsenn.h")
    source.write_text(
        "".join(f"#include <{name}>\n" for name in headers) + "int main(void) { return SNN_OK; }\n"
    )
    compiler = cpp_compiler() if cpp else c_compiler()
    run(compiler, f"-std={standard}", *STRICT, "-I", CORE / "include", "-fsyntax-only", source)


def test_versions_agree(shared, tmp_path):
    # From elsewhere: in the repository's folder, python -m would take the sources, which are not built.
    assert run(sys.executable, "-m", "sparsenn.config", "--version", cwd=tmp_path).strip() == snn.__version__
    assert pkg_config(shared, "--modversion") == [snn.__version__]
    header = (CORE / "include" / "sparsenn.h").read_text()
    parts = [re.search(rf"SNN_VERSION_{name} (\d+)", header)[1] for name in ("MAJOR", "MINOR", "PATCH")]
    assert ".".join(parts) == snn.__version__
