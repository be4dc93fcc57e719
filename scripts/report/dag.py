"""Draws the graph of the workflow's rules: from the text of `snakemake --rulegraph dot` to a layered SVG drawing.

The layered method of Sugiyama and others: edges that close a cycle are reversed (a rule such as scoring can come before
and after another), nodes are assigned to layers by their longest path from a source, long edges get a point in every
layer that they pass, layers are ordered to have few crossings, and positions are the least-squares fit to the
neighbours' under that order. Edges that others imply are left out.
"""

import itertools
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from scripts.lib.errors import InputError

Edge = tuple[str, str]
CHARACTER, PADDING, BOX, LAYER, GAP, SWEEPS = 7.0, 13.0, 36.0, 74.0, 18.0, 60


@dataclass(frozen=True)
class Graph:
    """Rules by name, and edges from the rule that makes a file to the rule that reads it."""

    rules: list[str]
    edges: list[Edge]


@dataclass(frozen=True)
class Drawing:
    """Centres of the rules' boxes and points of the edges, in pixels; ``turned`` edges point upwards."""

    width: float
    height: float
    boxes: dict[str, tuple[float, float]]
    lines: list[tuple[list[tuple[float, float]], bool]]


def parse(dot: str, where: str | Path) -> Graph:
    """The graph in the dot text that Snakemake writes."""
    labels = dict(re.findall(r'^\s*(\d+)\s*\[\s*label\s*=\s*"((?:[^"\\]|\\.)*)"', dot, flags=re.MULTILINE))
    if not labels:
        raise InputError(where, "holds no rules", "make it with: snakemake --rulegraph dot")
    pairs = re.findall(r"^\s*(\d+)\s*->\s*(\d+)", dot, flags=re.MULTILINE)
    edges = sorted({(labels[a], labels[b]) for a, b in pairs if labels[a] != labels[b]})
    return Graph(sorted(labels.values()), edges)


def split_cycles(graph: Graph) -> tuple[list[Edge], list[Edge]]:
    """(acyclic edges, edges that close a cycle), by depth-first search from the sources."""
    after: dict[str, list[str]] = {rule: [] for rule in graph.rules}
    for a, b in graph.edges:
        after[a].append(b)
    reached = {b for _, b in graph.edges}
    state: dict[str, str] = {}
    closing: list[Edge] = []

    def visit(rule: str) -> None:
        state[rule] = "open"
        for other in after[rule]:
            if state.get(other) == "open":
                closing.append((rule, other))
            elif other not in state:
                visit(other)
        state[rule] = "done"

    for rule in sorted(graph.rules, key=lambda name: (name in reached, name)):
        if rule not in state:
            visit(rule)
    return [edge for edge in graph.edges if edge not in closing], closing


def essential(edges: list[Edge]) -> list[Edge]:
    """The edges that no longer path implies (transitive reduction of an acyclic graph)."""
    after: dict[str, set[str]] = {}
    for a, b in edges:
        after.setdefault(a, set()).add(b)
    found: dict[str, set[str]] = {}

    def below(rule: str) -> set[str]:
        if rule not in found:
            nexts = after.get(rule, set())
            found[rule] = nexts.union(*(below(each) for each in nexts))
        return found[rule]

    return [(a, b) for a, b in edges if not any(b in below(other) for other in after[a] - {b})]


def layers_of(rules: list[str], edges: list[Edge]) -> dict[str, int]:
    """Longest path from a source; then each source moves down to just above its first reader."""
    before: dict[str, list[str]] = {rule: [] for rule in rules}
    after: dict[str, list[str]] = {rule: [] for rule in rules}
    for a, b in edges:
        before[b].append(a)
        after[a].append(b)
    depth: dict[str, int] = {}

    def measure(rule: str) -> int:
        if rule not in depth:
            depth[rule] = 1 + max((measure(other) for other in before[rule]), default=-1)
        return depth[rule]

    for rule in rules:
        measure(rule)
    return {
        rule: min(depth[other] for other in after[rule]) - 1 if after[rule] and not before[rule] else depth[rule]
        for rule in rules
    }


def width_of(name: str) -> float:
    """Width of a node: a rule's box, or the point where a long edge passes a layer."""
    return 10.0 if name.startswith("\0") else max(70.0, CHARACTER * len(name) + 2 * PADDING)


def ordered(layers: list[list[str]], links: list[Edge]) -> list[list[str]]:
    """The layers, each ordered to have few crossings: median sweeps, keeping the best result."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for a, b in links:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    best, fewest = [list(layer) for layer in layers], crossings(layers, links)
    current = [list(layer) for layer in layers]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        near = before if down else after
        for place in range(1, len(current)) if down else range(len(current) - 2, -1, -1):
            other = {name: at for at, name in enumerate(current[place - 1 if down else place + 1])}

            def middle(name: str, other: dict[str, int] = other, near: dict[str, list[str]] = near) -> float:
                at = sorted(other[each] for each in near.get(name, []))
                return -1.0 if not at else (at[(len(at) - 1) // 2] + at[len(at) // 2]) / 2

            kept = {name: at for at, name in enumerate(current[place])}
            centre = {name: middle(name) for name in current[place]}
            current[place].sort(key=lambda name: centre[name] if centre[name] >= 0 else kept[name])
        if (count := crossings(current, links)) < fewest:
            best, fewest = [list(layer) for layer in current], count
    return best


def crossings(layers: list[list[str]], links: list[Edge]) -> int:
    """Number of crossings of links between neighbouring layers."""
    at = {name: (row, place) for row, layer in enumerate(layers) for place, name in enumerate(layer)}
    total = 0
    for row in range(len(layers) - 1):
        ends = sorted((at[a][1], at[b][1]) for a, b in links if at[a][0] == row)
        total += sum(a[0] < b[0] and a[1] > b[1] for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def positions(layers: list[list[str]], links: list[Edge]) -> dict[str, float]:
    """Horizontal centres: close to the neighbours' mean, in order, GAP apart."""
    near: dict[str, list[tuple[str, float]]] = {}
    for a, b in links:
        near.setdefault(a, []).append((b, _weight(a, b)))
        near.setdefault(b, []).append((a, _weight(a, b)))
    weight = {name: sum(each for _, each in links_of) for name, links_of in near.items()}
    x: dict[str, float] = {}
    for layer in layers:
        edge = -sum(width_of(name) + GAP for name in layer) / 2
        for name in layer:
            x[name] = edge + width_of(name) / 2
            edge += width_of(name) + GAP
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [
                sum(w * x[o] for o, w in near[name]) / weight[name] if name in near else x[name] for name in layer
            ]
            weights = [weight.get(name, 1.0) for name in layer]
            x.update(zip(layer, spaced(wanted, [width_of(name) for name in layer], weights), strict=True))
    return x


def _weight(a: str, b: str) -> float:
    """The weight of a link in the fit: largest between points of a long edge, to keep it straight."""
    return (1.0, 2.0, 8.0)[a.startswith("\0") + b.startswith("\0")]


def spaced(wanted: list[float], widths: list[float], weights: list[float]) -> list[float]:
    """The weighted least-squares fit to the wanted centres that keeps their order and GAP (pool adjacent violators)."""
    offsets = [0.0]
    for left, right in itertools.pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + GAP)
    pools: list[tuple[float, float, int]] = []
    for want, offset, weight in zip(wanted, offsets, weights, strict=True):
        pools.append((want - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, v, n), (b, w, m) = pools[-2:]
            pools[-2:] = [((a * v + b * w) / (v + w), v + w, n + m)]
    levels = [level for level, _, count in pools for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]


def layout(graph: Graph) -> Drawing:
    """Positions of the rules, and for each edge the points that it passes."""
    forward, closing = split_cycles(graph)
    forward = essential(forward)
    down = [(edge, False) for edge in forward] + [((b, a), True) for a, b in closing]
    layer = layers_of(graph.rules, forward)
    layers: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for rule in graph.rules:
        layers[layer[rule]].append(rule)
    chains = []
    for number, ((a, b), turned) in enumerate(down):
        passed = [f"\0{number}.{row}" for row in range(layer[a] + 1, layer[b])]
        for row, name in enumerate(passed, start=layer[a] + 1):
            layers[row].append(name)
        chains.append(([a, *passed, b], turned))
    links = [link for chain, _ in chains for link in itertools.pairwise(chain)]
    layers = ordered(layers, links)
    x = positions(layers, links)
    left = min(x[rule] - width_of(rule) / 2 for rule in graph.rules)
    left = min([left, *x.values()]) - 4
    right = max([x[name] + width_of(name) / 2 for name in x]) + 4
    y = {name: BOX / 2 + 4 + LAYER * row for row, members in enumerate(layers) for name in members}
    lines = [([(x[name] - left, y[name]) for name in chain], turned) for chain, turned in chains]
    boxes = {rule: (x[rule] - left, y[rule]) for rule in graph.rules}
    return Drawing(right - left, BOX + 8 + LAYER * (len(layers) - 1), boxes, lines)


def svg(graph: Graph, phase_of: dict[str, str]) -> str:
    """The drawing as an SVG element in the page's colours (CSS variables --ink, --muted, --line, --card)."""
    drawing = layout(graph)
    parts = [
        f'<svg class="dag" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing.width:.0f} {drawing.height:.0f}" '
        f'width="{drawing.width:.0f}" height="{drawing.height:.0f}" role="img" aria-label="The rules of the workflow">',
        '<defs><marker id="dag-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0 0.5L7 4L0 7.5z" fill="var(--muted,#6b7280)"/></marker></defs>',
    ]
    for points, turned in drawing.lines:
        tip = 'marker-start="url(#dag-tip)" stroke-dasharray="4 3"' if turned else 'marker-end="url(#dag-tip)"'
        parts.append(
            f'<path d="{_curve(points)}" fill="none" stroke="var(--muted,#6b7280)" stroke-opacity="0.6" '
            f'stroke-width="1.2" {tip}/>'
        )
    for rule, (x, y) in drawing.boxes.items():
        wide = width_of(rule)
        phase = phase_of.get(rule)
        parts.append(
            f'<rect x="{x - wide / 2:.1f}" y="{y - BOX / 2:.1f}" width="{wide:.1f}" height="{BOX:.0f}" rx="7" '
            f'fill="var(--card,#fff)" stroke="var(--line,#d5d9e0)"/>'
            f'<text x="{x:.1f}" y="{y - 1 if phase else y + 4:.1f}" text-anchor="middle" '
            f'font-size="12" font-weight="600" fill="var(--ink,#1f2430)">{escape(rule)}</text>'
        )
        if phase:
            parts.append(
                f'<text x="{x:.1f}" y="{y + 12:.1f}" text-anchor="middle" font-size="9.5" '
                f'fill="var(--muted,#6b7280)">{escape(phase)}</text>'
            )
    return "".join([*parts, "</svg>"])


def _curve(points: list[tuple[float, float]]) -> str:
    """A smooth path from the lower edge of the first box through the points to the upper edge of the last."""
    (x0, y0), *passed, (x1, y1) = points
    stops = [(x0, y0 + BOX / 2 + 1), *passed, (x1, y1 - BOX / 2 - 1)]
    path = [f"M{stops[0][0]:.1f} {stops[0][1]:.1f}"]
    for (xa, ya), (xb, yb) in itertools.pairwise(stops):
        half = (yb - ya) / 2
        path.append(f"C{xa:.1f} {ya + half:.1f} {xb:.1f} {yb - half:.1f} {xb:.1f} {yb:.1f}")
    return "".join(path)
