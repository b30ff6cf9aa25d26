"""`python -m gesso` is the command `gesso`."""

from __future__ import annotations

from gesso.cli import main

if __name__ == "__main__":
    main()
