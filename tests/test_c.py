"""The C core's own tests, built by CMake as a C user builds it: each kernel set, with and without OpenMP."""

import shutil

import pytest
from c_tools import CORE, build_core, run, tool


def run_tests(folder):
    output = run(tool("ctest"), "--test-dir", folder / "build", "--output-on-failure", "--no-tests=error")
    assert "100% tests passed" in output


@pytest.fixture(scope="module", autouse=True)
def sources():
    if not CORE.exists():
        pytest.skip(f"NOT TESTED: the C sources are not beside the tests, at {CORE}")


def test_c_tests_pass_in_a_shared_library(shared_core):
    run_tests(shared_core)


def test_c_tests_pass_without_openmp_in_a_static_library(static_core):
    run_tests(static_core)


def test_c_tests_pass_on_arm64_under_qemu(tmp_path):
    packages = {"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu", "qemu-aarch64": "qemu-user"}
    for name, package in packages.items():
        if shutil.which(name) is None:
            pytest.skip(f"NEON NOT TESTED: {name} is not installed (Debian package {package})")
    toolchain = CORE / "toolchains" / "aarch64-linux-gnu.cmake"
    run_tests(build_core(tmp_path, f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"))
