"""The blame page: what a process was running when it died."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gesso_worker.blame import MAX_NODE_ID_BYTES, BlamePage, record_count
from gesso_worker.token import Token


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a page may be."""
    return tmp_path / "page"


def test_new_page_blames_nobody(path: Path) -> None:
    """Every record is empty."""
    page = BlamePage.create(path, slot_count=record_count(8))

    assert page.running() == ()
    page.close()


def test_page_shows_what_runs_now(path: Path) -> None:
    """A record holds its slot's last token, until the slot says that it ended."""
    page = BlamePage.create(path, slot_count=3)
    other = BlamePage(path, slot_count=3)
    first, second, third = (Token(f"{'a' * 32}-{number}", number, 2**64 - number) for number in (1, 2, 3))

    page.begin(0, first)
    page.begin(2, second)
    assert other.running() == (first, second)
    page.end(0)
    page.begin(2, third)
    assert other.running() == (third,)
    page.end(2)
    assert other.running() == ()

    page.close()
    other.close()


def test_long_id_is_cut(path: Path) -> None:
    """An id that no record holds does no harm, and blames nobody that exists."""
    page = BlamePage.create(path, slot_count=2)

    page.begin(0, Token("ä" * MAX_NODE_ID_BYTES, 1, 7))
    page.begin(1, Token("b", 1, 8))

    cut, whole = page.running()
    assert len(cut.node_id) < MAX_NODE_ID_BYTES
    assert whole == Token("b", 1, 8)
    page.close()


def test_page_outlives_a_killed_process(path: Path) -> None:
    """What a process wrote is there after it was killed, though it flushed nothing."""
    page = BlamePage.create(path, slot_count=1)
    script = (
        "import os, sys, pathlib\n"
        "from gesso_worker.blame import BlamePage\n"
        "from gesso_worker.token import Token\n"
        "BlamePage(pathlib.Path(sys.argv[1]), slot_count=1).begin(0, Token('n', 3, 5))\n"
        "os.kill(os.getpid(), 9)\n"
    )

    subprocess.run(
        [sys.executable, "-c", script, path],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)},
        check=False,
        timeout=30,
    )

    assert page.running() == (Token("n", 3, 5),)
    page.close()
