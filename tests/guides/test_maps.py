"""The guides' sections "Map & Starmap" and "Chunks"."""

from __future__ import annotations

import pytest

from guides.guide import G000, G002, G003, G004, in_guides
from guides.shell import LIMIT_SECONDS, Shell

NEW = in_guides(G000, G002, G003)
ALL = in_guides(G000, G002, G003, G004)

# --- Map & Starmap -------------------------------------------------------------------------------------


@in_guides(G000, G002)
def test_map_and_starmap_map(shell: Shell) -> None:
    """`map` calls the task for each item, in one task."""
    shell.type("""
        >>> from proj.tasks import add

        >>> ~tsum.map([list(range(10)), list(range(100))])
        [45, 4950]
    """)


@in_guides(G003)
def test_map_and_starmap_map_of_ranges(shell: Shell) -> None:
    """Items may be ranges."""
    shell.type("""
        >>> from proj.tasks import add

        >>> ~xsum.map([range(10), range(100)])
        [45, 4950]
    """)


MAPPED = """
    @app.task
    def temp():
        return [tsum(range(10)), tsum(range(100))]
"""


@pytest.mark.parametrize(
    ("guide", "text"),
    [(G000, MAPPED), (G002, MAPPED), (G003, MAPPED.replace("tsum", "xsum"))],
    indirect=["guide"],
)
def test_map_and_starmap_what_map_comes_to(shell: Shell, text: str) -> None:
    """`map` does what a task does that calls another for each item."""
    shell.define(text)

    assert shell["temp"]() == ~shell["tsum"].map([list(range(10)), list(range(100))])


@ALL
def test_map_and_starmap_starmap(shell: Shell) -> None:
    """`starmap` calls the task with each item's elements."""
    shell.type("""
        >>> ~add.starmap(zip(range(10), range(10)))
        [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    """)


@NEW
def test_map_and_starmap_what_starmap_comes_to(shell: Shell) -> None:
    """`starmap` does what a task does that calls another for each item."""
    shell.define("""
        @app.task
        def temp():
            return [add(i, i) for i in range(10)]
    """)

    assert shell["temp"]() == ~shell["add"].starmap(zip(range(10), range(10), strict=True))


@ALL
def test_map_and_starmap_later(shell: Shell) -> None:
    """A starmap is a signature, and is sent with options."""
    shell.type("""
        >>> add.starmap(zip(range(10), range(10))).apply_async(countdown=10)
    """)

    assert shell.last.state == "SCHEDULED"
    shell.last.revoke()


# --- Chunks --------------------------------------------------------------------------------------------


@ALL
def test_chunks_one_is_made(shell: Shell) -> None:
    """`chunks` makes a signature; nothing is sent."""
    shell.type("""
        >>> add.chunks(zip(range(100), range(100)), 10)
    """)

    assert len(shell.last.group()) == 10


@ALL
def test_chunks_calling_sends_them(shell: Shell) -> None:
    """Each part's values stand in a list of their own."""
    shell.type("""
        >>> from proj.tasks import add

        >>> res = add.chunks(zip(range(100), range(100)), 10)()
        >>> res.get()
        [[0, 2, 4, 6, 8, 10, 12, 14, 16, 18],
         [20, 22, 24, 26, 28, 30, 32, 34, 36, 38],
         [40, 42, 44, 46, 48, 50, 52, 54, 56, 58],
         [60, 62, 64, 66, 68, 70, 72, 74, 76, 78],
         [80, 82, 84, 86, 88, 90, 92, 94, 96, 98],
         [100, 102, 104, 106, 108, 110, 112, 114, 116, 118],
         [120, 122, 124, 126, 128, 130, 132, 134, 136, 138],
         [140, 142, 144, 146, 148, 150, 152, 154, 156, 158],
         [160, 162, 164, 166, 168, 170, 172, 174, 176, 178],
         [180, 182, 184, 186, 188, 190, 192, 194, 196, 198]]
    """)


@NEW
def test_chunks_apply_async(shell: Shell) -> None:
    """`apply_async` sends the same group; no task of its own is needed for that."""
    shell.type("""
        >>> add.chunks(zip(range(100), range(100)), 10).apply_async()
    """)

    assert [value for part in shell.last.get(LIMIT_SECONDS) for value in part] == [2 * i for i in range(100)]


@NEW
def test_chunks_as_a_group_with_skew(shell: Shell) -> None:
    """Each member of a skewed group starts a second after the one before."""
    shell.type("""
        >>> group = add.chunks(zip(range(100), range(100)), 10).group()
        >>> group.skew(start=1, stop=10)()
    """)

    result = shell.last
    assert [member.options["countdown"] for member in shell["group"]] == list(range(1, 11))
    assert result[0].get(LIMIT_SECONDS) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert result[9].state == "SCHEDULED"
    result.revoke()


@in_guides(G004)
def test_chunks_skew(shell: Shell) -> None:
    """Each member of a skewed group starts a second after the one before."""
    shell["group"] = shell["add"].chunks(zip(range(100), range(100), strict=True), 10).group()

    shell.type("""
        >>> group.skew(start=1, stop=10)()
    """)

    assert shell.last[9].state == "SCHEDULED"
    shell.last.revoke()
