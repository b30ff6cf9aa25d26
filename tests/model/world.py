"""The world of the model: the store, the coordinators' streams, the workers' processes, and what an observer remembers.

Everything is a value that can be compared and hashed. Two coordinators (0, 1); two workers, whose processes are
sessions 0 and 1, and one more session for each process that dies. The canvas is a chord of two header tasks with an
error link on its body: the smallest one with everything that the protocol promises.
"""

from __future__ import annotations

from typing import NamedTuple

HEADER = (0, 1)
"""The tasks, by number."""
COORDINATORS = (0, 1)
MAX_CRASHES = 2
"""Crashes after which a task is dead. The product has three; two need fewer steps."""
MAX_FAILURES = 1
"""Retries after which a task fails."""


class Token(NamedTuple):
    """One delivery of a task."""

    task: int
    attempt: int
    nonce: int
    """Never given twice: here the number of the grant."""


class Task(NamedTuple):
    """A task in the store."""

    state: str = "W"
    """W waiting, G granted, R running; final: S succeeded, F failed, D dead."""
    deliveries: int = 0
    crashes: int = 0
    failures: int = 0
    nonce: int = 0
    holder: int = -1
    """The session that holds it, -1 for none."""

    @property
    def final(self) -> bool:
        """Whether it stays as it is."""
        return self.state in "SFD"

    @property
    def held(self) -> bool:
        """Whether a session holds it."""
        return self.state in "GR"


class Join(NamedTuple):
    """The chord's join, and what it has set free."""

    succeeded: int = 0
    ended: int = 0
    bodies: int = 0
    errors: int = 0


class Session(NamedTuple):
    """A session in the store."""

    epoch: int
    seq: int
    grants: tuple[Token, ...]
    """Those of the last seq."""
    leased: bool
    """Whether its lease still runs."""


class Store(NamedTuple):
    """What survives everybody."""

    tasks: tuple[Task, ...] = ()
    """None before the canvas is submitted."""
    queue: tuple[int, ...] = ()
    join: Join = Join()
    sessions: tuple[Session | None, ...] = ()
    lapsed: tuple[tuple[int, Token], ...] = ()
    """By session that was ended untold, what it held and was not said to have begun."""


class Ending(NamedTuple):
    """What a worker reports of an attempt."""

    token: Token
    kind: str
    """v value, e error, y error and to be retried, r returned unstarted."""


class Call(NamedTuple):
    """A call that a coordinator makes for a session, until it has the answer."""

    script: str
    """exchange or hello."""
    session: int
    epoch: int
    seq: int
    started: tuple[Token, ...] = ()
    endings: tuple[Ending, ...] = ()
    wants: bool = False
    held: tuple[Token, ...] = ()
    """Of a hello: what the process says it holds."""
    dead: int = -1
    """Of a hello: the session of the process that died before it."""
    crashed: tuple[Token, ...] = ()
    """Of a hello: what was running in it."""


class Reply(NamedTuple):
    """The store's answer to a call."""

    status: str
    """O ok, E the epoch is old, U the session is unknown."""
    grants: tuple[Token, ...] = ()
    drops: tuple[Token, ...] = ()


class Duty(NamedTuple):
    """What a weakened variant leaves to the coordinator to do in a second step."""

    kind: str
    number: int


class Stream(NamedTuple):
    """A coordinator's side of a worker's stream."""

    epoch: int
    seq: int = 0
    call: Call | None = None
    reply: Reply | None = None
    duties: tuple[Duty, ...] = ()


class Attempt(NamedTuple):
    """A task in a process."""

    token: Token
    phase: str
    """h held; b begun; s begun, and the store knows; v, e, y, r ended so, and not acknowledged."""


class Process(NamedTuple):
    """A process of a worker: one session."""

    alive: bool = True
    epoch: int = 0
    coordinator: int = -1
    """The one that it has a stream to, -1 for none."""
    attempts: tuple[Attempt, ...] = ()
    before: int = -1
    """The session of the process that it takes the place of."""


class Observer(NamedTuple):
    """What really happened, for the checks alone: no action looks at it, except for the next nonce."""

    grants: tuple[int, ...] = (0, 0)
    """Of each task; the last is the newest nonce."""
    unstarted: tuple[int, ...] = (0, 0)
    """Of each task: deliveries that came to nothing."""
    crashes: tuple[int, ...] = (0, 0)
    failures: tuple[int, ...] = (0, 0)
    given_up: tuple[Token, ...] = ()
    """Deliveries whose session was ended untold, and whose task has not ended; of those nobody has said what became."""
    applied: tuple[Token, ...] = ()
    """Deliveries whose end was applied."""
    submitted: int = 0
    broken: str = ""
    """A promise that a step broke."""


class World(NamedTuple):
    """Everything, at one moment."""

    store: Store = Store()
    streams: tuple[tuple[Stream | None, ...], ...] = ()
    """By coordinator, then session."""
    processes: tuple[Process, ...] = ()
    client: str = "new"
    """Of the submission: new, asked, lost (applied, and its answer was lost), told."""
    late: Call | None = None
    """A copy of a call that is still under way while its caller has repeated it."""
    sweeping: int = -1
    """Of a weakened variant: a session that a sweep has seen expired."""
    faults: int = 0
    """How many may still happen."""
    seen: Observer = Observer()


def put(items: tuple, at: int, item: object) -> tuple:  # type: ignore[type-arg]  # whatever the tuple has
    """Return a tuple with one item changed."""
    return (*items[:at], item, *items[at + 1 :])
