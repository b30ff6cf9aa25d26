"""The shell that the guides' examples are typed into.

An example is copied from its guide letter by letter and changed in one way only: what it imports from celery is
imported from gesso. What the guide shows below a line is what that line must show:

- ids are any ids, but the same id is the same one throughout;
- where a line breaks does not matter, nor in which order a dict's keys stand;
- below an assignment the guides show what was assigned, and below a result sometimes its value.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gesso import AsyncResult, GroupResult

LIMIT_SECONDS = 20.0
"""How long a result that an example shows may take."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OUR_ID = r"[0-9a-f]{32}-[0-9]+|[0-9a-f]{8}-[0-9a-f-]{27}"
_IMPORT = re.compile(r"^from celery\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Typed:
    """Something typed, and what the guide shows below it."""

    source: str
    shown: str


class Shell:
    """An interactive shell.

    Attributes:
        values: What the expressions typed so far came to, None left out.
    """

    def __init__(self, names: dict[str, Any]) -> None:
        """Start one that knows some names."""
        self.names = dict(names)
        self.values: list[Any] = []
        self._ids: dict[str, str] = {}

    def __getitem__(self, name: str) -> Any:
        """Return what a name stands for."""
        return self.names[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Give a name to what an example takes for granted."""
        self.names[name] = value

    @property
    def last(self) -> Any:
        """What the last expression came to."""
        return self.values[-1]

    def type(self, text: str, *, module: str = "") -> None:
        """Type an example with prompts, and compare what it shows with what the guide shows.

        Args:
            module: The tasks' module with its dot, where the guide does not show it.
        """
        for typed in parts(text):
            if typed.shown.startswith("Traceback"):
                self._compare_error(typed)
                continue
            value = self._execute(typed.source)
            if typed.shown:
                self._compare(typed, value, module)

    def define(self, text: str) -> None:
        """Type an example without prompts, which shows nothing."""
        self._execute(textwrap.dedent(text))

    def _execute(self, source: str) -> Any:
        """Run statements, and return what the last of them came to or assigned."""
        value = None
        for statement in ast.parse(_IMPORT.sub("from gesso", source)).body:
            if isinstance(statement, ast.Expr):
                code = compile(ast.Expression(statement.value), "<guide>", "eval")
                value = eval(code, self.names)  # noqa: S307 - the guides' own
                if value is not None:
                    self.values.append(value)
                continue
            exec(compile(ast.Module([statement], []), "<guide>", "exec"), self.names)  # noqa: S102 - as above
            assigned = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
            value = self.names[statement.targets[0].id] if assigned else None  # type: ignore[attr-defined]
        return value

    def _compare_error(self, typed: Typed) -> None:
        """Run what is to raise an error; its class is shown, and the first line of its text if there is one."""
        with pytest.raises(Exception) as raised:  # noqa: PT011 - compared below
            self._execute(typed.source)
        kind, _, text = typed.shown.splitlines()[-1].partition(": ")
        assert raised.type.__name__ == kind, typed.source
        assert not text or str(raised.value).splitlines()[0] == text, typed.source

    def _compare(self, typed: Typed, value: Any, module: str) -> None:
        if isinstance(value, dict):
            assert value == ast.literal_eval(typed.shown), typed.source
            return
        result = isinstance(value, (AsyncResult, GroupResult)) and not typed.shown.startswith("<")
        text = repr(value.get(timeout=LIMIT_SECONDS) if result else value).replace(module or "\0", "")
        pattern, names = self._pattern(typed.shown)
        found = re.fullmatch(pattern, text)
        assert found, f"{typed.source}\nshows\n{text}\nand in the guide\n{typed.shown}"
        self._ids |= {guides: found[name] for guides, name in names.items()}

    def _pattern(self, shown: str) -> tuple[str, dict[str, str]]:
        """Return the pattern of a text, and the names of its groups for ids not seen before."""
        names: dict[str, str] = {}

        def part(text: str) -> str:
            if not _ID.fullmatch(text):
                return r"\s+".join(re.escape(word) for word in re.split(r"\s+", text))
            if text in self._ids:
                return re.escape(self._ids[text])
            if text in names:
                return f"(?P={names[text]})"
            names[text] = f"id{len(names)}"
            return f"(?P<{names[text]}>{_OUR_ID})"

        return "".join(part(text) for text in re.split(f"({_ID.pattern})", shown)), names


def parts(text: str) -> Iterator[Typed]:
    """Yield what an example types, and what stands below each."""
    source: list[str] = []
    shown: list[str] = []
    for line in [*textwrap.dedent(text).strip().splitlines(), ">>> "]:
        if line.startswith(">>>"):
            if source:
                yield Typed("\n".join(source), "\n".join(shown).strip())
            source, shown = [line[4:]], []
        elif line.startswith("....") and not shown:
            source.append("    ...")  # the guides' own ellipsis, for what one does there
        elif line.startswith("...") and not shown:
            source.append(line[4:])
        elif line.strip() and not line.startswith("#"):
            shown.append(line)
