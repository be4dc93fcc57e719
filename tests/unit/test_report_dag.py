"""The drawing of the workflow: reading, layers, order, positions."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lib.errors import InputError
from scripts.report import dag
from scripts.report.rulegraph import in_order

DOT = """digraph snakemake_dag {
    graph[bgcolor=white, margin=0];
    node[shape=box, style=rounded, fontname=sans,                 fontsize=10, penwidth=2];
	0[label = "all", color = "0.13 0.6 0.85", style="rounded"];
	1[label = "score", color = "0.5 0.6 0.85", style="rounded"];
	2[label = "pair", color = "0.5 0.6 0.85", style="rounded"];
	3[label = "train", color = "0.5 0.6 0.85", style="rounded"];
	4[label = "load", color = "0.5 0.6 0.85", style="rounded"];
	4 -> 1
	1 -> 2
	2 -> 3
	3 -> 0
	1 -> 3
	3 -> 1
	2 -> 2
}
"""


def test_the_rulegraph_is_read_and_its_cycle_turned():
    graph = dag.parse(DOT, "x.dot")
    assert graph.rules == ["all", "load", "pair", "score", "train"]
    assert ("pair", "pair") not in graph.edges
    forward, closing = dag.split_cycles(graph)
    assert closing == [("train", "score")] and len(forward) == 5
    drawing = dag.layout(graph)
    assert sum(turned for _, turned in drawing.lines) == 1
    with pytest.raises(InputError, match="no rules"):
        dag.parse("digraph {}", "x.dot")


graphs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25).map(
    lambda pairs: dag.Graph(
        [f"rule_{i}" for i in range(10)], sorted({(f"rule_{a}", f"rule_{b}") for a, b in pairs if a != b})
    )
)


def reach(edges):
    found = set(edges)
    for middle, a, b in itertools.product([f"rule_{i}" for i in range(10)], repeat=3):
        if (a, middle) in found and (middle, b) in found:
            found.add((a, b))
    return found


@given(graphs)
def test_layouts_point_down_do_not_overlap_and_lose_no_connection(graph):
    forward, closing = dag.split_cycles(graph)
    assert sorted(forward + closing) == graph.edges
    kept = dag.essential(forward)
    assert reach(kept) == reach(forward)
    assert all((a, b) not in reach([edge for edge in kept if edge != (a, b)]) for a, b in kept)
    drawing = dag.layout(graph)
    for points, _ in drawing.lines:
        assert all(upper[1] < lower[1] for upper, lower in itertools.pairwise(points))
    for (a, (xa, ya)), (b, (xb, yb)) in itertools.combinations(drawing.boxes.items(), 2):
        assert ya != yb or abs(xa - xb) >= (dag.width_of(a) + dag.width_of(b)) / 2
    for rule, (x, _) in drawing.boxes.items():
        assert dag.width_of(rule) / 2 <= x <= drawing.width - dag.width_of(rule) / 2
    assert dag.svg(graph, {}) == dag.svg(graph, {})


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(10, 90), st.floats(0.5, 20)), min_size=1, max_size=8))
def test_spacing_keeps_order_gaps_and_centre_of_weight(nodes):
    wanted, widths, weights = map(list, zip(*nodes, strict=True))
    x = dag.spaced(wanted, widths, weights)
    for i in range(len(x) - 1):
        assert x[i + 1] - x[i] >= (widths[i] + widths[i + 1]) / 2 + dag.GAP - 1e-6
    assert np.dot(weights, x) == pytest.approx(np.dot(weights, wanted), abs=1e-4)


def test_crossings_are_taken_out_where_they_can():
    layers, links = [["a", "b"], ["c", "d"]], [("a", "d"), ("b", "c")]
    assert dag.crossings(layers, links) == 1
    assert dag.crossings(dag.ordered(layers, links), links) == 0


def test_equal_graphs_are_written_alike_whatever_their_order():
    graph = dag.parse(DOT, "x.dot")
    text = in_order(dag.Graph(graph.rules[::-1], graph.edges[::-1]))
    assert text == in_order(graph)
    assert dag.parse(text, "again") == graph
