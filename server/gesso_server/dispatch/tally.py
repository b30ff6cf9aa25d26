"""What one coordinator has done, as numbers that only grow.

They are added to once for a call to the store, whatever the number of tasks in it, and read when somebody collects
metrics (`instruments.py`). A coordinator that exports no metrics has no tally.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gesso_server.store.calls import Deeds, Exchanged, Frame, Reported
from gesso_telemetry.distribution import Distribution

_MS = 1000
_MOST_TYPES = 100
OTHER: Final = "_OTHER"
"""Type of the errors of which there were too many kinds, as OpenTelemetry's conventions call it."""
_OUTCOMES = {
    "v": "succeeded", "p": "replaced", "e": "failed", "y": "failed", "i": "ignored", "r": "rejected", "q": "requeued",
}  # fmt: skip
_REFUSED = {"D": "duplicate", "S": "stale", "U": "unknown"}
REASONS: Final = tuple(_REFUSED.values())
"""Why reports change nothing."""
_PROGRESS = "s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How what a coordinator measures is distributed."""

    queued: Distribution
    """How long what is delivered had waited in its queue."""
    ran: Distribution
    """How long attempts ran."""
    canvases: Distribution
    """How long canvases took."""
    calls: Distribution
    """How long calls to the store took, by function."""
    reports: Distribution
    """How many ends of attempts a call reported."""
    grants: Distribution
    """How many tasks a call granted."""


class Tally:
    """What a coordinator has done since it started."""

    def __init__(self, spread: Spread) -> None:
        """Have done nothing; what is measured is added to `spread`."""
        self.deeds = Counter[str]()
        """By the words of `scripts/lib/call.lua`."""
        self.attempts = Counter[tuple[str, str]]()
        """By outcome, and type of the error; the type is empty where there is none."""
        self.refused = Counter[str]()
        """Reports that changed nothing, by reason."""
        self.accepted = 0
        """Canvases."""
        self.frames = 0
        """From workers."""
        self._types: set[str] = set()
        self._spread = spread

    def note(self, deeds: Deeds) -> None:
        """Take note of what a call says that it has done."""
        counts, waits = deeds.counts, deeds.waits
        for at in range(0, len(counts), 2):
            word, count = counts[at], counts[at + 1]
            if isinstance(word, bytes) and isinstance(count, int):
                self.deeds[word.decode()] += count
        for at in range(0, len(waits), 2):
            self._spread.queued.add_many(waits[at] / _MS, waits[at + 1])
        if deeds.took:
            self._spread.canvases.add(took / _MS for took in deeds.took)

    def settled(self, frame: Frame, reply: Exchanged) -> None:
        """Take note of what a call was told by a worker, and what it answered."""
        if reply.grants:
            self._spread.grants.add((len(reply.grants),))
        answers, reported = reply.answers, frame.reported
        if len(answers) != answers.count("A"):
            self.refused.update(_REFUSED[answer] for answer in answers if answer != "A")
            applied = answers[len(answers) - len(reported) :]
            reported = [each for each, answer in zip(reported, applied, strict=True) if answer == "A"]
        if reported:
            self._attempted(reported)

    def _attempted(self, reported: Sequence[Reported]) -> None:
        self._spread.reports.add((len(reported),))
        for (kind, error), count in Counter((each.kind, each.error) for each in reported).items():
            if kind != _PROGRESS:
                self.attempts[_OUTCOMES[kind], self._type(error)] += count
        self._spread.ran.add(each.run_seconds for each in reported if each.run_seconds is not None)

    def _type(self, error: str) -> str:
        """Return the type of an error, unless there were too many: workers may report any text as one."""
        if error in self._types or not error:
            return error
        if len(self._types) >= _MOST_TYPES:
            return OTHER
        self._types.add(error)
        return error

    def called(self, function: str, seconds: float) -> None:
        """Take note of how long a call to the store took."""
        self._spread.calls.add((seconds,), (function,))
