"""What is true of every store between two calls, whatever was called before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from gesso_server.plan import Arrive, Open, Start
from gesso_server.store.records import Record, parse_edges, parse_record
from support.keyspace import Keyspace

PARTITION = "gesso:{0}:"
_HELD = "GRKQ"


@dataclass(slots=True)
class StoredCanvas:
    """A canvas, read from its keys."""

    id: str
    meta: dict[str, str]
    records: dict[int, Record]
    """Those that are part of it."""
    texts: dict[int, str]
    queued: list[int] = field(default_factory=list)
    """Indexes in its lists and among what is parked, in no order."""
    in_turn: set[int] = field(default_factory=set)
    """Indexes that begin when the turn of a member comes, and it has not."""

    @property
    def left(self) -> int:
        """How many of its nodes have not ended, and once more of the joins that grow."""
        growing = int(self.meta.get("growing", 0))
        return growing + sum(not record.state.final for record in self.records.values())


def canvases(keys: Keyspace) -> Iterator[StoredCanvas]:
    """Return every canvas that was accepted."""
    for name in keys.under(PARTITION + "c:"):
        canvas_id, _, kind = name.partition(":")
        if kind != "m":
            continue
        prefix = f"{PARTITION}c:{canvas_id}:"
        meta = keys.hash(prefix + "m")
        ranges = [
            (0, int(meta["own"])),
            *(tuple(map(int, text.split(","))) for text in keys.list(prefix + "g")),
        ]
        part = {index for first, count in ranges for index in range(first, first + count)}
        texts = {
            int(index): text
            for chunk in keys.under(prefix + "d:")
            for index, text in keys.hash(f"{prefix}d:{chunk}").items()
            if int(index) in part
        }
        found = StoredCanvas(
            canvas_id,
            keys.hash(prefix + "m"),
            {index: parse_record(text) for index, text in texts.items()},
            texts,
        )
        for queue in keys.under(prefix + "q:"):
            found.queued += [index for entry in keys.list(prefix + "q:" + queue) for index in _indexes(entry)]
        for park in keys.under(PARTITION + "k:"):
            parked = (entry.partition(" ") for entry in keys.list(PARTITION + "k:" + park))
            found.queued += [
                index for owner, _, entry in parked if owner == canvas_id for index in _indexes(entry)
            ]
        for queue in keys.under(PARTITION + "a:"):
            alone = (field.partition(":") for field in keys.list(PARTITION + "a:" + queue))
            found.queued += [int(index) for owner, _, index in alone if owner == canvas_id]
        for join in keys.under(prefix + "u:"):
            for entry in keys.list(f"{prefix}u:{join}"):
                found.in_turn.update(_begun_by(entry))
        yield found


def check(keys: Keyspace) -> list[StoredCanvas]:
    """Check everything; return the canvases."""
    found = list(canvases(keys))
    assert not [key for key in keys.ttls if key.startswith(PARTITION + "c:")], (
        "what lives has no end of its own"
    )
    _check_sessions(keys, found)
    _check_rings(keys, found)
    assert not keys.list(PARTITION + "work") or any(canvas.left for canvas in found)
    load = Counter[str]()
    for canvas in found:
        load[canvas.meta["ns"]] += int(canvas.meta["left"])
        _check_counts(canvas)
        _check_queued(keys, canvas)
    assert {name: int(text) for name, text in keys.hash(PARTITION + "load").items()} == {
        name: left for name, left in load.items() if left
    }
    return found


def _check_counts(canvas: StoredCanvas) -> None:
    meta, records = canvas.meta, canvas.records
    assert int(meta["total"]) == len(records)
    assert int(meta["left"]) == canvas.left
    assert ("finished" in meta) == (canvas.left == 0)
    ended, succeeded = Counter[int](), Counter[int]()
    for record in records.values():
        for edge in parse_edges(record.edges):
            if isinstance(edge, Arrive) and record.state.final:
                ended[edge.join] += 1
                succeeded[edge.join] += record.state == "S"
    for index, record in records.items():
        if record.join:
            assert (record.ended, record.succeeded) == (ended[index], succeeded[index]), index


def _check_queued(keys: Keyspace, canvas: StoredCanvas) -> None:
    """A task is in a queue, once, exactly while it may run and nobody has it; or it waits for its time or its turn."""
    due, queued = keys.hash(PARTITION + "due"), Counter(canvas.queued)
    for index, record in canvas.records.items():
        if record.join:
            continue
        source = None if record.source is None else canvas.records[record.source]
        may_run = record.state == "W" and (source is None or source.state.final)
        if may_run and canvas.meta["state"] != "C":
            assert queued[index] == (index not in canvas.in_turn), (canvas.id, index, record)
        elif record.state in "WTYGRKQP":
            assert queued[index] == 0, (canvas.id, index, record)
        assert record.state not in "TY" or f"{canvas.id}:{index}" in due


def _check_rings(keys: Keyspace, found: list[StoredCanvas]) -> None:
    rings = {name: keys.list(PARTITION + "r:" + name) for name in keys.under(PARTITION + "r:")}
    for name, ring in rings.items():
        assert len(set(ring)) == len(ring), name
        assert name.rpartition(":")[2] in keys.hash(PARTITION + "l:" + name.rpartition(":")[0])
    for levels in keys.under(PARTITION + "l:"):
        for level in keys.hash(PARTITION + "l:" + levels):
            alone = level == "a" and PARTITION + "a:" + levels in keys.keys
            assert level == "p" or alone or f"{levels}:{level}" in rings, levels
    for canvas in found:
        prefix = f"c:{canvas.id}:q:"
        for queue in keys.under(PARTITION + prefix):
            assert canvas.id in rings.get(f"{canvas.meta['ns']}:{queue}", []), queue


def _check_sessions(keys: Keyspace, found: list[StoredCanvas]) -> None:
    """A session holds exactly the tasks whose records name it, with the same tokens."""
    by_number: dict[str, set[str]] = {}
    for canvas in found:
        for index, record in canvas.records.items():
            if not record.join and record.state in _HELD:
                attempt, _, _, nonce, number, _ = canvas.texts[index][1:].partition("/")[0].split(",")[:6]
                started = {"G": "0", "R": "1"}.get(record.state, "?")
                by_number.setdefault(number, set()).add(f"{canvas.id}:{index} {attempt},{nonce},{started}")
    sessions = keys.hash(PARTITION + "nums")
    for number, session in sessions.items():
        assert PARTITION + "s:" + session in keys.keys
        assert session in keys.hash(PARTITION + "sessions")
        told = {f"{field} {value}" for field, value in keys.hash(f"{PARTITION}h:{session}").items()}
        expected = by_number.pop(number, set())
        certain = {text for text in expected if not text.endswith("?")}
        assert certain <= told
        assert {text[:-1] for text in told} == {text[:-1] for text in expected}
    assert not by_number, "held by a session that was ended"
    assert {f"{PARTITION}s:{session}" for session in sessions.values()} == {
        PARTITION + "s:" + name for name in keys.under(PARTITION + "s:")
    }


def _begun_by(entry: str) -> Iterator[int]:
    """Return what an entry of a join's turns begins, each time it is taken: `scripts/lib/turns.lua` has its format."""
    count, size, _, edges = entry.split(",", 3)
    for edge in parse_edges(edges.replace("&", ";")):
        assert isinstance(edge, Start | Open)
        for member in range(int(count)):
            yield from (index + member * int(size) for index in edge.run.indexes)


def _indexes(entry: str) -> range:
    _, first, count, stride, _ = map(int, entry.split(":"))
    return range(first, first + count * stride, stride)
