"""What can go wrong between a coordinator and its store.

    StoreError
    ├── StoreRefused        at start: this store, or this place for one, will not do
    ├── StoreUnavailable    does not answer now; the same call may succeed later
    │   └── StoreBehind     it has it, but not as safely as was asked for
    ├── StoreFull           out of memory: nothing new is taken, what runs goes on
    └── QuotaError          the namespace has as much in the store as it may

Errors of redis-py are translated into these where they enter, with `raise … from`.
"""

from __future__ import annotations

import logging


class StoreError(Exception):
    """Root of every error of the store."""


class StoreRefused(StoreError):
    """The store cannot be used at all. The text is a sentence for a person and says what to do."""


class StoreUnavailable(StoreError):
    """The store does not answer: down, loading, failing over, or without a disk to write to."""


class StoreBehind(StoreUnavailable):
    """What was written has not reached as many replicas in time as it must before it is acknowledged."""


class StoreFull(StoreError):
    """The store has reached its memory limit and refuses whatever would add to it."""


class QuotaError(StoreError):
    """The namespace has as much open in the store as it may."""


def level_of(error: StoreError) -> int:
    """Return how loudly a call that failed, and is repeated, is logged: quietly where `store.unavailable` tells it."""
    told = isinstance(error, StoreUnavailable) and not isinstance(error, StoreBehind)
    return logging.DEBUG if told else logging.WARNING
