"""What the benchmark of scale found, as text: a table for each question, and the targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.scale_run import PARTS, Outcome
from bench.table import columns, number

MB = 1_000_000
MEANT_FOR = 1_000_000
"""Members that the targets are meant for."""
_BASE = 10_000
"""Members of the chord that the time a task is held against."""
_NONE = "–"


@dataclass(frozen=True, slots=True)
class Bound:
    """A target, and what was found."""

    text: str
    most: float
    unit: str
    found: float | None
    """None when it was not measured."""
    size: int
    """The size that it was found at."""

    @property
    def reached(self) -> bool | None:
        """Whether it is reached. None when it was not measured, or with fewer members than it is meant for."""
        return None if self.found is None or self.size < MEANT_FOR else self.found <= self.most


def tables(
    sizes: Sequence[Outcome],
    parts: Sequence[Outcome],
    processes: Sequence[Outcome],
    payloads: Sequence[Outcome],
) -> list[list[str]]:
    """Return tables of times, memory and processor for sizes, and one for each other question, if it has rows."""
    times = ["µs a task", "submitted in", "ended in", "values in", "hand-over", "call"]
    found = [
        (sizes, _size_row, ["sizes", *times]),
        (sizes, _memory_row, ["memory, MB over idle", *PARTS, "store B a node"]),
        ([*sizes, *parts], _processor_row, ["processor, µs a task", *PARTS, "together"]),
        (processes, _size_row, ["processes", *times]),
        (payloads, _payload_row, ["payloads", "µs a task", "MB/s each way"]),
    ]
    return [columns([head, *map(row, rows)]) for rows, row, head in found if rows]


def bounds(outcomes: Sequence[Outcome]) -> list[Bound]:
    """Return how the targets stand, at the largest size of each kind."""
    chord, backlog = _largest(outcomes, "chord"), _largest(outcomes, "backlog")
    small = next((each for each in outcomes if each.plan.kind == "chord" and each.plan.size == _BASE), None)
    found = []
    if chord is not None:
        size = chord.plan.size
        growth = None
        if small is not None and small is not chord and small.us_a_task and chord.us_a_task:
            growth = chord.us_a_task / small.us_a_task
        found += [
            Bound("a chord of 1,000,000 ends within", 150, "s", chord.total_s, size),
            Bound("its time a task, to that at 10,000", 1.5, "×", growth, size),
            Bound("its body is handed over after the last member within", 1, "s", chord.handover_s, size),
            Bound("the client, while it streams them, over idle", 50, "MB", _grown(chord, "client"), size),
        ]
    if backlog is not None:
        size = backlog.plan.size
        waiting = backlog.grown(backlog.waiting, "coordinator")
        found += [
            Bound("store for a waiting node", 300, "B", backlog.store_bytes_a_node, size),
            Bound(
                "the coordinator, with all of it waiting, over idle", 80, "MB",
                None if waiting is None else waiting / MB, size,
            ),
        ]  # fmt: skip
    return found


def bounds_table(found: Iterable[Bound]) -> list[str]:
    """Return the targets as lines."""
    rows = [["to reach", "at most", "here", "with members", ""]]
    rows += [
        [each.text, f"{number(each.most)} {each.unit}", _text(each.found, each.unit), f"{each.size:,}", _word(each)]
        for each in found
    ]  # fmt: skip
    return columns(rows)


def faults(outcomes: Iterable[Outcome]) -> list[str]:
    """Return the runs that were not done to the end, and why."""
    return [f"{each.plan.text}: {each.fault}" for each in outcomes if each.fault]


def _word(bound: Bound) -> str:
    if bound.found is not None and bound.size < MEANT_FOR:
        return "too few to tell"
    return {True: "reached", False: "NOT reached", None: "unknown"}[bound.reached]


def _largest(outcomes: Iterable[Outcome], kind: str) -> Outcome | None:
    """Return the largest run of a kind, done to the end or not: a target that was missed is not passed over."""
    return max(
        (each for each in outcomes if each.plan.kind == kind), key=lambda each: each.plan.size, default=None
    )


def _grown(outcome: Outcome, part: str) -> float | None:
    grown = outcome.grown(outcome.submitting, part)
    return None if grown is None else grown / MB


def _size_row(outcome: Outcome) -> list[str]:
    seconds = (outcome.submit_s, outcome.total_s, outcome.read_s, outcome.handover_s, outcome.call_s)
    return [outcome.plan.text, _text(outcome.us_a_task, ""), *(_text(each, "s") for each in seconds)]


def _memory_row(outcome: Outcome) -> list[str]:
    cells = []
    for part in PARTS:
        phases = [outcome.grown(outcome.submitting, part)]
        if outcome.plan.kind != "backlog":  # another worker came in the second phase of those
            phases.append(outcome.grown(outcome.running, part))
        known = [phase for phase in phases if phase is not None]
        cells.append(_text(max(known) / MB, "") if known else _NONE)
    return [outcome.plan.text, *cells, _text(outcome.store_bytes_a_node, "")]


def _processor_row(outcome: Outcome) -> list[str]:
    taken = [outcome.processor_us(part) for part in PARTS]
    known = [each for each in taken if each is not None]
    return [outcome.plan.text, *(_text(each, "") for each in (*taken, sum(known) if known else None))]


def _payload_row(outcome: Outcome) -> list[str]:
    each = outcome.us_a_task
    rate = outcome.plan.payload / each if each else None
    return [outcome.plan.text, _text(each, ""), _text(rate, "")]


def _text(value: float | None, unit: str) -> str:
    return _NONE if value is None else f"{number(value)} {unit}".rstrip()
