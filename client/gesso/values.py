"""Values as they arrive: how a node ended, and the walk through a large value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from gesso import codec, states
from gesso.errors import GessoError, TaskRevokedError
from gesso.failure import from_task_error
from gesso.v1 import coordinator_service_pb2, node_pb2, task_error_pb2, value_item_pb2

__all__ = ["ELSEWHERE", "Ended", "Outcome", "ValueReader", "read_ended"]

_State = node_pb2.Node.State
Classes = Mapping[str, type[BaseException]]
_NONE: Classes = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one member of a join ended, where the join's policy keeps outcomes."""

    state: str
    """As a result shows it; PENDING for a member that the deadline overtook."""
    value: Any = None
    """Its value. None unless it ended well."""
    error: BaseException | None = None
    """Its error. None if it ended well."""


class _Elsewhere:
    """The value must be read from the coordinator."""

    def __repr__(self) -> str:
        return "ELSEWHERE"


ELSEWHERE = _Elsewhere()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a node ended."""

    state: str
    """As a result shows it."""
    value: Any = None
    """Its value, or ELSEWHERE. None unless it ended well."""
    error: task_error_pb2.TaskError | None = None
    """What it ended with. None if it ended without an error."""

    def exception(self, classes: Classes, *, original: bool) -> BaseException | None:
        """Return a new exception for the error; None when there is none.

        Args:
            classes: What besides builtins and Gesso's own may be made.
            original: Whether a ChordError gives way to the error it was made for.
        """
        error = self.error
        if error is None:
            return None
        while original and error.type == "gesso.ChordError" and error.HasField("cause"):
            error = error.cause
        return from_task_error(error, classes)


def read_ended(message: coordinator_service_pb2.WaitNodeResponse) -> Ended:
    """Return how a node ended, its values decoded."""
    state = states.shown_state(message.state, message.custom_state)
    match message.WhichOneof("outcome"):
        case "value":
            return Ended(state=state, value=codec.decode(message.value))
        case "values":
            return Ended(state=state, value=[codec.decode(each) for each in message.values.values])
        case "elsewhere":
            return Ended(state=state, value=ELSEWHERE)
        case "error":
            return Ended(state=state, error=message.error)
        case _:
            return Ended(state=state, error=_implied(message.state))


def _implied(state: int) -> task_error_pb2.TaskError | None:
    """Return the error of a node that ended without one; None where that is as it should be."""
    texts: dict[int, str] = {_State.STATE_CANCELLED: "revoked", _State.STATE_EXPIRED: "expired"}
    if state in texts:
        return task_error_pb2.TaskError(type=TaskRevokedError.type, message=texts[state])
    if states.shown_state(state) == states.FAILURE:
        return task_error_pb2.TaskError(type="gesso.TaskError", message="the task failed and left no error")
    return None


class ValueReader:
    """Builds a value from the walk through it; feed it the items in order, then ask for `value`."""

    def __init__(self, classes: Classes = _NONE) -> None:
        self._classes = classes
        self._lists: list[list[Any]] = [[]]
        # For each list that is open, the state of the outcome it is the value of, if it is one.
        self._outcomes: list[str | None] = []
        self._awaited: str | None = None

    def feed(self, items: Iterable[value_item_pb2.ValueItem]) -> None:
        """Take the items that follow."""
        for item in items:
            match item.WhichOneof("kind"):
                case "value" if self._awaited is None:
                    self._lists[-1].append(codec.decode(item.value))
                case "value":
                    self._put(codec.decode(item.value))
                case "begin":
                    self._outcomes.append(self._taken())
                    self._lists.append([])
                case "end":
                    self._close()
                case "outcome":
                    self._outcome(item.outcome)
                case _:
                    raise GessoError("The coordinator sent part of a value that this version does not know.")

    @property
    def value(self) -> Any:
        """The value.

        Raises:
            GessoError: If the walk is not complete.
        """
        if len(self._lists) != 1 or len(self._lists[0]) != 1:
            raise GessoError("The coordinator sent a value that is not complete.")
        return self._lists[0][0]

    def _close(self) -> None:
        if not self._outcomes:
            raise GessoError("The coordinator sent the end of a list that did not begin.")
        self._awaited = self._outcomes.pop()
        self._put(self._lists.pop())

    def _outcome(self, outcome: value_item_pb2.ValueItem.MemberOutcome) -> None:
        state = states.shown_state(outcome.state) if outcome.state in states.FINAL else states.PENDING
        if outcome.state == _State.STATE_SUCCEEDED:
            self._awaited = state
            return
        error = outcome.error if outcome.HasField("error") else _implied(outcome.state)
        made = None if error is None else from_task_error(error, self._classes)
        self._lists[-1].append(Outcome(state, error=made))

    def _put(self, value: Any) -> None:
        state = self._taken()
        self._lists[-1].append(value if state is None else Outcome(state, value))

    def _taken(self) -> str | None:
        state, self._awaited = self._awaited, None
        return state
