"""The second stage of CI: a skip that no list allows fails it; packages that cannot be had are told apart."""

import json
import runpy

import pytest
from c_tools import ROOT

FOLDER = ROOT / ".ci"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason=f"NOT TESTED: no .ci beside the tests, at {ROOT}")


@pytest.fixture(scope="module")
def check():
    return runpy.run_path(str(FOLDER / "check_skips.py"))


@pytest.fixture
def end(check, tmp_path, capsys):
    """end(skips, missing words) -> (exit code, what was printed) after two stages of a test each."""

    def run(skips, missing=(), passed=("a", "b")):
        for name, test in zip(("first", "second"), passed, strict=True):
            outcomes = {test: "passed"} if test else {}
            (tmp_path / name).write_text(json.dumps({"outcomes": outcomes, "skips": skips}))
        (tmp_path / "missing").write_text("\n".join(missing))
        code = check["main"](*(str(tmp_path / name) for name in ("first", "second", "missing")))
        return code, capsys.readouterr().out

    return run


def test_skips_on_the_list_pass(end):
    code, printed = end([["tests/test_c.py::test_arm64", "NEON NOT TESTED: qemu is not installed"]])
    assert code == 0 and "1 listed, 0 not installable here, 0 not allowed" in printed


def test_a_skip_off_the_list_fails(end):
    code, printed = end([["tests/test_c.py::test_x[csr]", "it is too hot"]])
    assert code == 1 and "not in allowed_skips.txt: tests/test_c.py::test_x[csr]: it is too hot" in printed


def test_a_missing_package_excuses_its_own_skips_alone(end):
    skips = [["tests/test_torch.py", "PyTorch is not installed"], ["tests/test_types.py", "mypy is missing"]]
    assert end(skips, ["torch", "mypy"])[0] == 0
    code, printed = end(skips, ["torch"])
    assert code == 1 and "1 not installable here, 1 not allowed" in printed


@pytest.mark.parametrize("passed", [("a", None), (None, "b")])
def test_a_stage_without_a_test_fails(end, passed):
    code, printed = end([], passed=passed)
    assert code == 1 and "ran no test" in printed


def test_brackets_of_a_name_are_no_pattern(check):
    assert check["matches"]("tests/a.py::t[[x]*: of*", "tests/a.py::t[[x]y]: of a")
    assert not check["matches"]("tests/a.py::t[x]: of", "tests/a.py::tx: of")


def test_each_entry_has_its_reason(check):
    assert check["read_list"]((FOLDER / "allowed_skips.txt").read_text(encoding="utf-8"))
    with pytest.raises(ValueError, match="a comment above each entry, got 'tests/b"):
        check["read_list"]("# why\ntests/a: b\n\ntests/b: c\n")


def test_packages_are_read_with_their_words():
    read = runpy.run_path(str(FOLDER / "install.py"))["read"]
    packages, models = read("# x\na[b]==1 | torch, y\nc==2 -> models | is not in\n")
    assert packages == {"a[b]==1": ["torch", "y"]} and models == {"c==2": ["is not in"]}
    packages, models = read((FOLDER / "packages.txt").read_text(encoding="utf-8"))
    assert packages["torch==2.13.0"] == ["torch"] and all(words for words in (packages | models).values())
