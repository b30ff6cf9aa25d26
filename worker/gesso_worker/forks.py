"""Processes that a task forks: what they inherit from the child and must not.

They would ignore SIGINT, and a SIGTERM sent to one would not end it but drain the child: the event loop's
handler writes to a pipe that the two share. So signals are held back while a fork is made, and the new
process begins with none of the child's handlers.
"""

from __future__ import annotations

import os
import signal
import threading

_HELD = frozenset({signal.SIGTERM, signal.SIGINT})
_before = threading.local()


def register() -> None:
    """See to every process that is forked from now on. Programs that are executed need none of this."""
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_begin_anew)


def _hold() -> None:
    _before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)


def _let_go() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _before.mask)


def _begin_anew() -> None:
    signal.set_wakeup_fd(-1)
    for number in _HELD:
        signal.signal(number, signal.SIG_DFL)
    _let_go()
