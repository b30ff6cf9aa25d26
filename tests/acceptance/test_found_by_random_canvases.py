"""What canvases at random found, each as the smallest canvas that showed it.

Each must come to the same live as in the reference, and the reference to what stands in the test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from acceptance.reference_system import running
from gesso import (
    App,
    Canvas,
    Signature,
    chain,
    chord,
    current_app,
    group,
    growing,
    quorum,
    settled,
    signature,
    xmap,
)
from support import canvas_tasks
from support.likeness import Live, Reference, differences


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Return a coordinator with a worker that knows the tasks of canvases at random."""
    with running(tmp_path_factory.mktemp("live")) as live:
        yield live


def sig(task: str, label: int = 0, *args: Any, **kwargs: Any) -> Signature[Any]:
    """Return a signature of a task of canvases at random."""
    return signature(f"{canvas_tasks.__name__}.{task}", args, {"run": "found", "label": label, **kwargs})


def same(live: Live, canvas: Canvas) -> Reference:
    """Check that a canvas comes to the same live as in the reference, which is returned."""
    reference = Reference.of(canvas)
    (found,) = live.likenesses([reference])
    assert not differences(reference.likeness(), found, reference.nodes)
    return reference


def states(reference: Reference) -> list[str]:
    """Return the states of all nodes in the order in which they were come to."""
    return [node.state for node in reference.nodes]


def test_empty_group_with_a_policy_stays_a_step(live: Live) -> None:
    """Only a group whose members must all succeed is left out of a chain when it is empty."""
    reference = same(live, chain(sig("work"), group([], policy=settled())))

    assert reference.last is not None
    assert reference.last.value == []


def test_empty_group_with_a_quorum_fails(live: Live) -> None:
    """Fewer members than needed fail, none at all too, and what follows fails with a ChordError."""
    reference = same(live, chain(sig("work"), group([], policy=quorum(1)), sig("work", 1)))

    assert states(reference) == ["SUCCESS", "FAILURE", "FAILURE"]


def test_quorum_of_more_than_there_are_fails_at_once(live: Live) -> None:
    """It does not wait for the members, nor for what they may add."""
    grow = sig("grow", 1, canvas=sig("work", 2).to_dict())

    reference = same(live, chord([grow], sig("work", 3), policy=quorum(2)))

    assert states(reference) == ["FAILURE", "SUCCESS", "SUCCESS", "FAILURE"]


def test_group_of_a_lazy_group_of_one_stays_a_step(live: Live) -> None:
    """What is lazy is never taken for single, also where it is unrolled into a group of known length."""
    reference = same(live, chain(sig("work"), group([group(iter([sig("work", 1)]))])))

    assert reference.last is not None
    assert len(reference.last.value) == 1


def test_replacement_can_add_to_the_chord_of_the_task_it_replaces(live: Live) -> None:
    """A replacement has the replaced task's place in the join."""
    grow = sig("grow", 1, canvas=sig("work", 2).to_dict())
    swap = sig("swap", 3, canvas=grow.to_dict())

    reference = same(live, chord([swap, sig("work", 4)], sig("work", 5)))

    assert len(reference.nodes[0].members) == 3


def test_failure_of_a_map_is_told_with_its_items(live: Live) -> None:
    """An error link of a map behind a join that failed gets the mapped task's name and the items."""
    mapped = xmap(sig("work", 1), [[1], [2]])
    mapped.link_error(sig("told_all", 2))

    reference = same(live, chord([sig("fail", 3), sig("work", 4)], mapped))

    assert states(reference)[-1] == "SUCCESS"


def test_link_of_a_header_passes_over_an_empty_group(live: Live) -> None:
    """The first member that there is has it."""
    header = group([group([]), sig("work")])
    header.link(sig("work", 1))

    reference = same(live, chord(header, sig("work", 2)))

    assert states(reference) == ["SUCCESS"] * 4


@pytest.fixture
def _nothing_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have generators sent as they are read, however few members they yield."""
    monkeypatch.setattr(growing, "AHEAD_COUNT", 0)


@pytest.mark.usefixtures("_nothing_ahead")
def test_group_behind_a_step_grows(live: Live) -> None:
    """The coordinator takes members for a group that waits for a task."""
    reference = same(live, chain(sig("work"), group(sig("work", label) for label in (1, 2)), sig("work", 3)))

    assert states(reference) == ["SUCCESS"] * 5


@pytest.mark.usefixtures("_nothing_ahead")
def test_links_of_a_group_reach_members_that_come_later(live: Live) -> None:
    """An error link runs for each of them that fails, a link behind the first one."""
    canvas = group(sig(task, label) for label, task in enumerate(("work", "fail", "fail")))
    canvas.link_error(sig("told_id", 4))
    canvas.link(sig("work", 5))

    reference = same(live, canvas)

    assert [node.task.rpartition(".")[2] for node in reference.nodes if node.parent is not None] == [
        "work",
        "told_id",
        "told_id",
    ]


@pytest.mark.usefixtures("_nothing_ahead")
def test_error_link_reaches_through_a_group_with_a_policy(live: Live) -> None:
    """One given to a group of a growing group with a policy of its own runs for that one's members."""
    canvas = group([group((sig("fail", label) for label in range(2)), policy=settled()), sig("work", 3)])
    canvas.link_error(sig("told_id", 4))

    assert states(same(live, canvas)).count("SUCCESS") == 5


@pytest.mark.usefixtures("_nothing_ahead")
@pytest.mark.parametrize("lazy", [list, iter])
def test_group_inside_a_group_is_unrolled_however_it_is_sent(
    live: Live, lazy: Callable[[list[Any]], Any]
) -> None:
    """Members of a generator, and groups that a generator yields, are the outer group's."""
    inner = [group(lazy([sig("work", label), sig("work", label + 1)])) for label in (1, 3)]

    reference = same(live, group(lazy([sig("work"), *inner, sig("work", 5)])))

    assert reference.last is not None
    assert reference.last.value == [canvas_tasks.digest(label) for label in range(6)]


@pytest.mark.usefixtures("_nothing_ahead")
@pytest.mark.parametrize("shape", [group, lambda members: chord(members, sig("work", 9))])
def test_link_passes_over_a_generator_that_yields_nothing(live: Live, shape: Callable[[Any], Any]) -> None:
    """The first member that there is has it, however deep the generators lie."""
    header = group([group(group(iter([])) for _ in range(2)), sig("work", 1), sig("work", 2)])
    header.link(sig("work", 3))
    header.link_error(sig("told_id", 4))

    reference = same(live, shape(header))

    assert len([node for node in reference.nodes if node.parent is not None and node.task]) == 1 + (
        shape is not group
    )


@pytest.mark.parametrize("shape", [group, lambda members: chord(members, sig("work", 9)), list])
@pytest.mark.parametrize("lazy", [list, iter])
def test_links_of_a_chord_with_nothing_as_its_body_are_the_headers(
    live: Live, shape: Callable[[Any], Any], lazy: Callable[[list[Any]], Any]
) -> None:
    """It is its header: a link runs behind the first member, an error link for each that fails."""
    bare = chord(lazy([sig("work", 1), sig("fail", 2), sig("fail", 3)]), chain())
    bare.link(sig("work", 4))
    bare.link_error(sig("told_id", 5))
    made = shape([bare, sig("work", 6)])

    reference = same(live, bare if isinstance(made, list) else made)

    ran = [node.task.rpartition(".")[2] for node in reference.nodes if node.state == "SUCCESS"]
    assert ran.count("told_id") == 2


@pytest.fixture
def _header_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have error links of chords run for each failed member of the header, too."""
    for app in (canvas_tasks.app, cast("App", current_app())):
        monkeypatch.setattr(app, "allow_error_cb_on_chord_header", True)


def test_error_link_of_a_chord_is_the_bodys_alone(live: Live) -> None:
    """By default it runs once, with the body's id."""
    canvas = chord([sig("fail", 1), sig("fail", 2)], sig("work", 3))
    canvas.link_error(sig("told_id", 4))

    assert [node.task for node in same(live, canvas).nodes].count(f"{canvas_tasks.__name__}.told_id") == 1


@pytest.mark.usefixtures("live", "_header_is_told")
@pytest.mark.parametrize(
    ("shape", "told"),
    [
        (lambda header: chord(header, sig("work", 9)), 3),
        (lambda header: chord(header, chain(sig("work", 9), sig("work", 10))), 3),
        (lambda header: chord(header, group(sig("work", 9), sig("work", 10))), 4),
        (lambda header: chord(header, chord([sig("work", 8)], sig("work", 9))), 3),
        (lambda header: chain(sig("work", 8), group(header), sig("work", 9)), 3),
        (lambda header: chord([sig("work", 8), chord(header, sig("work", 9))], sig("work", 10)), 4),
        (lambda header: chord(header, chain()), 2),
    ],
)
@pytest.mark.parametrize("lazy", [list, iter])
def test_error_link_of_a_chord_runs_for_members_of_the_header(
    live: Live, shape: Callable[[Any], Any], told: int, lazy: Callable[[list[Any]], Any]
) -> None:
    """With `allow_error_cb_on_chord_header` once for each that failed, and for the body, whatever that is."""
    canvas = shape(lazy([sig("fail", 1), sig("work", 2), sig("fail", 3)]))
    canvas.link_error(sig("told_id", 4))

    reference = same(live, canvas)

    assert [node.task for node in reference.nodes].count(f"{canvas_tasks.__name__}.told_id") == told
