"""What results show."""

from __future__ import annotations

import pytest

from gesso import codec, states
from gesso.errors import ChordError, GessoError, TaskRevokedError
from gesso.states import shown_state
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2, task_error_pb2
from gesso.v1.value_item_pb2 import ValueItem
from gesso.values import ELSEWHERE, Outcome, ValueReader, read_ended

State = node_pb2.Node.State


def value(of: object) -> ValueItem:
    """Return one value of a walk."""
    return ValueItem(value=codec.encode(of))


BEGIN, END = ValueItem(begin={}), ValueItem(end={})


def test_every_state_of_the_contract_is_shown() -> None:
    """A state that is added to the contract must be added to the table."""
    assert set(states._SHOWN) == {each.number for each in State.DESCRIPTOR.values}  # noqa: SLF001 - its table


@pytest.mark.parametrize(
    ("state", "custom", "shown"),
    [
        (State.STATE_WAITING, "", "PENDING"),
        (State.STATE_OPEN, "", "PENDING"),
        (State.STATE_RUNNING, "", "STARTED"),
        (State.STATE_RUNNING, "HALFWAY", "HALFWAY"),
        (State.STATE_SUCCEEDED, "HALFWAY", "SUCCESS"),
        (State.STATE_DEAD, "", "FAILURE"),
        (State.STATE_EXPIRED, "", "REVOKED"),
        (State.STATE_IGNORED, "SKIPPED", "SKIPPED"),
        (99, "", "PENDING"),
    ],
)
def test_states_have_celerys_names(state: int, custom: str, shown: str) -> None:
    """A task's own state is shown while it runs and when it asked to be ignored."""
    assert shown_state(state, custom) == shown


def test_end_is_read_by_kind() -> None:
    """A value, several, one that lies elsewhere, none, and an error are told apart."""
    several = pb.WaitNodeResponse(state=State.STATE_SUCCEEDED)
    several.values.values.extend([codec.encode(1), codec.encode("two")])
    elsewhere = pb.WaitNodeResponse(state=State.STATE_SUCCEEDED)
    elsewhere.elsewhere.SetInParent()

    assert read_ended(pb.WaitNodeResponse(state=State.STATE_SUCCEEDED, value=codec.encode(5))).value == 5
    assert read_ended(several).value == [1, "two"]
    assert read_ended(elsewhere).value is ELSEWHERE
    assert read_ended(pb.WaitNodeResponse(state=State.STATE_IGNORED)).value is None
    assert read_ended(pb.WaitNodeResponse(state=State.STATE_IGNORED)).error is None


def test_revoked_without_an_error_is_revoked_all_the_same() -> None:
    """A node that was cancelled raises, whether or not the coordinator said with what."""
    ended = read_ended(pb.WaitNodeResponse(state=State.STATE_CANCELLED))

    assert isinstance(ended.exception({}, original=False), TaskRevokedError)


def test_sender_sees_the_error_that_a_chord_failed_of() -> None:
    """A result made by sending raises the original; one made from an id the ChordError."""
    error = task_error_pb2.TaskError(type="gesso.ChordError", message="Dependency x raised ValueError('y')")
    error.cause.CopyFrom(task_error_pb2.TaskError(type="builtins.ValueError", message="y"))
    ended = read_ended(pb.WaitNodeResponse(state=State.STATE_FAILED, error=error))

    assert type(ended.exception({}, original=True)) is ValueError
    assert type(ended.exception({}, original=False)) is ChordError


def test_walk_is_built_into_a_value() -> None:
    """Values and lists of lists come together in order, however the walk is cut."""
    reader = ValueReader()

    for item in (BEGIN, value(1), BEGIN, END, BEGIN, value([2, 3]), BEGIN, value(None), END, END, END):
        reader.feed([item])

    assert reader.value == [1, [], [[2, 3], [None]]]


def test_walk_with_outcomes_keeps_them_in_place() -> None:
    """A member's outcome holds its value, a list too, or its error."""
    well = ValueItem(outcome=ValueItem.MemberOutcome(state=State.STATE_SUCCEEDED))
    ill = ValueItem(
        outcome=ValueItem.MemberOutcome(
            state=State.STATE_FAILED, error=task_error_pb2.TaskError(type="builtins.ValueError", message="x")
        )
    )
    late = ValueItem(outcome=ValueItem.MemberOutcome(state=State.STATE_RUNNING))
    reader = ValueReader()

    reader.feed([BEGIN, well, value(1), ill, well, BEGIN, value(2), END, late, END])

    first, second, third, fourth = reader.value
    assert (first, third, fourth) == (Outcome("SUCCESS", 1), Outcome("SUCCESS", [2]), Outcome("PENDING"))
    assert second.state == "FAILURE"
    assert isinstance(second.error, ValueError)


@pytest.mark.parametrize("items", [[], [BEGIN], [value(1), value(2)], [ValueItem()], [END]])
def test_walk_that_is_not_one_value_is_refused(items: list[ValueItem]) -> None:
    """A cut or unknown walk never passes for a value."""

    def read() -> object:
        reader = ValueReader()
        reader.feed(items)
        return reader.value

    with pytest.raises(GessoError):
        read()
