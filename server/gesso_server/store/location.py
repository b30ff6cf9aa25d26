"""Where a store is, as its address says.

    redis://host:6379/0, rediss://…, unix:///path            one server
    redis+sentinel://host:26379,host:26379/service/0         what a Sentinel calls `service`
    redis+cluster://host:6379,host:6379                      a cluster; any of its nodes, the others are found

`rediss+…` is the same over TLS. A user and a password before the hosts are for the servers that hold data; those for
Sentinels are `?sentinel_username=…&sentinel_password=…`. Every other setting in the query is redis-py's, for every
connection. The forms are those that other Python libraries know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from gesso_server.store.errors import StoreRefused

_ADDRESS = re.compile(
    r"(?P<scheme>rediss?)(?:\+(?P<kind>sentinel|cluster))://(?:(?P<user>[^@]*)@)?(?P<hosts>[^/?#]+)"
    r"(?:/(?P<path>[^?#]*))?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")
_STANDALONE = ("redis://", "rediss://", "unix://")
_SECRETS = re.compile(r"(?<=password=)[^&#]*")
_SERVER_PORT, _SENTINEL_PORT = 6379, 26379


class Kind(StrEnum):
    """How a store is put together."""

    STANDALONE = "standalone"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


class Endpoint(NamedTuple):
    """Where one server listens. Of a Unix socket, or an address that is used as it is, the host is all of it."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a store is."""

    url: str
    kind: Kind
    seeds: tuple[Endpoint, ...]
    """Sentinels, or nodes of a cluster; of one server, itself."""
    service: str = ""
    """What the Sentinels call the store."""
    _scheme: str = "redis"
    _credentials: str = ""
    _database: str = ""
    _query: tuple[tuple[str, str], ...] = ()

    def server_url(self, endpoint: Endpoint) -> str:
        """Return the address of a server that holds data."""
        if self.kind is Kind.STANDALONE:
            return self.url
        return self._url(self._credentials, endpoint, self._database)

    def sentinel_url(self, endpoint: Endpoint) -> str:
        """Return the address of a Sentinel."""
        known = dict(self._query)
        user, password = known.get("sentinel_username", ""), known.get("sentinel_password", "")
        return self._url(f"{user}:{password}@" if user or password else "", endpoint, "")

    def _url(self, credentials: str, endpoint: Endpoint, database: str) -> str:
        query = urlencode([pair for pair in self._query if not pair[0].startswith("sentinel_")])
        return f"{self._scheme}://{credentials}{endpoint}/{database}" + (f"?{query}" if query else "")


def parse_location(url: str) -> Location:
    """Return where a store is.

    Raises:
        StoreRefused: If the address is not one.
    """
    if url.startswith(_STANDALONE):
        return Location(url=url, kind=Kind.STANDALONE, seeds=(Endpoint(shown(url), 0),))
    found = _ADDRESS.fullmatch(url)
    if found is None:
        raise StoreRefused(
            f"A store's address begins with redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://, not "
            f"as {shown(url)!r} does."
        )
    kind = Kind(found["kind"])
    service, _, database = (found["path"] or "").partition("/")
    if kind is Kind.SENTINEL and not service:
        message = f"{shown(url)} does not name the service: redis+sentinel://host:26379,host:26379/service."
        raise StoreRefused(message)
    if kind is Kind.CLUSTER and (service not in {"", "0"} or database):
        raise StoreRefused(f"{shown(url)} names a database, and a cluster has only one.")
    port = _SENTINEL_PORT if kind is Kind.SENTINEL else _SERVER_PORT
    return Location(
        url=url, kind=kind, seeds=tuple(_endpoint(text, port, url) for text in found["hosts"].split(",")),
        service=service if kind is Kind.SENTINEL else "", _scheme=found["scheme"],
        _credentials=f"{found['user']}@" if found["user"] else "", _database=database,
        _query=tuple(parse_qsl(found["query"] or "")),
    )  # fmt: skip


def shown(url: str) -> str:
    """Return a store's address as it may be shown: without passwords."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    if at:
        rest = f"{credentials.partition(':')[0]}:***@{place}"
    return scheme + separator + _SECRETS.sub("***", rest)


def _endpoint(text: str, port: int, url: str) -> Endpoint:
    found = _HOST.fullmatch(text)
    if found is None:
        raise StoreRefused(f"{text!r} in {shown(url)} is not a host and a port.")
    return Endpoint(found["host"].strip("[]"), int(found["port"] or port))
