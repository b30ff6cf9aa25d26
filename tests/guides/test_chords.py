"""The guides' section "Chords", with "Error handling" and "Important Notes"."""

from __future__ import annotations

import re

import pytest

from gesso import ChordError
from guides.conftest import Journal
from guides.guide import G000, G002, G003, G004, in_guides
from guides.shell import LIMIT_SECONDS, Shell

NEW = in_guides(G000, G002, G003)
ALL = in_guides(G000, G002, G003, G004)


@NEW
def test_chords_first_two_tasks(shell: Shell) -> None:
    """The guides' tasks are declared as they stand there."""
    shell.define("""
        @app.task
        def add(x, y):
            return x + y

        @app.task
        def tsum(numbers):
            return sum(numbers)
    """)

    assert shell["chord"]([shell["add"].s(1, 1)])(shell["tsum"].s()).get(LIMIT_SECONDS) == 2


@NEW
def test_chords_sum_up_to_a_hundred(plain_shell: Shell) -> None:
    """A chord is completed by calling it with its body."""
    plain_shell.type("""
        >>> from celery import chord
        >>> from tasks import add, tsum

        >>> chord(add.s(i, i)
        ...       for i in range(100))(tsum.s()).get()
        9900
        >>> sum(i + i for i in range(100))
    """)

    assert plain_shell.values == [9900, 9900]


@NEW
def test_chords_broken_down(plain_shell: Shell) -> None:
    """Header and body, one after the other."""
    plain_shell.type("""
        >>> callback = tsum.s()
        >>> header = [add.s(i, i) for i in range(100)]
        >>> result = chord(header)(callback)
        >>> result.get()
        9900
    """)

    assert plain_shell["result"].parent.get(LIMIT_SECONDS) == [2 * i for i in range(100)]


@in_guides(G004)
def test_chords_broken_down_without_output(plain_shell: Shell) -> None:
    """Header and body, one after the other."""
    plain_shell.type("""
        >>> callback = tsum.s()
        >>> header = [add.s(i, i) for i in range(100)]
        >>> result = chord(header)(callback)
        >>> result.get()
    """)

    assert plain_shell.last == 9900


# --- Error handling ------------------------------------------------------------------------------------


@ALL
def test_error_handling_a_chord_that_fails(plain_shell: Shell) -> None:
    """The body fails with the ChordError that the guides show; here the chord is completed with a body first."""
    plain_shell.type("""
        >>> c = chord([add.s(4, 4), raising_task.s(), add.s(8, 8)])
    """)
    result = plain_shell["c"](plain_shell["tsum"].s())

    with pytest.raises(ValueError, match=r"^something something\n"):
        result.get(LIMIT_SECONDS)
    header = result.parent
    text = f"Dependency {header[1].id} raised ValueError('something something')"
    with pytest.raises(ChordError, match=f"^{re.escape(text)}"):
        plain_shell["app"].AsyncResult(result.id).get(LIMIT_SECONDS)
    assert result.state == "FAILURE"
    assert "raise ValueError" in result.traceback


@ALL
def test_error_handling_the_rest_of_the_header_runs(shell: Shell, journal: Journal) -> None:
    """The other tasks of the header are run although one failed."""
    add, failing = shell["add"], shell["raising_task"]
    result = shell["chord"]([add.s(4, 4), failing.s(), add.s(8, 8)])(shell["tsum"].s())

    assert isinstance(result.get(LIMIT_SECONDS, propagate=False), ValueError)
    journal.has("add 4 4 False", "add 8 8 False")


@ALL
def test_error_handling_a_chord_without_a_body(plain_shell: Shell) -> None:
    """Sending it is a TypeError, where the guides' reader would wait for the failure of a body."""
    plain_shell.type("""
        >>> c = chord([add.s(4, 4), raising_task.s(), add.s(8, 8)])
    """)

    with pytest.raises(TypeError, match="body"):
        plain_shell["c"]()


ON_ERROR = """
    >>> c = (group(add.s(i, i) for i in range(10)) |
    ...      tsum.s().on_error(on_chord_error.s())).delay()
"""


@pytest.mark.parametrize(
    ("guide", "text"),
    [(G000, ON_ERROR), (G002, ON_ERROR), (G003, ON_ERROR.replace("tsum", "xsum"))],
    indirect=["guide"],
)
def test_error_handling_an_error_link_on_the_body(shell: Shell, journal: Journal, text: str) -> None:
    """A chord with an error link on its body; it runs once when a task of the header fails, with the body's id."""
    shell.define("""
        @app.task
        def on_chord_error(request, exc, traceback):
            print('Task {0!r} raised error: {1!r}'.format(request.id, exc))
    """)
    shell.type(text)
    assert shell["c"].get(LIMIT_SECONDS) == 90
    shell["add"] = shell["raising_task"]
    shell["group"] = lambda _: shell["chord"]([shell["add"].s()]).tasks

    shell.type(text)

    failed = shell["c"]
    assert isinstance(failed.get(LIMIT_SECONDS, propagate=False), ValueError)
    journal.has(f"on_chord_error Task {failed.id!r} raised error: {_chord_error(failed.parent[0].id)}")


def _chord_error(task_id: str) -> str:
    text = f"Dependency {task_id} raised ValueError('something something')"
    return f"ChordError({text!r})"


# --- Important Notes -----------------------------------------------------------------------------------


@NEW
def test_important_notes_a_task_that_keeps_its_result(shell: Shell) -> None:
    """`ignore_result=False` is an option of a task's declaration."""
    shell.define("""
        @app.task(ignore_result=False)
        def another_task(project):
            do_something()
    """)

    assert shell["another_task"].delay("project").get(LIMIT_SECONDS) is None
    assert shell["another_task"].s("project").options == {"ignore_result": False}
