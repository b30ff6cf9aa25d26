"""Logs of canvases, while the scripts are driven through the actions of the model in any order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

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

    @precondition(lambda self: self.canvases and len(self.followers) < 5)
    @rule(which=SOME)
    def watch(self, which: int) -> None:
        """Somebody begins to watch a canvas."""
        self.followers.append(Follower(self.canvases[which % len(self.canvases)].id))

    @precondition(lambda self: self.followers)
    @rule(which=SOME, most=st.integers(1, 4))
    def read_some(self, which: int, most: int) -> None:
        """A reader reads a little, and is at that place from then on."""
        self.run(self.followers[which % len(self.followers)].step(self.rig.partition, most))

    @precondition(lambda self: self.followers)
    @rule(which=SOME, most=st.integers(1, 20))
    def catch_up(self, which: int, most: int) -> None:
        """A reader that has read everything has every node as it stands, and was given no state twice."""
        follower = self.followers[which % len(self.followers)]
        self.run(follower.catch_up(self.rig.partition, most))
        self._compare(follower, self.run(Keyspace.read(self.store.redis)))

    def teardown(self) -> None:
        """Drive everything to its end."""
        super().teardown()

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
