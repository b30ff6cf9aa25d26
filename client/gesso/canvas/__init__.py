"""Canvases: signatures, and the primitives that compose them.

Building one sends nothing and needs no app, no connection and no registered task.
"""

from gesso.canvas.base import Canvas
from gesso.canvas.chain import Chain
from gesso.canvas.chord import Chord
from gesso.canvas.current import NoAppError, current_app, set_current_app
from gesso.canvas.group import Group
from gesso.canvas.joins import Join, Policy, first, quorum, settled
from gesso.canvas.lazy import Lazy, SpentError
from gesso.canvas.maps import Chunks, Map, Starmap
from gesso.canvas.retry import RetryPolicy
from gesso.canvas.sender import Sender
from gesso.canvas.signature import Signature, maybe_signature, signature
from gesso.canvas.stamping import StampingVisitor

# The primitives under Celery's names.
chain = Chain
group = Group
chord = Chord
xmap = Map
xstarmap = Starmap
chunks = Chunks

__all__ = [  # noqa: RUF022 - by idea
    # What one types.
    "signature",
    "maybe_signature",
    "Signature",
    "chain",
    "group",
    "chord",
    "xmap",
    "xstarmap",
    "chunks",
    # How they are stamped, joined and retried.
    "StampingVisitor",
    "settled",
    "quorum",
    "first",
    "Join",
    "Policy",
    "RetryPolicy",
    # What the primitives are.
    "Canvas",
    "Chain",
    "Group",
    "Chord",
    "Map",
    "Starmap",
    "Chunks",
    "Lazy",
    "SpentError",
    # What sends them.
    "Sender",
    "NoAppError",
    "current_app",
    "set_current_app",
]
