"""The real scripts keep what the model promises, whatever is done and in whatever order."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from gesso_server.dispatch.extension import CanvasGoneError
from gesso_server.dispatch.growth import Growing
from gesso_server.ids import NodeRef
from gesso_server.plan import Call, Chain, Chord, Counts, Element, Group, Policy
from gesso_server.store.records import base_of, parse_task_body
from integration.store.scripts.delivery import SOME, WORKERS, Delivery, prepared
from integration.store.scripts.rig import NAMESPACE
from support.trees import canvases

LIMIT = "h1000"
POLICIES = (
    Policy(),
    Policy(counts=Counts.SETTLED),
    Policy(counts=Counts.QUORUM, need=1, cancel_rest=True),
    Policy(counts=Counts.QUORUM, need=2),
    Policy(counts=Counts.QUORUM, need=2, cancel_rest=True, max_in_flight=1),
)
MEMBERS = st.lists(canvases(depth=2, links=False), max_size=2)


def with_limits(element: Element) -> Element:
    """Give every call a time limit."""
    match element:
        case Call():
            return replace(element, timing=LIMIT, links=tuple(map(with_limits, element.links)))
        case Chain():
            return replace(element, steps=tuple(map(with_limits, element.steps)))
        case Group():
            return replace(element, members=tuple(map(with_limits, element.members)))
        case Chord():
            return replace(
                element, header=tuple(map(with_limits, element.header)), body=with_limits(element.body)
            )


class Everything(Delivery):
    """Also with groups that grow, by a stream and by their own members, and with time limits."""

    def __init__(self) -> None:
        super().__init__()
        self.growing: dict[str, Growing] = {}

    @precondition(lambda self: len(self.canvases) < 3)
    @rule(element=canvases(depth=3, links=False).map(with_limits))
    def submit_with_limits(self, element: Element) -> None:
        """Submit a canvas whose tasks may run a second each: what was started and outlives that, fails."""
        self.canvases.append(self.run(self.rig.submit(element)))

    @precondition(lambda self: len(self.canvases) < 3)
    @rule(members=MEMBERS, policy=st.sampled_from(POLICIES))
    def submit_growing(self, members: Sequence[Element], policy: Policy) -> None:
        """Submit a group of which more is to come."""
        canvas = self.run(self.rig.submit(Group(tuple(members), policy, open_index=0)))
        self.disturbed.add(canvas.id)
        self.canvases.append(canvas)
        self.growing[canvas.id] = self.rig.coordinator.growing(canvas.id, NAMESPACE, canvas.plan)

    @precondition(lambda self: self.growing)
    @rule(which=SOME, members=MEMBERS, sealed=st.booleans())
    def grow(self, which: int, members: Sequence[Element], sealed: bool) -> None:  # noqa: FBT001  drawn by hypothesis
        """Send more of it, or the last."""
        canvas_id = list(self.growing)[which % len(self.growing)]
        try:
            self.run(self.growing[canvas_id].add(0, members, sealed=sealed))
        except CanvasGoneError:
            del self.growing[canvas_id]
        else:
            if sealed:
                del self.growing[canvas_id]

    @rule(at=WORKERS, which=SOME, element=canvases(depth=2, links=False))
    def add_member(self, at: int, which: int, element: Element) -> None:
        """End a task well, and add to the group that it stands in."""
        worker = self.workers[at]
        if not worker.held:
            return
        grant = worker.held[which % len(worker.held)]
        groups = parse_task_body(grant.body, base_of(grant.timing)).place.groups
        found = self.run(self.rig.partition.look(NAMESPACE, grant.canvas_id, [grant.index]))
        assert found is not None
        if found[0].state != "A" or not groups:
            return
        self.disturbed.add(grant.canvas_id)
        additions = self.rig.coordinator.extensions.additions
        ref = NodeRef(grant.canvas_id, grant.index)
        self._end(at, which, "v", "S", extra=self.run(additions(NAMESPACE, ref, (groups, None), [element])))

    async def _pass(self, ms: int) -> None:
        await super()._pass(ms)
        for canvas_id in self.growing:
            await self.rig.partition.touch_growth(self.rig.canvases[canvas_id].id)

    async def _drive(self) -> None:
        for growing in self.growing.values():
            with suppress(CanvasGoneError):
                await growing.seal()
        await super()._drive()


def example_settings(examples: int, steps: int) -> settings:
    """Return how many examples are tried, and how long each is."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=examples, stateful_step_count=steps, suppress_health_check=checks)


def test_store_is_consistent_after_any_steps(tmp_path: Path) -> None:
    """Whatever clients, workers and faults do, in whatever order, the scripts keep what the model promises."""
    with prepared(Everything, tmp_path):
        run_state_machine_as_test(Everything, settings=example_settings(60, 40))  # type: ignore[no-untyped-call,unused-ignore]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_store_is_consistent_after_any_steps_for_long(tmp_path: Path) -> None:
    """The same, more often and longer."""
    with prepared(Everything, tmp_path):
        run_state_machine_as_test(Everything, settings=example_settings(1500, 80))  # type: ignore[no-untyped-call,unused-ignore]
