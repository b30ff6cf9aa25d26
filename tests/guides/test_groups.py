"""The guides' section "Groups", with "Group Callbacks and Error Handling", "Group Results" and "Group Unrolling"."""

from __future__ import annotations

import pytest

from guides.conftest import Journal
from guides.guide import G000, G002, G003, G004, in_guides
from guides.shell import LIMIT_SECONDS, Shell

NEW = in_guides(G000, G002, G003)
ALL = in_guides(G000, G002, G003, G004)


@ALL
def test_groups_one_is_made_from_signatures(shell: Shell) -> None:
    """A group takes its members one by one."""
    shell.type("""
        >>> from celery import group
        >>> from proj.tasks import add

        >>> group(add.s(2, 2), add.s(4, 4))
    """)

    assert repr(shell.last) == "group((proj.tasks.add(2, 2), add(4, 4)))"


@ALL
def test_groups_calling_sends_them(shell: Shell) -> None:
    """Calling a group has workers run it."""
    shell.type("""
        >>> g = group(add.s(2, 2), add.s(4, 4))
        >>> res = g()
        >>> res.get()
        [4, 8]
    """)


@NEW
def test_groups_iterators(shell: Shell) -> None:
    """A group takes an iterator, too."""
    shell.type("""
        >>> group(add.s(i, i) for i in range(100))()
    """)

    assert shell.last.get(LIMIT_SECONDS) == [2 * i for i in range(100)]


# --- Group Callbacks and Error Handling ----------------------------------------------------------------


@NEW
def test_group_callbacks_do_not_get_the_list(shell: Shell) -> None:
    """A link of a group runs in the background, without the group's value; here it fails."""
    shell.type("""
        >>> g = group(add.s(2, 2), add.s(4, 4))
        >>> g.link(add.s())
        >>> res = g()
        [4, 8]
    """)

    first, second = shell["res"].results
    assert second.children == []
    with pytest.raises(TypeError):
        first.children[0].get(LIMIT_SECONDS)


@NEW
def test_group_callbacks_error_links_run_for_each_failure(shell: Shell, journal: Journal) -> None:
    """An error link of a group runs once for each member that fails."""
    shell.type("""
        >>> g = group(fail.s(), fail.s())
        >>> g.link_error(log_error.s())
        >>> res = g()
    """)

    assert [repr(error) for error in shell["res"].join(LIMIT_SECONDS, propagate=False)] == [
        "ValueError('failed')"
    ] * 2
    journal.has(*(f"log_error {member.id} ValueError('failed')" for member in shell["res"]))


# --- Group Results -------------------------------------------------------------------------------------


@NEW
def test_group_results(plain_shell: Shell) -> None:
    """A group's result is asked as a task's is."""
    plain_shell.type("""
        >>> from celery import group
        >>> from tasks import add

        >>> job = group([
        ...             add.s(2, 2),
        ...             add.s(4, 4),
        ...             add.s(8, 8),
        ...             add.s(16, 16),
        ...             add.s(32, 32),
        ... ])

        >>> result = job.apply_async()
    """)
    plain_shell["result"].get(LIMIT_SECONDS)

    plain_shell.type("""
        >>> result.ready()  # have all subtasks completed?
        True
        >>> result.successful() # were all subtasks successful?
        True
        >>> result.get()
        [4, 8, 16, 32, 64]
    """)


@in_guides(G004)
def test_group_results_without_output(plain_shell: Shell) -> None:
    """A group's result is asked as a task's is."""
    plain_shell.type("""
        >>> from celery import group
        >>> from tasks import add

        >>> job = group([
        ...             add.s(2, 2),
        ...             add.s(4, 4),
        ...             add.s(8, 8),
        ...             add.s(16, 16),
        ...             add.s(32, 32),
        ... ])

        >>> result = job.apply_async()

        >>> result.ready()  # have all subtasks completed?
        >>> result.successful() # were all subtasks successful?
        >>> result.get()
        [4, 8, 16, 32, 64]
    """)

    assert (plain_shell["result"].ready(), plain_shell["result"].successful()) == (True, True)


@ALL
def test_group_results_operations_of_one_that_succeeds(shell: Shell) -> None:
    """The list of operations, on a group whose members all succeed."""
    result = shell["group"](shell["add"].s(i, i) for i in range(5))()

    assert result.join(LIMIT_SECONDS) == [0, 2, 4, 6, 8]
    assert result.successful()
    assert not result.failed()
    assert not result.waiting()
    assert result.ready()
    assert result.completed_count() == 5


@ALL
def test_group_results_operations_of_one_that_fails(shell: Shell) -> None:
    """The list of operations, on a group of which one member fails; only those that succeed count as completed."""
    result = shell["group"](shell["add"].s(1, 1), shell["fail"].s())()

    assert repr(result.join(LIMIT_SECONDS, propagate=False)) == "[2, ValueError('failed')]"
    assert not result.successful()
    assert result.failed()
    assert result.ready()
    assert result.completed_count() == 1


@ALL
def test_group_results_operations_of_one_that_is_revoked(shell: Shell) -> None:
    """`revoke` ends every member that has not ended."""
    result = shell["group"](shell["add"].s(i, i) for i in range(3)).apply_async(countdown=600)
    assert result.waiting()

    result.revoke()

    shown = result.join(LIMIT_SECONDS, propagate=False)
    assert [type(error).__name__ for error in shown] == ["TaskRevokedError"] * 3
    assert [member.state for member in result] == ["REVOKED"] * 3


@ALL
def test_group_results_are_saved_and_restored(shell: Shell) -> None:
    """A group's result is found again by its id."""
    result = shell["group"](shell["add"].s(i, i) for i in range(3))()
    result.save()

    restored = type(result).restore(result.id)

    assert restored.get(LIMIT_SECONDS) == [0, 2, 4]
    assert restored.as_tuple() == result.as_tuple()
    assert sorted(restored.iterate(LIMIT_SECONDS)) == [0, 2, 4]


# --- Group Unrolling -----------------------------------------------------------------------------------


@in_guides(G002)
def test_group_unrolling(plain_shell: Shell) -> None:
    """In a chain, a group of one member is that member; a larger one becomes a chord."""
    plain_shell.type(
        """
        >>> from celery import chain, group
        >>> from tasks import add
        >>> chain(add.s(2, 2), group(add.s(1)), add.s(1))
        add(2, 2) | add(1) | add(1)
        >>> chain(add.s(2, 2), group(add.s(1), add.s(2)), add.s(1))
        add(2, 2) | %add((add(1), add(2)), 1)
        """,
        module="tasks.",
    )

    assert plain_shell.values[0].delay().get(LIMIT_SECONDS) == 6


@in_guides(G002)
def test_group_unrolling_at_the_start(plain_shell: Shell) -> None:
    """A group of one member is that member also as the first step of `chain()`."""
    plain_shell.type(
        """
        >>> from celery import chain, group
        >>> from tasks import add
        >>> chain(group(add.s(1, 1)), add.s(2))
        add(1, 1) | add(2)
        """,
        module="tasks.",
    )

    assert plain_shell.last.delay().get(LIMIT_SECONDS) == 4
