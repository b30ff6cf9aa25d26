"""Items of an iterator that is read once, when they are asked for.

A group made from a generator holds its members in one of these, so that they are submitted while the
generator still yields. What has been read is kept for the next reader, unless it streams by in great
number: then nothing is kept, memory stays flat, and the items can be had only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar, overload

from gesso.canvas import printing
from gesso.canvas.printing import Parts, Printed

T = TypeVar("T")
U = TypeVar("U")

#: How many items of a stream are kept for the next reader.
KEPT_COUNT = 1_000


class SpentError(RuntimeError):
    """A generator was read to be streamed, and its items are needed a second time."""


class Lazy(Printed, Generic[T]):
    """A list that is filled from an iterator as far as it is read."""

    __slots__ = ("_error", "_read", "_source", "_spent")

    def __init__(self, source: Iterable[T]) -> None:
        self._source: Iterator[T] | None = iter(source)
        self._read: list[T] = []
        self._spent = False
        self._error: BaseException | None = None

    @property
    def ended(self) -> bool:
        """Whether everything has been read and is kept."""
        return self._source is None and not self._spent

    def stream(self) -> Iterator[T]:
        """Yield the items from the start, keeping a bounded number of them.

        Raises:
            SpentError: If more than are kept were streamed before.
        """
        index = 0
        while True:
            self._check()
            if index == len(self._read):
                if index >= KEPT_COUNT:
                    yield from self._let_go()
                    return
                if not self._read_one():
                    return
            yield self._read[index]
            index += 1

    def mapped(self, rule: Callable[[Iterator[T]], Iterator[U]]) -> Lazy[U]:
        """Return what `rule` makes of the items, as lazily; it is first called when items are read."""
        return Lazy(rule(self.stream()))

    def __iter__(self) -> Iterator[T]:
        """Yield the items from the start and keep them all."""
        index = 0
        while self._has(index):
            yield self._read[index]
            index += 1

    def __len__(self) -> int:
        self._check()
        while self._read_one():
            pass
        return len(self._read)

    def __bool__(self) -> bool:
        return self._has(0)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, int) and index >= 0:
            self._has(index)
        else:
            len(self)
        return self._read[index]

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, (Lazy, list, tuple)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes as it is read

    def parts(self) -> Parts:
        """Return what has been read, in parts. Nothing is read for it."""
        read = printing.joined((printing.value(item) for item in self._read), ", ")
        return ["<_regen: [", *read, "]>" if self.ended else "...]>"]

    def _has(self, index: int) -> bool:
        """Read as far as `index`, and say whether there is an item."""
        self._check()
        while len(self._read) <= index:
            if not self._read_one():
                return False
        return True

    def _read_one(self) -> bool:
        """Read one more item and keep it. False at the end."""
        if self._error is not None:
            raise self._error
        if self._source is None:
            return False
        try:
            self._read.append(next(self._source))
        except StopIteration:
            self._source = None
            return False
        except BaseException as error:
            # A generator that raised just ends when it is asked again, which would pass for a whole list.
            self._error = error
            raise
        return True

    def _let_go(self) -> Iterator[T]:
        """Yield what follows the items kept; if there is more, keep nothing from here on."""
        if not self._read_one():
            return
        last, source = self._read[-1], self._source
        self._read.clear()
        self._source, self._spent = None, True
        yield last
        if source is not None:
            yield from source

    def _check(self) -> None:
        if self._spent:
            raise SpentError("This generator has been read; make a new group from a new one.")
