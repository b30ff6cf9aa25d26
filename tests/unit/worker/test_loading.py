"""Finding the user's app."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gesso_worker.loading import LoadError, load_app


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with modules in it, forgotten after the test."""
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return tmp_path


APP = "from gesso import App\n"
MODULES = {
    "named.py": APP + "app = App('first')\nother = App('second')\n",
    "single.py": APP + "celery = App('only')\nalias = celery\n",
    "several.py": APP + "one = App('1')\ntwo = App('2')\nthree = 3\n",
    "empty.py": "x = 1\n",
    "package/__init__.py": "",
    "package/tasks.py": APP + "app = App('inner')\n",
    "needs.py": "import package.missing\n",
    "raises.py": "def deep():\n    raise RuntimeError('no key in the environment')\ndeep()\n",
    "leaves.py": "import sys\nsys.exit(4)\n",
    "wrong.py": "x = = 1\n",
}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("named", "first"),
        ("named:other", "second"),
        ("single", "only"),
        ("several:two", "2"),
        ("package.tasks", "inner"),
    ],
)
def test_app_is_found(path: str, name: str) -> None:
    """By its name, as `app`, or as the only one, under however many names."""
    assert load_app(path).name == name


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        ("nowhere", ["cannot import 'nowhere'", "no module 'nowhere'"]),
        ("nowhere.tasks", ["cannot import 'nowhere.tasks'", "no module 'nowhere'"]),
        ("package.nothing", ["no module 'package.nothing'"]),
        ("needs", ["importing 'needs' failed", 'needs.py", line 1', "package.missing"]),
        ("raises", ["importing 'raises' failed", "in deep", "no key in the environment"]),
        ("leaves", ["importing 'leaves' failed", "SystemExit: 4"]),
        ("wrong", ["importing 'wrong' failed", "SyntaxError"]),
        ("empty", ["'empty' has no App", "-A empty:APP"]),
        ("several", ["several apps", "There is: one, two."]),
        ("several:three", ["'three' in 'several' is no App", "There is: one, two."]),
        ("several:four", ["'four' in 'several' does not exist"]),
    ],
)
def test_what_cannot_be_loaded_is_said_clearly(path: str, texts: list[str]) -> None:
    """The message names what is missing or shows the user's own frames, and nothing of the worker's."""
    with pytest.raises(LoadError) as caught:
        load_app(path)

    message = str(caught.value)
    for text in texts:
        assert text in message
    assert "gesso_worker" not in message
    assert "importlib" not in message
