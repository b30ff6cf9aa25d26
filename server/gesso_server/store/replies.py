"""What the functions of the library answer, read."""

from __future__ import annotations

from typing import Any

from gesso_server.carried import Carried
from gesso_server.ids import CanvasId, Trace
from gesso_server.store.calls import (
    Accepted,
    AccountNews,
    CanvasContext,
    Deeds,
    Duties,
    Ended,
    EndedNode,
    EndedNodes,
    Grant,
    Looked,
    LookedCanvas,
    PermitDelivery,
    Renewed,
    TokenRef,
    Unfit,
    Wake,
)
from gesso_server.store.records import parse_names


def known_canvas(reply: list[Any], *, known: bool = True) -> Accepted:
    """Read what a canvas is answered with that was accepted before."""
    return Accepted(
        canvas_id=CanvasId(reply[1].decode()), known=known, last=optional_number(reply[2]),
        last_is_join=reply[3] == b"j", member_count=int(reply[4]), node_count=int(reply[5]),
        trace_id=Trace.parse(reply[6].decode()).trace_id, duties=Duties(),
    )  # fmt: skip


def rerun_answer(reply: list[Any]) -> Accepted | Unfit:
    """Read what a call to run a canvas again is answered with."""
    return known_canvas(reply) if reply[0] == b"K" else Unfit(reply[0].decode())


def optional_number(text: bytes | None) -> int | None:
    """Read a number, where empty is none."""
    return int(text) if text else None


def duties_of(reply: list[Any]) -> Duties:
    """Read what a caller must see to: `call_state.finish` in `scripts/lib/call.lua` has the letters."""
    told: dict[bytes, Any] = {}
    for letter, said in zip(reply[1::2], reply[2::2], strict=True):
        told[letter] = told[letter] + said if letter in told else said
    wakes, spans = told.get(b"w", ()), told.get(b"s", ())
    return Duties(
        [Wake(wakes[i].decode(), wakes[i + 1].decode(), wakes[i + 2]) for i in range(0, len(wakes), 3)],
        [
            Ended(CanvasId(canvas_id.decode()), index, looked_node(node))
            for canvas_id, index, node in told.get(b"e", ())
        ],
        b"l" in told,
        [AccountNews(name.decode(), *counts) for name, *counts in told.get(b"a", ())],
        [PermitDelivery(name.decode(), *counts) for name, *counts in told.get(b"h", ())],
        told.get(b"t"),
        [
            (CanvasId(spans[i].decode()), list(map(int, spans[i + 1].split())))
            for i in range(0, len(spans), 2)
        ],
        reply[0],
        b"b" in told,
        Deeds(told.get(b"d", ()), told.get(b"q", ()), told.get(b"o", ())),
    )


def renewed_of(unknown: list[bytes], told: list[bytes]) -> Renewed:
    """Read the answer to a renewal."""
    cancelled: dict[str, list[tuple[TokenRef, bool]]] = {}
    for at in range(0, len(told), 3):
        session, place, token = (part.decode() for part in told[at : at + 3])
        canvas_id, _, index = place.partition(":")
        attempt, nonce, terminate = token.split(" ")
        found = TokenRef(canvas_id, int(index), int(attempt), nonce), terminate == "1"
        cancelled.setdefault(session, []).append(found)
    return Renewed([name.decode() for name in unknown], cancelled)


def grant_of(item: list[Any]) -> Grant:
    """Read a task that is handed to a worker."""
    canvas_id, index, attempt, nonce, failures, timing, body, kind, source, value, parent, *rest = item
    source_timing, names = rest
    return Grant(
        CanvasId(canvas_id.decode()), index, attempt, nonce.decode(), failures, timing.decode(), body, kind.decode(),
        optional_number(source), value if isinstance(value, bytes) else looked_node(value),
        optional_number(parent) if parent != b"-" else None, source_timing.decode(), parse_names(names.decode()),
    )  # fmt: skip


def contexts_of(flat: list[bytes]) -> dict[str, CanvasContext]:
    """Read what is known of canvases, by id."""
    return {
        flat[i].decode(): CanvasContext(
            Trace.parse(flat[i + 1].decode()), Carried.parse(flat[i + 2].decode()), flat[i + 3].decode()
        )
        for i in range(0, len(flat), 4)
    }


def looked_of(reply: list[bytes]) -> Looked | None:
    """Read a node, if there is one."""
    if not reply:
        return None
    return looked_node(reply)


def looked_node(reply: list[bytes]) -> Looked:
    """Read a node."""
    record, body, outcome, cause_record, cause, lane, names, overdue, worker = reply
    return Looked(
        record.decode(),
        body,
        outcome,
        cause_record.decode(),
        cause,
        lane.decode(),
        parse_names(names.decode()),
        optional_number(overdue),
        worker.decode(),
    )


def looked_canvas(meta: list[Any]) -> LookedCanvas:
    """Read a canvas."""
    state, count, left, last, kind, members, created, finished, trace, ttl, again, deadline, lanes = meta
    return LookedCanvas(
        state=(state or b"").decode(), node_count=int(count or 0), left=int(left or 0), last=optional_number(last),
        last_is_join=kind == b"j", member_count=int(members or 0), created_ms=int(created or 0),
        finished_ms=optional_number(finished), trace_id=Trace.parse((trace or b"").decode()).trace_id,
        result_ttl_ms=int(ttl or 0), runs_again=CanvasId(again.decode()) if again else None,
        deadline_ms=int(float(deadline)) if deadline else None,
        lanes=tuple(lane.decode() for lane in lanes if lane),
    )  # fmt: skip


def ended_nodes(reply: list[bytes]) -> EndedNodes:
    """Read nodes of a canvas that have ended, for their spans."""
    trace, created, carried, origin, before, *flat = reply
    return EndedNodes(
        trace=Trace.parse(trace.decode()), created_ms=int(created), carried=Carried.parse((carried or b"").decode()),
        again=(CanvasId(origin.decode()), Trace.parse(before.decode())) if origin and before else None,
        nodes=[_ended_node(*flat[at : at + 8]) for at in range(0, len(flat), 8)],
    )  # fmt: skip


def _ended_node(*parts: bytes) -> EndedNode:
    index, record, lane, body, outcome, source, source_body, before = parts
    return EndedNode(
        int(index), record.decode(), lane.decode(), body, outcome, source.decode(), source_body, before.decode()
    )  # fmt: skip
