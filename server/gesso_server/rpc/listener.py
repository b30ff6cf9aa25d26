"""Where a coordinator listens.

Off loopback without TLS and credentials it refuses to, unless it was told to in so many words: whoever reaches the port
can run any registered task. There it does not tell its contract either, unless it was told to.
"""

from __future__ import annotations

import ipaddress


class ListenRefusedError(Exception):
    """The address is not listened on. The text is a sentence for a person."""


def check_address(address: str, *, insecure: bool) -> None:
    """Return if `address` may be listened on.

    Raises:
        ListenRefusedError: If it is not `HOST:PORT`, or not loopback and `insecure` is not set.
    """
    _, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004  the highest port
        message = f"An address is HOST:PORT, such as localhost:7365, not {address!r}."
        raise ListenRefusedError(message)
    if not insecure and not is_loopback(address):
        message = (
            f"{address} can be reached from other machines, and whoever reaches it can run any task. "
            "Listen on localhost, or say --insecure if something in front of it (a mesh, a firewall) keeps others out; "
            "TLS and credentials are not there yet."
        )
        raise ListenRefusedError(message)


def check_page_address(address: str, *, insecure: bool) -> tuple[str, int]:
    """Return host and port of an address that pages may be served at, which tell much and change nothing.

    Raises:
        ListenRefusedError: As `check_address`.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004  the highest port
        message = f"An address is HOST:PORT, such as localhost:9365, not {address!r}."
        raise ListenRefusedError(message)
    host = host.strip("[]")
    if not insecure and not is_loopback(address):
        message = (
            f"{address} can be reached from other machines, and whoever reaches it can read the names of queues and "
            "how much is done. Serve the pages on localhost, or say --insecure if something keeps others out."
        )
        raise ListenRefusedError(message)
    return host, int(port)


def is_loopback(address: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
