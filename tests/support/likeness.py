"""Whether a canvas comes to the same live as in the reference."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gesso import App, Canvas, Outcome
from gesso.canvas import joins
from gesso.eager import Evaluator, Fate, Node
from gesso.errors import GessoError
from gesso.result import Result
from gesso.v1 import canvas_summary_pb2, task_error_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from support import canvas_tasks
from support.system import LIMIT_SECONDS, until

_ACTIVE = frozenset(
    {canvas_summary_pb2.CanvasSummary.STATE_ACTIVE, canvas_summary_pb2.CanvasSummary.STATE_EXPANDING}
)
_DEPENDENCY = re.compile(r"Dependency \S+ raised")
_NODE_ID = re.compile(r"[0-9a-f]{32}-\d+")
_BAD = frozenset({Fate.FAILED, Fate.UPSTREAM})


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a canvas came to."""

    ends: dict[str, Any]
    """For each id that was chosen, the state, and the value or the error."""
    ran: Counter[str]
    """How often each task ran with which arguments."""


@dataclass(slots=True)
class Reference:
    """What a canvas comes to, by the evaluator."""

    canvas: Canvas
    nodes: list[Node] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    last: Node | None = None

    @classmethod
    def of(cls, canvas: Canvas) -> Reference:
        """Run a canvas, whose elements get ids."""
        canvas.freeze()
        evaluator = Evaluator(canvas_tasks.app)
        canvas_tasks.eager_ledger.clear()
        last = evaluator.evaluate(canvas)
        return cls(canvas, evaluator.nodes, list(canvas_tasks.eager_ledger), last)

    @property
    def decided(self) -> bool:
        """Whether no order of events makes a difference to more than which error is shown."""
        return not any(map(_contested, self.nodes))

    @property
    def any_error(self) -> bool:
        """Whether it depends on the order of events which error is shown."""
        return any(len(_causes(node)) > 1 for node in self.nodes)

    def chosen(self) -> list[Node]:
        """Return the nodes whose id was chosen."""
        found: dict[str, Node] = {}
        for node in self.nodes:
            if not _NODE_ID.fullmatch(node.id):
                found.setdefault(node.id, node)  # the first of two is the one that was replaced
        return list(found.values())

    def likeness(self) -> Likeness:
        """Return what it comes to."""
        ends = {node.id: _end(node.state, node.value, node.error, self.any_error) for node in self.chosen()}
        return Likeness(ends, Counter(_noted(line, self.any_error) for line in self.ran))


class Live:
    """Runs canvases on a coordinator and its workers, many at a time."""

    def __init__(self, app: App, ledger: Path) -> None:
        self._app = app
        self._ledger = ledger

    def likenesses(self, references: Sequence[Reference]) -> list[Likeness]:
        """Return what canvases come to, which are run side by side."""
        results = [reference.canvas.apply_async() for reference in references]
        for result in results:
            if result is not None:
                self._end(result)
        for result in results:
            if result is not None:
                self.settle(result)
        ran: dict[str, list[str]] = {}
        for line in self.taken():
            ran.setdefault(json.loads(line)[0], []).append(line)
        return [self._likeness(reference, ran) for reference in references]

    def settle(self, result: Result[Any]) -> None:
        """Wait until everything of a canvas has ended, links too."""
        canvas_id = result.canvas_id
        assert canvas_id is not None, f"{result} is not known"
        until(lambda: self._ended(canvas_id), f"the end of {canvas_id}")

    def taken(self) -> list[str]:
        """Return what tasks wrote down since the last call."""
        lines = self._ledger.read_text().splitlines() if self._ledger.exists() else []
        self._ledger.unlink(missing_ok=True)
        return lines

    def _likeness(self, reference: Reference, ran: dict[str, list[str]]) -> Likeness:
        shown = reference.any_error
        ends = {}
        for node in reference.chosen():
            kind = self._app.GroupResult if node.joins else self._app.AsyncResult
            try:
                ended = self._end(kind(node.id))
            except GessoError as error:
                ends[node.id] = repr(error)
            else:
                ends[node.id] = _end(ended.state, ended.value, ended.error, shown)
        runs = {json.loads(line)[0] for line in reference.ran}
        return Likeness(ends, Counter(_noted(line, shown) for run in runs for line in ran.get(run, ())))

    def _end(self, result: Result[Any]) -> Any:
        return result._wait(LIMIT_SECONDS)  # noqa: SLF001 - how it ended, error and all

    def _ended(self, canvas_id: str) -> bool:
        found = self._app.coordinator.get_canvas(pb.GetCanvasRequest(canvas_id=canvas_id))
        return found.canvas.state not in _ACTIVE


def differences(expected: Likeness, found: Likeness, nodes: Iterable[Node]) -> list[str]:
    """Return what is different, a line each."""
    tasks = {node.id: node.task or "a join" for node in reversed(list(nodes))}
    lines = [
        f"{tasks[key]} {key}: {expected.ends[key]} live {found.ends[key]}"
        for key in expected.ends
        if expected.ends[key] != found.ends[key]
    ]
    lines += [f"did not run live: {line} x{count}" for line, count in (expected.ran - found.ran).items()]
    lines += [f"ran live only: {line} x{count}" for line, count in (found.ran - expected.ran).items()]
    return lines


def _contested(node: Node) -> bool:
    """Return whether it depends on the order of events how a join ends, or with which values."""
    fates = {member.fate for member in (*node.members, *node.dropped)}
    if node.join is None or node.fate in {Fate.UPSTREAM, Fate.CANCELLED}:
        return False
    mixed = bool(fates & _BAD) and Fate.IGNORED in fates  # only one of them is an error to fail with
    match node.join.policy:
        case joins.All():
            return mixed or len(node.adders) > 1
        case joins.Quorum(needed):
            return bool(node.adders) or _success_count(node) > needed or (mixed and node.fate is Fate.FAILED)
        case joins.First():
            return bool(node.adders) or _success_count(node) > 1 or (mixed and node.fate is Fate.FAILED)
        case _:
            return len(node.adders) > 1


def _success_count(node: Node) -> int:
    return sum(member.fate is Fate.SUCCEEDED for member in node.members)


def _causes(node: Node) -> set[str]:
    if node.join is None or node.fate is Fate.UPSTREAM:
        return set()
    members = (*node.members, *node.dropped)
    return {member.cause.node_id for member in members if member.cause is not None}


def _end(state: str, value: Any, error: task_error_pb2.TaskError | None, any_error: bool) -> Any:  # noqa: FBT001
    if error is not None:
        return state, "an error" if any_error else _error(error)
    return state, _value(value, any_error)


def _value(value: Any, any_error: bool) -> Any:  # noqa: FBT001 - as above
    if isinstance(value, Outcome):
        error = canvas_tasks.told(value.error) if value.error is not None else None
        shown = error and ("an error" if any_error else _DEPENDENCY.sub("", error))
        return [value.state, _value(value.value, any_error), shown]
    return [_value(each, any_error) for each in value] if isinstance(value, list) else value


def _error(error: task_error_pb2.TaskError) -> list[Any]:
    cause = _error(error.cause) if error.HasField("cause") and error.type == "gesso.ChordError" else None
    return [error.type, _DEPENDENCY.sub("", error.message), cause]


def _noted(line: str, any_error: bool) -> str:  # noqa: FBT001 - as above
    line = _DEPENDENCY.sub("", line)
    return re.sub(r'"error: .*?"(?=[,\]])', '"an error"', line) if any_error else line
