"""The examples of the guide to Celery 3.1 that differ from the newer guides', most of them by showing no output."""

from __future__ import annotations

from pathlib import Path

import pytest

from guides.conftest import Journal
from guides.guide import G004, in_guides
from guides.shell import LIMIT_SECONDS, Shell

pytestmark = in_guides(G004)


@pytest.fixture
def shell(shell: Shell) -> Shell:
    """Return a shell that knows the builtin of Python 2."""
    shell["xrange"] = range
    return shell


# --- Partials ------------------------------------------------------------------------------------------


def test_partials_clones(shell: Shell) -> None:
    """A clone has more arguments. The guide shows the new ones behind; they have always been put in front."""
    shell.type("""
        >>> s = add.s(2)
        >>> s.clone(args=(4, ), kwargs={'debug': True})
    """)

    assert repr(shell.last) == "proj.tasks.add(4, 2, debug=True)"


# --- The Primitives ------------------------------------------------------------------------------------


def test_primitives_overview_chunks(shell: Shell) -> None:
    """A thousand items in chunks of 10 are 100 tasks."""
    shell.type("""
        >>> items = zip(xrange(1000), xrange(1000))  # 1000 items
        >>> add.chunks(items, 10)
    """)

    assert len(shell.last.group()) == 100


def test_primitives_simple_chain(shell: Shell) -> None:
    """Each step gets the value of the one before."""
    shell.type("""
        >>> from celery import chain
        # 2 + 2 + 4 + 8
        >>> res = chain(add.s(2, 2), add.s(4), add.s(8))()
        >>> res.get()
        >>> (add.s(2, 2) | add.s(4) | add.s(8))().get()
    """)

    assert shell.values == [16, 16]


def test_primitives_immutable_signatures(shell: Shell) -> None:
    """An immutable signature's arguments stay as they are."""
    shell.type("""
        >>> add.subtask((2, 2), immutable=True)
    """)

    assert shell.last.clone(args=(1,)).args == (2, 2)


def test_primitives_simple_group(shell: Shell) -> None:
    """A group's value is the list of its members', in order."""
    shell.type("""
        >>> from celery import group
        >>> res = group(add.s(i, i) for i in xrange(10))()
        >>> res.get(timeout=1)
        [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    """)


def test_primitives_simple_chord(shell: Shell) -> None:
    """A chord's body gets the list of its header's values."""
    shell.type("""
        >>> from celery import chord
        >>> res = chord((add.s(i, i) for i in xrange(10)), xsum.s())()
        >>> res.get()
    """)

    assert shell.last == 90


def test_primitives_combining_chains(shell: Shell) -> None:
    """Chains are partial, too, and are combined."""
    shell.type("""
        >>> c1 = (add.s(4) | mul.s(8))
        # (16 + 4) * 8
        >>> res = c1(16)
        >>> res.get()
        # ((4 + 16) * 2 + 4) * 8
        >>> c2 = (add.s(4, 16) | mul.s(2) | (add.s(4) | mul.s(8)))
        >>> res = c2()
        >>> res.get()
    """)

    assert shell.values == [160, 352]


def test_primitives_combining_a_group_becomes_a_chord(shell: Shell) -> None:
    """A group with a task behind it is a chord."""
    shell.type("""
        >>> c3 = (group(add.s(i, i) for i in xrange(10)) | xsum.s())
        >>> res = c3()
        >>> res.get()
    """)

    assert shell.last == 90


def test_primitives_combining_a_value_goes_to_all_members(shell: Shell) -> None:
    """In a chain, each member of a group gets the value of the step before."""
    shell.type("""
        >>> new_user_workflow = (create_user.s() | group(
        ...                      import_contacts.s(),
        ...                      send_welcome_email.s()))
        ... new_user_workflow.delay(username='artv',
        ...                         first='Art',
        ...                         last='Vandelay',
        ...                         email='')
    """)

    assert shell.last.get(LIMIT_SECONDS) == ["contacts of artv", "welcome "]


# --- Chains --------------------------------------------------------------------------------------------


def test_chains_a_link_and_its_result(shell: Shell) -> None:
    """What is linked to a task is its result's child, and a graph that can be collected."""
    shell.type("""
        >>> res = add.apply_async((2, 2), link=mul.s(16))
        >>> res.get()
        >>> res.children
        [<AsyncResult: 8c350acf-519d-4553-8a53-4ad3a5c5aeb4>]

        >>> res.children[0].get()
        >>> list(res.collect())
        [(<AsyncResult: 7b720856-dc5f-4415-9134-5c89def5664e>, 4),
         (<AsyncResult: 8c350acf-519d-4553-8a53-4ad3a5c5aeb4>, 64)]
    """)

    assert shell.values[0] == 4
    assert shell.values[2] == 64


def test_chains_graphs_in_dot(shell: Shell, tmp_path: Path) -> None:
    """A graph is written for Graphviz; the guide has lost the file's name."""
    result = shell["chain"](shell["add"].s(4, 4), shell["mul"].s(8), shell["mul"].s(10))()
    result.get(LIMIT_SECONDS)

    with (tmp_path / "graph.dot").open("w") as fh:
        result.parent.parent.graph.to_dot(fh)

    assert (tmp_path / "graph.dot").read_text().count("->") == 2


# --- Groups and chords ---------------------------------------------------------------------------------


def test_groups_iterators(shell: Shell) -> None:
    """A group takes an iterator, too."""
    shell.type("""
        >>> group(add.s(i, i) for i in xrange(100))()
    """)

    assert shell.last.get(LIMIT_SECONDS) == [2 * i for i in range(100)]


def test_chords_sum_up_to_a_hundred(plain_shell: Shell) -> None:
    """A chord is completed by calling it with its body."""
    plain_shell["xrange"] = range

    plain_shell.type("""
        >>> from celery import chord
        >>> from tasks import add, tsum

        >>> chord(add.s(i, i)
        ...       for i in xrange(100))(tsum.s()).get()
    """)
    plain_shell.define("""
        sum(i + i for i in xrange(100))
    """)

    assert plain_shell.values == [9900, 9900]


def test_groups_of_contacts(shell: Shell, journal: Journal) -> None:
    """The chord whose body the guide has lost: its header runs for each contact."""
    contacts = ["art", "kel"]

    done = shell["chord"](
        (shell["import_contact"].s(c) for c in contacts), shell["notify_complete"].si("import-1")
    )

    assert done.apply_async().get(LIMIT_SECONDS) == "import-1"
    assert journal.count("import_contact") == 2
