"""Counts the words of many files, side by side."""

import re
from collections import Counter
from pathlib import Path

from gesso import App

app = App("wordcount")

WORD = re.compile(r"[^\W\d_]{4,}")  # four letters or more: shorter words say little
MOST = 20_000  # different words of one file: a value has 1 MiB at most


@app.task
def list_files(places):
    """Return the text files among some files and folders."""
    found = []
    for place in map(Path, places):
        inside = place.rglob("[!.]*") if place.is_dir() else [place]
        found += sorted(str(path) for path in inside if is_text(path))
    return found


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


def is_text(path):
    """Return whether a path is that of a file that a person could read."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b"\0" not in file.read(1024)
