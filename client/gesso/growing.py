"""Canvases that do not fit into one message, or are not known whole: which of their groups grow, and with what.

A generator is read ahead a little. One that ends meanwhile is sent like any other group; a longer one grows on the
coordinator while it is read, and its members run while it still yields.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer

from gesso.canvas.wire import OpenGroup
from gesso.errors import InvalidCanvas
from gesso.v1 import canvas_pb2 as pb

__all__ = ["AHEAD_COUNT", "AHEAD_TIME", "MEMBER_BYTES", "element_at", "pieces", "read_ahead", "split"]

AHEAD_COUNT = 1_000
"""How many members are read before anything is sent."""

AHEAD_TIME = timedelta(milliseconds=50)
"""How long reading ahead may go on; it ends with the member that is read then."""

MEMBER_BYTES = 3 << 20
"""The most that one member may take. A coordinator takes messages of 4 MiB, and a few members stand in one."""

_PART = re.compile(r"\.(steps|members|header)\[(\d+)\]|\.(body)")


@dataclass(slots=True)
class _Ahead:
    """A group of which some members are read."""

    group: OpenGroup
    read: list[pb.Canvas]
    ended: bool = False


def read_ahead(message: pb.Canvas, groups: list[OpenGroup]) -> list[OpenGroup]:
    """Read the first members of groups that are still to be read.

    Args:
        message: The canvas. Groups that end while they are read ahead get their members here.
        groups: The groups, as `wire.encode_open` returns them.

    Returns:
        The groups that have not ended, with all their members still to come.
    """
    until = time.monotonic() + AHEAD_TIME.total_seconds()
    room = AHEAD_COUNT
    found = [_Ahead(group, []) for group in groups]
    for ahead in found:
        while room > 0 and time.monotonic() < until:
            member = next(ahead.group.members, None)
            if member is None:
                ahead.ended = True
                break
            ahead.read.append(member)
            room -= 1
    left = []
    for ahead in found:
        if ahead.ended:
            _members(element_at(message, ahead.group.path)).extend(ahead.read)
        else:
            left.append(OpenGroup(ahead.group.path, chain(ahead.read, ahead.group.members)))
    return left


def split(message: pb.Canvas) -> list[OpenGroup]:
    """Take the members out of a canvas that is too large for one message, and return them as groups that grow.

    A group directly inside such a group gives its members. Groups further inside members, and in links, stay as they
    are.
    """
    return list(_split(message, "canvas"))


def _split(element: pb.Canvas, path: str) -> Iterator[OpenGroup]:
    kind = element.WhichOneof("kind")
    if kind == "chain":
        for index, step in enumerate(element.steps):
            yield from _split(step, f"{path}.steps[{index}]")
    elif kind in {"group", "chord"}:
        members = _members(element)
        taken = list(_unrolled(members, []))
        if len(taken) > 1:
            del members[:]
            yield OpenGroup(path, iter(taken))
        if kind == "chord":
            yield from _split(element.body, f"{path}.body")


def pieces(member: pb.Canvas) -> Iterable[tuple[pb.Canvas, int]]:
    """Return a member of a growing group with its size in bytes; of one too large that is a group, its members.

    Raises:
        InvalidCanvas: If one is too large all the same.
    """
    size = member.ByteSize()
    if size <= MEMBER_BYTES:
        return ((member, size),)
    if _dissolves(member):
        return (piece for each in _unrolled([member], []) for piece in pieces(each))
    raise InvalidCanvas(
        f"A member of a group takes {size:,} bytes, and one message at most {MEMBER_BYTES:,} of it.",
        reason="PAYLOAD_TOO_LARGE",
    )


def _unrolled(members: Iterable[pb.Canvas], links: list[pb.Canvas]) -> Iterator[pb.Canvas]:
    """Yield members, those of groups among them in their place; the first that there is takes `links`."""
    for member in members:
        if not _dissolves(member):
            if not _is_nothing(member):
                member.links.extend(links)
                links.clear()
            yield member
            continue
        inner = [*member.links, *links]
        for each in _unrolled(member.members, inner):
            each.error_links.extend(member.error_links)
            if not inner:
                links.clear()
            yield each


def _dissolves(member: pb.Canvas) -> bool:
    """Return whether a member is a group that is no more than its members."""
    return member.HasField("group") and not member.group.HasField("policy") and not member.group.max_in_flight


def _is_nothing(member: pb.Canvas) -> bool:
    return member.HasField("chain") and all(map(_is_nothing, member.steps))


def element_at(message: pb.Canvas, path: str) -> pb.Canvas:
    """Return the element that a path, as `StreamCanvasRequest.open_paths` has them, names."""
    found = message
    for part in _PART.finditer(path):
        found = found.body if part[3] else getattr(found, part[1])[int(part[2])]
    return found


def _members(element: pb.Canvas) -> RepeatedCompositeFieldContainer[pb.Canvas]:
    return element.header if element.HasField("chord") else element.members
