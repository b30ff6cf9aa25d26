"""Logs of canvases, while the scripts are driven through the actions of the model in any order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from integration.store.scripts.delivery import SOME, prepared
from integration.store.scripts.follower import Follower
from integration.store.scripts.test_stateful import Everything, example_settings
from support.keyspace import Keyspace
from support.store_invariants import canvases


class WatchedDelivery(Everything):
    """As `Everything`, with readers of logs that read some of it, from time to time."""

    @initialize()
    def nobody_watches(self) -> None:
        """There is no reader."""
        self.followers: list[Follower] = []

    @invariant()
    def everyone_reads_a_little(self) -> None:
        """Every canvas has a reader, which is a node or two further after each step."""
        for canvas in self.canvases[len(self.followers) :]:
            self.followers.append(Follower(canvas.id))
        for follower in self.followers:
            self.run(follower.step(self.rig.partition, 1))

    @precondition(lambda self: self.followers)
    @rule(which=SOME, most=st.integers(1, 20))
    def catch_up(self, which: int, most: int) -> None:
        """A reader that has read everything has every node as it stands, and was given no state twice."""
        follower = self.followers[which % len(self.followers)]
        self.run(follower.catch_up(self.rig.partition, most))
        self._compare(follower, self.run(Keyspace.read(self.store.redis)))

    async def _check_removal(self, worker: object) -> None:
        keys = await Keyspace.read(self.store.redis)
        for follower in self.followers:
            await follower.catch_up(self.rig.partition)
            self._compare(follower, keys)
        await super()._check_removal(worker)  # type: ignore[arg-type]  # what it was called with

    def _compare(self, follower: Follower, keys: Keyspace) -> None:
        stored = next(canvas for canvas in canvases(keys) if canvas.id == follower.canvas_id)
        assert follower.records == stored.texts


def test_readers_of_a_log_see_every_state_that_stays_and_none_twice(tmp_path: Path) -> None:
    """Whatever happens to a canvas, and wherever its readers pause, what they were given adds up to what is stored."""
    with prepared(WatchedDelivery, tmp_path):
        run_state_machine_as_test(WatchedDelivery, settings=example_settings(25, 40))  # type: ignore[no-untyped-call,unused-ignore]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_readers_of_a_log_see_every_state_that_stays_and_none_twice_for_long(tmp_path: Path) -> None:
    """The same, more often and longer."""
    with prepared(WatchedDelivery, tmp_path):
        run_state_machine_as_test(WatchedDelivery, settings=example_settings(1000, 80))  # type: ignore[no-untyped-call,unused-ignore]
