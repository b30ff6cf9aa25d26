"""A request that is filled in when it is first looked at is like any other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from gesso.request import Asked, Request

ASKED = Asked(state="HALFWAY")
FULL = Request(
    id="an-id",
    node_id="canvas-3",
    root_id="canvas-0",
    groups=("canvas-1", "canvas-2"),
    task="proj.task",
    args=(1, 2),
    kwargs={"key": "value"},
    stamps={"colour": ["red"]},
    retries=2,
    called_directly=False,
    asked=ASKED,
)


def deferred() -> Request:
    """Return the full one, not filled in yet."""
    return Request.deferred(lambda: FULL)


@pytest.mark.parametrize("name", [field.name for field in fields(Request)])
def test_first_read_of_any_field_fills_it_in(name: str) -> None:
    """Whichever field is read first, it and all others are as in what the request stands for."""
    request = deferred()

    assert getattr(request, name) == getattr(FULL, name)
    assert request == FULL
    assert request.asked is ASKED


def test_it_is_made_once_and_only_when_it_is_looked_at() -> None:
    """Nothing is computed for a task that does not look, and nothing twice for one that does."""
    made: list[Request] = []

    def make() -> Request:
        made.append(FULL)
        return FULL

    request = Request.deferred(make)

    assert made == []
    assert (request.id, request.level, request.canvas_id) == ("an-id", 2, "canvas")
    assert request.stamped_headers == ["colour"]
    assert made == [FULL]


@pytest.mark.parametrize("use", [repr, copy.copy, copy.deepcopy, lambda request: replace(request, retries=3)])
def test_what_is_made_of_it_is_as_of_any_other(use: Callable[[Request], object]) -> None:
    """Shown, copied or replaced before any field was read, it is as what it stands for."""
    assert use(deferred()) == use(FULL)


def test_it_cannot_be_changed_and_has_no_other_names() -> None:
    """It is as frozen as any, and a name that there is not is the usual error."""
    request = deferred()

    with pytest.raises(FrozenInstanceError):
        request.id = "another"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="'Request' object has no attribute 'delivery'"):
        request.delivery  # type: ignore[attr-defined]  # noqa: B018

    assert request.id == "an-id"


def test_states_that_nobody_took_yet_are_announced_once() -> None:
    """Whoever tells states looks once for all that were set until then; what is set after that look is announced."""
    announced: list[str] = []
    asked = Asked(state_set=lambda: announced.append(asked.state))

    asked.set_state("FIRST", None)
    asked.set_state("SECOND", None)
    asked.state_unsent = False  # it was taken
    asked.set_state("THIRD", None)

    assert announced == ["FIRST", "THIRD"]
    assert asked.state_unsent
