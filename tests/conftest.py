"""What all tests share: how hypothesis runs, and what SIGINT means."""

from __future__ import annotations

import signal

from hypothesis import settings

# No database: examples that once failed belong into a test of their own. No deadline: a time is no property.
settings.register_profile("gesso", database=None, deadline=None, print_blob=True)
settings.load_profile("gesso")

# A shell that starts something in the background has it ignore SIGINT, and so would every program that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
