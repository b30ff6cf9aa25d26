"""The program behind the command: its commands, found as entry points and loaded when they are used.

To list the commands takes no import of theirs: the line of help is the first one of the function's
docstring, read from the source.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from gesso.cli.exits import MEANING, CommandError, Exit

__all__ = ["run"]

_GROUP = "gesso.commands"
_EXTRAS = {"gesso_server": "server", "gesso_worker": "worker"}
_HELP = """Run canvases: chains, groups and chords of tasks, as a gRPC service.

To try it: `gesso dev -A MODULE` runs a coordinator and workers for the tasks in MODULE, and `gesso submit
MODULE.TASK '[1, 2]'` runs one of them.
"""


class Program(TyperGroup):
    """The group of all commands. Its help is drawn; its errors stay lines that a script can read."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Draw the help."""
        self.rich_markup_mode = "markdown"
        super().format_help(ctx, formatter)


class LazyCommand(TyperCommand):
    """A command that is loaded when it is used."""

    def __init__(self, entry: EntryPoint) -> None:
        super().__init__(entry.name, help=summary(entry))
        self._entry = entry

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        """Load the command and let it go on."""
        return loaded(self._entry).make_context(info_name, args, parent=parent, **extra)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit code; or exit with it.

    Args:
        arguments: What follows the program's name. None means the process's own.
    """
    try:
        command()(arguments, prog_name="gesso")
    except CommandError as error:
        typer.echo(f"Error: {error}", err=True)
        return error.code
    return Exit.OK


def command() -> Any:
    """Return the program as a command of typer's."""
    app = typer.Typer(cls=Program, rich_markup_mode=None, no_args_is_help=True, help=_HELP, epilog=MEANING)
    app.callback()(_options)
    program = typer.main.get_command(app)
    entries = sorted(entry_points(group=_GROUP), key=lambda entry: entry.name)
    if not entries:
        raise CommandError(
            "Gesso is not installed, only found: pip install it, for its commands to be known."
        )
    program.commands.update({entry.name: LazyCommand(entry) for entry in entries})  # type: ignore[attr-defined]
    return program


def loaded(entry: EntryPoint) -> Any:
    """Return a command, its module imported.

    Raises:
        CommandError: If something that it needs is not installed.
    """
    try:
        function = entry.load()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(entry.module.partition(".")[0])
        missing = (error.name or "").partition(".")[0]
        if extra is None or missing in {"gesso", *_EXTRAS}:
            raise
        raise CommandError(
            f"`gesso {entry.name}` needs {missing}, which is not installed: pip install 'gesso[{extra}]'."
        ) from error
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    app.command(entry.name, epilog=MEANING)(function)
    return typer.main.get_command(app)


def summary(entry: EntryPoint) -> str:
    """Return the first line of a command's docstring, without importing it; empty if it cannot be read."""
    spec = find_spec(entry.module)
    if spec is None or spec.origin is None:
        return ""
    tree = ast.parse(Path(spec.origin).read_bytes())
    texts = [
        ast.get_docstring(node) or ""
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr
    ]
    return texts[0].partition("\n")[0] if texts else ""


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(f"gesso {version('gesso')} on Python {sys.version.partition(' ')[0]}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Take the options of the program itself."""
