"""What the functions of the library are called with, written."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from gesso_server.store.calls import Loan
from gesso_server.store.records import StoredNode


def loan_args(loan: Loan | None) -> list[bytes | str | int]:
    """Write to whom what can run is granted; None for nobody."""
    if loan is None:
        return ["", 0, 0, "", 0, 0]
    who = loan.session
    return [who.session, who.epoch, loan.seq, secrets.token_hex(6), loan.want, int(loan.others_idle)]


def nodes_args(nodes: Iterable[StoredNode]) -> list[bytes | str | int]:
    """Write nodes, one behind the other."""
    return [part for node in nodes for part in node]


def number_arg(number: int | None) -> int | str:
    """Write a number, none as empty."""
    return "" if number is None else number
