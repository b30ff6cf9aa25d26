"""Settings by name: every field of `Limits`, `Timing` and `Tracing`, from a file and from the command line.

A name is `limits.FIELD`, `timing.FIELD` or `tracing.FIELD`. A file is TOML with those as tables; what is said on the
command line wins over the file, the file over the defaults. Numbers of bytes take the units KiB, MiB and GiB, spans of
time ms, s, min, h and d: `4MiB`, `250ms`, `1.5h`. In a file a bare number does for both, and means bytes and seconds.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from gesso_server.config import Limits, Timing, Tracing

_BYTES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z]*)", re.ASCII)
_LONGEST = timedelta(days=3653)

S = TypeVar("S", Limits, Timing, Tracing)


class SettingError(Exception):
    """A setting that is unknown, or whose value will not do. The text is a sentence for a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set by name."""

    limits: Limits
    timing: Timing
    tracing: Tracing


def settings(file: Path | None = None, assignments: Sequence[str] = ()) -> Settings:
    """Return the settings.

    Args:
        file: A TOML file; None for none.
        assignments: Texts `NAME=VALUE`; a later one wins.

    Raises:
        SettingError: If the file cannot be read, or a name or a value is wrong.
    """
    found = _defaults()
    for name, value in (*_of_file(file), *map(_assignment, assignments)):
        found = _set(found, name, value)
    _check(found)
    return found


def _defaults() -> Settings:
    return Settings(limits=Limits(), timing=Timing(), tracing=Tracing())


def named(found: Settings) -> Iterator[tuple[str, str]]:
    """Return each setting's name and value as text, in the order of the classes."""
    for section in ("limits", "timing", "tracing"):
        values = getattr(found, section)
        for field in fields(values):
            yield f"{section}.{field.name}", _text(getattr(values, field.name))


def _of_file(file: Path | None) -> Iterator[tuple[str, object]]:
    if file is None:
        return
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"The settings in {file} cannot be read: {error}."
        raise SettingError(message) from error
    for section, table in tables.items():
        if not isinstance(table, Mapping):
            message = (
                f"{file}: {section!r} is no table; settings stand under [limits], [timing] and [tracing]."
            )
            raise SettingError(message)
        for name, value in table.items():
            yield f"{section}.{name}", value


def _assignment(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        message = f"A setting is NAME=VALUE, such as limits.payload_bytes=2MiB, not {text!r}."
        raise SettingError(message)
    return name.strip(), value.strip()


def _set(found: Settings, name: str, value: object) -> Settings:
    section, _, field = name.partition(".")
    match section:
        case "limits":
            return replace(found, limits=_with(found.limits, field, name, value))
        case "timing":
            return replace(found, timing=_with(found.timing, field, name, value))
        case "tracing":
            return replace(found, tracing=_with(found.tracing, field, name, value))
        case _:
            raise _unknown(name)


def _with(values: S, field: str, name: str, value: object) -> S:
    current = getattr(values, field, None) if field in {each.name for each in fields(values)} else None
    match current:
        case timedelta():
            read: Any = timedelta(seconds=_quantity(name, value, _SECONDS))
            if read > _LONGEST:
                message = f"{name} is ten years at the most, not {value}."
                raise SettingError(message)
        case bool():
            read = _truth(name, value)
        case int():
            number = _quantity(name, value, _BYTES)
            if number != int(number):
                message = f"{name} is a whole number, not {value}."
                raise SettingError(message)
            read = int(number)
        case tuple():
            read = _texts(name, value)
        case float():
            read = _quantity(name, value, {"": 1.0})
        case _:
            raise _unknown(name)
    return replace(values, **{field: read})


def _quantity(name: str, value: object, units: Mapping[str, float]) -> float:
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    found = _QUANTITY.fullmatch(text)
    unit = units.get(found[2]) if found else None
    if found is None or unit is None:
        known = ", ".join(filter(None, units))
        message = f"{name} is a number{f' with one of the units {known}' if known else ''}, not {value!r}."
        raise SettingError(message)
    return float(found[1]) * unit


def _texts(name: str, value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        message = f"{name} is a list of texts, on the command line with commas between, not {value!r}."
        raise SettingError(message)
    return tuple(filter(None, (part.strip() for part in parts)))


def _truth(name: str, value: object) -> bool:
    known = {"true": True, "yes": True, "false": False, "no": False}.get(str(value).lower())
    if known is None:
        message = f"{name} is true or false, not {value!r}."
        raise SettingError(message)
    return known


def _check(found: Settings) -> None:
    limits = found.limits
    for field in fields(limits):
        value = getattr(limits, field.name)
        if not isinstance(value, bool) and value <= 0:
            message = f"limits.{field.name} is more than 0."
            raise SettingError(message)
    for field in fields(found.timing):
        if field.name not in {"grace", "drain"} and not getattr(found.timing, field.name):
            message = f"timing.{field.name} is more than 0."
            raise SettingError(message)
    if found.tracing.group_threshold < 0:
        message = "tracing.group_threshold is 0 or more."
        raise SettingError(message)
    if unknown := sorted(set(found.tracing.baggage_attributes) - set(found.tracing.baggage)):
        message = (
            f"tracing.baggage_attributes names {', '.join(unknown)}, which tracing.baggage does not let pass."
        )
        raise SettingError(message)
    if limits.store_watermark > 1:
        message = "limits.store_watermark is a part of the store's memory, at most 1."
        raise SettingError(message)
    if found.timing.renewal * 2 > found.timing.lease:
        message = "timing.renewal is at most half of timing.lease, or leases end under workers that live."
        raise SettingError(message)


def _unknown(name: str) -> SettingError:
    known = ", ".join(each for each, _ in named(_defaults()))
    return SettingError(f"There is no setting {name!r}. There are: {known}.")


def _text(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value / timedelta(seconds=1):g}s"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
