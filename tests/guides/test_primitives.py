"""The guides' section "The Primitives"."""

from __future__ import annotations

import pytest

from guides.conftest import Journal
from guides.guide import G000, G002, G003, in_guides
from guides.shell import LIMIT_SECONDS, Shell

NEW = in_guides(G000, G002, G003)


def tsum_then_xsum(text: str) -> pytest.MarkDecorator:
    """Run a test for each guide with the name that it gives to the task that adds up."""
    named = [(G000, text), (G002, text), (G003, text.replace("tsum", "xsum"))]
    return pytest.mark.parametrize(("guide", "text"), named, indirect=["guide"])


# --- Overview ------------------------------------------------------------------------------------------


@in_guides(G002, G003)
def test_overview_map(shell: Shell) -> None:
    """`task.map([1, 2])` comes to `[task(1), task(2)]`."""
    shell["task"] = shell["tsum"]
    shell.define("""
        res = [task([1]), task([2])]
    """)

    assert shell["task"].map([[1], [2]]).delay().get(LIMIT_SECONDS) == shell["res"]


@in_guides(G002, G003)
def test_overview_starmap(shell: Shell) -> None:
    """`add.starmap([(2, 2), (4, 4)])` comes to two calls of `add`."""
    shell.define("""
        res = [add(2, 2), add(4, 4)]
    """)

    assert shell["add"].starmap([(2, 2), (4, 4)]).delay().get(LIMIT_SECONDS) == shell["res"]


@in_guides(G002, G003)
def test_overview_chunks(shell: Shell) -> None:
    """A thousand items in chunks of 10 are 100 tasks."""
    shell.type("""
        >>> items = zip(range(1000), range(1000))  # 1000 items
        >>> add.chunks(items, 10)
    """)

    result = shell.last()
    assert [value for part in result.get(LIMIT_SECONDS) for value in part] == [2 * i for i in range(1000)]
    assert len(result) == 100


# --- Simple ones ---------------------------------------------------------------------------------------


@NEW
def test_simple_chain(shell: Shell) -> None:
    """Each step gets the value of the one before."""
    shell.type("""
        >>> from celery import chain

        >>> # 2 + 2 + 4 + 8
        >>> res = chain(add.s(2, 2), add.s(4), add.s(8))()
        >>> res.get()
        16
    """)


@NEW
def test_simple_chain_with_pipes(shell: Shell) -> None:
    """`|` makes a chain."""
    shell.type("""
        >>> (add.s(2, 2) | add.s(4) | add.s(8))().get()
        16
    """)


@NEW
def test_immutable_signatures(shell: Shell) -> None:
    """`immutable=True` and `si` say the same."""
    shell.type("""
        >>> add.signature((2, 2), immutable=True)
        >>> add.si(2, 2)
    """)

    assert shell.values[0] == shell.values[1]
    assert shell.last.clone(args=(1,)).args == (2, 2)


@NEW
def test_immutable_signatures_in_a_chain(shell: Shell) -> None:
    """A chain of independent tasks runs each with its own arguments."""
    shell.type("""
        >>> res = (add.si(2, 2) | add.si(4, 4) | add.si(8, 8))()
        >>> res.get()
        16

        >>> res.parent.get()
        8

        >>> res.parent.parent.get()
        4
    """)


@NEW
def test_simple_group(shell: Shell) -> None:
    """A group's value is the list of its members', in order."""
    shell.type("""
        >>> from celery import group
        >>> res = group(add.s(i, i) for i in range(10))()
        >>> res.get(timeout=1)
        [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    """)


@tsum_then_xsum("""
    >>> from celery import chord
    >>> res = chord((add.s(i, i) for i in range(10)), tsum.s())()
    >>> res.get()
    90
""")
def test_simple_chord(shell: Shell, text: str) -> None:
    """A chord's body gets the list of its header's values."""
    shell.type(text)


@NEW
def test_simple_chord_with_an_immutable_body(shell: Shell, journal: Journal) -> None:
    """An immutable body runs after the header, without its values."""
    shell["contacts"], shell["import_id"] = ["art", "kel"], "import-1"

    shell.type("""
        >>> chord((import_contact.s(c) for c in contacts),
        ...       notify_complete.si(import_id)).apply_async()
    """)

    assert shell.last.get(LIMIT_SECONDS) == "import-1"
    assert sorted(journal.lines()[:2]) == ["import_contact art", "import_contact kel"]
    assert journal.lines()[2:] == ["notify_complete import-1"]


# --- Combined ------------------------------------------------------------------------------------------


@NEW
def test_combining_chains_can_be_partial(shell: Shell) -> None:
    """What a chain is called with goes to its first step."""
    shell.type("""
        >>> c1 = (add.s(4) | mul.s(8))

        # (16 + 4) * 8
        >>> res = c1(16)
        >>> res.get()
        160
    """)


@NEW
def test_combining_chains(shell: Shell) -> None:
    """A chain inside a chain is its steps."""
    shell.type("""
        # ((4 + 16) * 2 + 4) * 8
        >>> c2 = (add.s(4, 16) | mul.s(2) | (add.s(4) | mul.s(8)))

        >>> res = c2()
        >>> res.get()
        352
    """)


@tsum_then_xsum("""
    >>> c3 = (group(add.s(i, i) for i in range(10)) | tsum.s())
    >>> res = c3()
    >>> res.get()
    90
""")
def test_combining_a_group_becomes_a_chord(shell: Shell, text: str) -> None:
    """A group with a task behind it is a chord."""
    shell.type(text)

    assert shell["c3"].subtask_type == "chord"


@NEW
def test_combining_a_value_goes_to_all_members(shell: Shell) -> None:
    """In a chain, each member of a group gets the value of the step before."""
    shell.type("""
        >>> new_user_workflow = (create_user.s() | group(
        ...                      import_contacts.s(),
        ...                      send_welcome_email.s()))
        ... new_user_workflow.delay(username='artv',
        ...                         first='Art',
        ...                         last='Vandelay',
        ...                         email='art@vandelay.com')
    """)

    assert shell.last.get(LIMIT_SECONDS) == ["contacts of artv", "welcome art@vandelay.com"]


@in_guides(G002)
def test_combining_members_that_are_immutable(shell: Shell) -> None:
    """Immutable members take nothing from the step before."""
    shell.type("""
        >>> res = (add.s(4, 4) | group(add.si(i, i) for i in range(10)))()
        >>> res.get()
        [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]

        >>> res.parent.get()
        8
    """)


@in_guides(G000, G003)
def test_combining_members_that_are_immutable_whose_value_older_guides_show_otherwise(shell: Shell) -> None:
    """The result of a chain that ends in a group is a GroupResult, and the parent is the step before."""
    shell.type("""
        >>> res = (add.s(4, 4) | group(add.si(i, i) for i in range(10)))()
        >>> res.get()
        >>> res.parent.get()
        8
    """)

    assert repr(shell["res"]).startswith("<GroupResult: ")
    assert len(shell["res"].results) == 10
