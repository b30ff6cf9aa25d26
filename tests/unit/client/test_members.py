"""A group's members, held a page at a time."""

from __future__ import annotations

from gesso.members import Members


def paged(count: int, size: int) -> tuple[Members[int], list[str]]:
    """Return members 0 … count-1 in pages, and the tokens that are asked for."""
    asked: list[str] = []

    def page(token: str) -> tuple[list[int], str]:
        asked.append(token)
        start = int(token or 0)
        end = min(start + size, count)
        return list(range(start, end)), str(end) if end < count else ""

    return Members(lambda: count, page), asked


def test_members_are_a_sequence() -> None:
    """Length, iteration, index from both ends and slices are a list's."""
    members, _ = paged(25, 10)

    assert len(members) == 25
    assert list(members) == list(range(25))
    assert (members[0], members[-1], members[12]) == (0, 24, 12)
    assert members[8:12] == [8, 9, 10, 11]
    assert members[::-6] == [24, 18, 12, 6, 0]
    assert 17 in members
    assert list(paged(0, 10)[0]) == []


def test_pages_are_asked_for_when_they_are_used() -> None:
    """Making them asks for nothing, and neighbours come with one page."""
    members, asked = paged(25, 10)
    assert asked == []

    assert members[3] + members[4] == 7

    assert asked == [""]


def test_index_beyond_the_end_is_an_error() -> None:
    """As a list's, also before the pages are known."""
    for index in (25, -26, 1_000):
        members, _ = paged(25, 10)
        try:
            members[index]
        except IndexError:
            continue
        raise AssertionError(index)
