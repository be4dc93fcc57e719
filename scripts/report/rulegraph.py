"""Sorts the output of `snakemake --rulegraph dot` (from standard input): Snakemake prints equal graphs in any order."""

import sys
from pathlib import Path

from scripts.lib import cli
from scripts.lib.tables import write_text
from scripts.report.dag import Graph, parse


def in_order(graph: Graph) -> str:
    """The graph as dot, rules and edges sorted by name."""
    number = {rule: place for place, rule in enumerate(sorted(graph.rules))}
    nodes = [f'    {place}[label = "{rule}"];' for rule, place in number.items()]
    edges = [f"    {number[maker]} -> {number[reader]};" for maker, reader in sorted(graph.edges)]
    return "\n".join(["digraph rules {", *nodes, *edges, "}", ""])


def main() -> None:
    parser = cli.parser_of("scripts.report.rulegraph", __doc__)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    write_text(in_order(parse(sys.stdin.read(), "snakemake --rulegraph dot")), arguments.out)


if __name__ == "__main__":
    cli.run(main)
