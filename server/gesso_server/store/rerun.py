"""What of a final canvas is run again, and what is taken over; the records of the canvas that does it.

- What succeeded is taken over, and so is what was ignored.
- What failed or was cancelled is run again if a node at an end of the canvas needs it: one behind which nothing
  stands, and that failed by itself or is the canvas's last. A failure that a join got along without, since it has
  succeeded, is taken over.
- What would have run behind something that is run again, is run again too.
- Nodes that an error link added are not run again when their task is, but dropped: it adds others if it fails anew.
- A task that was replaced waits for its replacement, of which what failed is run again.
- A join counts anew what it keeps of its inputs.
- What a join cancelled because it needed it no more is not run again for its own sake.
- Members of a join with `max_in_flight` begin with their turn (`rerun_turns.py`).

A canvas is read twice, in order of index: `Rerun.read` each record, `Rerun.decide`, then `Rerun.rewritten` each record.
Only what did not succeed is kept in memory in between.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from gesso_server.plan import Arrive, Counts, Open, Origin, Raise, Stand, Start, runs
from gesso_server.store.calls import RerunPiece
from gesso_server.store.records import Record, State, parse_edges, parse_record, waiting_text
from gesso_server.store.rerun_turns import Again, Turns, is_limited, unneeded, unopened

_ARRIVALS = re.compile(r"\+(\d+)")
_READY = re.compile(r"q(-?\d+)")
_EXTENT = re.compile(r"e\d+[:.\d]*")
_RUN = re.compile(r":(\d+)\.(\d+)")
_ENDED = re.compile(r"l|k|u\d")
_REVOKED = re.compile(r"u\d")
_TAKEN_OVER = frozenset("SI")
_OWN_END = frozenset({State.FAILED, State.DEAD, State.REVOKED, State.EXPIRED, State.CANCELLED})


class NothingFailedError(Exception):
    """Nothing of the canvas failed."""


class IncompleteCanvasError(Exception):
    """A group of the canvas was not read to its end, or one of its records could not be read."""


class ForgottenError(Exception):
    """A value that would be needed was forgotten."""


class Rerun:
    """Decides what of one canvas is run again."""

    def __init__(self, last: int | None) -> None:
        """Begin with the canvas's last node."""
        self._last = last
        self._failed: dict[int, str] = {}
        self._arrived: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        self._arrivals: dict[int, list[tuple[int, int]]] = {}
        """By quorum that failed, when its inputs succeeded, and which."""
        self._instances: dict[int, int] = {}
        """By base of the nodes that an error link added: the node that had failed."""
        self._limited: set[int] = set()
        """Joins of which only so many members may be under way."""
        self._unneeded: set[int] = set()
        """What joins cancelled that had all they needed."""
        self._turns: Turns
        self._missing: dict[int, int] = {}
        """By join, how many of its inputs are run again."""
        self._unreadable = False
        self._forgotten: set[int] = set()
        """Nodes without their value, and joins that have such an input."""
        self._again: set[int] = set()
        self._waiting: set[int] = set()
        """Replaced tasks that wait for what is run again of their replacement."""
        self._dropped: set[int] = set()
        self.total = 0
        """How many nodes the new canvas has."""

    @property
    def left(self) -> int:
        """How many of its nodes have not ended."""
        return len(self._again)

    # --- reading -----------------------------------------------------------------------------

    def read(self, index: int, text: str, *, forgotten: bool = False) -> None:
        """Take a node's record in, the nodes in order of index.

        Args:
            index: Of the node.
            text: Its record; empty for none.
            forgotten: Whether it is a task that succeeded and whose value is not there any more.
        """
        if not text or not State(text[0]).final:  # staged once, and never in effect
            return
        self.total += 1
        _, source, edges, timing = _static(text).split("|", 3)
        self._unreadable = self._unreadable or timing == "?"
        self._note(index, text, source, timing)
        if text[0] not in _TAKEN_OVER:
            self._failed[index] = text
            if _counts(text) is Counts.QUORUM:
                self._arrivals[index] = []
            return
        joins = list(map(int, _ARRIVALS.findall(edges)))
        if forgotten:
            self._forgotten.update((index, *joins))
        for join in joins:
            counts = self._arrived[join]
            counts[0] += text[0] == "S"
            counts[1] += 1
            if text[0] == "S" and join in self._arrivals:
                self._arrivals[join].append((parse_record(text).finish_ms or 0, index))

    def _note(self, index: int, text: str, source: str, timing: str) -> None:
        if source[:1] in {"f", "F"}:
            self._instances[_base(timing)] = int(source[1:])
        if _static(text).startswith("J") and is_limited(timing):
            self._limited.add(index)
        if text[0] == "C" and "k" in timing:
            self._unneeded.add(index)

    # --- deciding ----------------------------------------------------------------------------

    def decide(self) -> None:
        """Settle what is run again, once everything was read.

        Raises:
            NothingFailedError: If nothing is.
            ForgottenError: If a value that it needs is not there any more.
            IncompleteCanvasError: If a group that would be was not read to its end, or a record could not be read.
        """
        if self._unreadable:
            raise IncompleteCanvasError
        nodes = {index: parse_record(text) for index, text in self._failed.items()}
        needed = _Needed(nodes, self._last, self._unneeded)
        self._again = needed.found
        self._drop(nodes)
        self._again -= self._dropped
        if not self._again:
            raise NothingFailedError
        for index in self._again:
            node = nodes[index]
            if index in self._forgotten or (
                _takes_value(self._failed[index]) and node.source in self._forgotten
            ):
                raise ForgottenError
            timing = self._failed[index].rsplit("|", 1)[1]
            if nodes[index].join and "o" in timing:
                raise IncompleteCanvasError
        self._waiting = {index for index in self._again if index in needed.standing}
        lanes = {
            index: int(_static(self._failed[index]).partition("|")[0])
            for index in self._again
            if not nodes[index].join
        }
        found = ((join, len(self._again.intersection(inputs))) for join, inputs in needed.inputs.items())
        self._missing = {join: count for join, count in found if count}
        self._turns = Turns(Again(nodes, self._again, needed.inputs, needed.standing, lanes), self._limited)

    def _drop(self, nodes: dict[int, Record]) -> None:
        """Find what error links added whose task is run again, and what replaced such."""
        gone: set[int] = set()
        for base, failed in sorted(self._instances.items()):
            outer = nodes[failed].base if failed in nodes else 0
            if failed in self._again or (outer and outer in gone):
                gone.add(base)
        ranges: list[range] = []
        for index in sorted(nodes):
            node = nodes[index]
            behind_failure = node.origin is Origin.FAILURE and node.source in self._again
            if behind_failure or (node.base and node.base in gone) or any(index in each for each in ranges):
                self._dropped.add(index)
                if not node.join:
                    ranges += _extent(self._failed[index])

    # --- writing -----------------------------------------------------------------------------

    def rewritten(self, index: int, text: str, shift_ms: int) -> str | None:
        """Return the record of a node in the new canvas; None when it has none.

        Args:
            index: Of the node.
            text: Its record in the old one.
            shift_ms: What is added to its times, which count from when its canvas was accepted.
        """
        if not text or not State(text[0]).final:
            return None
        join = _static(text).startswith("J")
        if index in self._dropped:
            return f"N{'0,0,-,-,0' if join else '0,0,0,-,0,-'}/{_static(text)}"
        if index not in self._again:
            taken_over = _shifted(text, shift_ms, join=join, less=self._missing.get(index, 0))
            changes = (unneeded, unopened) if index in self._turns.waiting else ()
            return _retimed(taken_over, _not_revoked, *changes) if join else taken_over
        if join:
            return self._opened(index, text)
        static = _retimed(_static(text), _wanted, _unready)
        return f"P0,0,0/{static}" if index in self._waiting else f"W/{static}"

    def _opened(self, index: int, text: str) -> str:
        succeeded, ended = self._arrived.get(index, (0, 0))
        head, timing = _static(text).rsplit("|", 1)
        last = text[1:].partition("/")[0].split(",")[3]
        if last != "-" and int(last) in self._failed:
            last = "-"
        return f"O{succeeded},{ended},-,{last}/{head}|{unopened(_wanted(timing))}"

    def pieces(self) -> Iterator[RerunPiece]:
        """Yield what the new canvas begins with besides its records."""
        for join, inputs in self._arrived_at():
            yield from (RerunPiece(f"a{join}", at, str(index)) for at, index in enumerate(inputs))
        for join, members in sorted(self._turns.waiting.items()):
            texts = (waiting_text([member]) for member in members)
            yield from (RerunPiece(f"u{join}", at, text) for at, text in enumerate(texts))
        yield from (RerunPiece("s", at, edge) for at, edge in enumerate(self._starts()))

    def _starts(self) -> Iterator[str]:
        """Yield the edges that the new canvas begins with, as text: those that open joins before the others."""
        opened = [index for index in self._turns.waiting if index not in self._again]
        lanes: dict[str, list[int]] = defaultdict(list)
        for index in sorted(self._again - self._waiting - self._turns.begun):
            first, source, _, _ = _static(self._failed[index]).split("|", 3)
            before = int(source[1:]) if source else None
            if before is not None and before in self._again:
                continue
            if first.startswith("J"):
                opened.append(index)
            else:
                lanes[first].append(index)
        for run in runs(sorted(opened)):
            yield f"){run.first},{run.count},{run.stride}"
        for lane, indexes in lanes.items():
            for run in runs(indexes):
                yield f">{run.first},{run.count},{run.stride},{lane}"

    def _arrived_at(self) -> Iterator[tuple[int, list[int]]]:
        """Yield quorums that are run again, with the inputs that they keep, in the order in which these succeeded."""
        for join in sorted(self._again & self._arrivals.keys()):
            yield join, [index for _, index in sorted(self._arrivals[join])]


class _Needed:
    """Finds which of the nodes that failed are run again."""

    def __init__(self, nodes: dict[int, Record], last: int | None, unneeded: set[int]) -> None:
        self._nodes = nodes
        self._unneeded = unneeded
        self.inputs: dict[int, list[int]] = defaultdict(list)
        """By join, those of its inputs that did not succeed."""
        self.standing: dict[int, int] = {}
        """By replaced task, the last node of its replacement, where that failed."""
        self.found: set[int] = set()
        ends = [index for index, node in nodes.items() if self._is_end(index, node, last)]
        for index in ends:
            self._need(index)
        self._follow()

    def _is_end(self, index: int, node: Record, last: int | None) -> bool:
        """Take note of a node's edges; return whether the canvas needs it for its own sake."""
        free = True
        for edge in parse_edges(node.edges):
            match edge:
                case Arrive(join):
                    self.inputs[join].append(index)
                case Stand(replaced):
                    self.standing[replaced] = index
                case Start(on_failure=True) | Open(on_failure=True) | Raise():
                    continue
                case _:
                    pass
            free = False
        if index == last:
            return True
        return free and node.state in _OWN_END and index not in self._unneeded

    def _need(self, index: int) -> None:
        """Mark a node, and what failed before it."""
        stack = [index]
        while stack:
            index = stack.pop()
            node = self._nodes.get(index)
            if node is None or index in self.found:
                continue
            self.found.add(index)
            if node.source is not None and node.origin is not Origin.FAILURE:
                stack.append(node.source)
            stack += self.inputs.get(index, ())
            if index in self.standing:
                stack.append(self.standing[index])

    def _follow(self) -> None:
        """Mark what stands behind nodes that are marked."""
        for index in sorted(self._nodes):
            node = self._nodes[index]
            if node.source in self.found and node.origin is not Origin.FAILURE:
                self._need(index)


def _static(text: str) -> str:
    return text.partition("/")[2]


def _wanted(timing: str) -> str:
    """Return the timing that a node had before it was overdue, revoked or not needed any more."""
    return _ENDED.sub("", timing)


def _not_revoked(timing: str) -> str:
    """Return the timing of a join that has ended and to which members may come."""
    return _REVOKED.sub("", timing)


def _retimed(text: str, *changes: Callable[[str], str]) -> str:
    """Return a record with another timing."""
    head, timing = text.rsplit("|", 1)
    for change in changes:
        timing = change(timing)
    return f"{head}|{timing}"


def _takes_value(text: str) -> bool:
    return _static(text).split("|", 2)[1][:1] in {"T", "J"}


def _base(timing: str) -> int:
    _, _, base = timing.rpartition("b")
    return int(base) if base.isdecimal() else 0


def _counts(text: str) -> Counts | None:
    first = _static(text).partition("|")[0]
    return Counts(first.split(",")[1]) if first.startswith("J") else None


def _extent(text: str) -> list[range]:
    """Return the nodes that a task was replaced with."""
    found = _EXTENT.search(text.rsplit("|", 1)[1])
    pairs = _RUN.findall(found.group()) if found else []
    return [range(int(first), int(first) + int(count)) for first, count in pairs]


def _shifted(text: str, shift_ms: int, *, join: bool, less: int) -> str:
    """Return a record with its times moved, of a join with so many inputs less that have ended."""
    dynamic, _, static = text[1:].partition("/")
    parts = dynamic.split(",")
    for at in (4,) if join else (4, 5):
        if at < len(parts) and parts[at] != "-":
            parts[at] = str(int(parts[at]) + shift_ms)
    if less:
        parts[1] = str(int(parts[1]) - less)
    head, timing = static.rsplit("|", 1)
    timing = _READY.sub(lambda found: f"q{int(found[1]) + shift_ms}", timing)
    return f"{text[0]}{','.join(parts)}/{head}|{timing}"


def _unready(timing: str) -> str:
    """Return the timing of a task as it was before the task could run."""
    return _READY.sub("", timing)
