"""One partition of the store: a method for each function of the library.

Each method is one call, guarded and repeatable in the store: repeating it after a lost reply changes nothing twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from gesso_server.ids import CanvasId, NodeRef, Trace
from gesso_server.store.arguments import loan_args, nodes_args, number_arg
from gesso_server.store.calls import (
    Accepted,
    AccountNews,
    DeadTask,
    Duties,
    EndedNodes,
    Exchanged,
    Frame,
    GrowthStep,
    Hello,
    Loan,
    Looked,
    LookedCanvas,
    NewCanvas,
    PermitDelivery,
    QueueStanding,
    Renewed,
    RerunCanvas,
    Rerunnable,
    RerunPiece,
    Reserved,
    SessionId,
    StoredRecord,
    Swept,
    TokenRef,
    Unfit,
    UnreadableRow,
    Welcomed,
    WorkerStanding,
)
from gesso_server.store.errors import QuotaError, StoreUnavailable
from gesso_server.store.inspection import Caller, Inspection
from gesso_server.store.limits import Limit, LimitTable
from gesso_server.store.logs import Logs
from gesso_server.store.records import StoredNode
from gesso_server.store.replies import (
    contexts_of,
    duties_of,
    ended_nodes,
    grant_of,
    known_canvas,
    looked_canvas,
    looked_of,
    renewed_of,
    rerun_answer,
)
from gesso_server.store.standing import PartitionStanding

STAMPS_PER_CALL = 500
_LOOK_ON = -2


class Partition:
    """The functions of the library, on one partition."""

    def __init__(self, number: int, key: str, coordinator: str, call: Caller) -> None:
        self.number = number
        self._key = key
        self._name = coordinator
        self._counted = 0
        self._call = call
        self.inspection = Inspection(key, call)
        self.logs = Logs(key, coordinator, call)

    @property
    def _coordinator(self) -> str:
        """Its id, and how many of its calls it knows to have been counted: less, and the store has gone back."""
        return f"{self._name} {self._counted}"

    def _duties(self, reply: list[Any]) -> Duties:
        duties = duties_of(reply)
        self._counted = max(self._counted, duties.number)
        return duties

    async def stage(self, canvas_id: CanvasId, nodes: Iterable[StoredNode]) -> None:
        """Keep part of a canvas that does not fit into one call."""
        await self._call("stage", self._key, [canvas_id, *nodes_args(nodes)])

    async def stage_stamps(self, canvas_id: CanvasId, texts: Sequence[str]) -> None:
        """Keep stamps that a canvas bears, which is submitted then or lives already."""
        for at in range(0, len(texts), STAMPS_PER_CALL):
            await self._call("stage_stamps", self._key, [canvas_id, *texts[at : at + STAMPS_PER_CALL]])

    async def check_room(self, namespace: str, nodes: int, quota: int) -> None:
        """Return if a namespace may have so many more nodes open.

        Raises:
            QuotaError: If it may not.
        """
        if not await self._call("room", self._key, [namespace, nodes, quota]):
            raise QuotaError

    async def unknown_tasks(self, namespace: str, tasks: list[str]) -> list[str]:
        """Return those tasks that no connected worker of the namespace knows. `tasks` are at most 1,000."""
        found = await self._call("unknown_tasks", self._key, [namespace, *tasks])
        return [tasks[position] for position in found]

    async def submit(
        self, new: NewCanvas, nodes: Iterable[StoredNode], loan: Loan | None = None
    ) -> tuple[Accepted, Exchanged | None] | None:
        """Accept a canvas and start it; what can run at once may be granted to a session by the same call.

        Returns:
            The answer, and that to the session, if the canvas was new. None when the request id was used with another
            content.

        Raises:
            QuotaError: If the namespace has too much open.
        """
        reply = await self._call(
            "submit", self._key,
            [
                new.canvas_id, new.namespace, new.request_id, new.digest, self._coordinator, int(new.watch),
                new.node_count, number_arg(new.last), "j" if new.last_is_join else "t", new.member_count,
                new.trace.text(), new.carried.text(), new.root, new.start, new.result_ttl_ms, new.request_ttl_ms,
                new.growing, len(new.lanes), len(new.templates) // 2, new.template_count,
                *loan_args(loan), new.quota, number_arg(new.deadline_ms), len(new.stamps), *new.lanes,
                *new.templates, *new.stamps, *nodes_args(nodes),
            ],
        )  # fmt: skip
        if reply[0] == b"R":
            return None
        if reply[0] == b"F":
            raise QuotaError
        if reply[0] == b"L":
            message = "the canvas took too long to be staged and was removed"
            raise StoreUnavailable(message)
        if reply[0] == b"K":
            return known_canvas(reply), None
        accepted = Accepted(
            canvas_id=new.canvas_id, known=False, last=new.last, last_is_join=new.last_is_join,
            member_count=new.member_count, node_count=new.node_count, trace_id=new.trace.trace_id,
            duties=self._duties(reply[1]),
        )  # fmt: skip
        if loan is None:
            return accepted, None
        _, _, status, items, contexts, more = reply
        granted = [grant_of(item) for item in items]
        return accepted, Exchanged(status.decode(), "", granted, contexts_of(contexts), bool(more), Duties())

    async def exchange(
        self, session: SessionId, seq: int, frame: Frame, *, want: int, others_idle: bool
    ) -> Exchanged:
        """Apply what a session reports and grant it up to `want` tasks.

        Args:
            session: Who.
            seq: Number of the call in the session's epoch and this partition; the same again repeats the call.
            frame: What it reports.
            want: How many tasks it takes.
            others_idle: Whether the coordinator has other sessions that wait for work of these queues.
        """
        args: list[bytes | str | int] = [
            session.session, session.epoch, seq, secrets.token_hex(6), self._coordinator, want, int(others_idle),
            len(frame.started), len(frame.returned),
        ]  # fmt: skip
        for token in frame.started:
            args += token
        for token in frame.returned:
            args += token
        for token, kind, blob, delay_ms, extra, *_ in frame.reported:
            args += (*token, kind, blob, delay_ms, extra)
        status, answers, items, contexts, more, own = await self._call("exchange", self._key, args)
        return Exchanged(
            status.decode(), answers.decode(), [grant_of(item) for item in items], contexts_of(contexts), bool(more),
            self._duties(own),
        )  # fmt: skip

    async def hello(self, hello: Hello, *, lease_ms: int) -> Welcomed:
        """Register a session's connection and agree on what it holds."""
        args: list[bytes | str | int] = [
            hello.id.session, hello.id.epoch, self._coordinator, hello.namespace, hello.worker, hello.slots, lease_ms,
            " ".join(hello.queues), len(hello.tasks), len(hello.held), *hello.tasks,
        ]  # fmt: skip
        for token in hello.held:
            args += token
        for dead, crashed in hello.dead_sessions:
            args += (dead, len(crashed))
            for token in crashed:
                args += (token.canvas_id, token.index, token.nonce)
        status, drops, items, contexts, own = await self._call("hello", self._key, args)
        return Welcomed(
            status == b"O", [number - 1 for number in drops], [grant_of(item) for item in items], contexts_of(contexts),
            self._duties(own),
        )  # fmt: skip

    async def renew(self, sessions: Sequence[str], *, lease_ms: int) -> Renewed:
        """Extend leases; return the sessions whose lease had ended, and what the others are still to be told."""
        return renewed_of(*await self._call("renew", self._key, [lease_ms, *sessions]))

    async def leave(self, session: SessionId, *, grace_ms: int | None) -> Duties:
        """End a session that said goodbye (`grace_ms` None), or leave a broken one that much time to return."""
        who = session.session, session.epoch, self._coordinator
        return self._duties(await self._call("leave", self._key, [*who, number_arg(grace_ms)]))

    async def sweep(
        self, *, staging_ms: int, overran: bytes, idle_queues: Sequence[tuple[str, str]]
    ) -> Swept:
        """Do what time has made due, a bounded part of it.

        Args:
            staging_ms: How long a canvas may take to be staged.
            overran: Outcome of an attempt that outlived its time limit.
            idle_queues: Namespace and name of queues that sessions of this coordinator wait for.
        """
        args: list[bytes | str | int] = [self._coordinator, staging_ms, overran]
        for namespace, queue in idle_queues:
            args += (namespace, queue)
        more, next_due, own, version = await self._call("sweep", self._key, args)
        return Swept(bool(more), None if next_due < 0 else next_due, self._duties(own), version)

    async def watch(self, namespace: str, canvas_id: CanvasId, index: int) -> Looked | None:
        """Return a node; unless it is final, its end is announced. None when there is no such node."""
        reply = await self._call("watch", self._key, [canvas_id, index, namespace, self._name])
        return looked_of(reply)

    async def look(
        self, namespace: str, canvas_id: CanvasId, indexes: Sequence[int] = ()
    ) -> tuple[LookedCanvas, list[Looked | None]] | None:
        """Return a canvas, and of at most 1000 nodes as many as come to 1 MiB, one at the least. None without it."""
        meta, found = await self._call("look", self._key, [canvas_id, namespace, *indexes])
        return (looked_canvas(meta), [looked_of(item) for item in found]) if meta else None

    async def reserve(
        self, canvas_id: CanvasId, *, nodes: int, templates: int, lanes: Sequence[str]
    ) -> Reserved | None:
        """Reserve room in a canvas. None when it is not active."""
        reply = await self._call("grow_reserve", self._key, [canvas_id, nodes, templates, *lanes])
        return Reserved(reply[0], reply[1], reply[2:]) if reply else None

    async def stage_growth(
        self, canvas_id: CanvasId, templates: Sequence[bytes | str | int], nodes: Iterable[StoredNode]
    ) -> bool:
        """Keep nodes at reserved indexes. False when there is no such canvas, or it is not active."""
        args: list[bytes | str | int] = [canvas_id, len(templates) // 2, *templates, *nodes_args(nodes)]
        return bool(await self._call("grow_stage", self._key, args))

    async def grow(self, canvas_id: CanvasId, step: GrowthStep) -> tuple[bool, Duties]:
        """Give a growing join the members that were staged. False when the canvas is not active."""
        args: list[bytes | str | int] = [
            canvas_id, self._coordinator, step.number, step.join, step.node_count, step.inputs, step.start,
            int(step.sealed), step.first, step.waiting,
        ]  # fmt: skip
        found, own = await self._call("grow_join", self._key, args)
        return bool(found), self._duties(own)

    async def touch_growth(self, canvas_id: CanvasId) -> bool:
        """Say that the stream of a growing canvas is alive. False when it does not grow any more."""
        return bool(await self._call("grow_touch", self._key, [canvas_id]))

    async def cancel_canvas(
        self, namespace: str, canvas_id: CanvasId, *, terminate: bool, forget: bool
    ) -> tuple[bool | None, Duties]:
        """Cancel what has not ended, and remove it soon if asked to.

        Returns:
            Whether anything had not ended; None when there is no such canvas.
        """
        args: list[bytes | str | int] = [canvas_id, namespace, self._coordinator, int(terminate), int(forget)]
        found, own = await self._call("cancel_canvas", self._key, args)
        return (None if found < 0 else bool(found)), self._duties(own)

    async def cancel_node(
        self, namespace: str, canvas_id: CanvasId, index: int, *, terminate: bool
    ) -> tuple[bool | None, Duties]:
        """Revoke one node. Returns whether it had not ended, None when there is no such node."""
        args: list[bytes | str | int] = [canvas_id, index, namespace, self._coordinator, int(terminate)]
        found, own = await self._call("cancel_node", self._key, [*args, 0])
        while found == _LOOK_ON:  # among what was added to the canvas
            found, own = await self._call("cancel_node", self._key, [*args, own])
        return (None if found < 0 else bool(found)), self._duties(own)

    async def rerun_begin(
        self, namespace: str, canvas_id: CanvasId, request_id: str, digest: str
    ) -> Accepted | Rerunnable | Unfit:
        """Return what a canvas is that is to be run again; the answer before if the request is known."""
        reply = await self._call("rerun_begin", self._key, [canvas_id, namespace, request_id, digest])
        if reply[0] != b"O":
            return rerun_answer(reply)
        _, end, created_ms, now_ms, trace = reply
        return Rerunnable(end, created_ms, now_ms, Trace.parse(trace.decode()))

    async def records(self, canvas_id: CanvasId, first: int, end: int) -> list[StoredRecord]:
        """Return what is stored of nodes from `first` on and before `end`, as many as one call reads."""
        flat = await self._call("records", self._key, [canvas_id, first, end])
        return [
            StoredRecord(flat[at].decode(), flat[at + 1].decode(), bool(flat[at + 2]))
            for at in range(0, len(flat), 3)
        ]

    async def stage_rerun(self, canvas_id: CanvasId, pieces: Sequence[RerunPiece]) -> None:
        """Keep what a canvas that runs another one again begins with."""
        args = [part for piece in pieces for part in piece]
        await self._call("rerun_stage", self._key, [canvas_id, *args])

    async def submit_rerun(self, new: RerunCanvas) -> tuple[Accepted | Unfit, Duties]:
        """Accept a canvas that runs another again, and start it."""
        reply = await self._call(
            "rerun_submit", self._key,
            [
                new.canvas_id, new.namespace, new.request_id, new.digest, self._coordinator, new.old, new.created_ms,
                new.node_count, new.left, new.trace.text(), new.request_ttl_ms, new.quota,
            ],
        )  # fmt: skip
        if reply[0] == b"F":
            raise QuotaError
        if reply[0] != b"N":
            return rerun_answer(reply), Duties()
        return known_canvas(reply, known=False), self._duties(reply[7])

    async def dead_tasks(
        self, namespace: str, *, until_ms: int | None, most: int
    ) -> tuple[int, list[DeadTask]]:
        """Return how many dead tasks were let go, and those that are listed, the latest first."""
        args: list[bytes | str | int] = [namespace, "+inf" if until_ms is None else until_ms, most]
        trimmed, flat = await self._call("dead_list", self._key, args)
        tasks = []
        for field, died in zip(flat[::2], flat[1::2], strict=True):
            canvas_id, _, index = field.decode().partition(":")
            tasks.append(DeadTask(CanvasId(canvas_id), int(index), int(float(died))))
        return trimmed, tasks

    async def dead_task_listed(self, namespace: str, canvas_id: CanvasId, index: int) -> bool:
        """Whether a task is on the list of dead ones."""
        return bool(await self._call("dead_listed", self._key, [namespace, f"{canvas_id}:{index}"]))

    async def purge_dead_tasks(self, namespace: str, refs: Sequence[NodeRef]) -> int:
        """Take tasks off the list of dead ones, without any 500 of all; return how many were on it."""
        fields = [f"{ref.canvas_id}:{ref.index}" for ref in refs]
        return int(await self._call("dead_purge", self._key, [namespace, *fields]))

    async def forget_dead_tasks(self, namespace: str, canvas_id: CanvasId) -> int:
        """Take 500 tasks of a canvas off the list of dead ones; return how many it took."""
        return int(await self._call("dead_canvas", self._key, [namespace, canvas_id]))

    async def unreadable_rows(self, most: int) -> list[UnreadableRow]:
        """Return rows that could not be read, the latest first."""
        found = []
        for row in await self._call("rows_list", self._key, [most]):
            head, _, data = row.partition(b"\n")
            kind, place, parked = head.decode().split(" ")
            found.append(UnreadableRow(kind, place, int(parked), data))
        return found

    async def purge_unreadable_rows(self) -> int:
        """Forget rows that could not be read; return how many there were."""
        return int(await self._call("rows_purge", self._key, []))

    async def forget_node(self, namespace: str, canvas_id: CanvasId, index: int) -> bool | None:
        """Remove a node's outcome once its canvas has ended. False when it has not ended itself, None when unknown."""
        found = await self._call("forget_node", self._key, [canvas_id, index, namespace])
        return None if found < 0 else bool(found)

    async def name(self, namespace: str, names: Sequence[tuple[str, str]], *, ttl_ms: int) -> None:
        """Remember ids that a client chose: pairs of id and node id."""
        flat = (part for pair in names for part in pair)
        await self._call("naming_set", self._key, [namespace, ttl_ms, *flat])

    async def named(self, namespace: str, task_id: str) -> str | None:
        """Return the id of the node that a client's id names."""
        found = await self._call("naming_get", self._key, [namespace, task_id])
        return found.decode() if found else None

    async def revoke_stamps(
        self, namespace: str, values: Sequence[tuple[str, str]], *, ttl_ms: int, terminate: bool
    ) -> bool:
        """Revoke what bears one of 1 to 1,000 stamps' values, now or later. False, and nothing done, for too many."""
        args: list[bytes | str | int] = [namespace, ttl_ms, int(terminate)]
        for pair in values:
            args += pair
        return bool(await self._call("revocations_add", self._key, args))

    async def revoked_stamps(self, namespace: str) -> dict[tuple[str, str], bool]:
        """Return the stamps' values that are revoked, and whether what runs with one is killed."""
        found: dict[tuple[str, str], bool] = {}
        for item in await self._call("revocations_list", self._key, [namespace]):
            text, _, terminate = item.decode().rpartition("\0")
            stamp, _, value = text.partition("\0")
            found[stamp, value] = found.get((stamp, value), False) or terminate == "1"
        return found

    async def set_limit(self, name: str, limit: Limit) -> bool:
        """Change the table of limits; it is partition 0's to change. False when it has too many.

        Args:
            name: Namespace, NUL, key.
            limit: Removed if it limits nothing.
        """
        first = f"{limit.count},{limit.period_ms},{limit.concurrency}".split(",")
        args: list[bytes | str | int] = [name, *first, "d" if limit.declared else "o"]
        status, _ = await self._call("limits_set", self._key, args)
        return bool(status >= 0)

    async def limit_table(self) -> LimitTable:
        """Return the table of limits."""
        version, flat = await self._call("limits_table", self._key, [])
        texts = [text.decode() for text in flat]
        return LimitTable(version, dict(zip(texts[::2], texts[1::2], strict=True)))

    async def copy_limits(self, limit_table: LimitTable) -> None:
        """Take over partition 0's table of limits."""
        pairs = (part for pair in limit_table.texts.items() for part in pair)
        await self._call("limits_copy", self._key, [limit_table.version, *pairs])

    async def settle_limits(self, news: Sequence[tuple[int, AccountNews]]) -> Duties:
        """Tell homes what accounts say: number of the account's partition, and what."""
        args: list[bytes | str | int] = [self._coordinator]
        for number, said in sorted(news, key=lambda pair: (pair[1].name, pair[0])):
            args += (said.name, number, *said[1:])
        return self._duties(await self._call("limits_settle", self._key, args))

    async def receive_permits(self, deliveries: Sequence[PermitDelivery]) -> Duties:
        """Tell accounts what their homes granted."""
        args: list[bytes | str | int] = [self._coordinator]
        for name, _, epoch, granted, heard in deliveries:
            args += (name, epoch, granted, heard)
        return self._duties(await self._call("limits_receive", self._key, args))

    async def takes(self, session: str, token: TokenRef, source: int) -> bool:
        """Whether a session holds an attempt of a task that takes the value of the node `source`."""
        return bool(await self._call("takes", self._key, [session, *token, source]))

    async def arrivals(self, canvas_id: CanvasId, index: int, count: int) -> list[int]:
        """Return the first inputs of a quorum that succeeded, in the order in which they did."""
        return [int(found) for found in await self._call("arrivals", self._key, [canvas_id, index, count])]

    async def pause_queue(self, namespace: str, queue: str, *, paused: bool) -> Duties:
        """Grant nothing of a queue any more, or again."""
        args: list[bytes | str | int] = [namespace, queue, self._coordinator, int(paused)]
        return self._duties(await self._call("queue_pause", self._key, args))

    async def queues(self, namespace: str, *, behind: str, most: int) -> list[QueueStanding]:
        """Return queues by name, those after the name `behind`."""
        found = await self._call("fleet_queues", self._key, [namespace, behind, most])
        return [
            QueueStanding(
                queue=queue.decode(), waiting=waiting, running=running, sessions=sessions, paused=bool(paused),
                oldest_ms=None if oldest < 0 else oldest, unknown=frozenset(task.decode() for task in unknown),
                entered=entered, delivered=delivered, ended=ended,
            )
            for queue, waiting, running, sessions, paused, oldest, unknown, entered, delivered, ended in found
        ]  # fmt: skip

    async def standing(self, namespace: str, queues: Sequence[str]) -> PartitionStanding:
        """Return how much the partition has of what. `queues` are at most 1000."""
        return PartitionStanding.parse(await self._call("amounts", self._key, [namespace, *queues]), queues)

    async def workers(self, namespace: str, *, behind: str, most: int) -> list[WorkerStanding]:
        """Return sessions by id, those after the id `behind`."""
        found = await self._call("fleet_workers", self._key, [namespace, behind, most])
        return [
            WorkerStanding(
                session=session.decode(), worker=worker.decode(), queues=tuple(queues.decode().split()), slots=slots,
                held=held, seen_ms=seen, tasks=frozenset(task.decode() for task in tasks), reported=reported,
            )
            for session, worker, queues, slots, held, seen, tasks, reported in found
        ]  # fmt: skip

    async def outcomes(
        self, canvas_id: CanvasId, run: tuple[int, int, int], most_bytes: int
    ) -> list[tuple[str, bytes, bytes]]:
        """Return record, outcome and (for joins) body of the first nodes of a run, at least one of them."""
        flat = await self._call("outcomes", self._key, [canvas_id, *run, most_bytes])
        return [(flat[at].decode(), flat[at + 1], flat[at + 2]) for at in range(0, len(flat), 3)]

    async def ended(
        self, wanted: Sequence[tuple[CanvasId, Sequence[int]]], *, with_bodies: bool, most_bytes: int
    ) -> list[EndedNodes | None]:
        """Return what the spans of nodes tell: canvas by canvas, as many as fit, of the first one at least one node.

        Args:
            wanted: Canvases and indexes, at most 1000 of all.
            with_bodies: Whether the bodies of tasks are wanted.
            most_bytes: About how much to return.

        Returns:
            For the first canvases each its first nodes; None for a canvas that there is not.
        """
        args: list[str | int] = []
        for canvas_id, indexes in wanted:
            args += [canvas_id, len(indexes), *indexes]
        replies = await self._call("ended", self._key, [most_bytes, int(with_bodies), *args])
        return [ended_nodes(reply) if reply else None for reply in replies]

    async def times(self, canvas_id: CanvasId, indexes: Sequence[int]) -> list[str]:
        """Return the changing parts of the records of at most 1000 nodes; `records.member_time` reads them."""
        return [text.decode() for text in await self._call("times", self._key, [canvas_id, *indexes])]
