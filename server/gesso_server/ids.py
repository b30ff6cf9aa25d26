"""Ids: how they are written, read and made up.

- A canvas id is 32 lower-case hexadecimal digits, 128 bits, of which the first 12 are the number of the partition
  that holds the canvas and the rest are random.
- A node id is `<canvas_id>-<index>`, the index in decimal without leading zeros.
- A span id is derived from canvas id and index, so every node of a canvas has one from the moment the canvas has an
  id, it costs no memory, and any replica stamps the same one. It is read before the task runs and stands in its result.
"""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b
from typing import NamedTuple, NewType

CanvasId = NewType("CanvasId", str)
NodeId = NewType("NodeId", str)

PARTITION_LIMIT = 4096
"""How many partitions there may be: 12 bits."""

_NODE_ID = re.compile(r"([0-9a-f]{32})-(0|[1-9][0-9]{0,9})", re.ASCII)
_CANVAS_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)
_SPAN_ID_BYTES = 8


class NodeRef(NamedTuple):
    """Where a node is."""

    canvas_id: CanvasId
    index: int  # type: ignore[assignment]  # the word of the design, not tuple.index

    @property
    def node_id(self) -> NodeId:
        """Its id as text."""
        return NodeId(f"{self.canvas_id}-{self.index}")


def new_canvas_id(partition: int) -> CanvasId:
    """Make up the id of a canvas that is to lie in a partition, from 0 to `PARTITION_LIMIT` - 1."""
    return CanvasId(f"{partition:03x}{secrets.token_hex(15)[1:]}")


def partition_of(canvas_id: CanvasId) -> int:
    """Return the number of the partition that a canvas lies in."""
    return int(canvas_id[:3], 16)


def parse_node_id(text: str) -> NodeRef | None:
    """Return where the node of this id is, None if the text is not a node's id."""
    match = _NODE_ID.fullmatch(text)
    return NodeRef(CanvasId(match[1]), int(match[2])) if match else None


def parse_canvas_id(text: str) -> CanvasId | None:
    """Return the id, None if the text is not a canvas's."""
    return CanvasId(text) if _CANVAS_ID.fullmatch(text) else None


def span_id(canvas_id: str, index: int) -> str:
    """Return the span id that a node is stamped with, 16 hexadecimal digits, never all zero."""
    digest = blake2b(f"{canvas_id}-{index}".encode(), digest_size=_SPAN_ID_BYTES).hexdigest()
    return digest if digest.strip("0") else "1".zfill(16)


class SpanOf(NamedTuple):
    """The span of a node."""

    trace_id: str
    ref: NodeRef

    @property
    def span_id(self) -> str:
        """Its id."""
        return span_id(*self.ref)


def submit_span_id(canvas_id: str) -> str:
    """Return the id of the span under which a canvas lies whose submitter sent none."""
    return span_id(canvas_id, -1)


class Trace(NamedTuple):
    """The trace that a canvas is in."""

    trace_id: str
    parent: str = ""
    """The span that it was submitted under; empty for none."""
    sampled: bool | None = None
    """Whether its spans are recorded; None when nobody has decided that."""
    told: bool = False
    """Whether the coordinators tell the spans of its nodes."""

    @classmethod
    def of(cls, traceparent: str, canvas_id: CanvasId) -> Trace:
        """Return the submitter's; where it sent none that is valid, one named as the canvas."""
        match = _TRACEPARENT.fullmatch(traceparent)
        if match is None or not match[1].strip("0") or not match[2].strip("0"):
            return cls(canvas_id)
        return cls(match[1], match[2], sampled=bool(int(match[3], 16) & 1))

    def text(self) -> str:
        """Return it as the store keeps it: `<trace id> <parent><1 if sampled, else 0><t if told>`."""
        if not self.parent:
            return self.trace_id
        return f"{self.trace_id} {self.parent}{int(bool(self.sampled))}{'t' if self.told else ''}"

    @classmethod
    def parse(cls, text: str) -> Trace:
        """Read it."""
        trace_id, _, rest = text.partition(" ")
        if not rest:
            return cls(trace_id)
        return cls(trace_id, rest[:16], sampled=rest[16] == "1", told=rest.endswith("t"))
