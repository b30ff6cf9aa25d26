"""An app for the tests of canvases: one that remembers what it was asked to send."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gesso.canvas import set_current_app
from unit.canvas.samples import Recorder


@pytest.fixture(autouse=True)
def app() -> Iterator[Recorder]:
    """The current app, for as long as the test lasts."""
    recorder = Recorder()
    set_current_app(recorder)
    yield recorder
    set_current_app(None)
