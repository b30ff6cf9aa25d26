"""The five guides, by their file names."""

from __future__ import annotations

import pytest

G000 = "000_1f4cb7450e740e23"
"""Canvas, of Celery 5.4."""
G001 = "001_b8add28693bb7484"
"""Stamping Workflows with Metadata."""
G002 = "002_70126c7a42bb0ed5"
"""Canvas, of the newest Celery."""
G003 = "003_39f4f159d57dcc73"
"""Canvas, of an older Celery 5."""
G004 = "004_49ac16ca5978bd0b"
"""Canvas, of Celery 3.1."""


def in_guides(*guides: str) -> pytest.MarkDecorator:
    """Run a test once for each guide that its example stands in."""
    return pytest.mark.parametrize("guide", guides, indirect=True)
