"""Promise: memory is bounded; what finds no room waits, says so, and goes in when there is room."""

from __future__ import annotations

import logging
import time

import pytest
from redis import Redis

from acceptance.tasks import call
from gesso import App, group
from gesso.errors import ResourceExhausted
from support.system import System, until

AGES = 5.0
"""Seconds in which every connection is replaced a few times."""


def test_client_waits_for_room_and_says_so(system: System, caplog: pytest.LogCaptureFixture) -> None:
    """While the store is nearly full `delay` waits and warns; it returns when there is room, and the task runs."""
    store = system.store()
    coordinator = system.coordinator(store=store)
    system.worker(coordinator)
    system.client(coordinator)
    with Redis.from_url(store.store) as redis, caplog.at_level(logging.INFO, logger="gesso"):
        redis.setrange("ballast", 32 << 20, b"x")
        redis.config_set("maxmemory", 38 << 20)
        coordinator.program.line("pressure.high")

        waiting = system.background(call("add", 1, 2).delay)
        until(lambda: "no room yet" in caplog.text, "a word about the waiting", limit=5)
        assert not waiting.done()
        redis.delete("ballast")
        redis.config_set("maxmemory", 0)

        assert waiting.result(30).get(timeout=30) == 3


def test_client_gives_up_after_its_own_time(system: System) -> None:
    """A submission that finds no room within `submit_timeout` raises what the coordinator said."""
    store = system.store()
    coordinator = system.coordinator(store=store)
    app = App("client", coordinator.address, submit_timeout=1)
    with app, Redis.from_url(store.store) as redis:
        redis.config_set("maxmemory", 1 << 20)
        coordinator.program.line("pressure.high")

        with pytest.raises(ResourceExhausted, match="nearly full"):
            call("add", 1, 2).delay()


def test_old_connections_are_replaced_without_a_loss(system: System) -> None:
    """Connections that are closed for their age every second disturb neither clients nor workers."""
    coordinator = system.coordinator(settings=["timing.connection_age=1s", "timing.connection_grace=500ms"])
    system.worker(coordinator, processes=2)
    system.client(coordinator)

    wrong = []
    enough = time.monotonic() + AGES
    while time.monotonic() < enough:
        if group(call("add", n, 1) for n in range(20)).delay().get(timeout=30) != list(range(1, 21)):
            wrong.append(time.monotonic())

    assert not wrong
    assert "fault" not in coordinator.program.said
