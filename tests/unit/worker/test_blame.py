"""The blame page: what a process was running when it died."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from gesso_worker.blame import MAX_NODE_ID_BYTES, BlamePage, page_file, record_count
from gesso_worker.token import Token

SLOT_COUNT = record_count(8)


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    """A file for a page."""
    with page_file(slot_count=SLOT_COUNT) as file:
        yield file


@pytest.fixture
def page(file: IO[bytes]) -> Iterator[BlamePage]:
    """A page."""
    page = BlamePage(file.fileno(), slot_count=SLOT_COUNT)
    yield page
    page.close()


def test_new_page_blames_nobody(page: BlamePage) -> None:
    """Every record is empty."""
    assert page.running() == ()


def test_page_shows_what_runs_now(page: BlamePage, file: IO[bytes]) -> None:
    """A record holds its slot's last token, until the slot says that it ended."""
    other = BlamePage(file.fileno(), slot_count=SLOT_COUNT)
    first, second, third = (Token(f"{'a' * 32}-{number}", number, 2**64 - number) for number in (1, 2, 3))

    seen = []
    page.begin(0, first)
    page.begin(SLOT_COUNT - 1, second)
    seen.append(tokens(other))
    page.end(0)
    page.begin(SLOT_COUNT - 1, third)
    seen.append(tokens(other))
    page.end(SLOT_COUNT - 1)
    seen.append(tokens(other))

    assert seen == [(first, second), (third,), ()]
    other.close()


def tokens(page: BlamePage) -> tuple[Token, ...]:
    """Return what the page says is running."""
    return tuple(each.token for each in page.running())


def test_page_tells_deadlines(page: BlamePage, file: IO[bytes]) -> None:
    """The other side reads until when a task may run, and the first side when the other looks next."""
    other = BlamePage(file.fileno(), slot_count=SLOT_COUNT)
    page.begin(0, Token("a", 1, 7), 12.5)
    page.begin(1, Token("b", 1, 8))
    other.next_look = 12.5

    assert [each.deadline for each in other.running()] == [12.5, 0.0]
    assert page.next_look == 12.5
    other.close()


def test_long_id_is_cut(page: BlamePage) -> None:
    """An id that no record holds does no harm, and blames nobody that exists."""
    page.begin(0, Token("ä" * MAX_NODE_ID_BYTES, 1, 7))
    page.begin(1, Token("b", 1, 8))

    cut, whole = tokens(page)
    assert len(cut.node_id) < MAX_NODE_ID_BYTES
    assert whole == Token("b", 1, 8)


def test_page_outlives_a_killed_process(page: BlamePage, file: IO[bytes]) -> None:
    """What a process wrote is there after it was killed, though it flushed nothing."""
    script = (
        "import os, sys\n"
        "from gesso_worker.blame import BlamePage\n"
        "from gesso_worker.token import Token\n"
        "BlamePage(int(sys.argv[1]), slot_count=int(sys.argv[2])).begin(3, Token('n', 3, 5))\n"
        "os.kill(os.getpid(), 9)\n"
    )

    subprocess.run(
        [sys.executable, "-c", script, str(file.fileno()), str(SLOT_COUNT)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
        pass_fds=(file.fileno(),),
        check=False,
        timeout=30,
    )

    assert tokens(page) == (Token("n", 3, 5),)
