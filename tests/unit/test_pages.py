"""The pages say what is there: tests that the promises name, commands that people may run."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "promises.md"
NAMED = re.compile(r"`([a-z0-9_/]+\.py)::(test_\w+)`")


def test_tests_that_the_promises_name_exist() -> None:
    """A promise whose test was renamed or removed shows here, as does one without a test."""
    text = PAGE.read_text()
    named = NAMED.findall(text)
    rows = re.findall(r"^\| G\d+ .*$", text, re.MULTILINE)

    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in _source(file)]

    assert missing == []
    assert [row for row in rows if not NAMED.search(row)] == []
    assert len(rows) == 24


def _source(file: str) -> str:
    path = TESTS / file
    return path.read_text() if path.exists() else ""


def test_every_command_stands_in_the_readme() -> None:
    """Who reads the README learns of each command that there is."""
    readme = (TESTS.parent / "README.md").read_text()
    commands = {entry.name for entry in entry_points(group="gesso.commands")}

    assert {name for name in commands if not re.search(rf"\bgesso {name}\b", readme)} == set()
    assert len(commands) > 10
