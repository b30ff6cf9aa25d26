"""The app of the guides' project, in the module where the guides have it."""

from __future__ import annotations

from gesso import App

app = App("proj")
