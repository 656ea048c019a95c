"""sparsenn bench --html, --preset and the schema of --json."""

import copy
import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import sparsenn as snn
from sparsenn import cli
from sparsenn.bench import chart, page, presets
from sparsenn.bench.jobs import NetworkJob

SCHEMA = Path(page.__file__).parent / "report.schema.json"
VOID = {"meta"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The page and the data of one short run."""
    folder = tmp_path_factory.mktemp("bench")
    paths = folder / "bench.html", folder / "bench.json"
    arguments = ["16-24-8", "--batch", "1,3", "--threads", "1", "--sparsity", "50,90", "--rounds", "2"]
    outputs = ["--html", str(paths[0]), "--json", str(paths[1])]
    assert cli.main(["bench", *arguments, "--baseline", "numpy,scipy", *outputs]) == 0
    return paths


@pytest.fixture
def data(files) -> dict:
    return json.loads(files[1].read_text())


class Tags(HTMLParser):
    """Fails where a tag is closed that is not open; keeps what is still open."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def validator():
    jsonschema = pytest.importorskip("jsonschema", reason="NOT TESTED: jsonschema is not installed")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_json_keeps_its_schema(data):
    checks = validator()
    checks.validate(data)
    for change in (
        lambda d: d["cells"][0].pop("nnz"),
        lambda d: d["cells"][0].update(batch=0),
        lambda d: d["cells"][0]["times"]["sparsenn"].update(median_us="1"),
        lambda d: d["machine"].update(isa="sse"),
        lambda d: d.update(more=1),
    ):
        other = copy.deepcopy(data)
        change(other)
        assert not checks.is_valid(other)


def test_the_page_needs_no_other_file_and_is_closed(files, data):
    text = files[0].read_text(encoding="utf-8")
    assert Tags(text).open == []
    assert not re.search(r"(?:src|href)=|url\(|@import|https?:", text), "nothing is loaded"
    assert 'name="viewport"' in text and "prefers-color-scheme" in text
    for picture in re.findall(r"<svg.*?</svg>", text):
        ElementTree.fromstring(picture)
    assert text.count("<article") == len(data["cells"]) == 4
    for name in ("sparsenn", "numpy", "scipy_csr"):
        assert text.count(f"<span>{name}</span>") == 4
    assert snn.cpu_info()["isa"] in text and np.__version__ in text


def test_losing_cells_come_first_and_doubts_are_told(data):
    for cell, ratio in zip(data["cells"], (0.5, 0.9, 2.0, 3.0), strict=True):
        cell["ratio"], cell["disturbed"] = {"of_medians": ratio, "paired": ratio}, False
    lost = page.as_html(data)
    assert re.findall(r'<article class="(\w+)"', lost) == ["lost", "lost", "won", "won"]
    assert "2 of 4 cells are won, 2 are lost" in lost and "<svg" in lost
    first = data["cells"][0]
    first["disturbed"], first["failures"] = True, {"torch_csr": "a <b> & c"}
    first["times"]["numpy"]["doubt"] = "its threads waited"
    told = page.as_html(data)
    assert "1 of 3 cells" not in lost and "2 of 3 cells are won, 1 are lost; 1 without a ratio" in told
    assert "numpy: its threads waited" in told and "torch_csr failed: a &lt;b&gt; &amp; c" in told
    for cell in data["cells"]:
        cell["ratio"] = None
    assert "<svg" not in page.as_html(data)


def test_sparsities_near_to_each_other_have_lines_of_their_own(data):
    cell = data["cells"][0]
    cell.update(disturbed=False, ratio={**(cell["ratio"] or {}), "of_medians": 2.0})
    data["cells"] = [{**cell, "sparsity": sparsity} for sparsity in (0.99, 0.994, 0.996, 0.999)]
    text = page.as_html(data)
    assert text.count("<polyline") == text.count("<article") == 4
    for shown in ("99%", "99.4%", "99.6%", "99.9%"):
        assert f" at {shown}, batch" in text


def test_a_point_above_the_line_of_1_is_a_gain():
    picture = chart.ratio_chart('a "b" <c>', {"80%": {1: 0.5, 16: 4.0}, "90%": {16: 1.0}})
    tree = ElementTree.fromstring(picture)
    heights = [float(circle.get("cy")) for circle in tree.iter("circle")]
    (even,) = [float(line.get("y1")) for line in tree.iter("line") if line.get("class") == "even"]
    assert heights[0] > even > heights[1] and heights[2] == pytest.approx(even, abs=0.1)
    assert heights[0] - even == pytest.approx((even - heights[1]) / 2, abs=0.2), "logarithmic"


def test_bars_keep_inside():
    for median, spread in ((1.0, 0.0), (10.0, 9.0), (0.1, 10.0)):
        start, width = map(float, re.search(r"left:([\d.]+)%;width:([\d.]+)%", bar(median, spread)).groups())
        assert start >= 0 and start + width <= 100.5


def bar(median: float, spread: float) -> str:
    return chart.bar(median, spread, 10.0, ours=True)


@pytest.mark.parametrize("name", ["resnet18", "encoder"])
def test_made_networks_have_the_shapes_that_they_say(name):
    model = getattr(presets, name)()
    dims = {value.name: value.dims[1:] for value in model.input_values}
    assert dims == ({"images": (3, 224, 224)} if name == "resnet18" else {"patches": (128, 768)})
    weights = sum(layer.nnz for layer in model.linear_layers)
    # torchvision's resnet18 has 11,678,912 weights in its convolutions and its last layer.
    expected = 11678912 if name == "resnet18" else 2 * 12 * 768**2 + 768**2 + 7680
    assert weights == expected


def test_presets_are_pruned_and_run(monkeypatch):
    small = presets.MadeNetwork(presets.Path("small"), make=lambda: snn.gru([3, 8, 2], steps=5))
    monkeypatch.setitem(presets.PRESETS, "rnn", presets.Preset(lambda keep: [small], "1,3", "small"))
    variants = list(small.variants(None, "uniform"))
    assert [variant.sparsity for variant in variants] == [0.8, 0.9, 0.95, 0.98]
    job = variants[0].job(3)
    assert isinstance(job, NetworkJob) and job.inputs["x"].shape == (3, 5, 3)
    assert variants[1].nnz < variants[0].nnz


def test_progress_is_told_as_cells_end(capsys, tmp_path):
    shown = ["bench", "9-4", "--batch", "1", "--sparsity", "80,90", "--rounds", "1", "--baseline", "none"]
    assert cli.main([*shown, "--threads", "1"]) == 0
    # A busy machine adds a warning of its own.
    told = re.findall(r" s  9-4 (\d+)% uniform batch 1 threads 1: ", capsys.readouterr().err)
    assert told == ["80", "90"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "target must be at least one network, or --preset a name, got neither"),
        (["--preset", "gpt"], "--preset must be one of mlp, resnet, bert, rnn, got 'gpt'"),
        (["4-3", "--html", "no/such/folder.html"], "--html"),
    ],
)
def test_what_the_command_refuses(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["bench", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and words in printed.err and printed.err.count("\n") == 1


def test_presets_are_those_that_the_help_names(capsys):
    with pytest.raises(SystemExit):
        cli.main(["bench", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "mlp, resnet, bert or rnn: networks that need no file" in text
    assert set(presets.PRESETS) == {"mlp", "resnet", "bert", "rnn"}
