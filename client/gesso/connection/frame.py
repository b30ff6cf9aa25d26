"""The members of growing groups that go out together."""

from __future__ import annotations

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from gesso.v1 import canvas_pb2
from gesso.v1 import coordinator_service_pb2 as pb

__all__ = ["Frame"]

_FRAME_BYTES = 512 << 10
"""A frame has so much at the most, unless it has one member only."""

_MEMBER_COUNT = 2_000
"""And so many members, unless whoever fills it says less."""


class Frame:
    """A message that fills up."""

    def __init__(self, most: int = _MEMBER_COUNT) -> None:
        self._most = most
        self.message = pb.StreamCanvasRequest()
        self._members: RepeatedCompositeFieldContainer[canvas_pb2.Canvas] | None = None  # of the last growth
        self._number = -1  # of its group
        self._size = 0
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self.message.growths)

    def takes(self, size: int) -> bool:
        """Return whether there is room for a member of so many bytes."""
        return not self._count or (self._size + size <= _FRAME_BYTES and self._count < self._most)

    def add(self, number: int, member: canvas_pb2.Canvas, size: int) -> None:
        """Add a member, of `size` bytes, of a group, which goes by its number."""
        if self._members is None or number != self._number:
            self._number, self._members = number, self._growth(number).members
        self._members.append(member)
        self._size += size
        self._count += 1

    def seal(self, number: int) -> None:
        """Say that a group has all its members with this frame."""
        self._growth(number).sealed = True

    def _growth(self, number: int) -> pb.StreamCanvasRequest.Growth:
        growths = self.message.growths
        if not growths or growths[-1].open_index != number:
            growths.add(open_index=number)
        return growths[-1]
