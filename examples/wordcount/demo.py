"""Runs a canvas on a real folder, from nothing: starts everything, counts words, shows what happened, stops everything.

python examples/wordcount/demo.py [FOLDER or FILE ...]
"""

import os
import signal
import sys
import time
from pathlib import Path

from picture import console, show_tree, show_words  # type: ignore[import-not-found] # beside this file
from system import running_system  # type: ignore[import-not-found] # beside this file
from tasks import FILES, app, count_words, list_files, merge, top_ten  # type: ignore[import-not-found] # beside this file

from gesso import chord

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CHANGELOG.md", "docs"]


def main(places):
    """Count the words of some files and folders."""
    console.print("Starting a coordinator, its store and two workers ...")
    with running_system("tasks", processes=2) as address:
        os.environ["GESSO_ADDRESS"] = address
        with app:
            count(places)
    console.print("Everything is stopped, and the data is removed.")


def count(places):
    """Submit the canvas, and show what came of it."""
    listing = list_files.delay(places)
    files = listing.get(timeout=60)
    if not files:
        console.print("There is no text file.")
        return
    begin = time.perf_counter()
    header = [count_words.s(file) for file in files]
    result = (chord(header, merge.s()) | top_ten.s()).delay()
    words = result.get(timeout=300)
    seconds = time.perf_counter() - begin
    more = " (there are more)" if len(files) == FILES else ""
    show_words(words, f"The words of {len(files):,} files{more}, counted in {seconds:.2f} s")
    show_tree(app, listing.id)
    show_tree(app, result.id, names(files))
    console.print()


def names(files):
    """Return the name to show for each file: from where they all are."""
    folder = Path(os.path.commonpath([Path(file).parent for file in files]))
    return [str(Path(file).relative_to(folder)) for file in files]


if __name__ == "__main__":
    given = sys.argv[1:] or [str(REPOSITORY / name) for name in DOCUMENTS]
    missing = [place for place in given if not Path(place).exists()]
    if missing:
        sys.exit(f"There is no {missing[0]}.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main([str(Path(place).resolve()) for place in given])
    except KeyboardInterrupt:
        sys.exit(130)
