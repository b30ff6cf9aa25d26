"""One run of the benchmark of scale: a fresh deployment, one canvas, and what each process takes meanwhile."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.deployment import Gesso
from bench.processes import Client, ProgramError, processor_seconds, python, resident_bytes

PARTS = ("client", "coordinator", "worker", "store")
_BACKLOG_QUEUE, _QUEUE = "backlog", "default"
_LEAST_S, _S_A_TASK = 120.0, 0.001
"""How long a phase may take: this and so much for each member."""
_SAMPLE_S, _CHECKS_EVERY = 0.1, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run."""

    kind: str
    """`group`, `chord`, `backlog` (a group whose workers come when all of it waits), `list` (a group that is not
    streamed), or `echo`."""
    size: int
    coordinators: int = 1
    workers: int = 2
    """Worker processes."""
    payload: int = 0
    """Bytes that each member of an `echo` takes and returns."""

    @property
    def text(self) -> str:
        """Say what it is."""
        what = f"{self.kind} of {self.size:,}"
        if self.payload:
            what += f", {self.payload:,} B each way"
        return f"{what}, coordinators {self.coordinators}, worker processes {self.workers}"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run came to. What was not measured is None, or not in a mapping."""

    plan: Plan
    fault: str = ""
    """Why it was not done to the end; empty if it was."""
    submit_s: float | None = None
    """From the start until all of it was accepted; members run meanwhile, but for a backlog."""
    total_s: float | None = None
    """Until the last node had ended: from the start, for a backlog from when its workers were ready."""
    read_s: float | None = None
    """Until the client had the values, from the end on."""
    handover_s: float | None = None
    """From the end of a chord's last member to the hand-over of its body, by the store's clock."""
    call_s: float | None = None
    """The same, to the call of the body's function, by its worker's clock, which is this machine's as well."""
    signature_bytes: int | None = None
    """What a member's signature takes, but for an `echo`."""
    store: str = ""
    """What store it was."""
    store_bytes_a_node: float | None = None
    """What the store's memory grew by for each node of a waiting backlog."""
    idle: dict[str, int] = field(default_factory=dict)
    """Resident bytes of each part before the start."""
    submitting: dict[str, int] = field(default_factory=dict)
    """The most of each part while the canvas was submitted."""
    running: dict[str, int] = field(default_factory=dict)
    """The most of each part from then until the end."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Of each part, when all of a backlog waited."""
    processor: dict[str, float] = field(default_factory=dict)
    """Seconds of processor that each part had, from the start until the client had the values."""

    @property
    def us_a_task(self) -> float | None:
        """Microseconds for a task; with its values read where those are what is measured."""
        if self.total_s is None:
            return None
        read = self.read_s or 0.0 if self.plan.kind == "echo" else 0.0
        return 1e6 * (self.total_s + read) / self.plan.size

    def processor_us(self, part: str) -> float | None:
        """Return the microseconds of processor that a part had for each task."""
        return 1e6 * self.processor[part] / self.plan.size if part in self.processor else None

    def grown(self, phase: Mapping[str, int], part: str) -> int | None:
        """Return by how many bytes a part was over its idle size in a phase."""
        return phase[part] - self.idle[part] if part in phase and part in self.idle else None

    def as_json(self) -> dict[str, object]:
        """Return it as plain data."""
        return asdict(self) | {"us_a_task": self.us_a_task}


class _Measurement:
    """A run under way."""

    def __init__(self, plan: Plan, outcome: Outcome, gesso: Gesso, client: Client) -> None:
        self._plan = plan
        self._outcome = outcome
        self._gesso = gesso
        self._client = client
        self._members: dict[str, list[int]] = {}
        self._limit = _LEAST_S + _S_A_TASK * plan.size * (1 + plan.payload / 10_000)

    def run(self) -> None:
        """Do everything, and note what it came to."""
        outcome, backlog = self._outcome, self._plan.kind == "backlog"
        idle = self._phase({}, do="idle")
        outcome.signature_bytes = idle["signature_bytes"]
        self._find_members()
        outcome.idle = self._resident()
        before = self._gesso.store
        outcome.store = before.text
        submitted = self._phase(
            outcome.submitting, do="submit", kind="group" if backlog else self._plan.kind, size=self._plan.size,
            queue=_BACKLOG_QUEUE if backlog else _QUEUE, payload=self._plan.payload,
        )  # fmt: skip
        outcome.submit_s = submitted["seconds"]
        begin = time.perf_counter() - submitted["seconds"]
        if backlog:
            outcome.waiting = self._resident()
            outcome.store_bytes_a_node = (self._gesso.store.used_bytes - before.used_bytes) / (
                self._plan.size + 1
            )
            self._gesso.workers(self._plan.workers, _BACKLOG_QUEUE)
            begin = time.perf_counter()
            self._find_members()
        ended = self._phase(outcome.running, do="wait")
        outcome.total_s = time.perf_counter() - begin
        outcome.handover_s, outcome.call_s = ended.get("handover_s"), ended.get("call_s")
        outcome.read_s = self._phase({}, do="read")["seconds"]

    def _phase(self, most: dict[str, int], **order: object) -> dict[str, Any]:
        """Have the client do something, and keep the most that each part takes meanwhile."""
        deadline = time.monotonic() + self._limit
        self._client.tell(order)
        samples, before = 0, self._processor()
        while not self._client.ready(_SAMPLE_S):
            for part, size in self._resident().items():
                most[part] = max(most.get(part, 0), size)
            samples += 1
            if samples % _CHECKS_EVERY == 0:
                self._gesso.check()
            if time.monotonic() > deadline:
                raise ProgramError(f"{order['do']}: not within {self._limit:.0f} s")
        answer = self._client.answer(1)
        for part, size in self._resident().items():
            most[part] = max(most.get(part, 0), size)
        if order["do"] != "idle":
            for part, seconds in self._processor().items():
                taken = self._outcome.processor
                taken[part] = taken.get(part, 0.0) + seconds - before.get(part, 0.0)
        if "error" in answer:
            raise ProgramError(f"{order['do']}: {answer['error']}")
        return answer

    def _find_members(self) -> None:
        self._members = self._gesso.members() | {"client": [self._client.process.pid]}

    def _processor(self) -> dict[str, float]:
        return {part: processor_seconds(members) for part, members in self._members.items()}

    def _resident(self) -> dict[str, int]:
        return {part: resident_bytes(members) for part, members in self._members.items()}


def run(plan: Plan) -> Outcome:
    """Do a run from nothing to nothing."""
    outcome = Outcome(plan=plan)
    with tempfile.TemporaryDirectory(prefix="gb-") as name, ExitStack() as stack:
        folder = Path(name)
        try:
            gesso = stack.enter_context(Gesso(folder))
            for _ in range(plan.coordinators):
                gesso.coordinator()
            gesso.workers(plan.workers)
            told = {"GESSO_ADDRESS": gesso.address}
            client = stack.enter_context(
                Client("scale", [python(), "-m", "bench.scale_client"], folder, told)
            )
            _Measurement(plan, outcome, gesso, client).run()
        except (ProgramError, OSError) as error:
            outcome.fault = str(error)
    return outcome
