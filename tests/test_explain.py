"""plan.explain(): of reports that a busy machine leaves no rate above the peak, no division by zero; and what
it says of convolutional networks."""

import copy
import re

import numpy as np
import pytest

import sparsenn as snn
from sparsenn.explain import explain_network, explain_report


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


# ---- convolutional networks


@pytest.fixture(scope="module")
def plan():
    """Two convolutions with a skip connection, a pool, a linear layer."""
    rng = np.random.default_rng(0)

    def weight(*shape):
        return rng.standard_normal(shape, dtype=np.float32)

    x = snn.Input((3, 24, 20))
    first = snn.ReLU()(snn.Conv2d(weight(16, 3, 5, 3), weight(16), stride=(2, 1), padding=(2, 1))(x))
    second = snn.Conv2d(weight(16, 16, 3, 3), padding=1)(first)
    joined = snn.ReLU()(snn.Add()(second, first))
    flat = snn.Flatten()(snn.MaxPool2d(2, stride=2)(joined))
    model = snn.Model(inputs=x, outputs=snn.Linear(weight(10, 16 * 6 * 10))(flat))
    return snn.compile(snn.prune(model, sparsity=0.75, scope="layer"), threads=1, cache=False)


def table(text: str) -> list[list[str]]:
    """The rows of the layers, cut where the headings say."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("layer  op"))
    end = next(i for i, line in enumerate(lines) if line.startswith("  all"))
    return [line.split() for line in lines[start + 1 : end + 1]]


def test_a_layer_a_line(plan):
    text = plan.explain()
    assert max(map(len, text.splitlines())) <= 120
    first, second, pool, linear, total = table(text)
    assert first[1:8] == ["conv2d", "5x3/2,1", "relu", "16x12x20", "240", "180", "75%"]
    assert second[1:9] == ["conv2d", "3x3", "add", "relu", "16x12x20", "240", "576", "75%"]
    assert pool[1:4] == ["max_pool2d", "2x2/2", "16x6x10"]
    assert linear[1:6] == ["linear", "10", "1", "2.4k", "75%"]
    assert total[:4] == ["all", "3.16k", "75%", f"{1e-6 * (240 * (180 + 576) + 2400):.1f}"]


def test_depthwise_convolutions_say_so():
    weight = np.ones((6, 1, 3, 3), np.float32)
    x = snn.Input((6, 9, 7))
    first = snn.ReLU()(snn.Conv2d(weight, groups=6, padding=1)(x))
    second = snn.Conv2d(weight, groups=6, stride=2, padding=1)(first)
    third = snn.Conv2d(np.ones((6, 1, 5, 5), np.float32), groups=6, padding=2)(second)
    plan = snn.compile(snn.Model(inputs=x, outputs=third), threads=1, cache=False)
    kernels = [layer["choices"][0]["chosen"]["kernel"] for layer in plan.report()["layers"]]
    assert kernels == ["stencil_three_1", "stencil_three_2", "stencil"]
    rows = table(plan.explain())
    assert rows[0][1:8] == ["conv2d", "3x3", "relu", "6x9x7", "63", "54", "83%"]
    assert [row[-2] for row in rows[:3]] == kernels


def test_bytes_and_multiply_adds_of_layers(plan):
    from sparsenn.explain_network import bytes_moved, multiply_adds, packed_bytes

    first, second, pool, linear = plan.report()["layers"]
    products = [multiply_adds(layer) for layer in (first, second, pool, linear)]
    assert products == [240 * 180, 240 * 576, 0, 2400]
    planes = 16 * 12 * 20
    assert bytes_moved(first) == 4 * (3 * 24 * 20 + planes) + packed_bytes(first)
    assert bytes_moved(second) == 4 * 3 * planes + packed_bytes(second)
    assert bytes_moved(pool) == 4 * (planes + planes // 4)
    assert packed_bytes(linear) > 4 * 2400


def test_profile_times_every_layer(plan):
    seconds = plan.profile()
    assert len(seconds) == len(plan.report()["layers"]) and all(0 <= took < 10 for took in seconds)
    assert sum(seconds) > 0
    chain = snn.compile(snn.mlp([30, 20, 10], seed=0), threads=1, tune="off")
    assert len(chain.profile()) == len(chain.report()["layers"])


@pytest.mark.parametrize("us", [0.0, 1e-9, 5e9])
@pytest.mark.parametrize("peak", [0.0, 1e-6, 1e9])
def test_times_of_layers_that_say_nothing(plan, us, peak):
    report = plan.report() | {"peak_gflops": peak}
    text = explain_network(report, [us] * len(report["layers"]))
    assert not re.search(r"\b(nan|inf)\b", text) and max(shares(text)) <= 100


def test_counts_are_short():
    from sparsenn.explain_network import _short

    numbers = (0, 999, 1000, 36_864, 999_949, 2_359_296, 12_345_678_901)
    assert [_short(n) for n in numbers] == ["0", "999", "1k", "36.9k", "1000k", "2.36M", "12346M"]


def test_layers_that_run_in_bands_say_so(plan):
    report = copy.deepcopy(plan.report())
    assert not any("rows of the last" in line for line in plan.explain().splitlines())
    report["layers"][0] |= {"together": 2, "band_rows": 4}
    names = [layer["node"] for layer in report["layers"]]
    said = [line for line in explain_network(report, [1.0] * 4).splitlines() if "rows of the last" in line]
    assert len(said) == 1 and said[0].startswith(f"layers {names[0]} to {names[1]} run 4 rows")
