"""Promise: what a canvas comes to live is what `semantics.md` says, as the reference evaluator reads it.

Canvases are made at random from numbers, so one that differs is had again by its number. Those are left out whose
outcome depends on the order of events by more than which of several errors is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

import pytest

from acceptance.reference_system import running
from gesso import growing
from support.likeness import Live, Reference, differences
from support.random_canvases import random_canvas

_BATCH = 100
_DEPTH = 5
_MOST_NODES = 300


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Return a coordinator with a worker that knows the tasks of canvases at random."""
    with running(tmp_path_factory.mktemp("live")) as live:
        yield live


@pytest.mark.parametrize(("start", "ahead"), [(0, growing.AHEAD_COUNT), (500, 0)])
def test_random_canvases_come_to_the_same_live_as_in_the_reference(
    live: Live, start: int, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values, errors, states, and how often each task ran with what: the same for 200 canvases.

    Generators of the first half are read before they are sent, those of the second are sent as they are read.
    """
    monkeypatch.setattr(growing, "AHEAD_COUNT", ahead)

    check(live, start)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("start", range(1_000, 11_000, 500))
def test_many_random_canvases_come_to_the_same_live_as_in_the_reference(
    live: Live, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for 2,000 canvases; of all generators together two members at the most are read first."""
    monkeypatch.setattr(growing, "AHEAD_COUNT", start // 500 % 3)

    check(live, start)


def check(live: Live, start: int) -> None:
    """Compare a batch of canvases, and say what is different."""
    references = list(islice(decided(start), _BATCH))

    found = live.likenesses([reference for _, reference in references])

    said = []
    for (seed, reference), likeness in zip(references, found, strict=True):
        lines = differences(reference.likeness(), likeness, reference.nodes)
        if lines:
            said.append("\n    ".join([f"random_canvas({seed}): {reference.canvas!r}", *lines]))
    assert not said, f"{len(said)} canvases differ:\n" + "\n".join(said)


def decided(start: int) -> Iterator[tuple[int, Reference]]:
    """Yield canvases that are not too large, and whose outcome does not depend on the order of events."""
    for seed in count(start):
        reference = Reference.of(random_canvas(seed, depth=_DEPTH))
        if reference.decided and len(reference.nodes) <= _MOST_NODES:
            yield seed, reference
