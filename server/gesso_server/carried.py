"""What goes with a canvas's trace to its tasks: the submitter's `tracestate`, and of its baggage what may pass."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import unquote_plus  # as OpenTelemetry for Python writes and reads it

_BAGGAGE_BYTES = 1024
# W3C Baggage, 3.3.1: a member's key and value, and properties, which are not kept.
_MEMBER = re.compile(
    r"[ \t]*([!#-'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*([!#-+\-./-:<-\[\]-~]*)[ \t]*(?:;.*)?", re.ASCII
)


class Carried(NamedTuple):
    """What goes along with a trace: from the submitter to whoever runs the canvas's tasks."""

    tracestate: str = ""
    """As W3C `tracestate`."""
    baggage: str = ""
    """As W3C `baggage`: members without properties."""

    @classmethod
    def of(cls, tracestate: str, baggage: str, keys: Collection[str]) -> Carried:
        """Return the submitter's; of the baggage only members whose keys may pass, as many as there is room for."""
        kept: list[str] = []
        room = _BAGGAGE_BYTES
        for match in map(_MEMBER.fullmatch, baggage.split(",") if keys else ()):
            if match is None or unquote_plus(match[1]) not in keys:
                continue
            member = f"{match[1]}={match[2]}"
            if len(member) <= room:
                kept.append(member)
                room -= len(member) + 1
        return cls(tracestate.partition("\n")[0], ",".join(kept))

    def members(self) -> dict[str, str]:
        """Return the baggage, decoded."""
        pairs = (member.partition("=") for member in self.baggage.split(",") if member)
        return {unquote_plus(key): unquote_plus(value) for key, _, value in pairs}

    def text(self) -> str:
        """Return it as the store keeps it: `<tracestate>`, and in a second line the baggage if there is any."""
        return f"{self.tracestate}\n{self.baggage}" if self.baggage else self.tracestate

    @classmethod
    def parse(cls, text: str) -> Carried:
        """Read it."""
        tracestate, _, baggage = text.partition("\n")
        return cls(tracestate, baggage)
