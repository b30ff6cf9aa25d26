"""The examples of this project's own guide and of "Coming from Celery", run on the live system."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guides.shell import Shell
from support.system import Coordinator, System

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = [*sorted(DOCS.glob("guide/*.md")), DOCS / "coming-from-celery.md"]

_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\w+)\.py\n")


def blocks(page: Path) -> list[str]:
    """Return the page's blocks of Python, in order."""
    return _BLOCK.findall(page.read_text())


@pytest.fixture(scope="session")
def sums(system: System, coordinator: Coordinator) -> None:
    """Start a worker with the modules that the guide shows as files."""
    for page in PAGES:
        for block in blocks(page):
            if named := _FILE.match(block):
                (system.folder / f"{named[1]}.py").write_text(block)
    system.worker(coordinator, module="sums")


@pytest.mark.usefixtures("sums")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_show_what_the_page_says(
    page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every example of the page runs, one after the other as a reader types them, and shows what stands below it."""
    monkeypatch.chdir(tmp_path)
    shell = Shell({"__name__": "reader"})

    for block in blocks(page):
        if not _FILE.match(block):
            (shell.type if block.startswith(">>>") else shell.define)(block)
