"""Promise: a user's tests run on a real system with nothing but the fixtures that Gesso brings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.system import LIMIT_SECONDS

GUIDE = Path(__file__).parent.parent.parent / "docs" / "guide"
_FILE = re.compile(r"^```python\n# (\w+)\.py\n(.*?)^```", re.MULTILINE | re.DOTALL)
_TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
TASKS = """
from gesso import App

app = App("shop", "localhost:1")  # where nobody listens

@app.task
def add(x, y):
    print(f"adding {x}")
    return x + y
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A user's project, with tests of its own."""

    folder: Path

    def write(self, **modules: str) -> None:
        """Write modules, by their names."""
        for name, text in modules.items():
            (self.folder / f"{name}.py").write_text(text)

    def pytest(self, *words: str) -> str:
        """Run its tests as the user does, warnings being errors, and return what pytest says."""
        # Whoever looks at these finds that nobody listens, or a store that is not there.
        environment = {"GESSO_ADDRESS": "localhost:1", "GESSO_STORE": "redis://localhost:1"}
        # pytest-asyncio warns of what this project did not configure.
        options = ["-Werror", "-pno:asyncio", "-pno:cacheprovider", "-ra"]
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *words], cwd=self.folder,
            env=os.environ | environment, capture_output=True, text=True, check=False, timeout=2 * LIMIT_SECONDS,
        )  # fmt: skip
        print(ran.stdout, ran.stderr)  # noqa: T201 - pytest shows it when the test fails
        return ran.stdout + ran.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project with the module `shop` and nothing that says so."""
    made = Project(tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    made.write(shop=TASKS)
    return made


def test_guide_example_runs(project: Project) -> None:
    """The files that the guide shows, and the configuration, are a project whose tests pass."""
    for page in (GUIDE / "index.md", GUIDE / "testing.md"):
        project.write(**dict(_FILE.findall(page.read_text())))
        for text in _TOML.findall(page.read_text()):
            (project.folder / "pyproject.toml").write_text(text)
    (project.folder / "pytest.ini").unlink()

    assert "1 passed" in project.pytest()


def test_module_of_the_fixture_is_run_once_for_all_tests(project: Project) -> None:
    """A project's own `gesso_module` chooses the tasks, and each module has one worker, whatever its app's address."""
    project.write(
        mail=TASKS.replace("adding", "mailing"),
        test_shop="""
import pytest
from gesso import App, current_app, signature
from mail import add as mail
from shop import add, app

@pytest.fixture
def gesso_module(request):
    return getattr(request, "param", "shop")

workers = []

@pytest.mark.parametrize("number", [1, 2])
def test_add(gesso_worker, gesso_app, gesso_server, number):
    assert gesso_app is app is current_app()
    assert gesso_app.address == gesso_server.address == App("other").address
    assert add.delay(number, 2).get(timeout=10) == number + 2
    workers.append(gesso_worker)

@pytest.mark.parametrize("gesso_module", ["mail"], indirect=True)
def test_mail(gesso_worker):
    assert mail.delay(1, 2).get(timeout=10) == 3
    workers.append(gesso_worker)

def test_workers():
    assert app.address == "localhost:1"
    assert workers[0] is workers[1] is not workers[2]
""",
    )

    assert "4 passed" in project.pytest()


def test_processes_end_with_the_session(project: Project) -> None:
    """When pytest has ended, nobody listens where the coordinator did, and its store is gone."""
    project.write(
        test_shop="""
from pathlib import Path

def test_add(gesso_worker, gesso_server):
    Path("store").write_text(gesso_server.store.partition("://")[2].partition("?")[0])
    assert Path(Path("store").read_text()).is_socket()
"""
    )

    assert "1 passed" in project.pytest("-o", "gesso_module=shop")

    assert not Path((project.folder / "store").read_text()).exists()


def test_failed_test_shows_what_the_worker_said(project: Project) -> None:
    """What a task printed stands in the report of the test that failed, and only there."""
    project.write(
        test_shop="""
from shop import add

def test_well(gesso_worker):
    assert add.delay(2, 2).get(timeout=10) == 4

def test_badly(gesso_worker):
    assert add.delay(3, 2).get(timeout=10) == 4
"""
    )

    said = project.pytest("-o", "gesso_module=shop")

    assert "1 failed, 1 passed" in said
    assert "adding 3" in said
    assert "adding 2" not in said


@pytest.mark.parametrize(
    ("conftest", "words", "sentence"),
    [
        ("", [], "The fixture gesso_worker must be told where the tasks are"),
        ("", ["-ogesso_module=nowhere"], "there is no module 'nowhere'"),
        (
            "import sys\nsys.modules['redis'] = None",
            ["-ogesso_module=shop"],
            "needs redis, which comes with the server and the worker: pip install 'gesso[server,worker]'.",
        ),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    project: Project, conftest: str, words: list[str], sentence: str
) -> None:
    """Without a module, or without the extras, the test is an error that says what to do, with no traceback."""
    project.write(conftest=conftest, test_shop="def test_it(gesso_worker): pass")

    said = project.pytest(*words)

    assert sentence in said
    assert "1 error" in said
    assert "Traceback" not in said


def test_run_without_the_fixtures_imports_nothing_of_gesso(project: Project) -> None:
    """Pytest loads the plugin without gRPC, and without anything of `gesso`."""
    project.write(
        test_shop="""
import sys

def test_it(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("gesso")
    assert not {"gesso", "gesso_worker", "gesso_server", "grpc"} & sys.modules.keys()
"""
    )

    assert "1 passed" in project.pytest()
