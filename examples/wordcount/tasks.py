"""Counts the words of many files, side by side."""

import re
from collections import Counter
from pathlib import Path

from gesso import App

app = App("wordcount")

WORD = re.compile(r"[^\W\d_]{4,}")  # four letters or more: shorter words say little
# A value has 1 MiB at most:
FILES = 5_000  # that are listed
MOST = 20_000  # different words of one file


@app.task
def list_files(places):
    """Return the text files among some files, and in some folders."""
    found = []
    for place in map(Path, places):
        inside = visible_files(place) if place.is_dir() else [place]
        found += sorted(str(path) for path in inside if is_text(path))
    return found[:FILES]


@app.task
def count_words(path):
    """Return how often each word of a file is in it."""
    words = WORD.findall(Path(path).read_text(errors="ignore").lower())
    return dict(Counter(words).most_common(MOST))


@app.task
def merge(counts):
    """Return the sum of many counts."""
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total.most_common(MOST))


@app.task
def top_ten(counts):
    """Return the ten words that are most often there."""
    return Counter(counts).most_common(10)


def visible_files(folder):
    """Return the files in a folder, and in the folders in it, but for hidden ones."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return [
        path for path in paths if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def is_text(path):
    """Return whether a person could read a file."""
    try:
        with path.open("rb") as file:
            return b"\0" not in file.read(1024)
    except OSError:
        return False
