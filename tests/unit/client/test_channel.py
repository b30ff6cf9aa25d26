"""Addresses, as users give them and as gRPC takes them; pauses; traces."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from gesso.connection.backoff import FIRST, LONGEST, backoff, jittered
from gesso.connection.channel import address_from, target
from gesso.tracing import current_trace


def test_address_is_the_given_one_or_the_environments_or_the_default() -> None:
    """What is said nearer wins; an empty variable says nothing."""
    assert address_from("a:1", {"GESSO_ADDRESS": "b:2"}) == "a:1"
    assert address_from(None, {"GESSO_ADDRESS": "b:2"}) == "b:2"
    assert address_from(None, {"GESSO_ADDRESS": ""}) == address_from(None, {}) == "localhost:7365"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost:7365", "localhost:7365"),
        ("dns:///gesso:7365", "dns:///gesso:7365"),
        ("unix:///run/gesso.sock", "unix:///run/gesso.sock"),
        ("127.0.0.1:1, 127.0.0.2:2", "ipv4:127.0.0.1:1,127.0.0.2:2"),
        ("[::1]:1,[::1]:2", "ipv6:[::1]:1,[::1]:2"),
    ],
)
def test_addresses_as_grpc_takes_them(address: str, expected: str) -> None:
    """Several addresses are those of several coordinators."""
    assert target(address) == expected


@pytest.mark.parametrize("address", ["a:1,b:2", "127.0.0.1:1,[::1]:2"])
def test_several_addresses_that_grpc_cannot_take_are_refused(address: str) -> None:
    """The error says what to write instead, where something can."""
    with pytest.raises(ValueError, match="not an address of coordinators"):
        target(address)


def test_pauses_double_up_to_the_longest() -> None:
    """Never more than five seconds, never less than half of what is due."""
    assert [backoff(attempt) for attempt in (1, 2, 3)] == [FIRST, FIRST * 2, FIRST * 4]
    assert backoff(7) == backoff(10_000) == LONGEST
    assert all(LONGEST / 2 <= jittered(LONGEST) <= LONGEST for _ in range(100))
    assert jittered(timedelta(0)) == timedelta(0)


def test_submissions_carry_the_callers_trace() -> None:
    """The current span becomes `traceparent`; without one there is nothing."""
    context = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    with trace.use_span(NonRecordingSpan(context)):
        inside = current_trace()

    assert inside.traceparent == f"00-{0xABC:032x}-{0xDEF:016x}-01"
    assert current_trace() == ("", "", "")


def test_submissions_carry_the_callers_baggage() -> None:
    """The current baggage goes along, encoded, with a span or without one."""
    token = attach(baggage.set_baggage("tenant", "a b"))
    try:
        assert current_trace().baggage == "tenant=a+b"
    finally:
        detach(token)


def test_importing_prepares_grpc_and_starts_nothing() -> None:
    """Variables are set before gRPC is imported, the user's own are left alone, and no program is told how to poll."""
    script = (
        "import gesso, os, threading; environ = os.environ;"
        "print(environ['GRPC_ENABLE_FORK_SUPPORT'], environ.get('GRPC_EXPERIMENTS'), threading.active_count())"
    )

    def printed(environment: dict[str, str]) -> str:
        command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{script}"]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert printed({}) == "1 None 1"
    own = {"GRPC_ENABLE_FORK_SUPPORT": "0", "GRPC_EXPERIMENTS": "event_engine_client"}
    assert printed(own) == "0 event_engine_client 1"
