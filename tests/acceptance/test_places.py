"""Promise: a task knows its place in its canvas before it runs, by the ids that the client chose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from acceptance.tasks import call
from gesso import App, AsyncResult, ChordError, GroupResult, chain, chord, failure_of, group
from support.system import System


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Return a client of a system for all tests here."""
    with System(tmp_path_factory.mktemp("project")) as system:
        coordinator = system.coordinator()
        system.worker(coordinator, threads=4)
        yield system.client(coordinator)


def test_task_knows_the_groups_around_it(app: App) -> None:
    """From the outermost inwards, and how many: every step of a member, but not the body of a chord for its header."""
    inner = chord([call("tell"), call("tell")], call("tell"))
    result = group(chain(call("add", 1, 1), call("tell"), inner), call("tell")).delay()
    body, plain = result.get(timeout=30)
    member = result[0]
    assert isinstance(member.parent, GroupResult)
    first_of_header = member.parent[0].get(timeout=30)
    assert member.parent.parent is not None
    middle = member.parent.parent.get(timeout=30)

    assert [(each["groups"], each["level"]) for each in (middle, body, plain)] == [([result.id], 1)] * 3
    assert (first_of_header["groups"], first_of_header["level"]) == ([result.id, member.parent.id], 2)
    assert (result.groups, result.level) == ((), 0)
    assert (member.groups, member.level) == ((result.id,), 1)
    assert member.parent[0].groups == (result.id, member.parent.id)
    assert app.AsyncResult(member.id)._get_task_meta()["level"] == 1  # noqa: SLF001  Celery's


def test_result_has_the_stamps_that_the_task_read(app: App) -> None:
    """Canvas, trace and span are the same in the request, in the result and in its metadata."""
    result = call("tell").delay()
    told = result.get(timeout=30)
    meta = app.AsyncResult(result.id)._get_task_meta()  # noqa: SLF001  Celery's

    for key in ("canvas_id", "trace_id", "span_id", "level"):
        assert told[key] == getattr(result, key) == meta[key]


def test_place_is_told_by_the_ids_that_the_client_chose(app: App) -> None:
    """The root, the step before, the groups: whatever was named is called by its name."""
    inner = group(call("tell"), call("tell"))
    inner.freeze("inner")
    member = chain(call("tell").set(task_id="begin"), inner)
    outer = group(member, call("tell"))
    outer.freeze("outer")
    canvas = chain(call("tell").set(task_id="first"), outer, call("tell").set(task_id="last"))
    result = canvas.apply_async()
    last = result.get(timeout=30)
    told = app.AsyncResult("begin").get(timeout=30)
    nested = app.GroupResult("inner").get(timeout=30)

    assert app.AsyncResult("first").get(timeout=30)["root_id"] == "first"
    assert (told["parent_id"], told["root_id"], told["groups"]) == ("first", "first", ["outer"])
    assert [(each["parent_id"], each["group"], each["groups"]) for each in nested] == [
        ("begin", "inner", ["outer", "inner"])
    ] * 2
    assert last["root_id"] == "first"
    assert last["parent_id"] in {
        member.id for member in (*app.GroupResult("inner"), *app.GroupResult("outer"))
    }
    assert app.GroupResult("inner").groups == ("outer",)


@pytest.mark.usefixtures("app")
def test_named_task_without_a_first_one_is_its_own_root() -> None:
    """A canvas that starts with a group has no single root; each is its own, by its name."""
    assert (
        group(call("tell").set(task_id="mine"), call("tell")).delay().get(timeout=30)[0]["root_id"] == "mine"
    )


def test_chord_error_names_the_task_as_the_client_did(app: App) -> None:
    """In its text and beside it; what nobody named is told by its node's id."""
    for chosen in ("culprit", None):
        bad = call("boom", "cracked")
        header = [bad.set(task_id=chosen) if chosen else bad, call("add", 1, 1)]
        result = chord(header, call("total"), app=app).delay()
        with pytest.raises(ValueError, match="cracked"):
            result.get(timeout=30)
        with pytest.raises(ChordError) as raised:
            app.AsyncResult(result.id).get(timeout=30)
        failure = failure_of(raised.value)
        assert failure is not None
        assert failure.task_id == (chosen or failure.node_id)
        assert str(raised.value) == f"Dependency {failure.task_id} raised ValueError('cracked')"


def test_replacement_stands_where_the_task_stood(app: App) -> None:
    """Its tasks are in the same groups, its first one has the same task before it, and the stamps are handed on."""
    swapped = call("swap", chain(call("tell").set(task_id="stand-in"), call("tell")).stamp(own=1)).stamp(
        of="swap"
    )
    result = chain(
        call("add", 1, 1).set(task_id="before"), group(swapped.set(immutable=True), call("tell"))
    ).delay()
    replaced, other = result.get(timeout=30)
    first = app.AsyncResult("stand-in").get(timeout=30)

    assert first["groups"] == replaced["groups"] == other["groups"] == [result.id]
    assert (first["parent_id"], other["parent_id"], replaced["parent_id"]) == ("before", "before", "stand-in")
    assert (first["group"], replaced["group"]) == (None, result.id)
    assert first["stamps"] == replaced["stamps"] == {"of": ["swap"], "own": [1]}
    assert (replaced["id"], result[0].stamps) == (result[0].id, {"of": ["swap"]})


@pytest.mark.usefixtures("app")
def test_members_that_are_added_stand_in_the_group() -> None:
    """Also those that a stream brings while the canvas runs."""
    result = chain(call("add", 1, 1), group(call("tell") for _ in range(3))).delay()

    assert [each["groups"] for each in result.get(timeout=30)] == [[result.id]] * 3


def test_body_is_a_child_of_the_task_that_ended_last(app: App) -> None:
    """The one that its `parent_id` names, and of no other, behind that one's links."""
    header = [call("add", 1, 1).set(task_id=f"header-{number}") for number in range(3)]
    for each in header:
        each.link(call("tell"))
    result = chord(header, call("tell"), app=app).delay()
    parent_id = result.get(timeout=30)["parent_id"]
    children = {each.id: app.AsyncResult(each.id).children for each in result.parent}

    assert {member: found[1:] for member, found in children.items()} == {
        f"header-{number}": [result] if parent_id == f"header-{number}" else [] for number in range(3)
    }
    assert all(isinstance(found[0], AsyncResult) for found in children.values())


def test_what_stands_behind_a_nested_group_is_a_child_of_its_last_task(app: App) -> None:
    """The task that ended last ends the inner group, and with it the outer one; an empty header ends nothing."""
    member = chain(call("add", 1, 1), group(call("add", 1), call("add", 2)))
    result = chain(group([member]) | call("tell")).delay()
    last = app.AsyncResult(result.get(timeout=30)["parent_id"])
    behind_nothing = chain(call("add", 1, 1).set(task_id="lone"), chord([], call("tell"))).delay()

    assert last.children == [result]
    assert behind_nothing.get(timeout=30)["parent_id"] == "lone"
    assert app.AsyncResult("lone").children == [behind_nothing.parent, behind_nothing]
