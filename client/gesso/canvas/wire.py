"""Canvases as protobuf, and back.

What the contract has on signatures alone is handed down to them here: options set on a group go to its
members, on a chain to its first step, on a chord to both header and body. The outer one wins. Links of
groups stay with the group, so that what is sent stays linear in what was built.

    encode(canvas)              the whole message; lazy groups are read
    encode_open(canvas, out)    the message without the members of lazy groups, and these one by one
    decode(message)             the canvas
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from gesso import codec
from gesso.canvas import joins
from gesso.canvas import options as opts
from gesso.canvas.base import Canvas
from gesso.canvas.chain import Chain
from gesso.canvas.chord import Chord
from gesso.canvas.group import Group
from gesso.canvas.joins import Join
from gesso.canvas.lazy import Lazy
from gesso.canvas.maps import Chunks, Map, OverItems, Starmap
from gesso.canvas.options import Options
from gesso.canvas.sender import Route
from gesso.canvas.signature import Signature
from gesso.canvas.wire_options import (
    read_options,
    read_span,
    read_stamps,
    write_options,
    write_span,
    write_stamps,
)
from gesso.v1 import canvas_pb2 as pb
from gesso.v1.payload_pb2 import Payload
from gesso.v1.signature_pb2 import Signature as SignatureMessage

#: How deep a canvas may be: the contract's limit.
MAX_DEPTH = 64

#: Path of the whole canvas.
_ROOT = "canvas"


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """A group or header whose members are still to be read."""

    #: Where the group, or the chord, is, as StreamCanvasRequest.open_paths says it: `canvas.steps[0]`.
    path: str
    #: The members, encoded as they are read. It may raise what the generator raises.
    members: Iterator[pb.Canvas]


def encode(
    canvas: Canvas,
    *,
    encoding: str = codec.DEFAULT,
    error_links_on_header: bool = False,
    route: Route | None = None,
) -> pb.Canvas:
    """Return a canvas as a message.

    Args:
        canvas: Is not changed, but its lazy groups are read.
        encoding: The codec of arguments, but for signatures with the option `serializer`.
        error_links_on_header: Whether a body's error links run for failed header members, too.
        route: Says the queue of a task whose signature names none; None for the coordinator to decide.

    Raises:
        TypeError: If a chord has no body, or an option is unknown.
        ValueError: If an option is out of bounds, or the canvas is too deep.
        EncodeError: If an argument cannot be encoded.
    """
    message = pb.Canvas()
    _Writer(encoding, error_links_on_header, None, route).write(canvas, message, {}, _ROOT, 1)
    return message


def encode_open(
    canvas: Canvas,
    out: pb.Canvas,
    *,
    encoding: str = codec.DEFAULT,
    error_links_on_header: bool = False,
    route: Route | None = None,
) -> list[OpenGroup]:
    """Write a canvas as a message in which lazy groups have no members, and return those groups.

    A lazy group that is a member of another lazy one, or of a link, is read and written whole.
    Otherwise as `encode`.

    Args:
        out: An empty message, which it is written to in place: putting it into another would copy it.
    """
    opened: list[OpenGroup] = []
    _Writer(encoding, error_links_on_header, opened, route).write(canvas, out, {}, _ROOT, 1)
    return opened


class Children(Protocol):
    """A message's list of canvases."""

    def add(self) -> pb.Canvas:
        """Add an empty one and return it."""
        ...


class _Writer:
    """Writes one canvas."""

    __slots__ = ("_dump", "_encoding", "_error_links_on_header", "_opened", "_route")

    def __init__(
        self,
        encoding: str,
        error_links_on_header: bool,  # noqa: FBT001
        opened: list[OpenGroup] | None,
        route: Route | None,
    ) -> None:
        self._route = route
        self._encoding = encoding
        self._dump = codec.get(encoding).encode
        self._error_links_on_header = error_links_on_header
        self._opened = opened

    def write(self, canvas: Canvas, out: pb.Canvas, given: Options, path: str, depth: int) -> None:
        """Write an element, to which `given` was handed down."""
        if depth > MAX_DEPTH:
            raise ValueError(f"A canvas is at most {MAX_DEPTH} deep.")
        match canvas:
            case _ if type(canvas) is Signature:  # nearly all there are, and asking for the others takes time
                own = canvas.options
                self._signature(canvas, out.signature, self._merged(own, given) if given else own)
            case Chain():
                self._chain(canvas, out, given, path, depth)
            case Group():
                self._group(canvas, out, given, path, depth)
            case Chord():
                self._chord(canvas, out, given, path, depth)
            case Chunks():
                self._chunks(canvas, out, given)
            case OverItems():
                self._over_items(canvas, out, given)
            case Signature():
                self._signature(canvas, out.signature, self._merged(canvas.options, given))
            case _:
                raise TypeError(f"There is no way to send a {type(canvas).__name__}.")
        if canvas.options:
            self._links(canvas, out, depth)

    # --- kinds -----------------------------------------------------------------------------

    def _signature(self, sig: Signature[Any], out: SignatureMessage, options: Options) -> None:
        out.task = sig.task
        if sig.immutable:
            out.immutable = True
        if options:
            write_options(options, out.options)
        if self._route is not None and not out.options.queue and (queue := self._route(sig.task)):
            out.options.queue = queue
        if sig.args:
            self._payload(sig, "args", sig.args, out.args, options)
        if sig.kwargs:
            self._payload(sig, "kwargs", sig.kwargs, out.kwargs, options)

    def _payload(self, sig: Signature[Any], field: str, value: Any, out: Payload, options: Options) -> None:
        encoding, dump = self._encoding, self._dump
        if options and (chosen := options.get("serializer")):
            encoding, dump = chosen, codec.get(chosen).encode
        try:
            out.data = dump(value)
        except codec.EncodeError as error:
            raise error.within(f"{sig.task}: {field}") from error
        if encoding != codec.DEFAULT:
            out.encoding = encoding

    def _chain(self, chain: Chain, out: pb.Canvas, given: Options, path: str, depth: int) -> None:
        out.chain.SetInParent()
        options = self._merged(opts.handed_down(chain.options), given)
        for index, step in enumerate(chain.tasks):
            self.write(step, out.steps.add(), options, f"{path}.steps[{index}]", depth + 1)
            options = {}

    def _group(self, group: Group, out: pb.Canvas, given: Options, path: str, depth: int) -> None:
        out.group.keep = group.keep or group.lazy
        out.group.SetInParent()
        out.task_id = group.id or ""
        _write_join(group.join, out.group)
        options = self._merged(opts.handed_down(group.options), given)
        self._members(group, out.members, options, (path, "members"), depth)

    def _chord(self, chord: Chord, out: pb.Canvas, given: Options, path: str, depth: int) -> None:
        if chord.body is None:
            raise TypeError("A chord is sent with a body: chord(header)(body) or chord(header, body).")
        out.chord.error_links_on_header = self._error_links_on_header
        out.chord.SetInParent()
        out.task_id = chord.tasks.id or ""
        _write_join(chord.tasks.join, out.chord)
        options = self._merged(opts.handed_down(chord.options), given)
        header = chord.tasks
        if any(key in header.options for key in opts.LINKS):
            # A header has no links of its own in the contract: they are its members'.
            header = header.copy()
            header.hand_links_down()
        inner = self._merged(opts.handed_down(header.options), options)
        self._members(header, out.header, inner, (path, "header"), depth)
        later = opts.without(options, ("countdown", "eta")) if options else options
        self.write(chord.body, out.body, later, f"{path}.body", depth + 1)

    def _members(
        self, group: Group, out: Children, options: Options, place: tuple[str, str], depth: int
    ) -> None:
        path, field = place
        if self._opened is not None and group.lazy:
            self._opened.append(OpenGroup(path, self._read(group, options, depth)))
            return
        members = group.tasks
        paths = f"{path}.{field}" if self._opened is not None else ""
        for index, member in enumerate(members.stream() if isinstance(members, Lazy) else members):
            inside = f"{paths}[{index}]" if paths and type(member) is not Signature else ""
            self.write(member, out.add(), options, inside, depth + 1)

    def _read(self, group: Group, options: Options, depth: int) -> Iterator[pb.Canvas]:
        inside = _Writer(self._encoding, self._error_links_on_header, None, self._route)
        for member in group.unrolled():
            message = pb.Canvas()
            inside.write(member, message, options, "", depth + 1)
            yield message

    def _over_items(self, mapped: OverItems, out: pb.Canvas, given: Options) -> None:
        message = out.map if isinstance(mapped, Map) else out.starmap
        self._mapped_task(mapped, message.task, given)
        self._payload(mapped, "items", list(mapped.kwargs["it"]), message.items, mapped.options)

    def _chunks(self, chunks: Chunks, out: pb.Canvas, given: Options) -> None:
        self._mapped_task(chunks, out.chunks.task, given)
        for part in chunks.group():
            self._payload(chunks, "items", part.kwargs["it"], out.chunks.parts.add(), chunks.options)

    def _mapped_task(self, mapped: OverItems, out: SignatureMessage, given: Options) -> None:
        options = self._merged(mapped.inner.options, self._merged(mapped.options, given))
        self._signature(mapped.inner, out, options)

    # --- what every element may have -------------------------------------------------------

    def _links(self, canvas: Canvas, out: pb.Canvas, depth: int) -> None:
        links, error_links = canvas.options.get("link", ()), canvas.options.get("link_error", ())
        if links or error_links:
            whole = self._opened is None
            inside = (
                self if whole else _Writer(self._encoding, self._error_links_on_header, None, self._route)
            )
            for one in links:
                inside.write(one, out.links.add(), {}, "", depth + 1)
            for one in error_links:
                inside.write(one, out.error_links.add(), {}, "", depth + 1)
        if isinstance(canvas, Signature):
            write_stamps(opts.stamps_in(canvas.options), out.stamps)

    @staticmethod
    def _merged(own: Options, given: Options) -> Options:
        if not given:
            return own
        merged = dict(own)
        opts.merge(merged, given)
        return merged


def _write_join(join: Join, out: pb.Group | pb.Chord) -> None:
    if join == joins.DEFAULT:
        return
    out.max_in_flight = join.max_in_flight
    if join.deadline is not None:
        write_span("deadline", join.deadline, out.policy.deadline)
    if join.cancel_rest:
        out.policy.cancel_rest = True
    match join.policy:
        case joins.All():
            pass
        case joins.Settled():
            out.policy.settled.SetInParent()
        case joins.Quorum(count):
            out.policy.quorum.count = count
        case joins.First():
            out.policy.first.SetInParent()
        case _:
            assert_never(join.policy)


# --- back --------------------------------------------------------------------------------------------


def decode(message: pb.Canvas) -> Canvas:
    """Return the canvas that a message says.

    Raises:
        DecodeError: If an argument is of an unknown encoding, or not of its own.
        ValueError: If the message has no kind, or one unknown here.
    """
    canvas = _element(message)
    for key, links in (("link", message.links), ("link_error", message.error_links)):
        if links:
            canvas.options[key] = [decode(one) for one in links]
    if isinstance(canvas, Signature):
        canvas.options.update(read_stamps(message.stamps))
    return canvas


def _element(message: pb.Canvas) -> Canvas:
    read = _READERS.get(message.WhichOneof("kind") or "")
    if read is None:
        raise ValueError("This canvas is of a kind that this version does not know, or of none.")
    return read(message)


def _read_signature(message: SignatureMessage) -> Signature[Any]:
    sig: Signature[Any] = Signature(
        message.task,
        codec.decode(message.args) if message.HasField("args") else (),
        codec.decode(message.kwargs) if message.HasField("kwargs") else {},
        immutable=message.immutable,
    )
    sig.options = read_options(message.options)
    encoding = message.args.encoding or message.kwargs.encoding
    if encoding:
        sig.options["serializer"] = encoding
    return sig


def _read_items(kind: type[OverItems], task: SignatureMessage, items: Payload) -> OverItems:
    inner = _read_signature(task)
    options, inner.options = inner.options, {}
    mapped = kind(inner, codec.decode(items))
    mapped.options = options
    return mapped


def _read_group(message: pb.Group | pb.Chord, members: Sequence[pb.Canvas]) -> Group:
    group = Group([decode(member) for member in members])
    policy = message.policy
    group.join = Join(
        policy=_read_policy(policy),
        deadline=read_span(policy.deadline) if policy.HasField("deadline") else None,
        cancel_rest=policy.cancel_rest,
        max_in_flight=message.max_in_flight,
    )
    return group


def _read_policy(message: pb.JoinPolicy) -> joins.Policy:
    match message.WhichOneof("needs"):
        case "settled":
            return joins.Settled()
        case "quorum":
            return joins.Quorum(message.quorum.count)
        case "first":
            return joins.First()
        case _:
            return joins.All()


def _read_members(message: pb.Canvas) -> Group:
    group = _read_group(message.group, message.members)
    group.keep = message.group.keep
    return _named(group, message)


def _read_chord(message: pb.Canvas) -> Chord:
    header = _named(_read_group(message.chord, message.header), message)
    return Chord.of_parts(header, decode(message.body))


def _named(group: Group, message: pb.Canvas) -> Group:
    if message.task_id:
        group.options["task_id"] = message.task_id
    return group


def _read_chunks(message: pb.Canvas) -> Group:
    return Group([_read_items(Starmap, message.chunks.task, part) for part in message.chunks.parts])


_READERS: Mapping[str, Callable[[pb.Canvas], Canvas]] = {
    "signature": lambda message: _read_signature(message.signature),
    "chain": lambda message: Chain.of_steps([decode(step) for step in message.steps]),
    "group": _read_members,
    "chord": _read_chord,
    "map": lambda message: _read_items(Map, message.map.task, message.map.items),
    "starmap": lambda message: _read_items(Starmap, message.starmap.task, message.starmap.items),
    "chunks": _read_chunks,
}
