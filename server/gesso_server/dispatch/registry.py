"""The sessions of this coordinator, and which of them wait for work of which queue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from gesso_server.dispatch.session import Session
from gesso_server.store.calls import TokenRef, Wake


class Registry:
    """The sessions whose streams this coordinator holds."""

    def __init__(self) -> None:
        self._by_queue: dict[tuple[str, str], dict[Session, None]] = {}
        self._sessions: dict[Session, None] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def sessions(self) -> list[Session]:
        """All sessions, in the order they came."""
        return list(self._sessions)

    def add(self, session: Session) -> None:
        """Take a session in."""
        self._sessions[session] = None
        self._empty.clear()
        for queue in session.queues:
            self._by_queue.setdefault((session.namespace, queue), {})[session] = None

    def discard(self, session: Session) -> None:
        """Let a session go."""
        self._sessions.pop(session, None)
        if not self._sessions:
            self._empty.set()
        for queue in session.queues:
            sharing = self._by_queue.get((session.namespace, queue), {})
            sharing.pop(session, None)
            if not sharing:
                self._by_queue.pop((session.namespace, queue), None)

    async def emptied(self) -> None:
        """Return when there is no session."""
        await self._empty.wait()

    def cancel(self, session_id: str, token: TokenRef, *, terminate: bool) -> None:
        """Tell the worker that holds an attempt that it is cancelled."""
        for session in self._sessions:
            if session.id.session == session_id:
                session.cancel(token, terminate=terminate)

    def wake(self, partition: int, wake: Wake) -> None:
        """Let as many idle sessions ask for work as there may be work for, those first that have waited longest."""
        wanted = wake.count
        sharing = self._by_queue.get((wake.namespace, wake.queue))
        if not sharing:
            return
        woken = []
        for session in sharing:
            if wanted <= 0:
                break
            if session.idle_in(partition):
                wanted -= session.credits
                session.wake(partition)
                woken.append(session)
        for session in woken:
            sharing[session] = sharing.pop(session)

    def borrower(self, namespace: str, queue: str, partition: int) -> Session | None:
        """Return a session that a submission to this queue may grant tasks in its own call."""
        for session in self._by_queue.get((namespace, queue), ()):
            if session.can_borrow(partition):
                return session
        return None

    def another_idle(self, session: Session, partition: int) -> Session | None:
        """Return another session that waits for work of one of the session's queues."""
        for queue in session.queues:
            for other in self._by_queue.get((session.namespace, queue), ()):
                if other is not session and other.idle_in(partition):
                    return other
        return None

    def idle_queues(self, partition: int) -> list[tuple[str, str]]:
        """Return namespace and name of the queues for whose work a session waits."""
        return [
            key
            for key, sharing in self._by_queue.items()
            if any(session.idle_in(partition) for session in sharing)
        ]

    def drain(self) -> None:
        """Ask every session to move to another coordinator."""
        for session in self.sessions:
            session.drain()


def names(sessions: Iterable[Session]) -> list[str]:
    """Return the sessions' ids."""
    return [session.id.session for session in sessions]
