"""A finished run as one page that needs no other file, readable on a phone: losing cells first."""

from __future__ import annotations

from html import escape

from ..table import percent
from .baselines import LIBRARY
from .chart import bar, ratio_chart
from .timing import MARK, NOT_BELIEVED

STYLE = """
:root{color-scheme:light dark;--fg:#1b1b1b;--bg:#fff;--soft:#f2f4f7;--line:#c9ced6;--ours:#1f6fb2;
--peer:#9aa5b1}
@media(prefers-color-scheme:dark){:root{--fg:#e8e8e8;--bg:#15181c;--soft:#20252b;--line:#3c444d;
--peer:#69757f}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--fg);background:var(--bg);max-width:60rem;
margin:0 auto;padding:1rem}
h1{font-size:1.5rem}
h2{font-size:1.2rem;margin-top:2rem}
.charts{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr))}
figure{margin:0;background:var(--soft);padding:.5rem;border-radius:.4rem}
figcaption{font-weight:600}
svg{width:100%;height:auto}
svg text{font:11px system-ui,sans-serif;fill:var(--fg)}
.grid{stroke:var(--line);stroke-width:.6}
.even{stroke:var(--fg);stroke-dasharray:4 3}
article{background:var(--soft);border-radius:.4rem;padding:.6rem .8rem;margin:.6rem 0;
border-left:.35rem solid var(--ours)}
article.lost{border-color:#b3261e}
article.unsure{border-color:#d9a20d}
article h3{font-size:1rem;margin:0;display:flex;justify-content:space-between;gap:1rem;flex-wrap:wrap}
.run{display:grid;grid-template-columns:7.5rem 1fr 8.5rem;gap:.5rem;align-items:center;font-size:.85rem}
.run span:last-child{text-align:right;font-variant-numeric:tabular-nums}
.bar{position:relative;height:.8rem}
.bar i{position:absolute;inset:0 auto 0 0;background:var(--peer);border-radius:.15rem}
.bar.ours i{background:var(--ours)}
.bar b{position:absolute;top:.3rem;height:.2rem;background:var(--fg)}
dl{display:grid;grid-template-columns:auto 1fr;gap:.2rem 1rem}
dt{font-weight:600}
dd{margin:0;overflow-wrap:anywhere}
@media(max-width:30rem){.run{grid-template-columns:1fr auto}.run .bar{grid-column:1/-1;grid-row:2}}
"""


def as_html(data: dict) -> str:
    """The page of report.as_data(...): pictures, every cell with its spread, machine and versions."""
    cells, machine = data["cells"], data["machine"]
    lost = [cell for cell in cells if _kind(cell) == "lost"]
    believed = [cell for cell in cells if _kind(cell) in ("lost", "won")]
    summary = f"{len(believed) - len(lost)} of {len(believed)} cells are won, {len(lost)} are lost"
    unsure = len(cells) - len(believed)
    notes = f"; {unsure} without a ratio" if unsure else ""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>{LIBRARY} bench</title><style>{STYLE}</style></head><body>",
            f"<h1>{LIBRARY} bench</h1><p>{escape(machine['model'])}, {escape(machine['isa'])}: "
            f"{summary}{notes}. Ratio: how many times as fast as the best of the others. Bars: medians; the "
            "line on a bar: interquartile range.</p>",
            *_charts(cells),
            "<h2>Cells, losing ones first</h2>",
            *map(_article, cells),
            *_facts(data),
            "</body></html>\n",
        ]
    )


def _kind(cell: dict) -> str:
    if cell["ratio"] is None or cell["disturbed"]:
        return "unsure"
    return "lost" if cell["ratio"]["of_medians"] < 1 else "won"


def _charts(cells: list[dict]) -> list[str]:
    """A picture for each network and number of threads that has a ratio."""
    groups: dict[str, dict[str, dict[int, float]]] = {}
    order = sorted(cells, key=lambda cell: (cell["network"], cell["threads"], cell["sparsity"]))
    for cell in order:
        if _kind(cell) != "unsure":
            title = f"{cell['network']}, threads {cell['threads']}"
            label = percent(cell["sparsity"]) + ("" if cell["mask"] == "uniform" else f" {cell['mask']}")
            line = groups.setdefault(title, {}).setdefault(label, {})
            line[cell["batch"]] = cell["ratio"]["of_medians"]
    if not groups:
        return []
    figures = [
        f"<figure><figcaption>{escape(title)}</figcaption>{ratio_chart(title, lines)}</figure>"
        for title, lines in groups.items()
    ]
    heading = "<h2>Times as fast as the best peer, against the batch</h2>"
    return [heading, '<div class="charts">', *figures, "</div>"]


def _article(cell: dict) -> str:
    kind = _kind(cell)
    title = (
        f"{cell['network']} at {percent(cell['sparsity'])}, batch {cell['batch']}, threads {cell['threads']}"
        f"{'' if cell['mask'] == 'uniform' else ', ' + cell['mask']}"
    )
    ratio = f"{cell['ratio']['of_medians']:.2f} x {cell['best_peer']}" if kind != "unsure" else MARK
    if cell["ratio"] is None:
        ratio = "no ratio"
    timed = {name: times for name, times in cell["times"].items() if times["median_us"]}
    longest = max((times["median_us"] for times in timed.values()), default=1.0)
    by_time = sorted(timed.items(), key=lambda item: (item[0] != LIBRARY, item[1]["median_us"]))
    rows = [
        f'<div class="run"><span>{escape(name)}</span>'
        f"{bar(times['median_us'], times['spread_us'] or 0.0, longest, ours=name == LIBRARY)}"
        f"<span>{_shown(times)}</span></div>"
        for name, times in by_time
    ]
    doubts = [f"{name}: {times['doubt']}" for name, times in timed.items() if times.get("doubt")]
    failed = [f"{name} failed: {reason}" for name, reason in cell["failures"].items()]
    notes = "".join(f"<div><small>{escape(text)}</small></div>" for text in [*doubts, *failed])
    heading = f"<h3><span>{escape(title)}</span><span>{escape(ratio)}</span></h3>"
    return f'<article class="{kind}">{heading}{"".join(rows)}{notes}</article>'


def _shown(times: dict) -> str:
    unit, us = ("ms", 1e3) if times["median_us"] >= 1e4 else ("µs", 1.0)
    mark = f"{MARK} " if times["disturbed"] else ""
    return f"{mark}{times['median_us'] / us:.1f} ± {(times['spread_us'] or 0.0) / 2 / us:.1f} {unit}"


def _facts(data: dict) -> list[str]:
    """Machine, versions, what was missing and how the run was asked for."""
    machine = data["machine"]
    facts = {
        "processor": f"{machine['model']}, kernel set {machine['isa']}, default threads {machine['threads']}",
        "system": machine["platform"],
        "load": ", ".join(f"{value:.2f}" for value in machine["load_average"]),
        **{
            name: ", ".join(f"{module} {number}" for module, number in found.items())
            for name, found in data["versions"].items()
        },
        **{f"{name} is missing": reason for name, reason in data["missing"].items()},
        "asked for": ", ".join(
            f"{name} {value}"
            for name, value in data["settings"].items()
            if value not in (None, "", [], False)
        ),
        MARK: NOT_BELIEVED,
    }
    shown = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>" for name, value in facts.items())
    return ["<h2>Machine and versions</h2>", f"<dl>{shown}</dl>"]
