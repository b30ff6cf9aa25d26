"""Promise: the demo runs a real canvas on real input, from nothing, and leaves nothing behind."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

from support.system import LIMIT_SECONDS, TESTS

REPOSITORY = TESTS.parent
DEMO = REPOSITORY / "examples" / "wordcount"


def run_demo(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the demo to its end, its own data in a folder below `tmp_path`."""
    (tmp_path / "tmp").mkdir()
    paths = [str(REPOSITORY / part) for part in ("client", "worker", "server")]
    return subprocess.run(
        [sys.executable, str(DEMO / "demo.py"), *words], capture_output=True, text=True, timeout=LIMIT_SECONDS,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": ":".join(paths)}, check=False,
    )  # fmt: skip


def test_demo_counts_the_words_of_a_folder(tmp_path: Path) -> None:
    """It prints the ten most frequent words, and every node's state, span and duration, without colours."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(3):
        words = [f"word{'abcdefghijkl'[place]} " * (12 - place) for place in range(12)]
        (folder / f"{number}.txt").write_text("".join(words))

    done = run_demo(tmp_path, str(folder))

    assert (done.returncode, done.stderr) == (0, "")
    counted = re.findall(r"^  (word.) +([0-9]+) +█+$", done.stdout, re.MULTILINE)
    assert counted == [(f"word{'abcdefghij'[place]}", str(3 * (12 - place))) for place in range(10)]
    nodes = re.findall(
        r"^[│├└─ ]+(.+?) +succeeded +span [0-9a-f]{16} +[0-9.]+ ms$", done.stdout, re.MULTILINE
    )
    members = [f"count_words {number}.txt" for number in range(3)]
    assert nodes == ["list_files", "group of 3", *members, "merge", "top_ten"]
    assert "\x1b" not in done.stdout


def test_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    """When it has ended, no data of its own is left."""
    done = run_demo(tmp_path)

    assert done.returncode == 0
    assert "README.md" in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []


def test_demo_says_what_is_missing(tmp_path: Path) -> None:
    """A folder that is not there is told in a sentence, before anything is started."""
    done = run_demo(tmp_path, "nowhere")

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "There is no nowhere.\n")


def test_readme_shows_the_demos_tasks() -> None:
    """The tasks in the README are those of the demo, letter by letter."""
    source = (DEMO / "tasks.py").read_text()
    readme = (REPOSITORY / "README.md").read_text()

    tasks = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.decorator_list
    ]

    assert len(tasks) == 4
    for task in tasks:
        assert f"@app.task\n{ast.get_source_segment(source, task)}\n" in readme
