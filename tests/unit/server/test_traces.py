"""The trace of a canvas as the store keeps it, and the marks of nodes that say whose span tells of them."""

from __future__ import annotations

import pytest

from gesso_server.carried import Carried
from gesso_server.ids import CanvasId, Trace
from gesso_server.plan import Call, Element, Group, Lane, compile_canvas
from gesso_server.store.records import (
    MemberTime,
    State,
    member_time,
    parse_record,
    stored_nodes,
    telling_joins,
)

CANVAS = CanvasId("ab" * 16)
PARENT = f"00-{'12' * 16}-{'34' * 8}-01"


@pytest.mark.parametrize(
    ("traceparent", "trace"),
    [
        (PARENT, Trace("12" * 16, "34" * 8, sampled=True)),
        (PARENT[:-1] + "0", Trace("12" * 16, "34" * 8, sampled=False)),
        (PARENT[:-2] + "03", Trace("12" * 16, "34" * 8, sampled=True)),
        ("", Trace(CANVAS)),
        (f"00-{'00' * 16}-{'34' * 8}-01", Trace(CANVAS)),
        (PARENT.upper().replace("12", "AB"), Trace(CANVAS)),
    ],
)
def test_traceparent_is_read(traceparent: str, trace: Trace) -> None:
    """A context that is none begins a trace that is named as the canvas."""
    assert Trace.of(traceparent, CANVAS) == trace


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_trace_is_kept_as_it_is(*, sampled: bool, told: bool) -> None:
    """What is written is read again; only a trace that is told ends in `t`, which the scripts look for."""
    trace = Trace("12" * 16, "34" * 8, sampled=sampled, told=told)

    assert Trace.parse(trace.text()) == trace
    assert trace.text().endswith("t") == told
    assert Trace.parse(Trace(CANVAS).text()) == Trace(CANVAS)


BAGGAGE = "tenant=a+%26+b;p=1, password=s3cret,bad,  region = north ,tenant=no good,k\u00e9y=1"


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        ((), {}),
        (("tenant",), {"tenant": "a & b"}),
        (("region", "k\u00e9y"), {"region": "north"}),
        (("p",), {}),
    ],
)
def test_baggage_is_kept_by_key(keys: tuple[str, ...], kept: dict[str, str]) -> None:
    """Only members whose keys are named pass, without properties; what is no member never does."""
    carried = Carried.of("a=b\nsneaky=1", BAGGAGE, keys)

    assert carried.members() == kept
    assert Carried.parse(carried.text()) == carried
    assert carried.tracestate == "a=b"


def test_baggage_is_kept_while_there_is_room() -> None:
    """A member that would make it more than 1024 bytes is left out; a smaller one behind it is not."""
    carried = Carried.of("", f"a={'x' * 1000},b={'y' * 30},c=z", ("a", "b", "c"))

    assert list(carried.members()) == ["a", "c"]
    assert len(carried.baggage) <= 1024


def test_members_of_a_telling_group_are_marked() -> None:
    """Everything in the outermost group above the threshold names that group, and the group itself is marked."""
    inner = Group(members=(_task(), _task()))
    plan = compile_canvas(Group(members=(inner, _task(), _task())), node_limit=100)

    telling = telling_joins(plan, 2)
    records = [parse_record(node.record) for node in stored_nodes(plan, telling)]

    assert telling == {0}
    assert [record.tells for record in records] == [True, *[False] * (len(records) - 1)]
    assert [record.told_by for record in records] == [None, *[0] * (len(records) - 1)]
    unmarked = [parse_record(node.record) for node in stored_nodes(plan)]
    assert not any(record.tells or record.told_by is not None for record in unmarked)


def test_times_of_a_member_are_read() -> None:
    """A task has its end and how long its last attempt took; one that never ran, and a group, have no duration."""
    assert member_time("S1,0,0,-,30,10") == MemberTime(State.SUCCEEDED, 30, 20)
    assert member_time("C0,0,0,-,30,-") == MemberTime(State.CANCELLED, 30, None)
    assert member_time("S2,2,-,5,30") == MemberTime(State.SUCCEEDED, 30, None)


def _task() -> Element:
    return Call(Lane(queue="default", priority=4, task="add", timed=False, key=""), b"", False)  # noqa: FBT003
