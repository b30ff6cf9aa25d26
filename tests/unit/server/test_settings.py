"""Settings by name: units, precedence, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gesso_server.config import Limits, Timing, Tracing
from gesso_server.settings import SettingError, Settings, named, settings

DOCS = Path(__file__).parents[3] / "docs" / "settings.md"


def test_without_anything_said_the_defaults_hold() -> None:
    """No file and no assignment give the classes' own defaults."""
    assert settings() == Settings(limits=Limits(), timing=Timing(), tracing=Tracing())


@pytest.mark.parametrize(
    ("text", "bytes_"), [("17", 17), ("2KiB", 2048), ("1.5 MiB", 3 << 19), ("1GiB", 1 << 30)]
)
def test_sizes_take_units(text: str, bytes_: int) -> None:
    """A number of bytes may have a binary unit."""
    assert settings(assignments=[f"limits.payload_bytes={text}"]).limits.payload_bytes == bytes_


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("250ms", timedelta(milliseconds=250)), ("40", timedelta(seconds=40)), ("40s", timedelta(seconds=40)),
        ("1.5min", timedelta(seconds=90)), ("2h", timedelta(hours=2)), ("7d", timedelta(days=7)),
    ],
)  # fmt: skip
def test_spans_take_units(text: str, span: timedelta) -> None:
    """A span of time may have a unit, and is in seconds without."""
    assert settings(assignments=[f"timing.result_ttl={text}"]).timing.result_ttl == span


def test_truths_and_parts_are_read() -> None:
    """A switch is true or false, and a part is a plain number."""
    found = settings(assignments=["limits.strict_tasks=true", "limits.store_watermark=0.5"])

    assert found.limits.strict_tasks is True
    assert found.limits.store_watermark == 0.5


def test_assignment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    """What is said last and nearest holds."""
    file = tmp_path / "gesso.toml"
    file.write_text('[limits]\nnodes = 10\ndepth = 9\n[timing]\nlease = 20\ngrace = "3s"\n')

    found = settings(file, ["limits.nodes=11", "limits.nodes=12"])

    assert (found.limits.nodes, found.limits.depth) == (12, 9)
    assert found.timing == Timing(lease=timedelta(seconds=20), grace=timedelta(seconds=3))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("limits.nodes", "NAME=VALUE"),
        ("nodes=1", "no setting 'nodes'"),
        ("limits.nothing=1", "limits.payload_bytes"),
        ("limits.__class__=1", "no setting"),
        ("limits.nodes=-1", "'-1'"),
        ("limits.nodes=0", "more than 0"),
        ("limits.nodes=1.5", "whole number"),
        ("limits.nodes=1s", "KiB"),
        ("limits.strict_tasks=perhaps", "true or false"),
        ("limits.store_watermark=1.5", "at most 1"),
        ("timing.lease=soon", "min"),
        ("timing.lease=4000d", "ten years"),
        ("timing.sweep=0s", "more than 0"),
        ("timing.renewal=20s", "half"),
        ("tracing.baggage_attributes=tenant", "does not let pass"),
    ],
)
def test_what_will_not_do_is_refused_with_a_sentence(text: str, part: str) -> None:
    """An unknown name, a bad value and values that contradict each other are said, not ignored."""
    with pytest.raises(SettingError) as caught:
        settings(assignments=[text])

    assert part in str(caught.value)


@pytest.mark.parametrize("text", ["[limits", "nodes = 1", "[other]\nnodes = 1", "[limits]\nnodes = [1]"])
def test_file_that_will_not_do_is_refused(tmp_path: Path, text: str) -> None:
    """A file that is no TOML, or has something else in it, ends the start."""
    file = tmp_path / "gesso.toml"
    file.write_text(text)

    with pytest.raises(SettingError):
        settings(file)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A file that was named must be there."""
    with pytest.raises(SettingError):
        settings(tmp_path / "nothing.toml")


def test_page_of_settings_has_every_one_with_its_default() -> None:
    """docs/settings.md names each setting with the value it has by default."""
    page = DOCS.read_text("utf-8")

    missing = [name for name, value in named(settings()) if f"| `{name}` | {value} |" not in page]

    assert not missing
