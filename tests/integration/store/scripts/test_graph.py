"""The store counts a canvas down to what the semantics say, whatever order, repetition and delay reports come in."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gesso_server.plan import Element, JoinNode, TaskNode
from gesso_server.store.calls import Frame, Grant, Reported
from integration.store.scripts.rig import NAMESPACE, Canvas, Rig, Worker, name, source_value, token
from support.plan_rule import PlanRun
from support.reference import Reference
from support.trees import call, calls, canvases, chain, chord, group

KINDS = {"S": "v", "F": "e", "I": "i"}


@dataclass
class Chaos:
    """Runs canvases with workers that repeat themselves, come late, give back and die."""

    rig: Rig
    rng: random.Random
    trouble: float
    canvases: list[Canvas]
    workers: list[Worker]
    ended: dict[tuple[str, int], str] = field(default_factory=dict)
    """How each task ended, in that order."""
    sent: list[Reported] = field(default_factory=list)
    """Every report that was applied, to be sent again."""
    stale: list[Grant] = field(default_factory=list)
    """Grants that were given up."""

    async def run(self) -> None:
        """Go on until no worker holds anything and nothing is handed out."""
        for worker in self.workers:
            await worker.hello()
        quiet = 0
        while quiet < 3 * len(self.workers):
            worker = self.rng.choice(self.workers)
            await self._misbehave(worker)
            frame, ends = self._frame(worker)
            want = self.rng.randint(0, 4)
            reply = await worker.exchange(frame, want=want)
            assert reply.status == "O"
            self._check_answers(frame, reply.answers)
            self._note(ends)
            self._check_grants(reply.grants)
            if self.rng.random() < 0.2:
                await self._repeat(worker, frame, reply.grants)
            busy = reply.grants or any(other.held for other in self.workers)
            quiet = 0 if busy or frame.returned else quiet + (want > 0)

    def _frame(self, worker: Worker) -> tuple[Frame, list[tuple[Grant, str]]]:
        """Make up a frame: some of what is held ends, at most one of it badly, so that times differ."""
        frame, ends, spoilt, stale = Frame(), [], False, list(self.stale)
        self.rng.shuffle(worker.held)
        for grant in worker.held[: self.rng.randint(0, 3)]:
            worker.held.remove(grant)
            if self.rng.random() < 0.1:
                frame.returned.append(token(grant))
                self.stale.append(grant)
                continue
            state = "S"
            if not spoilt and self.rng.random() < self.trouble:
                state, spoilt = self.rng.choice("FFI"), True
            ends.append((grant, state))
            value = json.dumps([name(grant), source_value(self.rig.canvases[grant.canvas_id], grant)])
            frame.reported.append(Reported(token(grant), KINDS[state], value.encode()))
        for grant in worker.held:
            if self.rng.random() < 0.3:
                frame.started.append(token(grant))
        if self.sent and self.rng.random() < 0.3:
            frame.reported.append(self.rng.choice(self.sent))
        if stale and self.rng.random() < 0.3:
            frame.reported.append(Reported(token(self.rng.choice(stale)), "v", b"null"))
        return frame, ends

    def _check_answers(self, frame: Frame, answers: str) -> None:
        tokens = [*frame.started, *frame.returned, *(report.token for report in frame.reported)]
        late = {token(grant) for grant in self.stale} - set(frame.returned) | {
            report.token for report in self.sent
        }
        for at, letter in zip(tokens, answers, strict=True):
            assert (letter == "A") == (at not in late), (at, letter)
        known = {report.token for report in self.sent}
        given_up = {token(grant) for grant in self.stale}
        self.sent += [report for report in frame.reported if report.token not in known | given_up]

    def _note(self, ends: list[tuple[Grant, str]]) -> None:
        for grant, state in ends:
            key = (grant.canvas_id, grant.index)
            assert key not in self.ended
            self.ended[key] = state
            canvas = self.rig.canvases[grant.canvas_id]
            canvas.values[grant.index] = [name(grant), source_value(canvas, grant)]

    def _check_grants(self, grants: list[Grant]) -> None:
        for grant in grants:
            assert (grant.canvas_id, grant.index) not in self.ended, "handed out after its end"

    async def _repeat(self, worker: Worker, frame: Frame, grants: list[Grant]) -> None:
        """Make a call again whose answer was lost."""
        again = await worker.exchange(frame, want=4, seq=worker.seq)
        assert again.status == "O"
        assert set(again.answers) <= {"D", "S", "A"}
        assert list(map(token, again.grants)) == list(map(token, grants))

    async def _misbehave(self, worker: Worker) -> None:
        """Now and then break the connection, having lost a part of what was held."""
        if self.rng.random() > 0.1:
            return
        known = [grant for grant in worker.held if self.rng.random() < 0.5]
        welcomed = await worker.hello(held=known)
        assert welcomed.accepted
        assert not welcomed.drops
        assert {token(grant) for grant in welcomed.grants} == {
            token(grant) for grant in worker.held if grant not in known
        }


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    elements=st.lists(canvases(), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
    trouble=st.sampled_from([0, 0.1, 0.4]),
)
async def test_canvas_ends_as_the_semantics_say(
    rig: Rig, elements: list[Element], seed: int, trouble: float
) -> None:
    """Every task runs on the right input or ends by the right cause, every node once, the canvas with nothing left."""
    await rig.store.redis.flushall()  # of the example before
    rng = random.Random(seed)  # noqa: S311  repeatable, no secret
    submitted = [await rig.submit(element) for element in elements]
    chaos = Chaos(rig, rng, trouble, submitted, [rig.worker() for _ in range(rng.randint(1, 3))])

    await chaos.run()

    for canvas in submitted:
        await check(rig, chaos, canvas)


async def check(rig: Rig, chaos: Chaos, canvas: Canvas) -> None:
    """Compare a canvas with the rule and with the semantics."""
    ends = {index: state for (canvas_id, index), state in chaos.ended.items() if canvas_id == canvas.id}
    order = iter(ends)
    rule = PlanRun(canvas.plan)
    rule.run(lambda index: ends[index], lambda _: next(order))
    times = {canvas.name(index): (state, when) for when, (index, state) in enumerate(ends.items())}
    reference = Reference(times)
    expected = reference.evaluate(canvas.element)
    summary, records = await rig.look(canvas)

    for index, record in enumerate(records):
        end = rule.ends[index]
        cause = record.cause if record.cause is not None or end.state != "F" else index
        assert (record.state, record.behind_join, cause) == (end.state, end.behind_join, end.cause), index
        node = canvas.plan.nodes[index]
        if isinstance(node, TaskNode):
            told = reference.told[canvas.name(index)]
            assert (record.state, record.behind_join) == (told.state, told.chord_error)
            if told.ran:
                assert canvas.values[index] == [canvas.name(index), told.takes]
        else:
            assert isinstance(node, JoinNode)
            assert record.ended == record.total == node.total
    assert expected is not None
    assert summary.left == 0
    assert summary.state == ("F" if expected.kind == "F" else "S")
    assert summary.finished_ms is not None


async def test_body_runs_exactly_once(rig: Rig) -> None:
    """A body is handed out once, after the last member, however often each report is repeated."""
    canvas = await rig.submit(chord(calls(20), call("body")))
    worker = rig.worker()
    await worker.hello()
    grants = await worker.take(50)

    bodies: list[Grant] = []
    for grant in grants:
        bodies += (await worker.report(grant, grant, want=5)).grants
        bodies += (await worker.report(grant, want=5)).grants
        assert len(bodies) == (grant is grants[-1])
    await worker.report(*bodies)

    assert list(map(name, bodies)) == ["body"]
    summary, _ = await rig.look(canvas)
    assert (summary.state, summary.left) == ("S", 0)


async def test_tasks_of_thousands_of_names_begin_in_slices(rig: Rig) -> None:
    """Each name is an edge of its own: one call starts a bounded number of them, in order."""
    members = [call(f"m{number}", task=f"task{number}") for number in range(1500)]
    canvas = await rig.submit(group(*members))
    waiting = [(await rig.partition.queues(NAMESPACE, behind="", most=1))[0].waiting]

    await rig.settle()

    waiting.append((await rig.partition.queues(NAMESPACE, behind="", most=1))[0].waiting)
    assert waiting[0] <= 500
    assert waiting[1] == 1500
    worker = rig.worker(tasks=[f"task{number}" for number in range(1500)])
    await worker.hello()
    assert await worker.drain() == [f"m{number}" for number in range(1500)]
    assert (await rig.look(canvas))[0].left == 0


async def test_failure_that_reaches_thousands_of_nodes_goes_on_in_slices(rig: Rig) -> None:
    """One call ends a bounded number of nodes; the rest stands in the work list, and sweeps end all of it."""
    members = [chain(first, second) for first, second in zip(calls(2500), calls(2500, "n"), strict=True)]
    canvas = await rig.submit(chain(call("a"), group(*members), call("z")))
    worker = rig.worker()
    await worker.hello()
    (first,) = await worker.take()

    reply = await worker.report(first, kind="e")
    left = (await rig.look(canvas))[0].left
    sweeps = await rig.settle()

    assert reply.duties.work
    assert 5003 - left < 1100
    assert sweeps > 3
    summary, records = await rig.look(canvas)
    assert (summary.state, summary.left) == ("F", 0)
    assert {(record.state, record.cause) for record in records[1:]} == {("U", 0)}


async def test_joins_are_closed_before_their_members_also_in_slices(rig: Rig) -> None:
    """However many chords stand behind a failure, their bodies end by that failure and not by one of their own."""
    chords = [chord([call(f"h{number}"), call(f"i{number}")], call(f"b{number}")) for number in range(1200)]
    canvas = await rig.submit(chain(call("a"), group(*chords)))
    worker = rig.worker()
    await worker.hello()
    (first,) = await worker.take()

    await worker.report(first, kind="e")
    await rig.settle()

    summary, records = await rig.look(canvas)
    assert summary.left == 0
    assert {(record.state, record.cause, record.behind_join) for record in records[1:]} == {("U", 0, False)}


async def test_start_that_reaches_thousands_of_timed_tasks_goes_on_in_slices(rig: Rig) -> None:
    """Tasks with a countdown are looked at one by one, in slices that any sweep goes on with."""
    members = calls(1500, task="add")
    timed = [
        type(member)(member.lane._replace(timed=True), member.body, timing="d3600000") for member in members
    ]
    canvas = await rig.submit(group(*timed))

    await rig.settle()

    assert await rig.states(canvas) == "O" + "T" * 1500


async def test_large_canvas_is_staged_and_runs(rig: Rig) -> None:
    """A canvas of several calls' size is accepted whole and runs in order."""
    canvas = await rig.submit(chord(calls(1700), call("body")))
    worker = rig.worker()
    await worker.hello()

    done = await worker.drain(most=500)

    assert done == [f"m{number}" for number in range(1700)] + ["body"]
    assert (await rig.look(canvas))[0].state == "S"
