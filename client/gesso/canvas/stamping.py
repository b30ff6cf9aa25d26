"""Stamps: metadata put on every element of a canvas and kept with its result.

    class MonitoringIdStampingVisitor(StampingVisitor):
        def on_signature(self, sig, **headers):
            return {"monitoring_id": uuid4().hex}

    canvas.stamp(visitor=MonitoringIdStampingVisitor())
    canvas.stamp(customer="acme")

What a hook returns for a group, a chain or a chord goes to every element inside it. A hook's mapping may
have the key `stamped_headers`: then only the keys listed there are stamps, otherwise all are. A later
stamp takes the place of an earlier one of that name; with `append_stamps` they collect in a list.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from gesso.canvas.options import STAMPED, Options

Stamps: TypeAlias = Mapping[str, Any]


class StampingVisitor(ABC):
    """Says what each element of a canvas is stamped with.

    Every hook gets the element and, as keywords, the stamps that the element inherits. It may be
    called while a lazy group is read, long after `stamp()`.
    """

    @abstractmethod
    def on_signature(self, sig: Any, **headers: Any) -> Mapping[str, Any] | None:
        """Return the stamps of one task."""

    def on_group_start(self, group: Any, **headers: Any) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Return the stamps of everything in a group."""
        return {}

    def on_group_end(self, group: Any, **headers: Any) -> None:  # noqa: B027 - overriding is the user's choice
        """Learn that a group has been stamped."""

    def on_chain_start(self, chain: Any, **headers: Any) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Return the stamps of everything in a chain."""
        return {}

    def on_chain_end(self, chain: Any, **headers: Any) -> None:  # noqa: B027 - as on_group_end
        """Learn that a chain has been stamped."""

    def on_chord_header_start(self, sig: Any, **header: Any) -> Mapping[str, Any] | None:
        """Return the stamps of everything in a chord's header; by default as for a group."""
        return self.on_group_start(sig.tasks, **header)

    def on_chord_header_end(self, sig: Any, **header: Any) -> None:
        """Learn that a chord's header has been stamped; by default as for a group."""
        self.on_group_end(sig.tasks, **header)

    def on_chord_body(self, sig: Any, **header: Any) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Return the stamps of everything in a chord's body."""
        return {}

    def on_callback(self, callback: Any, **header: Any) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Return the stamps of a linked canvas."""
        return {}

    def on_errback(self, errback: Any, **header: Any) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Return the stamps of a canvas linked to an error."""
        return {}


class PlainVisitor(StampingVisitor):
    """Adds nothing to the stamps that were given."""

    def on_signature(self, sig: Any, **headers: Any) -> Mapping[str, Any] | None:  # noqa: ARG002
        """Return no stamps."""
        return {}


@dataclass(frozen=True, slots=True)
class Stamping:
    """One call of `stamp()` on its way through a canvas."""

    #: Whom to ask.
    visitor: StampingVisitor = field(default_factory=PlainVisitor)
    #: Whether stamps of one name collect.
    append: bool = False
    #: The stamps that the element inherits.
    headers: Stamps = field(default_factory=dict)

    def below(self, returned: Mapping[str, Any] | None) -> Stamping:
        """Return the stamping for what is inside an element, for which a hook `returned` stamps."""
        if not returned:
            return self
        headers = dict(self.headers)
        for key, value in chosen(returned).items():
            headers[key] = self._together(headers, key, value)
        return replace(self, headers=headers)

    def put_on(self, options: Options) -> None:
        """Put the stamps on an element."""
        if not self.headers:
            return
        for key, value in self.headers.items():
            options[key] = self._together(options, key, value)
        options[STAMPED] = sorted({*options.get(STAMPED, ()), *self.headers})

    def _together(self, stamps: Mapping[str, Any], key: str, value: Any) -> Any:
        if not self.append or key not in stamps:
            return _own_copy(value)
        collected = [*values(stamps[key])]
        added = [each for each in values(value) if each not in collected]
        return [*collected, *added] if added else stamps[key]


def chosen(returned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stamps in what a hook, or the caller of `stamp()`, gave."""
    if STAMPED not in returned:
        return dict(returned)
    return {key: returned[key] for key in returned[STAMPED] if key in returned}


def values(stamp: Any) -> Iterable[Any]:
    """Return the values of a stamp: a collection's items, or the one value that it is."""
    if isinstance(stamp, (set, frozenset)):
        return sorted(stamp, key=repr)
    return stamp if isinstance(stamp, (list, tuple)) else (stamp,)


def _own_copy(stamp: Any) -> Any:
    """Return a stamp that no other element's is changed with."""
    return stamp.copy() if isinstance(stamp, (list, dict, set)) else stamp
