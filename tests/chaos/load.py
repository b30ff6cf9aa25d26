"""A stream of canvases, and the two ledgers that judge it: what was acknowledged, and what ran."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.workload import Order, Workload
from gesso import App
from gesso.errors import GessoError

CLIENTS = 6
END_SECONDS = 150.0
"""A canvas that has not ended by then hangs: longer than any fault and every lease."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A canvas that the service has taken."""

    order: Order
    value: Any
    """What came out; None if nothing did in time."""
    error: str
    """What was raised instead; empty if nothing was."""
    hanging: bool
    end: float
    """When it ended, by this process's clock."""


@dataclass(slots=True)
class Verdict:
    """What the ledgers say."""

    acknowledged: int = 0
    unanswered: int = 0
    """Orders whose sending ended with an error: they may have run."""
    hanging: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Keys of ended canvases that never ran."""
    phantom: list[str] = field(default_factory=list)
    """Keys that ran and that nobody ordered."""
    wrong: list[str] = field(default_factory=list)
    """Values that are not what they must be."""
    twice: list[str] = field(default_factory=list)
    """Keys that ran as two nodes: an effect on the graph that counted twice."""
    repeated: int = 0
    """Runs beyond the first of a key: what at-least-once allows after a fault."""
    runs: int = 0

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.hanging or self.lost or self.phantom or self.wrong or self.twice)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} canvases, {self.runs} runs: lost {len(self.lost)}, phantom {len(self.phantom)}, "
            f"wrong {len(self.wrong)}, body or node twice {len(self.twice)}, hanging {len(self.hanging)}; "
            f"repeated {self.repeated}, not acknowledged {self.unanswered}"
        )


class Load:
    """Threads that send one canvas after the other and wait for each."""

    def __init__(self, app: App, folder: Path, seed: int, clients: int = CLIENTS) -> None:
        """Nothing runs yet."""
        self._app = app
        self._ledger = folder / "chaos-ledger"
        self._seed = seed
        self._enough = threading.Event()
        self._lock = threading.Lock()
        self._acknowledged: list[Acknowledged] = []
        self._sent: list[Order] = []
        self._unanswered = 0
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send nothing more, and wait for what was sent."""
        self._enough.set()
        for thread in self._threads:
            thread.join(END_SECONDS + 30)
            assert not thread.is_alive(), "a client hangs"

    def ended(self) -> int:
        """Return how many canvases have ended."""
        return len(self._acknowledged)

    def rate(self, since: float, until: float) -> float:
        """Return how many canvases ended in a second, between two instants."""
        count = sum(since <= each.end < until for each in self._acknowledged)
        return count / max(until - since, 0.001)

    def first_end(self, after: float) -> float | None:
        """Return how long after an instant a canvas first ended."""
        return min((each.end - after for each in self._acknowledged if each.end > after), default=None)

    def longest_gap(self, since: float, until: float) -> float:
        """Return the longest time without an end between two instants."""
        ends = sorted(each.end for each in self._acknowledged if since <= each.end <= until)
        return max(b - a for a, b in zip([since, *ends], [*ends, until], strict=True))

    def processes(self) -> list[int]:
        """Return the processes that ran something, those that did so last at the end."""
        return list(dict.fromkeys(int(line[3]) for line in reversed(self._lines()[-200:])))[::-1]

    def verdict(self) -> Verdict:
        """Judge what happened. To be called after `stop`."""
        runs: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for key, node, attempt, _ in self._lines():
            runs[key].append((node, attempt))
        ordered = {key for order in self._sent for key in order.keys}
        verdict = Verdict(acknowledged=len(self._acknowledged), unanswered=self._unanswered)
        for each in self._acknowledged:
            if each.hanging:
                verdict.hanging.append(each.order.keys[0])
            elif each.error or each.value != each.order.value:
                verdict.wrong.append(each.error or f"{each.value} is not {each.order.value}")
            else:
                verdict.lost += [key for key in each.order.keys if key not in runs]
        for key, entries in runs.items():
            verdict.runs += len(entries)
            verdict.repeated += len(entries) - 1
            if key not in ordered:
                verdict.phantom.append(key)
            # One attempt may run twice: what ended in a process that died before it said so was never started, for all
            # that anybody knows, and is delivered again under the same number with another nonce.
            if len({node for node, _ in entries}) > 1:
                verdict.twice.append(f"{key}: {entries}")
        return verdict

    def _lines(self) -> list[list[str]]:
        if not self._ledger.exists():
            return []
        whole, _, _ = self._ledger.read_text().rpartition("\n")
        return [line.split() for line in whole.splitlines()]

    def _run(self, number: int) -> None:
        workload = Workload(str(self._ledger), self._seed, f"client{number}")
        while not self._enough.is_set():
            order = workload.order()
            with self._lock:
                self._sent.append(order)
            try:
                result = order.canvas.apply_async()
            except GessoError:
                with self._lock:
                    self._unanswered += 1
                continue
            acknowledged = self._ended(order, result)
            with self._lock:
                self._acknowledged.append(acknowledged)

    def _ended(self, order: Order, result: Any) -> Acknowledged:
        value, error, hanging = None, "", False
        try:
            value = result.get(timeout=END_SECONDS)
        except TimeoutError:
            hanging = True
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is in the verdict
            error = repr(raised)
        return Acknowledged(order, value, error, hanging, time.monotonic())
