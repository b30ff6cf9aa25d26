"""Wake-ups: a session that leaves takes none away from another."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from gesso_server.config import ServerConfig
from gesso_server.dispatch.session import Incoming, Session
from gesso_server.store.calls import Hello, SessionId, Wake
from gesso_server.store.store import Store
from integration.store.scripts.rig import NAMESPACE, QUEUE, Rig
from support.trees import call

LIMIT_SECONDS = 10
WAKE = Wake(NAMESPACE, QUEUE, 1)
WAYS: dict[str, Callable[[Session], None]] = {
    "drains": Session.drain,
    "closes": Session.close,
    "is lost": Session.lose,
}


async def waiting(rig: Rig) -> AsyncIterator[Session]:
    """Yield sessions that wait for work, the longest first, for as long as the test lasts."""
    async with AsyncExitStack() as stack:
        while True:
            hello = Hello(
                id=SessionId(session=secrets.token_hex(8), epoch=1), namespace=NAMESPACE, worker="w", slots=1,
                queues=[QUEUE], tasks=["add"], held=[], dead_sessions=[],
            )  # fmt: skip
            session, _ = await stack.enter_async_context(rig.coordinator.session(hello))
            session.offer(Incoming(number=1, credits=1))
            assert await session.exchange()
            yield session


@pytest.fixture
async def pair(rig: Rig) -> AsyncIterator[tuple[Session, Session]]:
    """Two sessions that wait for work."""
    sessions = waiting(rig)
    yield await anext(sessions), await anext(sessions)
    await sessions.aclose()  # type: ignore[attr-defined]  # an async generator


async def gets_work(session: Session) -> bool:
    """Whether a session that was woken is given the task."""
    async with asyncio.timeout(LIMIT_SECONDS):
        out = await session.exchange()
    return out is not None and len(out.grants) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_session_that_leaves_is_not_woken(rig: Rig, pair: tuple[Session, Session], way: str) -> None:
    """The wake-up goes to one that stays, although the other has waited longer."""
    leaving, staying = pair
    WAYS[way](leaving)

    rig.coordinator.registry.wake(0, WAKE)

    assert not staying.idle_in(0)


@pytest.mark.parametrize("way", WAYS)
async def test_session_that_leaves_hands_its_wake_up_on(
    rig: Rig, other_store: Store, pair: tuple[Session, Session], way: str
) -> None:
    """It was woken, and left before it asked: another one asks in its place, not the next sweep."""
    leaving, staying = pair
    await Rig(other_store, ServerConfig()).submit(call("a"))
    rig.coordinator.registry.wake(0, WAKE)
    assert staying.idle_in(0)

    WAYS[way](leaving)

    assert await gets_work(staying)
