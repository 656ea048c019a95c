"""plan.explain() of reports that a busy machine leaves: no rate above the peak, no division by zero."""

import copy
import re

import pytest

import sparsenn as snn
from sparsenn.explain import explain_report


@pytest.fixture(scope="module")
def report():
    model = snn.mlp([64, 96, 32, 10], sparsity=0.9, seed=0)
    return snn.compile(model, tune="measure", batch_sizes=(1, 16), cache=False).report()


def candidates(report):
    for layer in report["layers"]:
        for choice in layer.get("choices", ()):
            yield choice["chosen"]
            yield from choice["candidates"]


def shares(text: str) -> list[float]:
    """All per cent in the lines of the layers but the sparsity, which has two digits behind the point."""
    return [float(found) for found in re.findall(r"(?<![.\d])(\d+)%", text)]


@pytest.mark.parametrize("peak", [1e-6, 0.0, 1.0, 1e9])
@pytest.mark.parametrize("time_us", [None, 0.0, 1e-9, 16000.0])
def test_no_share_is_above_the_peak(report, peak, time_us):
    changed = copy.deepcopy(report) | {"peak_gflops": peak}
    for candidate in candidates(changed):
        candidate["measured_us"] = time_us
        if time_us is None:
            candidate["estimate_us"] = 1e-3
    text = explain_report(changed)
    assert all(share <= 100 for share in shares(text))
    assert not re.search(r"\b(nan|inf)\b", text)
    if peak == 1e9 and time_us == 16000.0:
        assert shares(text) and set(shares(text)) == {0.0}
