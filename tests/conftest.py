"""What all tests share: how hypothesis runs."""

from __future__ import annotations

from hypothesis import settings

# No database: examples that once failed belong into a test of their own. No deadline: a time is no property.
settings.register_profile("gesso", database=None, deadline=None, print_blob=True)
settings.load_profile("gesso")
