"""Where a coordinator listens.

Off loopback without TLS and credentials it refuses to, unless it was told to in so many words: whoever reaches the port
can run any registered task. There it does not tell its contract either, unless it was told to. A Unix socket is for
those who may write to its file: by the usual umask its owner.
"""

from __future__ import annotations

import ipaddress
import os
import socket

_UNIX = "unix:"
_PATH_BYTES = 107
"""What the kernel takes as the path of a Unix socket."""
_PROBE_S = 1.0


class ListenRefusedError(Exception):
    """The address is not listened on. The text is a sentence for a person."""


def check_address(address: str, *, insecure: bool) -> None:
    """Return if `address` may be listened on.

    Raises:
        ListenRefusedError: If it is neither `HOST:PORT` nor `unix:PATH`, or not loopback and `insecure` is not set.
    """
    path = socket_path(address)
    if path is not None:
        _check_path(path)
        return
    if not _has_port(address):
        message = f"An address is HOST:PORT, such as localhost:7365, or unix:PATH, not {address!r}."
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
    if socket_path(address) is not None or not _has_port(address):
        message = f"An address is HOST:PORT, such as localhost:9365, not {address!r}."
        raise ListenRefusedError(message)
    if not insecure and not is_loopback(address):
        message = (
            f"{address} can be reached from other machines, and whoever reaches it can read the names of queues and "
            "how much is done. Serve the pages on localhost, or say --insecure if something keeps others out."
        )
        raise ListenRefusedError(message)
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _has_port(address: str) -> bool:
    _, colon, port = address.rpartition(":")
    return bool(colon) and port.isdecimal() and int(port) <= 65535  # noqa: PLR2004  the highest port


def socket_path(address: str) -> str | None:
    """Return the path of a Unix socket's address, `unix:PATH` or `unix:///PATH`; None for another one."""
    if not address.startswith(_UNIX):
        return None
    return address.removeprefix(_UNIX).removeprefix("//")


def check_unused(path: str) -> None:
    """Return if nobody listens at a Unix socket. What is left of one that died is no obstacle: gRPC replaces it.

    Raises:
        ListenRefusedError: If somebody does, whose place gRPC would take without a word.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(path)
        except OSError:
            return
    message = f"{path} is listened on already: is another coordinator running there?"
    raise ListenRefusedError(message)


def _check_path(path: str) -> None:
    if not 0 < len(os.fsencode(path)) <= _PATH_BYTES:
        message = f"The path of a Unix socket has 1 to {_PATH_BYTES} bytes, not as {path!r}."
        raise ListenRefusedError(message)


def is_loopback(address: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    if socket_path(address) is not None:
        return True
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
