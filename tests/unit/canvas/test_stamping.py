"""Stamping: every element, every hook."""

from __future__ import annotations

from typing import Any

import pytest

from gesso.canvas import Canvas, Signature, StampingVisitor, chain, chord, group, xmap
from unit.canvas.samples import add, endless, mul, sig, tsum


class Tracing(StampingVisitor):
    """Notes which hook is called for what, and stamps with the hook's name."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def _note(self, hook: str, canvas: Any) -> dict[str, Any]:
        self.calls.append(f"{hook} {canvas!r}" if isinstance(canvas, Signature) else hook)
        return {hook: True}

    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:  # noqa: ARG002
        """Note a signature."""
        return self._note("signature", sig)

    def on_group_start(self, group: Any, **headers: Any) -> dict[str, Any]:  # noqa: ARG002
        """Note the start of a group."""
        return self._note("group_start", group)

    def on_group_end(self, group: Any, **headers: Any) -> None:  # noqa: ARG002
        """Note the end of a group."""
        self._note("group_end", group)

    def on_chain_start(self, chain: Any, **headers: Any) -> dict[str, Any]:  # noqa: ARG002
        """Note the start of a chain."""
        return self._note("chain_start", chain)

    def on_chain_end(self, chain: Any, **headers: Any) -> None:  # noqa: ARG002
        """Note the end of a chain."""
        self._note("chain_end", chain)

    def on_chord_header_start(self, sig: Any, **header: Any) -> dict[str, Any]:
        """Note the start of a header."""
        self._note("header_start", sig)
        return {**(super().on_chord_header_start(sig, **header) or {}), "header_start": True}

    def on_chord_header_end(self, sig: Any, **header: Any) -> None:
        """Note the end of a header."""
        self._note("header_end", sig)
        super().on_chord_header_end(sig, **header)

    def on_chord_body(self, sig: Any, **header: Any) -> dict[str, Any]:  # noqa: ARG002
        """Note a body."""
        return self._note("chord_body", sig)

    def on_callback(self, callback: Any, **header: Any) -> dict[str, Any]:  # noqa: ARG002
        """Note a link."""
        return self._note("callback", callback)

    def on_errback(self, errback: Any, **header: Any) -> dict[str, Any]:  # noqa: ARG002
        """Note an error link."""
        return self._note("errback", errback)


class Given(StampingVisitor):
    """Stamps every signature with what it was given."""

    def __init__(self, stamps: dict[str, Any] | None) -> None:
        self.stamps = stamps

    def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any] | None:  # noqa: ARG002
        """Return them."""
        return self.stamps


def stamps(canvas: Canvas) -> set[str]:
    """Return the names of the stamps on an element."""
    return set(canvas.options.get("stamped_headers", ()))


def test_every_hook_is_called_in_order() -> None:
    """The visitor sees the whole canvas, outside in, each element once."""
    made = chain(add(0), group(add(1), add(2)), xmap(tsum(), [[1]]), group(mul(1), mul(2)))
    visitor = Tracing()

    made.stamp(visitor)

    assert visitor.calls == [
        "chain_start",
        "signature add(0)",
        "header_start",
        "group_start",
        "signature add(1)",
        "signature add(2)",
        "header_end",
        "group_end",
        "chord_body",
        "signature [tsum(x) for x in [[1]]]",
        "group_start",
        "signature mul(1)",
        "signature mul(2)",
        "group_end",
        "chain_end",
    ]


def test_stamps_of_what_is_around_reach_what_is_inside() -> None:
    """A member has the stamps of its group and of the chain around it, and those of no sibling."""
    made = chain(add(0), group(add(1), add(2)), tsum())
    made.stamp(Tracing(), customer="acme")

    step, chorded = made["kwargs"]["tasks"]

    around = {"customer", "chain_start"}
    assert stamps(step) == around | {"signature"}
    assert stamps(chorded.tasks[0]) == around | {"signature", "group_start", "header_start"}
    assert stamps(chorded.body) == around | {"signature", "chord_body"}
    assert stamps(made) == set()


def test_links_and_links_of_links_are_stamped() -> None:
    """Callbacks have stamps of their own, beside those inherited."""
    made = add(1)
    made.link(mul(1)).link_error(sig("log"))
    made.link_error(sig("log"))

    made.stamp(Tracing(), customer="acme")

    callback, errback = made.options["link"][0], made.options["link_error"][0]
    assert stamps(made) == {"customer", "signature"}
    assert stamps(callback) == {"customer", "callback", "signature"}
    assert stamps(errback) == {"customer", "errback", "signature"}
    assert stamps(callback.options["link_error"][0]) == {"customer", "callback", "errback", "signature"}


def test_the_guides_example_gives_the_guides_stamps() -> None:
    """Canvas guide, "Callbacks stamping"; a chord shows the stamps of its body."""

    class CustomStampingVisitor(StampingVisitor):
        def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:  # noqa: ARG002
            return {"header": "value"}

        def on_callback(self, callback: Any, **header: Any) -> dict[str, Any]:  # noqa: ARG002
            return {"on_callback": True}

        def on_errback(self, errback: Any, **header: Any) -> dict[str, Any]:  # noqa: ARG002
            return {"on_errback": True}

    c = chord([add(1, 1), add(2, 2)], tsum())
    c.link(sig("sig_link"))
    c.link_error(sig("sig_link_error"))
    c.stamp(visitor=CustomStampingVisitor())

    assert isinstance(c, Canvas)
    assert c.options == {"header": "value", "stamped_headers": ["header"]}
    assert c.tasks.tasks[0].options == {"header": "value", "stamped_headers": ["header"]}
    assert c.tasks.tasks[1].options == {"header": "value", "stamped_headers": ["header"]}
    assert c.body is not None
    assert c.body.options["link"][0].options == {
        "header": "value",
        "on_callback": True,
        "stamped_headers": ["header", "on_callback"],
    }
    assert c.body.options["link_error"][0].options == {
        "header": "value",
        "on_errback": True,
        "stamped_headers": ["header", "on_errback"],
    }


def test_the_guides_group_visitor_marks_members_and_no_body() -> None:
    """Canvas guide, "Custom stamping": a visitor with state follows start and end."""

    class InGroupVisitor(StampingVisitor):
        def __init__(self) -> None:
            self.in_group = False

        def on_group_start(self, group: Any, **headers: Any) -> dict[str, Any]:  # noqa: ARG002
            self.in_group = True
            return {"in_group": [self.in_group], "stamped_headers": ["in_group"]}

        def on_group_end(self, group: Any, **headers: Any) -> None:  # noqa: ARG002
            self.in_group = False

        def on_signature(self, sig: Any, **headers: Any) -> dict[str, Any]:  # noqa: ARG002
            return {"in_group": [self.in_group], "stamped_headers": ["in_group"]}

    made = chain(add(0), group(add(1), add(2)), tsum())
    made.stamp(InGroupVisitor())

    step, chorded = made["kwargs"]["tasks"]
    assert step.options["in_group"] == [False]
    assert [member.options["in_group"] for member in chorded.tasks] == [[True], [True]]
    assert chorded.body.options["in_group"] == [False]


@pytest.mark.parametrize(
    ("returned", "stamped"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2, "stamped_headers": ["a", "b"]}),
        ({"a": 1, "b": 2, "stamped_headers": ["a"]}, {"a": 1, "stamped_headers": ["a"]}),
        ({"stamped_headers": ["missing"]}, {}),
        ({}, {}),
        (None, {}),
        ({"a": {"x"}}, {"a": {"x"}, "stamped_headers": ["a"]}),
    ],
)
def test_without_stamped_headers_every_key_is_a_stamp(
    returned: dict[str, Any] | None, stamped: dict[str, Any]
) -> None:
    """With them only the listed ones are; values keep their type."""
    assert add(1).stamp(Given(returned)).options == stamped
    if returned is not None:
        assert add(1).stamp(**returned).options == stamped


@pytest.mark.parametrize(
    ("one", "two", "append", "value"),
    [
        (1, 2, False, 2),
        ([1], [2], False, [2]),
        (1, 2, True, [1, 2]),
        ([1, 2], 2, True, [1, 2]),
        (1, 1, True, 1),
        ([1], [2, 1, 3], True, [1, 2, 3]),
        ({"x"}, "y", True, ["x", "y"]),
    ],
)
def test_later_stamps_overwrite_or_collect(one: Any, two: Any, append: bool, value: Any) -> None:  # noqa: FBT001
    """With `append_stamps` values collect in order, without duplicates."""
    made = add(1)

    made.stamp(mark=one)
    made.stamp(append_stamps=append, mark=two)

    assert made.options == {"mark": value, "stamped_headers": ["mark"]}


def test_what_is_deeper_wins() -> None:
    """A signature's hook overwrites what it inherits."""
    made = group(add(1))

    made.stamp(Given({"mark": "own"}), mark="inherited", other="inherited")

    assert made[0].options["mark"] == "own"
    assert made[0].options["other"] == "inherited"


def test_stamps_are_no_options_to_a_call() -> None:
    """A call or a clone neither changes stamps nor loses them."""
    made = add(1).stamp(mark=1)

    assert made.clone(mark=2, queue="fast").options == {
        "mark": 1,
        "queue": "fast",
        "stamped_headers": ["mark"],
    }


def test_callbacks_of_one_signature_have_stamps_of_their_own() -> None:
    """A callback linked in two places is two callbacks."""
    callback = mul(1)
    one, two = add(1).set(link=callback), add(2).set(link=callback)

    group(one, two)
    one.stamp(mark="one")
    two.stamp(mark="two")

    assert one.options["link"][0].options["mark"] == "one"
    assert two.options["link"][0].options["mark"] == "two"
    assert callback.options == {}


def test_members_of_one_group_do_not_share_a_lists_stamp() -> None:
    """A list given to `stamp()` is copied to each element."""
    made = group(add(1), add(2))

    made.stamp(marks=["x"])
    made[0].options["marks"].append("y")

    assert made[1].options["marks"] == ["x"]


def test_a_lazy_group_is_stamped_while_it_is_read() -> None:
    """The start hook comes with the first member, the end hook behind the last."""
    made = group(add(i) for i in range(2))
    visitor = Tracing()

    made.stamp(visitor, customer="acme")
    assert visitor.calls == []

    assert stamps(made[0]) == {"customer", "group_start", "signature"}
    assert visitor.calls == ["group_start", "signature add(0)"]
    assert len(made) == 2
    assert visitor.calls[2:] == ["signature add(1)", "group_end"]


def test_a_lazy_header_is_stamped_while_it_is_read() -> None:
    """The body is stamped at once, the header's members as they come."""
    made = group(endless()) | tsum()
    visitor = Tracing()

    made.stamp(visitor)
    assert visitor.calls == ["chord_body", "signature tsum()"]

    assert stamps(made["kwargs"]["header"][0]) == {"header_start", "group_start", "signature"}
    assert visitor.calls[2:] == ["header_start", "group_start", "signature add(0)"]


def test_clones_of_a_stamped_lazy_group_ask_the_visitor_once() -> None:
    """Each member is stamped once, however often it is read."""
    made = group(add(i) for i in range(2))
    visitor = Tracing()
    made.stamp(visitor)

    assert list(made.clone()) == list(made.clone()) == list(made)
    assert visitor.calls.count("signature add(0)") == 1
