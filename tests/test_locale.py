"""Under a locale with a decimal comma numbers are still read and written with a point."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys

import pytest
from c_tools import c_compiler, environment, run

SCRIPT = """
import json, locale, sys
import numpy as np
import sparsenn as snn
name, folder = sys.argv[1:]
locale.setlocale(locale.LC_ALL, name)
assert locale.localeconv()["decimal_point"] == ",", locale.localeconv()["decimal_point"]
model = snn.Model([snn.Linear(np.eye(8, dtype=np.float32) * 0.37), snn.ELU(0.25)])
first = snn.compile(model, threads=1, cache=folder + "/cache")
again = snn.compile(model, threads=1, cache=folder + "/cache")
for plan in (first, again):
    report = plan.report()
    assert 0 < report["compile_seconds"] < 100 and report["layers"][0]["sparsity"] == 0.875, report
    assert plan.explain()
locale.setlocale(locale.LC_ALL, "C")
from_c = snn.compile(model, threads=1, cache=folder + "/cache")
locale.setlocale(locale.LC_ALL, name)
assert from_c.report()["cached"] >= again.report()["cached"]  # a busy machine may have kept nothing
snn.save(model, folder + "/model.safetensors")
loaded = snn.load(folder + "/model.safetensors")
x = np.linspace(-2, 2, 24, dtype=np.float32).reshape(3, 8)
np.testing.assert_array_equal(snn.compile(loaded, tune="off", cache=False).run(x), first.run(x))
print("done")
"""


@pytest.fixture(scope="module")
def comma_locale(tmp_path_factory) -> dict[str, str]:
    """The environment in which de_DE.UTF-8 is there, made in a folder of its own."""
    if shutil.which("localedef") is None:
        pytest.skip("NOT TESTED: localedef is not installed (Debian package libc-bin)")
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")]
    made = subprocess.run(command, capture_output=True, text=True)
    if not (folder / "de_DE.UTF-8").exists():
        pytest.skip(
            f"NOT TESTED: localedef cannot make de_DE (Debian package locales): {made.stderr.strip()}"
        )
    return environment(LOCPATH=folder, LC_ALL="de_DE.UTF-8")


def test_compile_report_cache_and_files(comma_locale, tmp_path):
    output = run(sys.executable, "-c", SCRIPT, "de_DE.UTF-8", tmp_path, env=comma_locale, cwd=tmp_path)
    assert output.endswith("done\n")


def test_the_command_line(comma_locale, tmp_path):
    # From elsewhere: in the repository's folder, python -m would take the sources, which are not built.
    assert run(sys.executable, "-m", "sparsenn", "info", env=comma_locale, cwd=tmp_path)


def test_the_core_in_a_c_program(comma_locale, tmp_path):
    source = tmp_path / "comma.c"
    source.write_text(
        """
#include <locale.h>
#include <sparsenn.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    static char text[1 << 20];
    static const float weight[4] = {0.5f, 0, 0, 1.5f};
    size_t needed;
    snn_model *model;
    snn_plan *plan;
    if (!setlocale(LC_ALL, "") || strcmp(localeconv()->decimal_point, ","))
        return 2;
    if (snn_model_create(2, &model) || snn_model_add_dense(model, 2, 2, weight, NULL) ||
        snn_plan_create(model, NULL, &plan) || snn_plan_report(plan, text, sizeof text, &needed))
        return 3;
    puts(text);
    return 0;
}
"""
    )
    program = tmp_path / "comma"
    printed = run(sys.executable, "-m", "sparsenn.config", "--cflags", "--libs", cwd=tmp_path)
    run(c_compiler(), source, *shlex.split(printed), "-o", program)
    report = json.loads(run(program, env=comma_locale))
    assert report["layers"][0]["sparsity"] == 0.5
