"""Canvas messages to the compiler's tree, checked. The path of what is wrong is put together on the way out.

Bounds are those of the contract's comments; `promises.md` has the answer to each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import NamedTuple

import grpc
from google.protobuf import duration_pb2, timestamp_pb2

from gesso.v1 import canvas_pb2, payload_pb2, signature_pb2, worker_service_pb2
from gesso_server.config import Limits
from gesso_server.plan import Call, Chain, Chord, Counts, Element, Group, Lane, Policy
from gesso_server.routes import Routes
from gesso_server.rpc.refusal import Refusal, invalid
from gesso_server.store.choice import stamp_texts

DEFAULT_PRIORITY = 4
_HIGHEST_PRIORITY = 9
_TASK_NAME_BYTES = 256
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_QUEUE = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_LIMIT_KEY = re.compile(r"[^\x00-\x1f\x7f-\x9f|]*")
_LIMIT_KEY_BYTES = 128
_ENCODING = re.compile(r"[a-z0-9+._-]{0,64}", re.ASCII)
_LONGEST = timedelta(days=3653)
_MOST_RETRIES = 10_000
_ERROR_TYPES = 64
_STAMP_KEYS, _STAMP_KEY_BYTES, _STAMP_VALUE_BYTES, _STAMP_VALUES = 32, 64, 256, 64
_STAMP_KEY = re.compile(r"(?!gesso\.)[^\x00-\x1f\x7f-\x9f]+")
_HEADERS, _HEADER_BYTES = 32, 8192
_WAITS = frozenset("daxz")
"""Letters of a timing that the store looks at before it lets a task begin."""
_NANOS, _NANOS_PER_MS = 1_000_000_000, 1_000_000
_UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED

_TASK_ID = re.compile(r"[!-~]{0,128}", re.ASCII)
_Iteration = worker_service_pb2.Assignment

Stamps = Mapping[str, signature_pb2.Stamp]


class _Hung(NamedTuple):
    """What hangs on an element."""

    links: tuple[Element, ...] = ()
    error_links: tuple[Element, ...] = ()


_NOTHING_HUNG = _Hung()


class Elements:
    """Converts one canvas."""

    def __init__(self, limits: Limits, routes: Routes, opened: Iterable[canvas_pb2.Canvas] = ()) -> None:
        """Prepare to convert.

        Args:
            limits: How large things may be.
            routes: The queues of tasks whose signature names none.
            opened: The groups and chords that grow, by number; elements of the canvas itself, not copies.
        """
        self._limits = limits
        self._routes = routes
        self._routed: dict[str, str] = {}
        self._keep = tuple(opened)
        self._places: dict[int, tuple[Stamps, int]] = {}
        self._opened = {id(canvas): number for number, canvas in enumerate(self._keep)}
        self._lanes: dict[tuple[str, str, int, bool, str], Lane] = {}
        self._stamps: set[str] = set()
        self._kinds: Mapping[str, Callable[[canvas_pb2.Canvas, Stamps, _Hung, int], Element]] = {
            "signature": self._call,
            "chain": self._chain,
            "group": self._group,
            "chord": self._chord,
            "map": self._map,
            "starmap": self._starmap,
            "chunks": self._chunks,
        }

    def convert(self, canvas: canvas_pb2.Canvas, inherited: Stamps = MappingProxyType({})) -> Element:
        """Convert a whole canvas, whose elements bear the stamps inherited as well.

        Raises:
            Refusal: If something in it is wrong; `path` says where, from the canvas inwards.
        """
        return self._element(canvas, inherited, 1)

    def members(self, canvases: Iterable[canvas_pb2.Canvas], inherited: Stamps) -> tuple[Element, ...]:
        """Convert members that a task adds.

        Raises:
            Refusal: If something in one is wrong; `path` says where, from `members` inwards.
        """
        return self._elements(canvases, "members", inherited, 1)

    def later(self, number: int, canvases: Iterable[canvas_pb2.Canvas]) -> tuple[Element, ...]:
        """Convert members that come later for a group that grows. Otherwise as `members`."""
        stamps, depth = self._places[number]
        return self._elements(canvases, "members", stamps, depth)

    def take_stamps(self) -> list[str]:
        """Return what the stamps of everything converted since the last time make a canvas found by."""
        taken, self._stamps = sorted(self._stamps), set()
        return taken

    def _stamped(self, own: Stamps, inherited: Stamps) -> Stamps:
        merged = merged_stamps(own, inherited)
        for key, stamp in own.items():
            self._stamps.update(stamp_texts(key, ()), stamp_texts(key, stamp.values))
        return merged

    def _growing(self, canvas: canvas_pb2.Canvas, stamps: Stamps, depth: int) -> int | None:
        number = self._opened.get(id(canvas))
        if number is not None:
            self._places[number] = (stamps, depth)
        return number

    def _element(self, canvas: canvas_pb2.Canvas, inherited: Stamps, depth: int) -> Element:
        if depth > self._limits.depth:
            limit = self._limits.depth
            raise invalid("DEPTH_LIMIT", f"the canvas is nested more than {limit} deep", limit=str(limit))
        kind = canvas.WhichOneof("kind")
        if kind == "signature" and len(canvas.ListFields()) == 1:
            # Nothing else is set: most members of large groups.
            return self._call(canvas, inherited, _NOTHING_HUNG, depth)
        if kind != "signature" or canvas.steps or canvas.members or canvas.header or canvas.HasField("body"):
            _check_parts(canvas, kind)
        stamps = self._stamped(canvas.stamps, inherited) if canvas.stamps else inherited
        hung = _Hung(
            self._elements(canvas.links, "links", stamps, depth) if canvas.links else (),
            self._elements(canvas.error_links, "error_links", stamps, depth) if canvas.error_links else (),
        )
        convert = self._kinds.get(kind or "")
        if convert is not None:
            return convert(canvas, stamps, hung, depth)
        if kind is None and depth == 1:
            raise invalid("CANVAS_REQUIRED", "the request has no canvas")
        raise invalid("UNKNOWN_NODE_KIND", "an element of an unknown kind, or of none")

    def _elements(
        self, canvases: Iterable[canvas_pb2.Canvas], field: str, stamps: Stamps, depth: int
    ) -> tuple[Element, ...]:
        found: list[Element] = []
        try:
            for canvas in canvases:
                found.append(self._element(canvas, stamps, depth + 1))  # noqa: PERF401  its length is the index
        except Refusal as refusal:
            raise refusal.within(f"{field}[{len(found)}]") from None
        return tuple(found)

    def _chain(self, canvas: canvas_pb2.Canvas, stamps: Stamps, hung: _Hung, depth: int) -> Chain:
        return Chain(self._elements(canvas.steps, "steps", stamps, depth), *hung)

    def _group(self, canvas: canvas_pb2.Canvas, stamps: Stamps, hung: _Hung, depth: int) -> Group:
        members = self._elements(canvas.members, "members", stamps, depth)
        task_id = _task_id(canvas.task_id, "task_id")
        growing = self._growing(canvas, stamps, depth)
        return Group(members, _policy(canvas.group), canvas.group.keep, *hung, task_id, growing)

    def _chord(self, canvas: canvas_pb2.Canvas, stamps: Stamps, hung: _Hung, depth: int) -> Chord:
        header = self._elements(canvas.header, "header", stamps, depth)
        if not canvas.HasField("body"):
            raise invalid("BODY_REQUIRED", "the chord has no body", "body")
        try:
            body = self._element(canvas.body, stamps, depth + 1)
        except Refusal as refusal:
            raise refusal.within("body") from None
        task_id = _task_id(canvas.task_id, "task_id")
        on_header, growing = canvas.chord.error_links_on_header, self._growing(canvas, stamps, depth)
        return Chord(header, body, _policy(canvas.chord), *hung, on_header, task_id, growing)

    def _call(self, canvas: canvas_pb2.Canvas, stamps: Stamps, hung: _Hung, _depth: int) -> Call:
        try:
            return self._checked_call(worker_service_pb2.Assignment(signature=canvas.signature), stamps, hung)
        except Refusal as refusal:
            raise refusal.within("signature") from None

    def _map(self, canvas: canvas_pb2.Canvas, stamps: Stamps, hung: _Hung, _depth: int) -> Call:
        try:
            return self._items(canvas.map.task, canvas.map.items, _Iteration.ITERATION_MAP, stamps, hung)
        except Refusal as refusal:
            raise refusal.within("map") from None

    def _starmap(self, canvas: canvas_pb2.Canvas, stamps: Stamps, hung: _Hung, _depth: int) -> Call:
        try:
            starmap = canvas.starmap
            return self._items(starmap.task, starmap.items, _Iteration.ITERATION_STARMAP, stamps, hung)
        except Refusal as refusal:
            raise refusal.within("starmap") from None

    def _chunks(self, canvas: canvas_pb2.Canvas, stamps: Stamps, hung: _Hung, _depth: int) -> Group:
        chunks = canvas.chunks
        try:
            starmap = _Iteration.ITERATION_STARMAP
            parts = tuple(self._items(chunks.task, part, starmap, stamps, _Hung()) for part in chunks.parts)
        except Refusal as refusal:
            raise refusal.within("chunks") from None
        return Group(parts, Policy(), False, *hung)  # noqa: FBT003  `keep`

    def _items(
        self,
        task: signature_pb2.Signature,
        items: payload_pb2.Payload,
        iteration: worker_service_pb2.Assignment.Iteration,
        stamps: Stamps,
        hung: _Hung,
    ) -> Call:
        assignment = worker_service_pb2.Assignment(signature=task, iteration=iteration)
        assignment.signature.args.CopyFrom(items)
        assignment.signature.immutable = True
        return self._checked_call(assignment, stamps, hung)

    def _checked_call(self, assignment: worker_service_pb2.Assignment, stamps: Stamps, hung: _Hung) -> Call:
        signature = assignment.signature
        options = signature.options if signature.HasField("options") else None
        timing = _timing(options) if options is not None else ""
        lane = self._lane(signature.task, options, timed=not _WAITS.isdisjoint(timing))
        self._check_payload(signature.args, "args")
        self._check_payload(signature.kwargs, "kwargs")
        task_id = ""
        if options is not None:
            _check_options(options)
            task_id = _task_id(options.task_id, "options.task_id")
            timing += "i" if options.ignore_result else ""
        for key, stamp in stamps.items():
            assignment.stamps[key].CopyFrom(stamp)
        return Call(lane, assignment.SerializeToString(), signature.immutable, timing, *hung, task_id)

    def _lane(self, task: str, options: signature_pb2.SignatureOptions | None, *, timed: bool) -> Lane:
        queue = options.queue if options is not None and options.queue else self._queue(task)
        priority = (
            options.priority if options is not None and options.HasField("priority") else DEFAULT_PRIORITY
        )
        limit_key = options.concurrency_key if options is not None else ""
        key = (task, queue, priority, timed, limit_key)
        lane = self._lanes.get(key)
        if lane is None:
            if not task or len(task.encode()) > _TASK_NAME_BYTES or _CONTROL.search(task):
                text = f"a task's name has 1 to {_TASK_NAME_BYTES} bytes and no control characters"
                raise invalid("BAD_TASK_NAME", text, "task")
            if not _QUEUE.fullmatch(queue):
                text = "a queue's name has 1 to 128 letters, digits, dots, colons, hyphens or underscores"
                raise invalid("BAD_QUEUE_NAME", text, "options.queue")
            if not 0 <= priority <= _HIGHEST_PRIORITY:
                raise invalid(
                    "OUT_OF_RANGE", f"a priority lies between 0 and {_HIGHEST_PRIORITY}", "options.priority"
                )
            if not _LIMIT_KEY.fullmatch(limit_key) or len(limit_key.encode()) > _LIMIT_KEY_BYTES:
                text = (
                    f"a key has at most {_LIMIT_KEY_BYTES} bytes, no control characters and no vertical bar"
                )
                raise invalid("BAD_LIMIT_KEY", text, "options.concurrency_key")
            lane = self._lanes[key] = Lane(queue, priority, task, timed, limit_key)
        return lane

    def _queue(self, task: str) -> str:
        queue = self._routed.get(task)
        if queue is None:
            queue = self._routed[task] = self._routes.queue(task)
        return queue

    def _check_payload(self, payload: payload_pb2.Payload, field: str) -> None:
        limit = self._limits.payload_bytes
        if len(payload.data) > limit:
            text = f"the payload has {len(payload.data)} bytes, more than {limit}"
            raise invalid("PAYLOAD_TOO_LARGE", text, field, limit=str(limit))
        if payload.encoding:
            _check_encoding(payload.encoding, f"{field}.encoding")


def _check_encoding(name: str, path: str) -> None:
    if not _ENCODING.fullmatch(name):
        text = "an encoding's name has at most 64 of a-z, 0-9, plus, dot, underscore and hyphen"
        raise invalid("OUT_OF_RANGE", text, path)


def _check_parts(canvas: canvas_pb2.Canvas, kind: str | None) -> None:
    allowed = {"chain": ("steps",), "group": ("members",), "chord": ("header", "body")}.get(kind or "", ())
    for field in ("steps", "members", "header"):
        if field not in allowed and getattr(canvas, field):
            raise invalid("CONFLICTING_FIELDS", f"{field} belong to another kind of element", field)
    if "body" not in allowed and canvas.HasField("body"):
        raise invalid("CONFLICTING_FIELDS", "a body belongs to a chord", "body")


def _policy(element: canvas_pb2.Group | canvas_pb2.Chord) -> Policy:
    if element.max_in_flight < 0:
        raise invalid("OUT_OF_RANGE", "at least 1 member, or 0 for no limit", "max_in_flight")
    if not element.HasField("policy"):
        return Policy(max_in_flight=element.max_in_flight)
    return replace(_needs(element.policy), max_in_flight=element.max_in_flight)


def _needs(policy: canvas_pb2.JoinPolicy) -> Policy:
    deadline = milliseconds(policy.deadline, "policy.deadline") if policy.HasField("deadline") else 0
    rest = policy.cancel_rest
    match policy.WhichOneof("needs"):
        case "settled":
            return Policy(counts=Counts.SETTLED, deadline_ms=deadline, cancel_rest=rest)
        case "quorum":
            if policy.quorum.count < 1:
                raise invalid("OUT_OF_RANGE", "a quorum is at least 1", "policy.quorum.count")
            return Policy(
                counts=Counts.QUORUM, need=policy.quorum.count, deadline_ms=deadline, cancel_rest=rest
            )
        case "first":
            return Policy(counts=Counts.QUORUM, need=1, single=True, deadline_ms=deadline, cancel_rest=rest)
        case _:
            return Policy(deadline_ms=deadline, cancel_rest=rest)


def _task_id(text: str, path: str) -> str:
    if not _TASK_ID.fullmatch(text):
        raise invalid("BAD_ID", "an id has at most 128 printable ASCII characters and no spaces", path)
    return text


def _timing(options: signature_pb2.SignatureOptions) -> str:
    for one, other in (("countdown", "eta"), ("expires_in", "expire_time")):
        if options.HasField(one) and options.HasField(other):
            raise invalid("CONFLICTING_FIELDS", f"{one} and {other} exclude each other", f"options.{one}")
    parts = []
    if options.HasField("countdown") and (delay := milliseconds(options.countdown, "options.countdown")):
        parts.append(f"d{delay}")
    if options.HasField("eta"):
        parts.append(f"a{instant_ms(options.eta, 'options.eta')}")
    if options.HasField("expires_in"):
        parts.append(f"x{positive_milliseconds(options.expires_in, 'options.expires_in')}")
    if options.HasField("expire_time"):
        parts.append(f"z{instant_ms(options.expire_time, 'options.expire_time')}")
    hard = _limit_ms(options, "time_limit")
    if (soft := _limit_ms(options, "soft_time_limit")) and hard and soft >= hard:
        text = "a soft time limit is below the hard one"
        raise invalid("CONFLICTING_FIELDS", text, "options.soft_time_limit")
    if hard:
        parts.append(f"h{hard}")
    if options.at_most_once:
        parts.append("m")
    return "".join(parts)


def _limit_ms(options: signature_pb2.SignatureOptions, field: str) -> int:
    """Return a time limit, 0 for none."""
    if not options.HasField(field):
        return 0
    limit = milliseconds(getattr(options, field), f"options.{field}")
    if not limit:
        raise invalid("BAD_DURATION", "a time limit is more than nothing", f"options.{field}")
    return limit


def milliseconds(duration: duration_pb2.Duration, path: str) -> int:
    """Return a span of time, rounded up.

    Raises:
        Refusal: If it is negative, longer than 10 years, or none.
    """
    if not is_span(duration):
        raise invalid("BAD_DURATION", "a span of time is not negative and at most 10 years", path)
    return duration.seconds * 1000 - (-duration.nanos // _NANOS_PER_MS)


def is_span(duration: duration_pb2.Duration) -> bool:
    """Whether a message is a span of time, not negative and at most 10 years long."""
    nanos = duration.seconds * _NANOS + duration.nanos
    return abs(duration.nanos) < _NANOS and 0 <= nanos <= _LONGEST // timedelta(microseconds=1) * 1000


def positive_milliseconds(duration: duration_pb2.Duration, path: str) -> int:
    """Return a span of time, rounded up. Otherwise as `milliseconds`, and zero is refused, too."""
    found = milliseconds(duration, path)
    if not found:
        raise invalid("BAD_DURATION", "a span of time that must be positive", path)
    return found


def instant_ms(instant: timestamp_pb2.Timestamp, path: str) -> int:
    """Return an instant in Unix ms, 0 for one before 1970.

    Raises:
        Refusal: If it lies outside of the years 1 to 9999.
    """
    if not 0 <= instant.nanos < _NANOS or not -62135596800 <= instant.seconds <= 253402300799:  # noqa: PLR2004  proto's own
        raise invalid("BAD_DURATION", "not an instant between the years 1 and 9999", path)
    return max(0, instant.seconds * 1000 + instant.nanos // 1_000_000)


def _check_options(options: signature_pb2.SignatureOptions) -> None:
    if options.HasField("retry"):
        _check_retry(options.retry)
    if options.headers:
        size = sum(len(text.encode()) for header in options.headers.items() for text in header)
        if len(options.headers) > _HEADERS or size > _HEADER_BYTES:
            raise invalid(
                "OUT_OF_RANGE",
                f"at most {_HEADERS} headers of {_HEADER_BYTES} bytes together",
                "options.headers",
            )
    if len(options.shadow.encode()) > _TASK_NAME_BYTES:
        text = f"a name to show has at most {_TASK_NAME_BYTES} bytes"
        raise invalid("OUT_OF_RANGE", text, "options.shadow")
    _check_encoding(options.result_encoding, "options.result_encoding")


def _check_retry(retry: signature_pb2.RetryPolicy) -> None:
    path = "options.retry"
    if retry.HasField("max_retry_count") and not 0 <= retry.max_retry_count <= _MOST_RETRIES:
        raise invalid("OUT_OF_RANGE", f"from 0 to {_MOST_RETRIES} retries", f"{path}.max_retry_count")
    for field in ("initial_delay", "max_delay"):
        if retry.HasField(field):
            milliseconds(getattr(retry, field), f"{path}.{field}")
    if retry.HasField("factor") and not (math.isfinite(retry.factor) and retry.factor >= 1):
        raise invalid("OUT_OF_RANGE", "a factor is at least 1", f"{path}.factor")
    if retry.HasField("jitter") and not 0 <= retry.jitter <= 1:
        raise invalid("OUT_OF_RANGE", "a jitter lies between 0 and 1", f"{path}.jitter")
    for field in ("retried_types", "final_types"):
        names = getattr(retry, field)
        if len(names) > _ERROR_TYPES or any(len(name.encode()) > _TASK_NAME_BYTES for name in names):
            text = f"at most {_ERROR_TYPES} names of {_TASK_NAME_BYTES} bytes"
            raise invalid("OUT_OF_RANGE", text, f"{path}.{field}")


def stamps_asked(stamps: Stamps) -> Stamps:
    """Return the stamps of a filter, whose values may be none: any will do then.

    Raises:
        Refusal: If one is none, or there are too many.
    """
    merged_stamps({key: stamp for key, stamp in stamps.items() if stamp.values}, {})
    if len(stamps) > _STAMP_KEYS:
        raise invalid("BAD_STAMP", f"at most {_STAMP_KEYS} stamps", "stamps")
    return stamps


def merged_stamps(own: Stamps, inherited: Stamps) -> Stamps:
    """Return stamps and those that they are put over.

    Raises:
        Refusal: If one is none, or there are too many.
    """
    for key, stamp in own.items():
        path = f"stamps[{key[:_STAMP_KEY_BYTES]!r}]"
        if not _STAMP_KEY.fullmatch(key) or len(key.encode()) > _STAMP_KEY_BYTES:
            text = f"a stamp's key has 1 to {_STAMP_KEY_BYTES} bytes, no control characters, and no gesso. in front"
            raise invalid("BAD_STAMP", text, path)
        if not 1 <= len(stamp.values) <= _STAMP_VALUES:
            raise invalid("BAD_STAMP", f"a stamp has 1 to {_STAMP_VALUES} values", path)
        if any(len(value.encode()) > _STAMP_VALUE_BYTES for value in stamp.values):
            raise invalid("BAD_STAMP", f"a stamp's value has at most {_STAMP_VALUE_BYTES} bytes", path)
    merged = {**inherited, **own}
    if len(merged) > _STAMP_KEYS:
        raise invalid("BAD_STAMP", f"an element has at most {_STAMP_KEYS} stamps", "stamps")
    return merged
