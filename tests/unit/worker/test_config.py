"""The settings of a worker: bounds, and the way from process to process."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gesso_worker.config import WorkerConfig


def test_settings_survive_the_way_to_another_process() -> None:
    """What is read from the JSON equals what was written."""
    config = WorkerConfig(
        app="proj.tasks:app",
        address="a:1, b:2",
        queues=("mail", "default"),
        processes=3,
        threads=4,
        name="käfer",
        drain_timeout=timedelta(seconds=1.5),
    )

    assert WorkerConfig.from_json(config.to_json()) == config
    assert config.addresses() == ("a:1", "b:2")


def test_processes_default_to_the_cores() -> None:
    """Without a number there is at least one process."""
    assert WorkerConfig(app="proj").process_count() >= 1
    assert WorkerConfig(app="proj", processes=7).process_count() == 7


@pytest.mark.parametrize(
    "wrong",
    [
        {"app": ""},
        {"address": " , "},
        {"queues": ()},
        {"queues": ("a", "")},
        {"queues": tuple(map(str, range(65)))},
        {"processes": -1},
        {"threads": 0},
        {"threads": 1_001},
        {"name": "x" * 101},
        {"drain_timeout": timedelta(seconds=-1)},
    ],
    ids=str,
)
def test_setting_out_of_its_bounds_is_refused(wrong: dict[str, Any]) -> None:
    """Each is a ValueError with a sentence."""
    settings: dict[str, Any] = {"app": "proj"}
    settings.update(wrong)

    with pytest.raises(ValueError, match=r"\.$"):
        WorkerConfig(**settings)
