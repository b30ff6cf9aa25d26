"""Options of a canvas: a plain dict, and the few rules for merging two.

Names are Celery's. Two keys hold canvases: `link` and `link_error`, lists. A stamp is an option whose
name is listed under `stamped_headers`, and its value is kept as the visitor gave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from gesso.canvas.retry import RetryPolicy

Options: TypeAlias = dict[str, Any]

#: Key of the list of stamp names.
STAMPED = "stamped_headers"
#: Keys of the lists of linked canvases.
LINKS = ("link", "link_error")
#: What belongs to one element and is never handed down to those inside it.
_OWN = frozenset({"task_id", STAMPED, *LINKS})
#: Two ways to say the same, so that the later one takes the place of the earlier.
_RIVALS = {"countdown": "eta", "eta": "countdown"}


def normal(value: Any) -> Any:
    """Return an option's value as it is stored: spans as seconds, policies as JSON data."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, RetryPolicy):
        return value.to_dict()
    return value


def merge(stored: Options, given: Mapping[str, Any]) -> None:
    """Put `given` into `stored`, where it wins; what is None there changes nothing.

    Stamps are not options in this sense: those that are stored stay, and names are added up.
    """
    stamps = stored.get(STAMPED, ())
    for given_key, value in given.items():
        if value is None or given_key in stamps:
            continue
        key = option_name(given_key, value)
        if key == STAMPED:
            stored[STAMPED] = sorted({*stamps, *value})
            continue
        stored[key] = normal(value)
        rival = _RIVALS.get(key)
        if rival is not None and given.get(rival) is None:
            stored.pop(rival, None)


def option_name(key: str, value: Any) -> str:
    """Return what an option is stored as: Celery's `retry_policy` is about publishing, but not for such a value."""
    return "retry" if isinstance(value, RetryPolicy) else key


def replace(stored: Options, given: Mapping[str, Any]) -> None:
    """Put `given` into `stored`; what is None there is taken away."""
    merge(stored, given)
    for key, value in given.items():
        if value is None:
            stored.pop(key, None)


def handed_down(options: Options) -> Options:
    """Return the options of a group, chain or chord that are meant for the tasks inside it."""
    if not options:
        return options
    stamps = options.get(STAMPED, ())
    return {key: value for key, value in options.items() if key not in _OWN and key not in stamps}


def without(options: Mapping[str, Any], keys: Iterable[str]) -> Options:
    """Return the options that are not in `keys`."""
    left_out = frozenset(keys)
    return {key: value for key, value in options.items() if key not in left_out}


def stamps_in(options: Options) -> dict[str, Any]:
    """Return the stamps among the options, as the visitor gave them."""
    return {key: options[key] for key in options.get(STAMPED, ()) if key in options}


def container_copy(value: Any) -> Any:
    """Return a copy of lists and dicts at any depth, and everything else as it is."""
    if isinstance(value, dict):
        return {key: container_copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [container_copy(item) for item in value]
    return value
