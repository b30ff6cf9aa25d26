"""Canvases for the compiler, briefly written and made up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import strategies as st

from gesso_server.plan import Call, Chain, Chord, Element, Group, Lane

LANE = Lane("default", 4, "add", timed=False)


def call(name: str, *links: Element, immutable: bool = False, task: str = "add", **lane: object) -> Call:
    """Return a call that bears a name of its own."""
    return Call(replace_lane(task=task, **lane), name.encode(), immutable, "", links)


def replace_lane(**changes: object) -> Lane:
    """Return the ordinary lane, changed."""
    return LANE._replace(**changes)  # type: ignore[arg-type]  # the fields' own types


def chain(*steps: Element, links: Iterable[Element] = ()) -> Chain:
    """Return a chain."""
    return Chain(steps, tuple(links))


def group(*members: Element, keep: bool = False, links: Iterable[Element] = ()) -> Group:
    """Return a group."""
    return Group(members, keep=keep, links=tuple(links))


def chord(header: Iterable[Element], body: Element, *, links: Iterable[Element] = ()) -> Chord:
    """Return a chord."""
    return Chord(tuple(header), body, links=tuple(links))


def calls(count: int, prefix: str = "m", task: str = "add") -> list[Call]:
    """Return calls named `<prefix>0` and so on."""
    return [call(f"{prefix}{number}", task=task) for number in range(count)]


def canvases(*, depth: int = 4, links: bool = True) -> st.SearchStrategy[Element]:
    """Make up canvases in which every call has a name of its own.

    Args:
        depth: How deep they are nested.
        links: Whether calls are linked to something.
    """
    return _shapes(depth, links=links).map(_named)


def _shapes(depth: int, *, links: bool) -> st.SearchStrategy[Element]:
    plain = st.builds(
        lambda immutable, lane: Call(lane, b"", immutable),
        st.booleans(),
        st.sampled_from([LANE, LANE._replace(task="mul")]),
    )
    if depth <= 1:
        return plain
    inner = _shapes(depth - 1, links=links)
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    chains = st.lists(st.one_of(inner, st.just(Group(()))), max_size=3).flatmap(
        lambda steps: inner.map(lambda last: Chain((*steps, last)))
    )
    groups = st.builds(Group, several, keep=st.booleans())
    chords = st.builds(Chord, st.one_of(st.just(()), several), inner)
    kinds: list[st.SearchStrategy[Element]] = [plain, chains, groups, chords]
    if links:
        kinds.append(st.builds(lambda call, linked: replace(call, links=linked), plain, several))
    return st.one_of(kinds)


def _named(element: Element) -> Element:
    count = 0

    def visit(element: Element) -> Element:
        nonlocal count
        links = tuple(map(visit, element.links))
        match element:
            case Call():
                count += 1
                return replace(element, body=f"t{count}".encode(), links=links)
            case Chain():
                return replace(element, steps=tuple(map(visit, element.steps)), links=links)
            case Group():
                return replace(element, members=tuple(map(visit, element.members)), links=links)
            case Chord():
                header = tuple(map(visit, element.header))
                return replace(element, header=header, body=visit(element.body), links=links)

    return visit(element)


def names(element: Element) -> list[str]:
    """Return the names of all calls of a canvas, links included."""
    found = [name for link in element.links for name in names(link)]
    match element:
        case Call():
            return [element.body.decode(), *found]
        case Chain():
            inner = element.steps
        case Group():
            inner = element.members
        case _:
            inner = (*element.header, element.body)
    return [*(name for part in inner for name in names(part)), *found]
