"""Pictures of a run as SVG, in no need of any other file or package."""

from __future__ import annotations

import html
from math import log2

COLOURS = ("#1f6fb2", "#d9730d", "#2a8a3e", "#b3261e", "#7a4fb5", "#8a5a44")
WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 40, 12, 12, 54


def ratio_chart(title: str, lines: dict[str, dict[int, float]]) -> str:
    """Times as fast as the best peer against the batch, logarithmic; a line each of lines.

    lines  by label: ratio by batch
    """
    batches = sorted({batch for line in lines.values() for batch in line})
    values = [ratio for line in lines.values() for ratio in line.values()]
    low, high = min(log2(min(values)), 0.0) - 0.2, max(log2(max(values)), 0.0) + 0.2
    step = (WIDTH - LEFT - RIGHT) / max(1, len(batches) - 1)

    def x_of(batch: int) -> float:
        return LEFT + (step * batches.index(batch) if len(batches) > 1 else step / 2)

    def y_of(ratio: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - log2(ratio)) / (high - low)

    name = html.escape(title, quote=True)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}: ratio against batch">']
    for power in range(-6, 8):
        if low <= power <= high:
            ratio, y = 2.0**power, y_of(2.0**power)
            style = "even" if power == 0 else "grid"
            parts.append(
                f'<line class="{style}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{ratio:g}x</text>')
    for batch in batches:
        parts.append(
            f'<text x="{x_of(batch):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{batch}</text>'
        )
    for number, (label, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [(x_of(batch), y_of(ratio)) for batch, ratio in sorted(line.items())]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        place = LEFT + number % 4 * 80
        at = HEIGHT - BOTTOM + 32 + 14 * (number // 4)
        parts.append(f'<rect x="{place}" y="{at - 8}" width="10" height="8" fill="{colour}"/>')
        parts.append(f'<text x="{place + 14}" y="{at}">{html.escape(label)}</text>')
    return "".join([*parts, "</svg>"])


def bar(median: float, spread: float, longest: float, *, ours: bool) -> str:
    """The median as a bar, a share of the longest; a darker line on its end is the interquartile range."""
    share, width = 100 * median / longest, 100 * spread / longest
    start = max(0.0, min(share - width / 2, 100 - width))
    kind = "bar ours" if ours else "bar"
    return (
        f'<div class="{kind}"><i style="width:{share:.1f}%"></i>'
        f'<b style="left:{start:.1f}%;width:{max(width, 0.4):.1f}%"></b></div>'
    )
