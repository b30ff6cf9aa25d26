"""Promise: `gesso graph` draws a canvas as it stands, with a bounded number of calls."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from acceptance.command import Command
from acceptance.tasks import call
from gesso import chain, group
from support.system import LIMIT_SECONDS, System

SVG = "{http://www.w3.org/2000/svg}"


def test_graph_draws_a_canvas(system: System) -> None:
    """Steps, chains in groups, links and a large group are in the tree, in Graphviz's text and in the SVG."""
    coordinator = system.coordinator()
    system.worker(coordinator)
    system.client(coordinator)
    gesso = Command(address=coordinator.address)
    first = call("add", 1, 2)
    first.link(call("add", 7))
    members = group(call("add", 3) | call("add", 4), call("add", 5))
    many = group(call("add", number) for number in range(60))
    result = chain(first, members, call("total"), many, call("total")).delay()
    result.get(timeout=LIMIT_SECONDS)

    text = gesso.run("graph", result.id)
    dot = gesso.run("graph", result.id[:32], "--dot")
    svg = gesso.run("graph", result.id[:32], "--svg")

    assert [done.code for done in (text, dot, svg)] == [0, 0, 0], text.err + dot.err + svg.err
    told = [re.sub(r" +(✓.*)?, [\d.]+ m?s$", r" \1", line) for line in text.out.splitlines()]
    assert told == [
        f"canvas {result.id[:32]}: 69 nodes, succeeded",
        "├── acceptance.tasks.add ✓ succeeded",
        "│   └── link: acceptance.tasks.add ✓ succeeded",
        "├── group of 2 ✓ succeeded",
        "│   ├── chain of 2",
        "│   │   ├── acceptance.tasks.add ✓ succeeded",
        "│   │   └── acceptance.tasks.add ✓ succeeded",
        "│   └── acceptance.tasks.add ✓ succeeded",
        "├── acceptance.tasks.total ✓ succeeded",
        "├── acceptance.tasks.add × 60 ✓ 60 succeeded",  # noqa: RUF001 - times
        "└── acceptance.tasks.total ✓ succeeded",
    ]
    assert (dot.out.count("label=") - 1, dot.out.count(" -> ")) == (9, 9)
    assert len(ET.fromstring(svg.out).findall(f"{SVG}g")) == 9  # noqa: S314 - our own


def test_graph_refuses_what_it_cannot_draw() -> None:
    """Two forms at once are refused before anybody is asked."""
    done = Command().run("graph", "0" * 32, "--svg", "--dot")

    assert done.code == 2
    assert "Say one of --dot, --svg and --text." in done.err
