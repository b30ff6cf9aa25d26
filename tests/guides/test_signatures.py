"""The guides' section "Signatures", with "Partials", "Immutability" and "Callbacks"."""

from __future__ import annotations

import pytest

from guides.conftest import Journal
from guides.guide import G000, G002, G003, G004, in_guides
from guides.shell import LIMIT_SECONDS, Shell

NEW = in_guides(G000, G002, G003)
ALL = in_guides(G000, G002, G003, G004)

# --- Signatures ----------------------------------------------------------------------------------------


@ALL
def test_signatures_one_is_made_from_a_name(plain_shell: Shell) -> None:
    """A signature of a task known by its name only prints as a call, and runs."""
    plain_shell.type("""
        >>> from celery import signature
        >>> signature('tasks.add', args=(2, 2), countdown=10)
        tasks.add(2, 2)
    """)

    assert plain_shell.last.options == {"countdown": 10}
    assert plain_shell.last.apply_async(countdown=0).get(LIMIT_SECONDS) == 4


@NEW
def test_signatures_one_is_made_from_a_task(plain_shell: Shell) -> None:
    """A task's method makes the same signature."""
    plain_shell.type("""
        >>> add.signature((2, 2), countdown=10)
        tasks.add(2, 2)
    """)

    assert plain_shell.last == plain_shell["signature"]("tasks.add", args=(2, 2), countdown=10)


@in_guides(G004)
def test_signatures_one_is_made_by_the_old_name(plain_shell: Shell) -> None:
    """`subtask` is the older name of the same."""
    plain_shell.type("""
        >>> add.subtask((2, 2), countdown=10)
        tasks.add(2, 2)
    """)

    assert plain_shell.last == plain_shell["add"].signature((2, 2), countdown=10)


@ALL
def test_signatures_star_arguments(plain_shell: Shell) -> None:
    """`s` takes the arguments as they are."""
    plain_shell.type("""
        >>> add.s(2, 2)
        tasks.add(2, 2)
    """)


@ALL
def test_signatures_keyword_arguments(plain_shell: Shell) -> None:
    """`s` takes keyword arguments, too."""
    plain_shell.type("""
        >>> add.s(2, 2, debug=True)
        tasks.add(2, 2, debug=True)
    """)


@NEW
def test_signatures_fields_can_be_inspected(shell: Shell) -> None:
    """What a signature was made from can be read from it."""
    shell.type("""
        >>> s = add.signature((2, 2), {'debug': True}, countdown=10)
        >>> s.args
        (2, 2)
        >>> s.kwargs
        {'debug': True}
        >>> s.options
        {'countdown': 10}
    """)


@in_guides(G004)
def test_signatures_fields_can_be_inspected_under_the_old_name(shell: Shell) -> None:
    """What `subtask` was called with can be read from what it made."""
    shell.type("""
        >>> s = add.subtask((2, 2), {'debug': True}, countdown=10)
        >>> s.args
        (2, 2)
        >>> s.kwargs
        {'debug': True}
        >>> s.options
        {'countdown': 10}
    """)


@NEW
def test_signatures_calling_runs_inline(shell: Shell) -> None:
    """Calling a task or a signature runs it in this process."""
    shell.type("""
        >>> add(2, 2)
        4
        >>> add.s(2, 2)()
        4
    """)


@in_guides(G004)
def test_signatures_calling_runs_inline_without_output(shell: Shell) -> None:
    """Calling a task or a signature runs it in this process."""
    shell.type("""
        >>> add(2, 2)
        >>> add.s(2, 2)()
    """)

    assert shell.values == [4, 4]


@NEW
def test_signatures_delay_sends(shell: Shell) -> None:
    """`delay` has a worker run it."""
    shell.type("""
        >>> result = add.delay(2, 2)
        >>> result.get()
        4
    """)


@in_guides(G004)
def test_signatures_delay_sends_without_output(shell: Shell) -> None:
    """`delay` has a worker run it."""
    shell.type("""
        >>> result = add.delay(2, 2)
        >>> result.get()
    """)

    assert shell.last == 4


APPLY_ASYNC = """
    >>> add.apply_async(args, kwargs, **options)
    >>> add.signature(args, kwargs, **options).apply_async()

    >>> add.apply_async((2, 2), countdown=1)
    >>> add.signature((2, 2), countdown=1).apply_async()
"""


@pytest.mark.parametrize(
    ("guide", "text"),
    [
        (G000, APPLY_ASYNC),
        (G002, APPLY_ASYNC),
        (G003, APPLY_ASYNC),
        (G004, APPLY_ASYNC.replace("signature", "subtask")),
    ],
    indirect=["guide"],
)
def test_signatures_apply_async_takes_options(shell: Shell, text: str) -> None:
    """A task and its signature are sent alike, with arguments and options."""
    shell["args"], shell["kwargs"], shell["options"] = (2, 2), {"debug": True}, {"countdown": 0.01}

    shell.type(text)

    assert [result.get(LIMIT_SECONDS) for result in shell.values] == [4, 4, 4, 4]


@ALL
def test_signatures_set_adds_options(shell: Shell) -> None:
    """`set` returns the signature, with the option."""
    shell.type("""
        >>> add.s(2, 2).set(countdown=1)
        proj.tasks.add(2, 2)
    """)

    assert shell.last.options == {"countdown": 1}


# --- Partials ------------------------------------------------------------------------------------------


@ALL
def test_partials_a_worker_runs_it(shell: Shell) -> None:
    """A signature is sent as a task is."""
    shell.type("""
        >>> add.s(2, 2).delay()
        >>> add.s(2, 2).apply_async(countdown=1)
    """)

    assert [result.get(LIMIT_SECONDS) for result in shell.values] == [4, 4]


@NEW
def test_partials_it_runs_in_this_process(shell: Shell) -> None:
    """Calling a signature runs it here."""
    shell.type("""
        >>> add.s(2, 2)()
        4
    """)


@in_guides(G004)
def test_partials_it_runs_in_this_process_without_output(shell: Shell) -> None:
    """Calling a signature runs it here."""
    shell.type("""
        >>> add.s(2, 2)()
    """)

    assert shell.last == 4


PARTIAL = """
    >>> partial = add.s(2)          # incomplete signature
    >>> partial.delay(4)            # 4 + 2
    >>> partial.apply_async((4,))  # same
"""


@pytest.mark.parametrize(
    ("guide", "text"),
    [
        (G000, PARTIAL),
        (G002, PARTIAL),
        (G003, PARTIAL),
        (G004, PARTIAL.replace("4 + 2", "2 + 4").replace("(4,)", "(4, )")),
    ],
    indirect=["guide"],
)
def test_partials_arguments_are_put_in_front(shell: Shell, journal: Journal, text: str) -> None:
    """Arguments given later stand before those given first."""
    shell.type(text)

    assert [result.get(LIMIT_SECONDS) for result in shell.values] == [6, 6]
    journal.has("add 4 2 False", "add 4 2 False")


@in_guides(G002)
def test_partials_order_of_arguments(shell: Shell) -> None:
    """Where the order matters, what is given later comes first."""
    shell.define("""
        @app.task
        def subtract(x, y):
            return x - y

        partial = subtract.s(10)    # incomplete: second arg only
        partial.delay(30)           # -> subtract(30, 10) = 20
    """)

    assert shell.last.get(LIMIT_SECONDS) == 20


@ALL
def test_partials_keyword_arguments_win(shell: Shell, journal: Journal) -> None:
    """Keyword arguments given later are added, and win."""
    shell.type("""
        >>> s = add.s(2, 2)
        >>> s.delay(debug=True)                    # -> add(2, 2, debug=True)
        >>> s.apply_async(kwargs={'debug': True})  # same
    """)

    assert [result.get(LIMIT_SECONDS) for result in shell.values] == [4, 4]
    journal.has("add 2 2 True", "add 2 2 True")


OPTIONS = """
    >>> s = add.signature((2, 2), countdown=10)
    >>> s.apply_async(countdown=1)  # countdown is now 1
"""


@pytest.mark.parametrize(
    ("guide", "text"),
    [(G000, OPTIONS), (G002, OPTIONS), (G003, OPTIONS), (G004, OPTIONS.replace("signature", "subtask"))],
    indirect=["guide"],
)
def test_partials_options_win(shell: Shell, text: str) -> None:
    """An option given later takes the place of the stored one, for this call."""
    shell.type(text)

    assert shell.last.get(timeout=9) == 4
    assert shell["s"].options == {"countdown": 10}


@NEW
def test_partials_clones(shell: Shell) -> None:
    """A clone has more arguments, the new ones in front."""
    shell.type("""
        >>> s = add.s(2)
        proj.tasks.add(2)

        >>> s.clone(args=(4,), kwargs={'debug': True})
        proj.tasks.add(4, 2, debug=True)
    """)


# --- Immutability --------------------------------------------------------------------------------------

IMMUTABLE = """
    >>> add.apply_async((2, 2), link=reset_buffers.signature(immutable=True))
"""


@pytest.mark.parametrize(
    ("guide", "text"),
    [
        (G000, IMMUTABLE),
        (G002, IMMUTABLE),
        (G003, IMMUTABLE),
        (G004, IMMUTABLE.replace("signature", "subtask")),
    ],
    indirect=["guide"],
)
def test_immutability_a_link_gets_no_value(shell: Shell, journal: Journal, text: str) -> None:
    """An immutable link runs without the value of the task before."""
    shell.type(text)

    assert shell.last.get(LIMIT_SECONDS) == 4
    journal.has("reset_buffers")


@NEW
def test_immutability_short_form(shell: Shell, journal: Journal) -> None:
    """`si` makes an immutable signature."""
    shell.type("""
        >>> add.apply_async((2, 2), link=reset_buffers.si())
    """)

    assert shell.last.get(LIMIT_SECONDS) == 4
    journal.has("reset_buffers")


@ALL
def test_immutability_tilde_sends_and_waits(shell: Shell) -> None:
    """`~sig` is `sig.delay().get()`."""
    shell["sig"] = shell["add"].si(2, 2)

    shell.type("""
        >>> ~sig

        >>> # is the same as
        >>> sig.delay().get()
    """)

    assert shell.values == [4, 4]


# --- Callbacks -----------------------------------------------------------------------------------------


@ALL
def test_callbacks_one_is_given_when_it_is_sent(shell: Shell, journal: Journal) -> None:
    """A link runs with the value of the task."""
    shell.define("""
        add.apply_async((2, 2), link=other_task.s())
    """)

    assert shell.last.get(LIMIT_SECONDS) == 4
    journal.has("other_task 4")


@ALL
def test_callbacks_the_value_goes_in_front(shell: Shell) -> None:
    """`sig.delay(result)` is a call with the result before the stored arguments."""
    shell["result"] = 4

    shell.type("""
        >>> sig = add.s(10)
        >>> add.apply_async(args=(result, 10))
    """)

    assert shell.last.get(LIMIT_SECONDS) == shell["sig"].delay(4).get(LIMIT_SECONDS) == 14


@ALL
def test_callbacks_partial_arguments(shell: Shell, journal: Journal) -> None:
    """2 + 2 runs first, and then 4 + 8."""
    shell.type("""
        >>> add.apply_async((2, 2), link=add.s(8))
    """)

    assert shell.last.get(LIMIT_SECONDS) == 4
    journal.has("add 2 2 False", "add 4 8 False")
    assert shell.last.children[0].get(LIMIT_SECONDS) == 12
