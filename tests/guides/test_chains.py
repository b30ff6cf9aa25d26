"""The guides' section "Chains", with "Task ID" and "Graphs"."""

from __future__ import annotations

from pathlib import Path

import pytest

from guides.conftest import Journal
from guides.guide import G000, G002, G003, G004, in_guides
from guides.shell import LIMIT_SECONDS, Shell

NEW = in_guides(G000, G002, G003)
ALL = in_guides(G000, G002, G003, G004)


@NEW
def test_chains_a_link_and_its_result(shell: Shell, journal: Journal) -> None:
    """What is linked to a task is its result's child, and a graph that can be collected."""
    shell.type("""
        >>> res = add.apply_async((2, 2), link=mul.s(16))
        >>> res.get()
        4
        >>> res.children
        [<AsyncResult: 8c350acf-519d-4553-8a53-4ad3a5c5aeb4>]

        >>> res.children[0].get()
        64
        >>> list(res.collect())
        [(<AsyncResult: 7b720856-dc5f-4415-9134-5c89def5664e>, 4),
         (<AsyncResult: 8c350acf-519d-4553-8a53-4ad3a5c5aeb4>, 64)]
    """)

    assert journal.count("add 2 2") == 1
    assert shell["res"].get_leaf() == 64


@NEW
def test_chains_collecting_before_the_end(shell: Shell) -> None:
    """A graph that is not complete is an error, or is collected as far as it goes."""
    shell["res"] = shell["add"].apply_async((2, 2), link=shell["mul"].s(16), countdown=60)

    with pytest.raises(shell["IncompleteStream"]):
        list(shell["res"].iterdeps())
    shell.type("""
        >>> for result, value in res.collect(intermediate=True):
        ....
    """)

    assert (shell["result"], shell["value"]) == (shell["res"], None)
    shell["res"].revoke()


@NEW
def test_chains_links_of_a_signature(shell: Shell, journal: Journal) -> None:
    """A signature can have any number of links."""
    shell.type("""
        >>> s = add.s(2, 2)
        >>> s.link(mul.s(4))
        >>> s.link(log_result.s())
    """)

    result = shell["s"].delay()
    assert result.get(LIMIT_SECONDS) == 4
    journal.has("log_result 4")
    assert [child.get(LIMIT_SECONDS) for child in result.children] == [16, None]


@NEW
def test_chains_error_links(shell: Shell) -> None:
    """`on_error` comes to `link_error=` of the call; a task that succeeds does not run it."""
    shell.type("""
        >>> add.s(2, 2).on_error(log_error.s()).delay()
    """)

    assert shell.last.get(LIMIT_SECONDS) == 4


@ALL
def test_chains_error_links_when_called(shell: Shell) -> None:
    """An error link can be given when the task is sent."""
    shell.type("""
        >>> add.apply_async((2, 2), link_error=log_error.s())
    """)

    assert shell.last.get(LIMIT_SECONDS) == 4


@in_guides(G004)
def test_chains_error_links_under_the_old_name(shell: Shell) -> None:
    """An error link can be given when a signature is made."""
    shell.type("""
        >>> add.subtask((2, 2), link_error=log_error.s())
    """)

    assert shell.last.delay().get(LIMIT_SECONDS) == 4
    assert shell.last.options["link_error"] == [shell["log_error"].s()]


@NEW
def test_chains_an_error_link_gets_request_error_and_traceback(
    shell: Shell, journal: Journal, errors: Path
) -> None:
    """The guides' error link writes what failed into a file named after the failed task's id."""
    result = shell["raising_task"].apply_async(link_error=shell["log_error"].s())

    assert isinstance(result.get(LIMIT_SECONDS, propagate=False), ValueError)
    journal.has(f"log_error {result.id} ValueError('something something')")
    text = (errors / result.id).read_text()
    assert text.startswith(f"--\n\n{result.id} something something Traceback (most recent call last):")


@in_guides(G004)
def test_chains_an_error_link_gets_the_id(shell: Shell, journal: Journal, errors: Path) -> None:
    """The oldest guide's error link takes the failed task's id alone."""
    result = shell["raising_task"].apply_async(link_error=shell["log_error_id"].s())

    assert isinstance(result.get(LIMIT_SECONDS, propagate=False), ValueError)
    journal.has(f"log_error_id {result.id} FAILURE")
    assert (errors / result.id).read_text().startswith(f"--\n\n{result.id} something something Traceback")


@ALL
def test_chains_one_prints_as_a_pipe(shell: Shell) -> None:
    """A chain prints as its steps with pipes between them."""
    shell.type("""
        >>> from celery import chain
        >>> from proj.tasks import add, mul

        >>> # (4 + 4) * 8 * 10
        >>> res = chain(add.s(4, 4), mul.s(8), mul.s(10))
    """)

    assert repr(shell["res"]) == "proj.tasks.add(4, 4) | mul(8) | mul(10)"


@NEW
def test_chains_parents_lead_back(shell: Shell) -> None:
    """A chain's result is its last step's, and the others are reached through `parent`."""
    shell.type("""
        >>> res = chain(add.s(4, 4), mul.s(8), mul.s(10))()
        >>> res.get()
        640
        >>> res.parent.get()
        64

        >>> res.parent.parent.get()
        8

        >>> res.parent.parent
        <AsyncResult: eeaad925-6778-4ad1-88c8-b2a63d017933>
    """)


@in_guides(G004)
def test_chains_parents_lead_back_without_output(shell: Shell) -> None:
    """A chain's result is its last step's, and the others are reached through `parent`."""
    shell.type("""
        >>> res = chain(add.s(4, 4), mul.s(8), mul.s(10))()
        >>> res.get()
        >>> res.parent.get()

        >>> res.parent.parent.get()

        >>> res.parent.parent
        <AsyncResult: eeaad925-6778-4ad1-88c8-b2a63d017933>
    """)

    assert shell.values[:3] == [640, 64, 8]


@ALL
def test_chains_made_with_pipes(shell: Shell) -> None:
    """`|` makes a chain, which can be sent."""
    shell.type("""
        >>> (add.s(2, 2) | mul.s(8) | mul.s(10)).apply_async()
    """)

    assert shell.last.get(LIMIT_SECONDS) == 320


@in_guides(G000, G002)
def test_task_id_is_the_last_tasks(shell: Shell) -> None:
    """A chain goes by the id of its last task."""
    made = shell["chain"](shell["add"].s(2, 2), shell["mul"].s(8).set(task_id="the-last-one"))

    assert made.id == "the-last-one"
    assert made.apply_async().id == "the-last-one"


@NEW
def test_graphs(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows from a task is a graph, which prints, and can be written for Graphviz."""
    monkeypatch.chdir(tmp_path)
    shell.type("""
        >>> res = chain(add.s(4, 4), mul.s(8), mul.s(10))()
    """)
    shell["res"].get(LIMIT_SECONDS)

    shell.type("""
        >>> res.parent.parent.graph
        285fa253-fcf8-42ef-8b95-0078897e83e6(1)
            463afec2-5ed4-4036-b22d-ba067ec64f52(0)
        872c3995-6fa0-46ca-98c2-5a19155afcf0(2)
            285fa253-fcf8-42ef-8b95-0078897e83e6(1)
                463afec2-5ed4-4036-b22d-ba067ec64f52(0)
        >>> with open('graph.dot', 'w') as fh:
        ...     res.parent.parent.graph.to_dot(fh)
    """)

    third, second = shell["res"], shell["res"].parent
    text = Path("graph.dot").read_text()
    assert text.startswith("digraph dependencies {")
    for edge in (f'"{second.parent}" -> "{second}"', f'"{second}" -> "{third}"'):
        assert edge in text


@in_guides(G004)
def test_graphs_without_output(shell: Shell) -> None:
    """The oldest guide shows no graph."""
    shell.type("""
        >>> res = chain(add.s(4, 4), mul.s(8), mul.s(10))()
    """)
    shell["res"].get(LIMIT_SECONDS)

    shell.type("""
        >>> res.parent.parent.graph
    """)

    assert len(shell.last) == 3
