"""What is told of a workload: a rate, or a time, with a name, a unit and the better direction."""

from __future__ import annotations

from dataclasses import dataclass

from bench.spread import percentile
from bench.workloads import tasks_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One row of the table."""

    key: str
    workload: str
    title: str
    """With `{size}` for how many."""
    unit: str
    """`ms` for a time, of which less is better; `tasks/s` for a rate."""

    @property
    def is_time(self) -> bool:
        """Whether less is better."""
        return self.unit == "ms"

    def value(self, seconds: list[float], size: int) -> float:
        """Return what the seconds of one time come to.

        Args:
            seconds: Of each call for `call`, else one number.
            size: Of the workload.
        """
        match self.key:
            case "call_p50":
                return 1000 * percentile(seconds, 50)
            case "call_p99":
                return 1000 * percentile(seconds, 99)
            case "chain":
                return 1000 * seconds[0] / size
            case _:
                return tasks_of(self.workload, size) / seconds[0]


MEASURES = (
    Measure(key="call_p50", workload="call", title="one task there and back, p50", unit="ms"),
    Measure(key="call_p99", workload="call", title="one task there and back, p99", unit="ms"),
    Measure(key="chain", workload="chain", title="a chain of {size}, one hop", unit="ms"),
    Measure(key="group", workload="group", title="a group of {size} and its values", unit="tasks/s"),
    Measure(key="chord", workload="chord", title="a chord of {size}", unit="tasks/s"),
    Measure(key="submit", workload="submit", title="submission alone, a group of {size}", unit="tasks/s"),
    Measure(key="send", workload="send", title="submission alone, {size} one by one", unit="tasks/s"),
    Measure(key="chains", workload="chains", title="{size} chains of 3 at once", unit="tasks/s"),
)
"""In the order in which they are shown."""

LIMIT_MEASURES = (
    Measure(
        key="transitions", workload="transitions", title="the store's grant and completion in a bare loop, 64 a call",
        unit="tasks/s",
    ),
    Measure(
        key="frames", workload="frames", title="frames of 64 through gRPC, with no store behind", unit="tasks/s"
    ),
)  # fmt: skip
