"""The protocol with one safeguard taken away, and what breaks then."""

from __future__ import annotations

from dataclasses import dataclass

from model.scripts import Rules


@dataclass(frozen=True, slots=True)
class Variant:
    """A weaker protocol."""

    name: str
    rules: Rules
    breaks: str
    """The promise that is broken first."""
    within: int
    """Steps after which it is broken at the latest."""
    workers: int = 2
    faults: int = 1
    """How many must come together."""
    submitted: bool = True
    """Whether it begins with a canvas that was accepted."""


_FOREIGN = "a report of another delivery was applied"
_UNKNOWN = "a task is leased to a worker that does not know it"

VARIANTS = (
    Variant("no token", Rules(token=False), _FOREIGN, 9),
    Variant("a token without its nonce", Rules(nonce=False), _FOREIGN, 6, workers=1, faults=2),
    Variant("completion that counts again", Rules(completion_once=False), "one report was applied twice", 9),
    Variant(
        "counting down and setting free in two steps", Rules(join_in_one_step=False),
        "nothing leads to the canvas's end any more", 13, workers=1,
    ),
    Variant(
        "taking from the queue and leasing in two steps", Rules(lease_in_one_step=False),
        "a task waits and nobody will come upon it, or it is handed out twice", 4,
    ),
    Variant(
        "no epoch", Rules(epoch=False), "a task was granted to a connection that had been replaced", 5,
    ),
    Variant("no seq: a repeat grants anew", Rules(seq=False), _UNKNOWN, 7),
    Variant("a seq that only the last call is compared with", Rules(seq_grows=False), _UNKNOWN, 12),
    Variant(
        "an expiry that is not looked at again", Rules(expiry_rechecked=False),
        "a session whose lease ran was ended", 6,
    ),
    Variant("one counter for all", Rules(counters_apart=False), "a counter does not say what happened", 5),
    Variant(
        "a delivery that nobody returned counts nothing", Rules(lapsed_counts=False),
        "a counter does not say what happened", 6,
    ),
    Variant(
        "a crash that is told too late counts nothing", Rules(late_blame=False),
        "a counter does not say what happened", 9,
    ),
    Variant(
        "no request id", Rules(request_id=False), "one request became two canvases", 4, workers=1, submitted=False,
    ),
)  # fmt: skip
