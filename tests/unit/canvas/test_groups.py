"""Groups, chunks and maps beyond how they compose."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from gesso.canvas import Canvas, Join, chord, chunks, first, group, quorum, settled, xmap, xstarmap
from gesso.canvas.joins import All, Policy
from unit.canvas.samples import add, sig, tsum


@pytest.mark.parametrize(
    ("bounds", "countdowns"),
    [
        ((1, 10), [1, 2, 3, 4]),
        ((1, 3), [1, 2, 3, 3]),
        ((), [1, 2, 3, 4]),
        ((0, None, 2.5), [0, 2.5, 5, 7.5]),
        ((5, 1), [5, 5, 5, 5]),
    ],
)
def test_skew_lets_members_start_one_after_the_other(
    bounds: tuple[Any, ...], countdowns: list[float]
) -> None:
    """Countdowns rise by the step up to the stop, and stay there."""
    made = group(add(i) for i in range(4))

    assert made.skew(*bounds) is made
    assert [member.options["countdown"] for member in made] == countdowns


@pytest.mark.parametrize(
    "given",
    [
        [add(1), add(2)],
        (add(1), add(2)),
        {"one": add(1), "two": add(2)}.values(),
        [add(1).to_dict(), add(2).to_dict()],
    ],
)
def test_a_collection_of_members_is_known(given: Any) -> None:
    """What has a length is no generator."""
    assert group(given) == group(add(1), add(2))
    assert "..." not in repr(group(given))


@pytest.mark.parametrize("policy", [All(), settled(), quorum(2), first()])
def test_how_a_group_is_joined_is_part_of_its_data(policy: Policy) -> None:
    """Policy, deadline and the rest survive copying and JSON, on groups and on chords."""
    made = group(
        add(1), add(2), policy=policy, deadline=timedelta(seconds=3), cancel_rest=True, max_in_flight=4
    )

    assert made.join == Join(policy=policy, deadline=3.0, cancel_rest=True, max_in_flight=4)
    for canvas in (made, made | tsum(), chord([made, add()], tsum())):
        back = Canvas.from_dict(json.loads(json.dumps(canvas.to_dict())))
        assert back == canvas == canvas.clone()
    assert made != group(add(1), add(2))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: quorum(0),
        lambda: group(deadline=-1),
        lambda: group(deadline=float("nan")),
        lambda: group(max_in_flight=-1),
    ],
)
def test_bounds_of_a_join_are_checked_where_it_is_made(wrong: Any) -> None:
    """A join that cannot be is refused with a sentence."""
    with pytest.raises(ValueError, match=r"not|limit"):
        wrong()


def test_an_unknown_policy_in_data_is_refused() -> None:
    """Data of a later version is not taken for the default."""
    data = group(add(1), policy=first()).to_dict()
    data["kwargs"]["join"]["policy"] = "later"

    with pytest.raises(ValueError, match="no join policy 'later'"):
        Canvas.from_dict(data)


def test_chunks_cut_the_items() -> None:
    """Each part is one starmap; the last may be shorter."""
    made = chunks(add(), [(i, i) for i in range(5)], 2).group()

    assert list(made) == [
        xstarmap(add(), [(0, 0), (1, 1)]),
        xstarmap(add(), [(2, 2), (3, 3)]),
        xstarmap(add(), [(4, 4)]),
    ]


def test_chunks_of_an_iterator_are_lazy() -> None:
    """Items are cut as they are read, and more than once."""
    made = chunks(add(), ((i, i) for i in range(3)), 2).set(queue="fast")

    assert repr(made.group()) == "group(<_regen: [...]>)"
    for _ in range(2):
        assert list(made.group()) == [xstarmap(add(), [(0, 0), (1, 1)]), xstarmap(add(), [(2, 2)])]
    assert made.group().options == {"queue": "fast"}


def test_a_part_has_an_item() -> None:
    """Parts of nothing would never end."""
    with pytest.raises(ValueError, match="at least 1"):
        chunks(add(), [1], 0)


def test_maps_are_data() -> None:
    """A map comes back from its dict, its items and task with it."""
    for made in (xmap(tsum(), [[1]]), xstarmap("add", [[1, 2]]), chunks(add(), [[1, 2]], 3)):
        back = Canvas.from_dict(json.loads(json.dumps(made.to_dict())))
        assert type(back) is type(made)
        assert back == made == made.clone()


def test_a_map_takes_nothing_from_the_step_before() -> None:
    """It is immutable, whatever one says."""
    made = xmap(sig("add"), [1]).set(immutable=False, queue="fast")

    assert made.clone((5,)).args == ()
    assert made.immutable
    assert made.options == {"queue": "fast"}
