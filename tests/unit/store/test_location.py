"""What a store's address says."""

from __future__ import annotations

import pytest

from gesso_server.store.errors import StoreRefused
from gesso_server.store.location import Endpoint, Kind, parse_location
from gesso_server.store.topology import Shard, Topology


@pytest.mark.parametrize("url", ["redis://:pw@host:1/2", "rediss://host", "unix:///tmp/a.sock"])
def test_the_address_of_one_server_is_used_as_it_is(url: str) -> None:
    """redis-py reads it."""
    location = parse_location(url)

    assert location.kind is Kind.STANDALONE
    assert location.server_url(location.seeds[0]) == url


def test_sentinels_and_servers_have_credentials_of_their_own() -> None:
    """Before the hosts stand those of the servers; the Sentinels' are in the query, which goes to nobody else."""
    location = parse_location(
        "rediss+sentinel://me:p%40@a:1,[::1],c/main/3?sentinel_password=x&ssl_ca_certs=/ca"
    )

    assert location.kind is Kind.SENTINEL
    assert location.seeds == (Endpoint("a", 1), Endpoint("::1", 26379), Endpoint("c", 26379))
    assert location.service == "main"
    assert location.server_url(Endpoint("d", 5)) == "rediss://me:p%40@d:5/3?ssl_ca_certs=%2Fca"
    assert location.sentinel_url(location.seeds[1]) == "rediss://:x@[::1]:26379/?ssl_ca_certs=%2Fca"


def test_any_nodes_name_a_cluster() -> None:
    """Those that answer name the others."""
    location = parse_location("redis+cluster://a:7000,b")

    assert location.kind is Kind.CLUSTER
    assert location.seeds == (Endpoint("a", 7000), Endpoint("b", 6379))
    assert location.server_url(Endpoint("c", 7)) == "redis://c:7/"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("localhost:6379", "begins with redis://"),
        ("sentinel://a/main", "begins with redis://"),
        ("redis+sentinel://a,b", "does not name the service"),
        ("redis+cluster://a/3", "has only one"),
        ("redis+cluster://a,,b", "not a host and a port"),
        ("redis+sentinel://u:secret@a:x/main", "not a host and a port"),
    ],
)
def test_what_is_no_address_is_refused(url: str, sentence: str) -> None:
    """The sentence says what is wrong, without the password."""
    with pytest.raises(StoreRefused, match=sentence) as refused:
        parse_location(url)

    assert "secret" not in str(refused.value)


def test_every_slot_has_its_primary() -> None:
    """A slot that moved is elsewhere at once, a slot of nobody has no primary."""
    one, two = Endpoint("one", 1), Endpoint("two", 2)
    topology = Topology((Shard(0, 99, one), Shard(200, 16_383, two)))

    assert [topology.primary_of(slot) for slot in (0, 99, 100, 200)] == [one, one, None, two]
    assert topology.moved(99, two).primary_of(99) == two
    assert topology.moved(99, two).primaries == (two, one)
    assert not topology.covered
    assert Topology.single(one).covered
