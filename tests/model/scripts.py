"""What the store's functions do in the model: each is one step, whoever calls it and however often.

The names are those of the files under `server/gesso_server/store/scripts/`. `Rules` has a switch for each safeguard,
so that a variant without it can be shown to break a promise.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.world import (
    HEADER,
    MAX_CRASHES,
    MAX_FAILURES,
    Call,
    Duty,
    Ending,
    Observer,
    Reply,
    Session,
    Store,
    Task,
    Token,
    put,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The safeguards of the protocol. All are on in the product."""

    token: bool = True
    """A report counts only with the current attempt's number."""
    nonce: bool = True
    """And only with its nonce, since a number can be given again."""
    completion_once: bool = True
    """The end of a task that has ended changes nothing."""
    join_in_one_step: bool = True
    """Counting a member down and setting free what is behind the join is one step."""
    lease_in_one_step: bool = True
    """Taking a task from the queue and leasing it is one step."""
    epoch: bool = True
    """A call of an older connection leases nothing."""
    seq: bool = True
    """A repeat of the session's last call gets the same grants."""
    seq_grows: bool = True
    """A copy of a call before the last leases nothing."""
    expiry_rechecked: bool = True
    """A sweep looks at a lease in the step that ends it."""
    counters_apart: bool = True
    """What was granted and not started counts no crash."""
    lapsed_counts: bool = True
    """What a session held that was ended untold was delivered, even if nobody said that it had begun."""
    late_blame: bool = True
    """What was running counts a crash, also when that is told after the session was ended."""
    request_id: bool = True
    """A submission that is repeated is the one that was accepted."""


@dataclass(slots=True)
class Scripts:
    """One call of one function: it changes `store`, and the observer writes down what happened."""

    rules: Rules
    store: Store
    seen: Observer
    duties: tuple[Duty, ...] = ()

    # --- submit.lua -----------------------------------------------------------------------

    def submit(self) -> None:
        """Accept the canvas and make its first tasks ready, once for one request id."""
        from_new = not self.store.tasks
        if from_new or not self.rules.request_id:
            self.seen = self.seen._replace(submitted=self.seen.submitted + 1)
        if from_new:
            self.store = self.store._replace(tasks=tuple(Task() for _ in HEADER), queue=HEADER)

    # --- hello.lua ------------------------------------------------------------------------

    def hello(self, call: Call) -> Reply:
        """Take the newer epoch; say what the session lacks and what it may not hold; end a dead one."""
        session = self.store.sessions[call.session]
        if session is not None and session.epoch >= call.epoch:
            return Reply("E")
        self._session(call.session, Session(call.epoch, 0, (), leased=True))
        held = set(self._held(call.session))
        drops = tuple(token for token in call.held if token not in held)
        grants = tuple(sorted(held - set(call.held)))
        if call.dead >= 0:
            if self.store.sessions[call.dead] is not None:
                self.drop_session(call.dead, call.crashed)
            self.settle_lapsed(call.dead, call.crashed)
        return Reply("O", grants, drops)

    # --- exchange.lua ---------------------------------------------------------------------

    def exchange(self, call: Call) -> Reply:
        """Apply what is reported, whoever reports it; then grant work to the session's newest connection."""
        for token in call.started:
            if self._current(token) and self.store.tasks[token.task].state == "G":
                self._task(token.task, state="R")
        for ending in call.endings:
            self._end(ending)
        session = self.store.sessions[call.session]
        if session is None:
            return Reply("U")
        if session.epoch != call.epoch and self.rules.epoch:
            return Reply("E")
        if self.rules.seq and session.seq == call.seq:
            held = self._held(call.session)
            return Reply("O", tuple(token for token in session.grants if token in held))
        if self.rules.seq_grows and call.seq < session.seq:
            return Reply("O")
        return Reply("O", self._lease(call, session))

    def _lease(self, call: Call, session: Session) -> tuple[Token, ...]:
        grants: tuple[Token, ...] = ()
        if call.wants and self.store.queue:
            task = self.store.queue[0]
            self.store = self.store._replace(queue=self.store.queue[1:])
            if not self.rules.lease_in_one_step:
                self.duties += (Duty("lease", task),)
                return ()
            grants = (self.grant(call.session, task),)
            if call.epoch < session.epoch:
                self._break("a task was granted to a connection that had been replaced")
        self._session(call.session, session._replace(seq=call.seq, grants=grants))
        return grants

    def grant(self, session: int, task: int) -> Token:
        """Hand a task over."""
        nonce = self.seen.grants[task] + 1
        self.seen = self.seen._replace(grants=put(self.seen.grants, task, nonce))
        deliveries = self.store.tasks[task].deliveries + 1
        self._task(task, state="G", deliveries=deliveries, nonce=nonce, holder=session)
        return Token(task, deliveries, nonce)

    # --- lib/reports.lua ------------------------------------------------------------------

    def _current(self, token: Token) -> bool:
        task = self.store.tasks[token.task]
        if not task.held:
            return not self.rules.completion_once and task.final and task.deliveries == token.attempt
        if not self.rules.token:
            return True
        return task.deliveries == token.attempt and (task.nonce == token.nonce or not self.rules.nonce)

    def _end(self, ending: Ending) -> None:
        token, kind = ending
        if not self._current(token):
            return
        task = self.store.tasks[token.task]
        if token in self.seen.applied:
            self._break("one report was applied twice")
        if task.nonce != token.nonce:
            self._break("a report of another delivery was applied")
        if kind == "r":
            self._release(token.task, crashed=False)
            return
        self.seen = self.seen._replace(applied=tuple(sorted((*self.seen.applied, token))))
        if kind == "v":
            self._finish(token.task, "S")
            return
        self.seen = self.seen._replace(failures=_more(self.seen.failures, token.task))
        self._task(token.task, failures=task.failures + 1)
        if kind == "e" or task.failures >= MAX_FAILURES:
            self._finish(token.task, "F")
        else:
            self._task(token.task, state="W", nonce=0, holder=-1)
            self.store = self.store._replace(queue=(*self.store.queue, token.task))

    # --- lib/graph.lua --------------------------------------------------------------------

    def _finish(self, number: int, state: str) -> None:
        self._task(number, state=state, nonce=0, holder=-1)
        join = self.store.join
        join = join._replace(succeeded=join.succeeded + (state == "S"), ended=join.ended + 1)
        before = self.store.join
        failed_before = before.ended > before.succeeded
        self.store = self.store._replace(join=join)
        if join.succeeded == len(HEADER):
            self._set_free("body")
        elif state != "S" and not failed_before:
            self._set_free("error")

    def _set_free(self, kind: str) -> None:
        if not self.rules.join_in_one_step:
            self.duties += (Duty(kind, 0),)
        else:
            self.enqueue(kind)

    def enqueue(self, kind: str) -> None:
        """Make what stands behind the join ready: its body, or the error link of its body."""
        join, body = self.store.join, kind == "body"
        join = join._replace(bodies=join.bodies + body, errors=join.errors + (not body))
        self.store = self.store._replace(join=join)

    # --- lib/leases.lua -------------------------------------------------------------------

    def drop_session(self, number: int, crashed: tuple[Token, ...] | None) -> None:
        """End a session: everything it holds goes back. `crashed` None: what was reported as started has crashed."""
        for token in self._held(number):
            started = self.store.tasks[token.task].state == "R"
            if crashed is None and not started:
                self.store = self.store._replace(lapsed=(*self.store.lapsed, (number, token)))
                self.seen = self.seen._replace(given_up=(*self.seen.given_up, token))
            blame = started if crashed is None else token in crashed
            self._release(token.task, crashed=blame, known=crashed is not None)
        self._session(number, None)

    def settle_lapsed(self, number: int, crashed: tuple[Token, ...]) -> None:
        """Take note, once, of what was running in a process whose session had been ended untold."""
        for session, token in self.store.lapsed:
            task = self.store.tasks[token.task]
            if session != number or task.final:
                continue
            if token in crashed:
                self._count_late_crash(token)
            elif task.state == "W" and task.deliveries == token.attempt:
                self.seen = self.seen._replace(unstarted=_more(self.seen.unstarted, token.task))
                self._task(token.task, deliveries=task.deliveries - 1)
        self.store = self.store._replace(lapsed=tuple(it for it in self.store.lapsed if it[0] != number))
        self.seen = self.seen._replace(given_up=tuple(it for it in self.seen.given_up if it not in crashed))

    def _count_late_crash(self, token: Token) -> None:
        if token not in self.seen.given_up:
            self._break("one crash counted twice")
        self.seen = self.seen._replace(crashes=_more(self.seen.crashes, token.task))
        if not self.rules.late_blame:
            return
        crashes = self.store.tasks[token.task].crashes + 1
        self._task(token.task, crashes=crashes)
        if crashes >= MAX_CRASHES and self.store.tasks[token.task].state == "W":
            self.store = self.store._replace(
                queue=tuple(waiting for waiting in self.store.queue if waiting != token.task)
            )
            self._finish(token.task, "D")

    def _release(self, number: int, *, crashed: bool, known: bool = True) -> None:
        task = self.store.tasks[number]
        unstarted = task.state == "G" and not crashed
        if crashed:
            self.seen = self.seen._replace(crashes=_more(self.seen.crashes, number))
        elif unstarted and known:
            self.seen = self.seen._replace(unstarted=_more(self.seen.unstarted, number))
        if crashed or not self.rules.counters_apart:
            task = task._replace(crashes=task.crashes + 1)
        elif unstarted and (known or not self.rules.lapsed_counts):
            task = task._replace(deliveries=task.deliveries - 1)
        self.store = self.store._replace(tasks=put(self.store.tasks, number, task))
        if task.crashes >= MAX_CRASHES:
            self._finish(number, "D")
        else:
            self._task(number, state="W", nonce=0, holder=-1)
            self.store = self.store._replace(queue=(number, *self.store.queue))

    # --- sweep.lua, renew.lua -------------------------------------------------------------

    def sweep(self, number: int) -> None:
        """End a session whose lease is over."""
        session = self.store.sessions[number]
        if session is None:
            return
        if session.leased:
            if self.rules.expiry_rechecked:
                return
            self._break("a session whose lease ran was ended")
        self.drop_session(number, None)

    def renew(self, number: int) -> None:
        """Extend a lease that has not been ended."""
        session = self.store.sessions[number]
        if session is not None:
            self._session(number, session._replace(leased=True))

    # --- writing --------------------------------------------------------------------------

    def _held(self, session: int) -> tuple[Token, ...]:
        return tuple(
            Token(number, task.deliveries, task.nonce)
            for number, task in enumerate(self.store.tasks)
            if task.holder == session and task.held
        )

    def _task(self, number: int, **changes: int | str) -> None:
        task = self.store.tasks[number]._replace(**changes)  # type: ignore[arg-type]  # the fields' own types
        self.store = self.store._replace(tasks=put(self.store.tasks, number, task))

    def _session(self, number: int, session: Session | None) -> None:
        self.store = self.store._replace(sessions=put(self.store.sessions, number, session))

    def _break(self, promise: str) -> None:
        self.seen = self.seen._replace(broken=self.seen.broken or promise)


def _more(counts: tuple[int, ...], at: int) -> tuple[int, ...]:
    return put(counts, at, counts[at] + 1)
