"""The C core's own tests, built by CMake as a C user builds it: each kernel set, with and without OpenMP."""

import shutil

import pytest
from c_tools import CORE, cmake, run, tool


def build(folder, *options):
    """Configures and builds the core in folder, warnings being errors."""
    return cmake(CORE, folder, "-DSNN_ASSERTIONS=ON", "-DCMAKE_C_FLAGS=-Werror", *options)


def run_tests(folder):
    output = run(tool("ctest"), "--test-dir", folder, "--output-on-failure", "--no-tests=error")
    assert "100% tests passed" in output


@pytest.fixture(scope="module", autouse=True)
def sources():
    if not CORE.exists():
        pytest.skip(f"NOT TESTED: the C sources are not beside the tests, at {CORE}")


def test_c_tests_pass(tmp_path):
    run_tests(build(tmp_path / "build"))


def test_c_tests_pass_without_openmp_in_a_shared_library(tmp_path):
    run_tests(build(tmp_path / "build", "-DSNN_OPENMP=OFF", "-DBUILD_SHARED_LIBS=ON"))


def test_c_tests_pass_on_arm64_under_qemu(tmp_path):
    packages = {"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu", "qemu-aarch64": "qemu-user"}
    for name, package in packages.items():
        if shutil.which(name) is None:
            pytest.skip(f"NEON NOT TESTED: {name} is not installed (Debian package {package})")
    toolchain = CORE / "toolchains" / "aarch64-linux-gnu.cmake"
    run_tests(build(tmp_path / "build", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"))
