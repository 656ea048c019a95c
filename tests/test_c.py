"""The C core on its own: built by CMake as a C user builds it, its tests run, installed and linked."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sparsenn as snn

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src_c"

PROGRAM = r"""
#include <sparsenn.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    snn_model *model = NULL;
    snn_plan *plan = NULL;
    float x[2 * 5] = {1, 2, 3, 4, 5, -1, -2, -3, -4, -5}, y[2 * 3];
    if (count != 2 || snn_model_load(arguments[1], &model) != SNN_OK
        || snn_plan_create(model, NULL, &plan) != SNN_OK || snn_plan_run(plan, x, 2, y) != SNN_OK) {
        printf("%s\n", snn_last_error());
        return 1;
    }
    for (int i = 0; i < 2 * 3; i++)
        printf("%.9g\n", (double)y[i]);
    snn_plan_free(plan);
    snn_model_free(model);
    return 0;
}
"""


def tool(name: str) -> str:
    """The path of a build tool; skips the test where it is missing."""
    beside = Path(sys.executable).parent / name
    path = str(beside) if beside.exists() else shutil.which(name)
    if path is None:
        pytest.skip(f"NOT TESTED: {name} is not installed")
    return path


def run(*command) -> str:
    """Standard output of a command; the test fails with all of its output when it fails."""
    done = subprocess.run(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout


def build(folder: Path, *options: str) -> Path:
    """Configures and builds the core in folder, warnings being errors."""
    cmake = tool("cmake")
    generator = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"]
    strict = ["-DSNN_ASSERTIONS=ON", "-DCMAKE_C_FLAGS=-Werror"]
    run(cmake, "-S", CORE, "-B", folder, *generator, *strict, *options)
    run(cmake, "--build", folder, "--parallel", "2")
    return folder


def run_tests(folder: Path) -> None:
    output = run(tool("ctest"), "--test-dir", folder, "--output-on-failure", "--no-tests=error")
    assert "100% tests passed" in output


@pytest.fixture(scope="module", autouse=True)
def sources():
    if not CORE.exists():
        pytest.skip(f"NOT TESTED: the C sources are not beside the tests, at {CORE}")


def test_c_tests_pass(tmp_path):
    run_tests(build(tmp_path / "build"))


def test_c_tests_pass_without_openmp_in_a_shared_library(tmp_path):
    folder = build(tmp_path / "build", "-DSNN_OPENMP=OFF", "-DBUILD_SHARED_LIBS=ON")
    run_tests(folder)
    library = next(folder.glob("libsparsenn.so*"))
    exported = {line.split()[-1] for line in run(tool("nm"), "-D", "--defined-only", library).splitlines()}
    assert "snn_plan_run" in exported
    header = (CORE / "include" / "sparsenn.h").read_text()
    assert not {name for name in exported if f"{name}(" not in header}, "only what the header declares"


def test_c_tests_pass_on_arm64_under_qemu(tmp_path):
    packages = {"aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu", "qemu-aarch64": "qemu-user"}
    for name, package in packages.items():
        if shutil.which(name) is None:
            pytest.skip(f"NEON NOT TESTED: {name} is not installed (Debian package {package})")
    toolchain = CORE / "toolchains" / "aarch64-linux-gnu.cmake"
    run_tests(build(tmp_path / "build", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"))


def test_a_c_program_links_the_library_of_the_package_and_agrees_with_python(tmp_path, rng, random_csr):
    compiler = shutil.which(os.environ.get("CC", "cc")) or tool("gcc")
    include, library = Path(snn.get_include()), Path(snn.get_library_dir())
    assert (include / "sparsenn.h").exists() and (library / "libsparsenn.a").exists()
    weight = random_csr(3, 5, 0.4)
    model = snn.Model([snn.Linear(weight, rng.standard_normal(3)), snn.Tanh()])
    snn.save(model, tmp_path / "model.safetensors")
    (tmp_path / "program.c").write_text(PROGRAM)
    openmp = ["-fopenmp"] if snn.cpu_info()["openmp"] else []
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-pthread"]
    folders = ["-I", include, "-L", library]
    program = tmp_path / "program"
    run(compiler, *flags, tmp_path / "program.c", *folders, "-lsparsenn", *openmp, "-lm", "-o", program)
    got = [float(line) for line in run(program, tmp_path / "model.safetensors").split()]
    plan = snn.compile(model, tune="off", cache=False)
    x = [[1, 2, 3, 4, 5], [-1, -2, -3, -4, -5]]
    assert got == pytest.approx(plan.run(x).ravel().tolist(), rel=1e-6, abs=1e-7)
    with_error = subprocess.run([program, tmp_path / "none"], capture_output=True, text=True)
    assert with_error.returncode == 1 and "none" in with_error.stdout


def test_the_installed_library_is_found_by_cmake(tmp_path):
    folder = build(tmp_path / "build", f"-DCMAKE_INSTALL_PREFIX={tmp_path / 'prefix'}")
    run(tool("cmake"), "--install", folder)
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "program.c").write_text(PROGRAM)
    (tmp_path / "user" / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\n"
        "project(user LANGUAGES C)\n"
        "find_package(sparsenn REQUIRED)\n"
        "add_executable(program program.c)\n"
        "target_link_libraries(program PRIVATE sparsenn::sparsenn)\n"
    )
    options = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}"]
    options.append(f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}")
    run(tool("cmake"), "-S", tmp_path / "user", "-B", tmp_path / "user-build", *options)
    run(tool("cmake"), "--build", tmp_path / "user-build")
    snn.save(snn.mlp([5, 3]), tmp_path / "model.safetensors")
    run(tmp_path / "user-build" / "program", tmp_path / "model.safetensors")
