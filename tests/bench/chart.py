"""Draws growth curves from the figures of bench.py, as SVG: text that can be read and checked by hand.

`chart.py target/bench.json docs/charts` writes those charts of which the figures have the keys. Nothing but Python's
standard library is used. The colours are for light and for dark pages (`prefers-color-scheme`); what they say, the
words beside the lines say too.
"""

import argparse
import json
import math
import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 84, 166, 56, 54
# Of lines' names on the right: two are at least so far apart.
LEAST_GAP = 34

# A pair each: on light, on dark. Apart in lightness, too, for those who see few colours.
COLOURS = [("#0b57a4", "#7cb8ff"), ("#a14a00", "#ffb066"), ("#5b3b94", "#c9aeff"), ("#1d6b3f", "#7fdca4")]

# Words have a rim of the page's colour, so that lines behind them don't make them hard to read.
STYLE = """
text{font:13px system-ui,sans-serif;fill:#24292f;stroke:#fff;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}
.title{font-size:16px;font-weight:600}.small{font-size:11.5px}
.page{fill:#fff}.grid{stroke:#d0d7de}.axis{stroke:#57606a}.mark{stroke:#24292f;stroke-dasharray:7 5}
.peer{fill:#57606a;fill-opacity:.2;stroke:#57606a;stroke-dasharray:2 3}
"""
DARK = """
text{fill:#e6edf3;stroke:#0d1117}.page{fill:#0d1117}.grid{stroke:#30363d}.axis{stroke:#8b949e}.mark{stroke:#e6edf3}
.peer{fill:#8b949e;stroke:#8b949e}
"""


@dataclass
class Series:
    name: str
    points: list  # of (x, y), both above zero


@dataclass
class Mark:
    """What is to be reached: a dashed line all across."""

    name: str
    y: float


@dataclass
class Peer:
    """What another has published, a line or a band; all across, or about one x, or from that to another."""

    name: str
    low: float
    high: float
    x: float = None
    x_to: float = None


@dataclass
class Chart:
    title: str
    x_name: str
    y_name: str
    series: list
    marks: list = field(default_factory=list)
    peers: list = field(default_factory=list)


def decades(values):
    """The powers of ten around them, as exponents."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def number(value):
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


class Scale:
    """Logarithmic in both directions."""

    def __init__(self, chart):
        xs = [x for line in chart.series for x, _ in line.points] + [peer.x for peer in chart.peers if peer.x]
        ys = [y for line in chart.series for _, y in line.points]
        ys += [mark.y for mark in chart.marks] + [y for peer in chart.peers for y in (peer.low, peer.high)]
        self.ticks = sorted({x for line in chart.series for x, _ in line.points})
        self.x_range = (math.log10(min(xs)), max(math.log10(max(xs)), math.log10(min(xs)) + 0.1))
        self.y_range = decades(ys)

    def x(self, value):
        low, high = self.x_range
        return round(LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value):
        low, high = self.y_range
        return round(HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)


def spread_out(places):
    """Heights of names, moved apart where they would overlap; in the order given."""
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for before, after in zip(order, order[1:]):
        moved[after] = max(moved[after], moved[before] + LEAST_GAP)
    return moved


def described(chart):
    """The figures in words, for those who don't see the lines."""
    points = [", ".join(f"{number(y)} at {number(x)}" for x, y in line.points) for line in chart.series]
    lines = [f"{line.name}: {words}" for line, words in zip(chart.series, points)]
    lines += [f"{mark.name}: {number(mark.y)}" for mark in chart.marks]
    lines += [peer.name for peer in chart.peers]
    return f"{chart.y_name} by {chart.x_name}, both logarithmic. " + "; ".join(lines) + "."


def draw(chart):
    scale = Scale(chart)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    colours = [COLOURS[index % len(COLOURS)] for index in range(len(chart.series))]
    light, dark = (
        "".join(f".l{index}{{stroke:{pair[page]}}}.f{index}{{fill:{pair[page]}}}" for index, pair in enumerate(colours))
        for page in (0, 1)
    )
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="t d">',
        f'<title id="t">{escape(chart.title)}</title>',
        f'<desc id="d">{escape(described(chart))}</desc>',
        f"<style>{STYLE}{light}\n@media(prefers-color-scheme:dark){{{DARK}{dark}}}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        f'<text class="title" x="{LEFT}" y="26">{escape(chart.title)}</text>',
        f'<text class="small" x="{LEFT}" y="{TOP - 10}">{escape(chart.y_name)}</text>',
        f'<text class="small" x="{(LEFT + right) / 2}" y="{HEIGHT - 14}" text-anchor="middle">'
        f"{escape(chart.x_name)}</text>",
    ]
    for exponent in range(scale.y_range[0], scale.y_range[1] + 1):
        y = scale.y(10**exponent)
        out.append(f'<path class="grid" d="M{LEFT} {y}H{right}"/>')
        out.append(f'<text class="small" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{number(10**exponent)}</text>')
    for x in scale.ticks:
        at = scale.x(x)
        out.append(f'<path class="axis" d="M{at} {bottom}v5"/>')
        out.append(f'<text class="small" x="{at}" y="{bottom + 19}" text-anchor="middle">{number(x)}</text>')
    out.append(f'<path class="axis" fill="none" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
    words = []
    for peer in chart.peers:
        low, high = scale.y(peer.low), scale.y(peer.high)
        # At one x it is as wide as it takes to be seen.
        start, end = (LEFT, right) if peer.x is None else (scale.x(peer.x) - 22, scale.x(peer.x_to or peer.x) + 22)
        width = end - start
        out.append(f'<rect class="peer" x="{start:g}" y="{high}" width="{width:g}" height="{max(low - high, 1):.1f}"/>')
        at, end = (LEFT + 6, "start") if peer.x is None else (start - 7, "end")
        place = f'x="{at:g}" y="{(low + high) / 2 + 4:.1f}" text-anchor="{end}"'
        words.append(f'<text class="small" {place}>{escape(peer.name)}</text>')
    for mark in chart.marks:
        y = scale.y(mark.y)
        out.append(f'<path class="mark" d="M{LEFT} {y}H{right}"/>')
        words.append(f'<text class="small" x="{LEFT + 6}" y="{y + 16:.1f}">{escape(mark.name)}</text>')
    names = spread_out([scale.y(line.points[-1][1]) for line in chart.series])
    for index, (line, at) in enumerate(zip(chart.series, names)):
        places = [(scale.x(x), scale.y(y)) for x, y in line.points]
        path = "L".join(f"{x} {y}" for x, y in places)
        out.append(f'<path class="l{index}" fill="none" stroke-width="2.2" d="M{path}"/>')
        out += [f'<circle class="f{index}" cx="{x}" cy="{y}" r="3.5"/>' for x, y in places]
        x, y = line.points[-1]
        words.append(f'<text class="f{index}" x="{right + 10}" y="{at:.1f}">{escape(line.name)}</text>')
        words.append(f'<text class="small" x="{right + 10}" y="{at + 14:.1f}">{number(y)} at {number(x)}</text>')
    return "\n".join(out + words) + "\n</svg>\n"


def line(figures, name, pattern):
    """A series of the keys that match; the number in them is x. `None` where there are too few for a line."""
    found = ((re.fullmatch(pattern, key), value) for key, value in figures.items())
    points = sorted((int(match[1]), value) for match, value in found if match and value > 0)
    return Series(name, points) if len(points) > 1 else None


def lines(figures, *wanted):
    return [found for found in (line(figures, name, pattern) for name, pattern in wanted) if found]


def placement(figures):
    series = lines(
        figures,
        ("one large call", r"placement_(\d+)_bulk_per_s"),
        ("calls of 100", r"placement_(\d+)_calls_of_100_per_s"),
        ("calls of 10", r"placement_(\d+)_calls_of_10_per_s"),
    )
    # docs/performance.md says where they are from.
    peers = [
        Peer("Kubernetes: 680–1,100/s", 680, 1100, 5000, 15_000),
        Peer("Nomad, C1M: 3,750/s", 3750, 3750, 5000),
    ]
    mark = Mark("mark: 100,000 a second at 10,000 instances", 100_000)
    return Chart("Placement, as the cluster grows", "container instances", "placements a second", series, [mark], peers)


def growth(figures):
    """The whole server, as the load generator has it: `scale_<instances>_running_tasks_per_s` and `…_rss_mb`."""
    series = lines(
        figures,
        ("until RUNNING, tasks/s", r"scale_(\d+)_running_tasks_per_s"),
        ("server's memory, MB", r"scale_(\d+)_rss_mb"),
    )
    y_name = "tasks a second until all are RUNNING; MB of memory"
    title = "A hundred tasks an instance, until all are RUNNING"
    return Chart(title, "container instances", y_name, series)


CHARTS = {"placement.svg": placement, "growth.svg": growth}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path, help="what bench.py has written")
    parser.add_argument("folder", type=Path, help="where the charts go")
    args = parser.parse_args()
    figures = json.loads(args.figures.read_text())
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, chart_of in CHARTS.items():
        chart = chart_of(figures)
        if chart.series:
            (args.folder / name).write_text(draw(chart))
            print(f"written to {args.folder / name}")


if __name__ == "__main__":
    main()
