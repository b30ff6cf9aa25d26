"""The program behind the command: which commands there are, and how they are found and loaded."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from gesso.cli import program
from gesso.cli.chosen import State
from gesso.cli.exits import CommandError, Exit
from gesso.listing import STATES

COMMANDS = {
    "cancel", "dead", "dev", "doctor", "graph", "limit", "limits", "list", "queues", "result", "retry", "server",
    "show", "submit", "top", "watch", "worker", "workers",
}  # fmt: skip


def entry(value: str) -> EntryPoint:
    """Return an entry point called `sample`."""
    return EntryPoint("sample", value, "gesso.commands")


def test_commands_are_entry_points() -> None:
    """The installed distribution has these commands."""
    assert {found.name for found in entry_points(group="gesso.commands")} == COMMANDS


@pytest.mark.parametrize("found", entry_points(group="gesso.commands"), ids=lambda found: found.name)
def test_every_command_has_a_summary_of_one_sentence(found: EntryPoint) -> None:
    """The line that the list of commands shows is a whole sentence."""
    text = program.summary(found)

    assert text[:1].isupper()
    assert text.endswith(".")


def test_a_summary_imports_nothing() -> None:
    """To list a command its module is read, not run."""
    text = program.summary(entry("this:nothing"))

    assert text == ""
    assert "this" not in sys.modules


def test_help_lists_the_commands_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """`gesso --help` ends well and names each command, and what the exit codes mean."""
    with pytest.raises(SystemExit) as end:
        program.run(["--help"])

    out = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0
    assert all(f"│ {name} " in out for name in COMMANDS)
    assert "4 timed out" in out


def test_an_error_is_a_line_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    """What a command raises for the person is printed as it is, and its code returned."""
    code = program.run(["submit", "--canvas", "nowhere.json"])

    assert code == Exit.REFUSED
    assert capsys.readouterr().err == "Error: nowhere.json cannot be read: No such file or directory.\n"


def test_a_fault_of_our_own_is_not_taken_for_something_missing() -> None:
    """A module of Gesso's that is not there is a fault, and not told as an extra to install."""
    with pytest.raises(ModuleNotFoundError):
        program.loaded(entry("gesso_server.nowhere:command"))


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`gesso --version` says which Gesso, on which Python."""
    with pytest.raises(SystemExit):
        program.run(["--version"])

    assert capsys.readouterr().out.startswith("gesso 0.")


def test_exit_codes_stay() -> None:
    """Scripts rely on the numbers; an error for which none is chosen is a refusal."""
    codes = {code.name: int(code) for code in Exit}

    assert codes == {"OK": 0, "FAILED": 1, "REFUSED": 2, "UNREACHABLE": 3, "TIMEOUT": 4, "INTERRUPTED": 130}
    assert CommandError("No.").code is Exit.REFUSED


def test_states_of_a_list_are_the_contract_s() -> None:
    """What `gesso list --state` takes is what a canvas can be in."""
    assert [state.name for state in State] == list(STATES)
