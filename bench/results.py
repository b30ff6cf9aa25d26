"""What a comparison has measured so far: for each system and measure the values, or why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.measures import LIMIT_MEASURES, MEASURES, Measure
from bench.spread import Spread

LIMITS_SYSTEM = "limits"
"""The name under which the limits stand."""


@dataclass(slots=True)
class Results:
    """The cells of the table."""

    systems: Sequence[str]
    """The columns, Gesso first."""
    sizes: Mapping[str, int]
    """How large each workload was."""
    conditions: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    """Systems that could not be measured to the end, and why."""
    _values: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    _cell_faults: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def own(self) -> list[str]:
        """Gesso, and Gesso run otherwise."""
        return [name for name in self.systems if name.startswith("gesso")]

    @property
    def peers(self) -> list[str]:
        """The others."""
        return [name for name in self.systems if not name.startswith("gesso")]

    def add(self, system: str, workload: str, seconds: list[float]) -> None:
        """Take the seconds of one time of a workload."""
        for measure in (*MEASURES, *LIMIT_MEASURES):
            if measure.workload == workload:
                value = measure.value(seconds, self.sizes[workload])
                self._values.setdefault((system, measure.key), []).append(value)

    def fail(self, system: str, workload: str, reason: str) -> None:
        """Note that a system did not do a workload."""
        for measure in (*MEASURES, *LIMIT_MEASURES):
            if measure.workload == workload:
                self._cell_faults[system, measure.key] = reason

    def spread(self, system: str, key: str) -> Spread | None:
        """Return what was measured; None for nothing, or if the workload failed any time."""
        values = self._values.get((system, key))
        return Spread(tuple(values)) if values and (system, key) not in self._cell_faults else None

    def fault(self, system: str, key: str) -> str:
        """Return why there is nothing; empty where there is something."""
        if self.spread(system, key) is not None:
            return ""
        return self._cell_faults.get((system, key)) or self.faults.get(system) or "not measured"

    def title(self, measure: Measure) -> str:
        """Return the title of a measure as it was done."""
        return measure.title.format(size=f"{self.sizes[measure.workload]:,}")

    def as_json(self) -> dict[str, object]:
        """Return it as plain data."""
        return {
            "conditions": self.conditions,
            "faults": self.faults,
            "sizes": dict(self.sizes),
            "measures": [self._row(measure, self.systems) for measure in MEASURES if self._has(measure)],
            "limits": [
                self._row(measure, [LIMITS_SYSTEM]) for measure in LIMIT_MEASURES if self._has(measure)
            ],
        }

    def _has(self, measure: Measure) -> bool:
        return measure.workload in self.sizes

    def _row(self, measure: Measure, systems: Iterable[str]) -> dict[str, object]:
        row: dict[str, object] = {"key": measure.key, "title": self.title(measure), "unit": measure.unit}
        for system in systems:
            spread = self.spread(system, measure.key)
            row[system] = (
                {"error": self.fault(system, measure.key)}
                if spread is None
                else {
                    "median": spread.median,
                    "low": spread.low,
                    "high": spread.high,
                    "values": spread.values,
                }
            )
        return row
