"""Drawings of canvases: what becomes of a picture as rows, for Graphviz and as an SVG, and where boxes stand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from gesso.cli.drawing import Box, Picture, Step, Strand, dot, svg, text_rows
from gesso.cli.drawing.layout import layers, layout, spread
from gesso.cli.drawing.looks import look
from gesso.cli.drawing.picture import Edge, flow, span_text

SVG = "{http://www.w3.org/2000/svg}"


def step(name: str, *members: Strand, links: tuple[Strand, ...] = (), state: str = "succeeded") -> Step:
    """Return a step whose id is its name."""
    return Step(box=Box(id=name, name=name, state=state), members=members, links=links)


def picture(*strands: Strand, note: str = "") -> Picture:
    """Return a picture of strands."""
    return Picture(title="canvas", strands=strands, note=note)


CHAIN = (step("a"), step("b"), step("c"))
CHORD = (step("a"), step("join", (step("b"), step("c")), (step("d"),)), step("e"))
NESTED = (step("a"), step("outer", (step("inner", (step("b"),), (step("c"),)), step("d")), (step("e"),)))
LINKED = (step("a", links=((step("x"), step("y")),)), step("b"))
PILE = Box(
    id="0", name="tasks.add × 1000", state="open", took=timedelta(seconds=2),  # noqa: RUF001 - times
    counts={"succeeded": 990, "failed": 10},
)  # fmt: skip


@pytest.mark.parametrize(
    ("strand", "edges"),
    [
        ((step("a"),), ""),
        (CHAIN, "ab bc"),
        (CHORD, "ab bc c-join ad d-join join-e"),
        (NESTED, "ab b-inner ac c-inner inner-d d-outer ae e-outer"),
        (LINKED, "a~x xy ab"),
    ],
)
def test_edges_follow_the_strands(strand: Strand, edges: str) -> None:
    """A member starts with the step before its group; a group ends with the last step of each member."""
    drawn = flow(picture(strand))

    assert " ".join(map(_edge_text, drawn.edges)) == edges


@pytest.mark.parametrize(
    ("strand", "expected"),
    [
        ((step("a"),), {"a": 0}),
        (CHAIN, {"a": 0, "b": 1, "c": 2}),
        (CHORD, {"a": 0, "b": 1, "c": 2, "d": 1, "join": 3, "e": 4}),
        (LINKED, {"a": 0, "x": 1, "y": 2, "b": 1}),
    ],
)
def test_layer_is_the_longest_path(strand: Strand, expected: dict[str, int]) -> None:
    """A box stands right of everything that it waits for."""
    assert layers(flow(picture(strand))) == expected


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        ([], []),
        ([2.0], [2.0]),
        ([0.0, 3.0], [0.0, 3.0]),
        ([1.0, 1.0, 1.0], [0.0, 1.0, 2.0]),
        ([5.0, 1.0], [2.5, 3.5]),
    ],
)
def test_rows_spread_around_what_is_wanted(wanted: list[float], rows: list[float]) -> None:
    """Rows keep their order and one row's distance, and move no more than that takes."""
    assert spread(wanted) == rows


@pytest.mark.parametrize("strand", [CHAIN, CHORD, NESTED, LINKED])
def test_nothing_stands_on_another(strand: Strand) -> None:
    """All boxes and bends of a layer are at least a row apart, and no row is above the first."""
    placed = layout(flow(picture(strand)))

    spots = {*placed.boxes.values(), *(spot for way in placed.ways for spot in way)}
    for spot in spots:
        others = [other for other in spots if other.layer == spot.layer and other != spot]
        assert all(abs(other.row - spot.row) > 0.999 for other in others)
    assert min(spot.row for spot in spots) == 0


def test_a_long_edge_bends_in_every_layer_between() -> None:
    """An edge that skips layers has a place of its own in each, so that it runs through no box."""
    drawn = flow(picture(CHORD))

    way = layout(drawn).ways[drawn.edges.index(Edge("d", "join"))]

    assert [spot.layer for spot in way] == [1, 2, 3]


def test_text_is_a_tree() -> None:
    """Steps stand one below the other, members and links below their step, longer ones below a row of their own."""
    strand = (*CHORD[:2], step("e", links=((step("x"),),), state="failed"))

    rows = text_rows(picture(strand))

    assert [f"{row.label} {row.facts}".rstrip() for row in rows] == [
        "├── a              ✓ succeeded",
        "├── join           ✓ succeeded",
        "│   ├── chain of 2",
        "│   │   ├── b      ✓ succeeded",
        "│   │   └── c      ✓ succeeded",
        "│   └── d          ✓ succeeded",
        "└── e              ✗ failed",
        "    └── link: x    ✓ succeeded",
    ]


def test_a_pile_tells_its_counts() -> None:
    """A group drawn as one box tells how many members are in which state, and how long it took."""
    assert PILE.facts == "990 succeeded, 10 failed, 2.00 s"


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (None, ""),
        (timedelta(microseconds=40), "0.04 ms"),
        (timedelta(milliseconds=12.34), "12.3 ms"),
        (timedelta(seconds=1.5), "1.50 s"),
        (timedelta(minutes=61, seconds=5), "61 min 5 s"),
    ],
)
def test_spans_are_told_in_a_unit_that_suits(span: timedelta | None, text: str) -> None:
    """A span is as precise as a person needs it."""
    assert span_text(span) == text


def test_states_differ_without_colour() -> None:
    """What ended well, what did not, what runs, what waits and what was given up have signs and shapes of their own."""
    looks = [look(state) for state in ("succeeded", "failed", "running", "waiting", "cancelled")]

    assert len({each.sign for each in looks}) == len({each.path for each in looks}) == 5
    assert look("something new") == look("waiting")


def test_dot_has_every_box_and_edge_quoted() -> None:
    """Names cannot end a string of Graphviz's language; links are dashed."""
    drawn = dot(picture((step('say "a"\\', links=((step("x"),),)), step("b"))))

    assert drawn.startswith("digraph canvas {\n")
    assert '"say \\"a\\"\\\\" [label="say \\"a\\"\\\\\\n✓ succeeded"' in drawn
    assert '    "say \\"a\\"\\\\" -> "b"\n' in drawn
    assert '-> "x" [style="dashed"]' in drawn


@pytest.mark.parametrize("strand", [CHAIN, CHORD, NESTED, LINKED, (Step(box=PILE),)])
def test_svg_tells_every_box_in_words(strand: Strand) -> None:
    """The SVG has a title and a description, and each box its own title, name, state and icon."""
    root = ET.fromstring(svg(picture(strand)))  # noqa: S314 - our own

    boxes = root.findall(f"{SVG}g")
    drawn = flow(picture(strand))
    assert root.findtext(f"{SVG}title") == "canvas"
    assert all(box.facts in (root.findtext(f"{SVG}desc") or "") for box in drawn.boxes)
    assert [each.findtext(f"{SVG}title") for each in boxes] == [
        f"{box.name}: {box.facts} ({box.id})" for box in drawn.boxes
    ]
    assert all(each.find(f"{SVG}path") is not None and len(each.findall(f"{SVG}text")) == 2 for each in boxes)
    assert len([path for path in root.findall(f"{SVG}path") if path.get("marker-end")]) == len(drawn.edges)


def test_svg_needs_nothing_from_elsewhere() -> None:
    """Nothing is loaded and nothing runs, whatever tasks are called; the only address is the namespace's."""
    drawn = svg(picture((step('<script href="http://x">'),), note="<b>"))

    assert drawn.count("http://") == drawn.count("http://www.w3.org/2000/svg") + drawn.count(
        ";http://x&quot;"
    )
    assert "<script" not in drawn
    assert "<b>" not in drawn


@pytest.mark.parametrize("draw", [svg, dot])
def test_an_empty_canvas_can_be_drawn(draw: Callable[[Picture], str]) -> None:
    """An empty chain has no nodes, and still a title."""
    assert "canvas" in draw(picture())
    assert text_rows(picture()) == []


def _edge_text(edge: Edge) -> str:
    short = len(edge.source) == len(edge.target) == 1 and not edge.link
    return f"{edge.source}{'' if short else '~' if edge.link else '-'}{edge.target}"
