"""The delivery protocol keeps its promises in every state that it can reach, and each safeguard is needed for that."""

from __future__ import annotations

import pytest

from gesso_server.store.library import library
from model.checker import Checked, Checker
from model.promises import broken, done
from model.protocol import ACTIONS, initial, steps
from model.scripts import Rules
from model.variants import VARIANTS, Variant
from model.world import World


def checked(rules: Rules, faults: int, *, workers: int = 2, submitted: bool = True) -> Checked[World]:
    """Explore everything that so many faults can lead to."""
    return Checker(steps(rules), broken, done).run(initial(faults, workers=workers, submitted=submitted))


@pytest.mark.timeout(600)  # ten seconds of computing, however many others share the processor
def test_protocol_keeps_its_promises_after_any_fault() -> None:
    """Whatever goes wrong once, at whatever moment, no promise is broken and nothing hangs."""
    found = checked(Rules(), 1)

    print(f"{found.states} states, {found.steps} steps")  # noqa: T201  part of what is shown
    assert found.counterexample is None, str(found.counterexample)
    assert found.states > 100_000


def test_submission_is_accepted_once() -> None:
    """A submission whose answer is lost is repeated, and is one canvas, whatever the workers do meanwhile."""
    found = checked(Rules(), 1, workers=1, submitted=False)

    assert found.counterexample is None, str(found.counterexample)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_protocol_keeps_its_promises_after_any_two_faults() -> None:
    """The same for every pair of faults, with one worker (and the process that takes its place)."""
    found = checked(Rules(), 2, workers=1)

    print(f"{found.states} states, {found.steps} steps")  # noqa: T201  part of what is shown
    assert found.counterexample is None, str(found.counterexample)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_no_safeguard_can_be_left_out(variant: Variant) -> None:
    """Without any one of them a fault, or two, is enough to break a promise, a few steps from the start."""
    found = checked(
        variant.rules, variant.faults, workers=variant.workers, submitted=variant.submitted
    ).counterexample

    print(found)  # noqa: T201  the counterexample is part of what is shown
    assert found is not None
    assert found.promise == variant.breaks
    assert len(found.labels) <= variant.within


def test_scripts_of_the_model_are_those_of_the_store() -> None:
    """Each action that a script does names one that the library has."""
    source = library().source

    for action in ACTIONS:
        assert not action.script or library().function(action.script) in source, action.name
