"""sparsenn export: the model as a C constant, compiled, run, and the same bits as in Python."""

import json
import re
import stat

import numpy as np
import pytest
from c_tools import CORE, c_compiler, cpp_compiler, run

import sparsenn as snn
from sparsenn.c_array import write_c_array
from sparsenn.cli import main
from sparsenn.config import cflags, libs

EXAMPLES = CORE / "examples"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


@pytest.fixture
def model(tmp_path, rng, random_csr):
    """A model with layers of both kinds, saved as model.safetensors."""
    layers = [snn.Linear(random_csr(37, 20, 0.8), rng.standard_normal(37)), snn.ReLU()]
    made = snn.Model([*layers, snn.Linear(rng.standard_normal((5, 37))), snn.Softmax()])
    snn.save(made, tmp_path / "model.safetensors")
    return made


def read_array(source: str) -> bytes:
    return bytes(int(number) for number in re.search(r"= \{\n(.*)\n\};", source, re.DOTALL)[1].split(","))


def test_embed_memory_runs_an_exported_model(model, tmp_path):
    # A name of its own for each model; the example's is small_model.
    arguments = ["export", str(tmp_path / "model.safetensors"), "--c-array", "small_model"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    program = tmp_path / "embed_memory"
    # Not beside the example, whose own small_model.h would be found first.
    (tmp_path / "main.c").write_bytes((EXAMPLES / "embed_memory.c").read_bytes())
    files = [tmp_path / "main.c", tmp_path / "small_model.c"]
    run(c_compiler(), "-std=c99", *STRICT, *files, *cflags(), *libs(), "-o", program)
    got = np.array(run(program).split(), np.float32)
    wanted = snn.compile(model, tune="off", cache=False).run(np.ones((1, 20), np.float32))[0]
    assert got.tobytes() == wanted.tobytes()


def test_the_files_hold_the_bytes_aligned_and_compile_as_c_and_cpp(model, tmp_path):
    report = write_c_array(tmp_path / "model.safetensors", "net_2", folder=tmp_path)
    content = (tmp_path / "model.safetensors").read_bytes()
    assert read_array((tmp_path / "net_2.c").read_text()) == content
    assert report["model_bytes"] == len(content) and (report["inputs"], report["outputs"]) == (20, 5)
    (tmp_path / "main.c").write_text(
        '#include "net_2.h"\n#include "net_2.h"\n#include <stdint.h>\n'
        "int main(void) { return (uintptr_t)net_2 % 64 != 0 || net_2_size != sizeof net_2; }\n"
    )
    for compiler, *standard in [
        [c_compiler(), "-std=c11"],
        [c_compiler(), "-std=c99"],
        [cpp_compiler(), "-x", "c++", "-std=c++17"],
    ]:
        files = [tmp_path / "net_2.c", tmp_path / "main.c"]
        run(compiler, *standard, *STRICT, *files, "-o", tmp_path / "check")
        run(tmp_path / "check")


def test_the_example_s_model_is_what_export_writes(tmp_path):
    committed = EXAMPLES / "small_model"
    if not committed.exists():
        pytest.skip(f"NOT TESTED: the C sources are not beside the tests, at {CORE}")
    (tmp_path / "model.safetensors").write_bytes(read_array((committed / "small_model.c").read_text()))
    write_c_array(tmp_path / "model.safetensors", "small_model", folder=tmp_path)
    for name in ("small_model.c", "small_model.h"):
        assert (tmp_path / name).read_text() == (committed / name).read_text()


def test_json_and_permissions(model, tmp_path, capsys):
    arguments = ["export", str(tmp_path / "model.safetensors"), "--c-array", "net", "--out", str(tmp_path)]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["source"] == str(tmp_path / "net.c") and report["header"] == str(tmp_path / "net.h")
    (tmp_path / "plain").touch()
    for name in ("net.c", "net.h"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == stat.S_IMODE(
            (tmp_path / "plain").stat().st_mode
        )


@pytest.mark.parametrize("name", ["", "2net", "net-2", "_net", "int", "class", "nét", "net\n", "a b"])
def test_a_bad_name_is_refused(name, model, tmp_path, capsys):
    arguments = ["export", str(tmp_path / "model.safetensors"), "--c-array", name, "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "--c-array must be a C identifier" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_bad_file_or_folder_is_refused(model, tmp_path, capsys):
    good, bad = tmp_path / "model.safetensors", tmp_path / "bad.safetensors"
    bad.write_bytes(good.read_bytes()[:-1])
    (tmp_path / "out").mkdir()
    for path, out in [
        (bad, "out"),
        (tmp_path / "none", "out"),
        (good, "nowhere"),
        (good, "model.safetensors"),
    ]:
        assert main(["export", str(path), "--c-array", "net", "--out", str(tmp_path / out)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("sparsenn export: error: ") and error.count("\n") == 1
    assert not any((tmp_path / "out").iterdir())
