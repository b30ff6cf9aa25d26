"""Finding the user's tasks: `MODULE` or `MODULE:APP`, as it was typed."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from types import ModuleType, TracebackType

from gesso.app import App


class LoadError(Exception):
    """The user's tasks cannot be loaded. Its text is for the person who started the worker."""


def load_app(path: str) -> App:
    """Import the user's module and return its app.

    The working directory comes first on the module search path, as it does for a script.

    Args:
        path: `MODULE`, whose app is the attribute `app` or the only one in it, or `MODULE:APP`.

    Raises:
        LoadError: If the module cannot be imported or has no such app.
    """
    module_name, _, attribute = path.partition(":")
    here = os.getcwd()  # noqa: PTH109 - the search path holds strings
    if here not in sys.path:
        sys.path.insert(0, here)
    module = _import(module_name)
    return _named_app(module, attribute) if attribute else _only_app(module)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            raise LoadError(
                f"cannot import {name!r}: there is no module {error.name!r} in {os.getcwd()}"  # noqa: PTH109
                " or among the installed packages. Run the worker where it is, or install it."
            ) from error
        text = "".join(traceback.format_exception(type(error), error, _user_part(error.__traceback__)))
        raise LoadError(f"importing {name!r} failed:\n{text.rstrip()}") from error


def _named_app(module: ModuleType, attribute: str) -> App:
    found = getattr(module, attribute, None)
    if isinstance(found, App):
        return found
    problem = "is no App" if found is not None else "does not exist"
    raise LoadError(f"{attribute!r} in {module.__name__!r} {problem}.{_offer(module)}")


def _only_app(module: ModuleType) -> App:
    if isinstance(found := getattr(module, "app", None), App):
        return found
    apps = _apps(module)
    if len(set(map(id, apps.values()))) == 1:
        return next(iter(apps.values()))
    problem = "has several apps" if apps else "has no App"
    raise LoadError(f"{module.__name__!r} {problem}; name one with -A {module.__name__}:APP.{_offer(module)}")


def _offer(module: ModuleType) -> str:
    """Return a sentence with the apps that there are, or nothing."""
    apps = _apps(module)
    return f" There is: {', '.join(sorted(apps))}." if apps else ""


def _apps(module: ModuleType) -> dict[str, App]:
    return {name: value for name, value in vars(module).items() if isinstance(value, App)}


def _user_part(trace: TracebackType | None) -> TracebackType | None:
    """Return the traceback without the frames of this module and of the import machinery at its top."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file != __file__ and not file.startswith("<frozen importlib") and file != importlib.__file__:
            return trace
        trace = trace.tb_next
    return None
