"""Whole traces of the canvases of `acceptance.traced`, as a client process sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gesso_server.ids import span_id
from gesso_telemetry.stamped import attempt_span_id
from support.otlp import ReceivedSpan, Receiver
from support.system import Coordinator, System


@dataclass(frozen=True, slots=True)
class Traced:
    """A canvas that a client sent within a span of its own, named `outer`, and its whole trace."""

    canvas_id: str
    value: object
    spans: Mapping[str, ReceivedSpan]
    """By id."""
    again: str = ""
    """The canvas that runs it again; empty for none."""

    def task(self, index: int) -> ReceivedSpan:
        """Return the span of a node: the one with the id that it was stamped with."""
        return self.spans[span_id(self.canvas_id, index)]

    def run(self, index: int, attempt: int = 1) -> ReceivedSpan:
        """Return the span of an attempt at a task."""
        return self.spans[attempt_span_id(span_id(self.canvas_id, index), attempt)]

    def parent(self, span: ReceivedSpan) -> ReceivedSpan:
        """Return a span's parent."""
        return self.spans[span.parent_id]

    @property
    def submit(self) -> ReceivedSpan:
        """The span of the submission."""
        (found,) = (
            span
            for span in self.spans.values()
            if span.kind == "producer" and span.attributes["gesso.canvas.id"] == self.canvas_id
        )
        return found


def sent(
    system: System,
    coordinator: Coordinator,
    receiver: Receiver,
    name: str,
    *words: str,
    spans: int,
    lost_links: int = 0,
) -> Traced:
    """Send a canvas from a client process, and wait for its trace of so many spans.

    The trace has one root, nobody is an orphan, no span comes twice, and no more links lead to spans that were lost.
    """
    client = system.python(
        "client", "-m", "acceptance.traced_client", name, *words, address=coordinator.address
    )
    told = json.loads(client.line("told ").removeprefix("told "))
    assert client.ended() == 0
    by_id = whole(receiver, told["trace_id"], told["outer"], spans=spans, lost_links=lost_links)
    traced = Traced(told["canvas_id"], told["value"], by_id, told["again"])
    assert traced.parent(traced.submit).name == "outer"
    return traced


def whole(
    receiver: Receiver, trace_id: str, root: str, *, spans: int, lost_links: int = 0
) -> Mapping[str, ReceivedSpan]:
    """Wait for a trace of so many spans, and return them by id."""
    found = receiver.wait(trace_id, lambda spans_: len(spans_) >= spans)
    by_id = {span.span_id: span for span in found}
    assert len(by_id) == len(found) == spans, [span.name for span in found]
    assert [span.span_id for span in found if not span.parent_id] == [root]
    assert all(span.parent_id in by_id for span in found if span.parent_id)
    assert sum(link not in by_id for span in found for link in span.links) == lost_links
    return by_id
