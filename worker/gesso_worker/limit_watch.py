"""A parent's watch over one child: it ends what runs longer than its time limit, or is to be killed otherwise.

A process is all that can be killed. While a child runs nothing but what must be ended, it is killed at once. While it
runs other tasks besides, it is told to retire: it ends the guilty attempt at the coordinator, takes nothing more, and
gives the others 10 s; should it be too stuck for that, it is killed a little later.

No task with a limit is announced by itself. The page says when the watch looks next; a child whose task must end
sooner says so. Before it looks, the watch takes that time back, and a child reads it after it has written its
record: so either the watch sees the record, or the child sees that it must say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from gesso_worker.blame import BlamePage, DeadSession, Running
from gesso_worker.lifeline import Retirement
from gesso_worker.token import Token

RETIREMENT = timedelta(seconds=10)
"""How long others may go on beside a task that is to be killed. The child gives them back itself then."""
_ALLOWANCE = timedelta(seconds=5)  # for their reports, before the child is killed in spite of them


class LimitWatch:
    """The watch over one child. All of it is for the event loop's thread."""

    def __init__(
        self, page: BlamePage, *, retire: Callable[[Retirement], None], kill: Callable[[], None]
    ) -> None:
        """Watch a child by its page; nothing is planned yet."""
        self._page = page
        self._retire = retire
        self._kill = kill
        self._overran: set[Token] = set()
        self._doomed: set[Token] = set()
        self._killed = False
        self._loop = asyncio.get_running_loop()
        self._look: asyncio.TimerHandle | None = None
        self._end: asyncio.TimerHandle | None = None
        self._closed = False

    def condemn(self, token: Token) -> None:
        """Have a task killed, if it runs."""
        if not self._closed and any(each.token == token for each in self._page.running()):
            self._doomed.add(token)
            self._act((), (token,))

    def look(self) -> None:
        """End what must have ended, and plan the next look."""
        if self._closed:
            return
        self._page.next_look = 0.0
        now = self._loop.time()
        running = [each for each in self._page.running() if each.deadline]
        late = tuple(
            each.token for each in running if each.deadline <= now and each.token not in self._overran
        )
        self._plan([each for each in running if each.deadline > now])
        if late:
            self._overran.update(late)
            self._act(late, ())

    def blame(self, session_id: str) -> DeadSession:
        """Return what is to be said of the child's session, after its end."""
        running = [each.token for each in self._page.running()]
        return DeadSession(
            session_id=session_id,
            # What ran beside a task that was to be killed has done nothing.
            crashed=() if self._killed else tuple(each for each in running if each not in self._overran),
            overran=tuple(each for each in running if each in self._overran),
        )

    def close(self) -> None:
        """Watch no more: the child has ended."""
        self._closed = True
        for timer in (self._look, self._end):
            if timer is not None:
                timer.cancel()

    def _plan(self, running: list[Running]) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
        if running:
            at = min(each.deadline for each in running)
            self._page.next_look = at
            self._look = self._loop.call_at(at, self.look)

    def _act(self, overran: tuple[Token, ...], doomed: tuple[Token, ...]) -> None:
        """End the child, at once or when the others had their time."""
        guilty = self._overran | self._doomed
        running = {each.token for each in self._page.running()}
        if running.isdisjoint(guilty):
            return  # it has just ended
        if running <= guilty and self._end is None:
            self._end_now()
            return
        self._retire(Retirement(overran=overran, doomed=doomed))
        if self._end is None:
            self._end = self._loop.call_later((RETIREMENT + _ALLOWANCE).total_seconds(), self._end_now)

    def _end_now(self) -> None:
        self._killed = True
        self._kill()
