"""What the coordinator's process prints: a store's address, how fast it is."""

from __future__ import annotations

import pytest

from gesso_server.store.location import shown
from gesso_server.store.measurement import Latency


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("unix:///tmp/a/store.sock", "unix:///tmp/a/store.sock"),
        ("redis://localhost:6379/1", "redis://localhost:6379/1"),
        ("redis://:secret@host:6379", "redis://:***@host:6379"),
        ("rediss://user:se:cr@et@host", "rediss://user:***@host"),
        (
            "redis+sentinel://a,b/s?sentinel_password=x&ssl=1",
            "redis+sentinel://a,b/s?sentinel_password=***&ssl=1",
        ),
    ],
)
def test_no_password_is_shown(url: str, text: str) -> None:
    """The address of a store is shown without the password in it."""
    assert shown(url) == text


def test_latency_is_read_from_the_tries() -> None:
    """The median and the slowest but one in a hundred, whatever their order."""
    latency = Latency.of([float(number) for number in reversed(range(101))])

    assert latency.p50.total_seconds() == 50
    assert latency.p99.total_seconds() == 99
