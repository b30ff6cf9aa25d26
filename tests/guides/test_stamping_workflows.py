"""The guide "Stamping Workflows with Metadata"."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator

import pytest

from gesso import Signature
from guides.guide import G001, in_guides
from guides.shell import LIMIT_SECONDS, Shell

# The guide's text has lost the indentation; nothing else is changed.
VISITOR = """
from uuid import uuid4
from celery.canvas import StampingVisitor, Signature
class MonitoringIdStampingVisitor(StampingVisitor):
    def on_signature(self, sig: Signature, **headers) -> dict:
        # Generate a unique ID for every task signature encountered
        mtask_id = str(uuid4())
        return {"mtask_id": mtask_id}
"""


@in_guides(G001)
def test_implementing_a_custom_visitor(shell: Shell) -> None:
    """A visitor that implements one hook stamps a signature."""
    shell.define(VISITOR)

    sig = shell["add"].s(1, 1).stamp(shell["MonitoringIdStampingVisitor"]())

    assert shell["Signature"] is Signature
    assert sig.options["stamped_headers"] == ["mtask_id"]


@in_guides(G001)
def test_applying_stamps_to_workflows(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every member of a lazy group is stamped as it is read, and the stamps are kept with the results."""
    monkeypatch.setitem(sys.modules, "my_project", importlib.import_module("proj"))
    monkeypatch.setitem(sys.modules, "my_project.tasks", importlib.import_module("proj.tasks"))
    shell.define(VISITOR)

    shell.define("""
        from celery import group
        from my_project.tasks import add
        # Create a complex canvas
        canvas = group(add.s(i, i) for i in range(10))
        # Apply the visitor
        canvas.stamp(MonitoringIdStampingVisitor())
        # Execute the stamped canvas
        canvas.delay()
    """)

    assert shell.last.get(LIMIT_SECONDS) == [2 * i for i in range(10)]
    assert len({member.stamps["mtask_id"][0] for member in shell.last}) == 10


@in_guides(G001)
def test_the_visitor_pattern_in_canvas_names_the_hooks(shell: Shell) -> None:
    """Every hook that the guide names is there."""
    for hook in (
        "on_signature",
        "on_group_start",
        "on_group_end",
        "on_chain_start",
        "on_chain_end",
        "on_chord_header_start",
        "on_chord_body",
        "on_callback",
        "on_errback",
    ):
        assert callable(getattr(shell["StampingVisitor"], hook))


@in_guides(G001)
def test_handling_duplicate_stamps(shell: Shell) -> None:
    """With `append_stamps` a later stamp is added to an earlier one instead of taking its place."""
    added, replaced = (shell["add"].s(1, 1).stamp(visited="first") for _ in range(2))

    added.stamp(append_stamps=True, visited="second")
    replaced.stamp(visited="second")

    results = [added.delay(), replaced.delay()]
    assert [result.get(LIMIT_SECONDS) for result in results] == [2, 2]
    assert [result.stamps["visited"] for result in results] == [["first", "second"], ["second"]]


@in_guides(G001)
def test_internal_mechanics_stamps_survive_clones(shell: Shell) -> None:
    """A stamp is kept by a clone, and options given later do not change it."""
    stamped = shell["add"].s(1, 1).stamp(visited="here")

    cloned = stamped.clone(visited="elsewhere", countdown=0)

    assert cloned.options["visited"] == "here"
    assert cloned.options["stamped_headers"] == ["visited"]


@in_guides(G001)
def test_stamping_and_generators(shell: Shell) -> None:
    """Stamping a lazy group reads nothing of it; its members are stamped as they are read."""
    read = []

    def members() -> Iterator[Signature[int]]:
        for i in range(3):
            read.append(i)
            yield shell["add"].s(i, i)

    canvas = shell["group"](members())

    canvas.stamp(visited="here")

    assert read == []
    result = canvas.delay()
    assert result.get(LIMIT_SECONDS) == [0, 2, 4]
    assert [member.stamps["visited"] for member in result] == [["here"]] * 3
