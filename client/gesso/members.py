"""The members of a group, asked for when they are used."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

from gesso.connection import Coordinator
from gesso.v1 import coordinator_service_pb2 as pb
from gesso.v1 import node_pb2

__all__ = ["PAGE_SIZE", "Members", "pages"]

PAGE_SIZE = 1_000
"""How many nodes are asked for at a time: the contract's most."""

T = TypeVar("T")


def pages(coordinator: Coordinator, request: pb.ListNodesRequest) -> Iterator[Sequence[node_pb2.Node]]:
    """Yield the pages of a list of nodes; one is asked for when it is needed."""
    request.page_size = PAGE_SIZE
    while True:
        response = coordinator.list_nodes(request)
        if response.nodes:
            yield response.nodes
        if not response.next_page_token:
            return
        request.page_token = response.next_page_token


class Members(Sequence[T], Generic[T]):
    """The results of a group's members, in order. It holds one page of them, whatever their number.

    Args:
        length: Returns how many there are.
        page: Returns the members of a page and the token of the next one, which is empty at the end.
    """

    def __init__(self, length: Callable[[], int], page: Callable[[str], tuple[list[T], str]]) -> None:
        self._length = length
        self._page = page
        # Where each page known so far begins, and its token; then the page at hand and its number.
        self._starts = [0]
        self._tokens = [""]
        self._at_hand: tuple[int, list[T]] = (-1, [])

    def __len__(self) -> int:
        return self._length()

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._member(each) for each in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if place < 0:
            raise IndexError(f"There is no member {index}.")
        return self._member(place)

    def __iter__(self) -> Iterator[T]:
        number = 0
        while number < len(self._starts):
            yield from self._load(number)
            number += 1

    def _member(self, place: int) -> T:
        """Return a member by its place, reading the pages before it if they are not known yet."""
        while True:
            number = bisect_right(self._starts, place) - 1
            held = self._load(number)
            offset = place - self._starts[number]
            if offset < len(held):
                return held[offset]
            if number + 1 == len(self._starts):
                raise IndexError(f"There is no member {place}.")

    def _load(self, number: int) -> list[T]:
        at, held = self._at_hand
        if number == at:
            return held
        held, token = self._page(self._tokens[number])
        self._at_hand = (number, held)
        if token and number + 1 == len(self._tokens):
            self._tokens.append(token)
            self._starts.append(self._starts[number] + len(held))
        return held
