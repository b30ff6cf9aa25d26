"""The coordinator's routing table."""

from __future__ import annotations

import pytest

from gesso_server.routes import Routes


def test_first_route_that_fits_decides() -> None:
    """Names and patterns are looked at in their order, whichever is more exact; without one it is `default`."""
    routes = Routes.parse(
        ["proj.mail.send=urgent", "proj.mail.*=mail", "proj.mail.archive=slow", "[ab].?=letters"]
    )

    found = [
        routes.queue(task) for task in ("proj.mail.send", "proj.mail.archive", "a.x", "a.xy", "proj.mail")
    ]

    assert found == ["urgent", "mail", "letters", "default", "default"]


def test_lines_may_be_empty_or_comments() -> None:
    """What follows a `#` and empty lines are left out; spaces around the parts mean nothing."""
    routes = Routes.parse(["# queues", "", "  x.* = q1  # slow ones"])

    assert routes.queue("x.y") == "q1"


@pytest.mark.parametrize("line", ["proj.mail", "=mail", "x=", "x=no spaces", "x=" + "q" * 129])
def test_line_that_is_no_route_is_refused(line: str) -> None:
    """A line without a pattern or without a queue's name says so."""
    with pytest.raises(ValueError, match=r"PATTERN=QUEUE|queue's name"):
        Routes.parse([line])
