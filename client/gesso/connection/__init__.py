"""The connection to a coordinator: one bidirectional stream for each process and address."""

from __future__ import annotations

from gesso.connection.channel import DEFAULT_ADDRESS, address_from
from gesso.connection.coordinator import CALL_TIMEOUT, Coordinator, End
from gesso.connection.registry import close, shared

__all__ = ["CALL_TIMEOUT", "DEFAULT_ADDRESS", "Coordinator", "End", "address_from", "close", "shared"]
