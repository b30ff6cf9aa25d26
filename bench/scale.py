"""Measures how Gesso grows: with the size of canvases and backlogs, with processes, and with payloads.

    python -m bench.scale [--quick] [--sizes 1000,10000] [--only sizes,parts,processes,payloads]

Each run has a deployment of its own, with an empty store, so that what is idle is the same. Every canvas is submitted
by a generator. Nothing is asserted about time. A run that fails is said to have, and the others go on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from bench import curves, table
from bench.conditions import conditions, warning
from bench.ending import end_on_signals, publish
from bench.scale_report import bounds, bounds_table, faults, tables
from bench.scale_run import Outcome, Plan, run

_SIZES, _QUICK_SIZES = (1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000)
_KINDS = ("group", "chord", "backlog")
_PROCESSES = (1, 2, 4)
_GRID_SIZE, _QUICK_GRID_SIZE = 20_000, 2_000
_PAYLOADS, _QUICK_PAYLOADS = (100, 1_000, 10_000, 100_000, 1_000_000), (100, 10_000, 1_000_000)
_PAYLOAD_BYTES, _QUICK_PAYLOAD_BYTES = 64_000_000, 8_000_000
"""What a run moves each way at the most."""
_MOST_ECHOES, _LEAST_ECHOES = 5_000, 8
_PARTS_SIZE, _QUICK_PARTS_SIZE, _PARTS_REPEATS = 10_000, 2_000, 3
_QUESTIONS = ("sizes", "parts", "processes", "payloads")


@dataclass(slots=True)
class Programme:
    """What is to be run, by question."""

    sizes: list[Plan]
    parts: list[Plan]
    processes: list[Plan]
    payloads: list[Plan]

    @classmethod
    def of(cls, sizes: Iterable[int], questions: Sequence[str], *, quick: bool) -> Programme:
        """Return the runs for some questions."""
        grid_size = _QUICK_GRID_SIZE if quick else _GRID_SIZE
        grid = (
            [(number, number) for number in _PROCESSES]
            if quick
            else [(c, w) for c in _PROCESSES for w in _PROCESSES]
        )
        most = _QUICK_PAYLOAD_BYTES if quick else _PAYLOAD_BYTES
        chosen = {
            "sizes": [Plan(kind=kind, size=size) for size in sizes for kind in _KINDS],
            "parts": [Plan(kind="list", size=_QUICK_PARTS_SIZE if quick else _PARTS_SIZE)] * _PARTS_REPEATS,
            "processes": [Plan(kind="group", size=grid_size, coordinators=c, workers=w) for c, w in grid],
            "payloads": [
                Plan(
                    kind="echo", size=min(max(most // payload, _LEAST_ECHOES), _MOST_ECHOES), payload=payload
                )
                for payload in (_QUICK_PAYLOADS if quick else _PAYLOADS)
            ],
        }
        return cls(**{name: plans if name in questions else [] for name, plans in chosen.items()})


def main() -> int:
    """Run what the command line says."""
    options = _options()
    end_on_signals()
    told, busy = conditions(), warning()
    sizes = options.sizes or (_QUICK_SIZES if options.quick else _SIZES)
    programme = Programme.of(sizes, options.only.split(","), quick=options.quick)
    try:
        found = {name: [_run(plan) for plan in getattr(programme, name)] for name in _QUESTIONS}
    except KeyboardInterrupt:
        print("Ended before the end; everything that was started is ended, too.", file=sys.stderr)
        return 130
    everything = [outcome for outcomes in found.values() for outcome in outcomes]
    told |= _told(everything)
    _show(told, found)
    data: dict[str, object] = {
        "conditions": told,
        **{name: [each.as_json() for each in outcomes] for name, outcomes in found.items()},
        "targets": [
            {"text": each.text, "most": each.most, "unit": each.unit, "found": each.found, "at": each.size}
            for each in bounds(found["sizes"])
        ],
    }
    panels = curves.panels(found["sizes"], found["processes"], found["payloads"])
    written = publish("scale", data, curves.draw(panels, told), quick=options.quick)
    print(f"\nWritten: {', '.join(map(str, written))}")
    if busy:
        print(busy)
    return 1 if everything and all(each.fault for each in everything) else 0


def _run(plan: Plan) -> Outcome:
    print(f"{plan.text} …", file=sys.stderr)
    outcome = run(plan)
    if outcome.fault:
        print(f"  {outcome.fault}", file=sys.stderr)
    return outcome


def _told(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """Return the conditions that the runs share, from the first that has them."""
    done = next((each for each in outcomes if each.signature_bytes), None)
    told = {name: version(name) for name in ("gesso", "grpcio", "protobuf", "redis", "hiredis")}
    facts = {"versions": ", ".join(f"{name} {number}" for name, number in told.items())}
    if done is not None:
        facts |= {"store": f"{done.store}, embedded", "signatures": f"{done.signature_bytes} bytes each"}
    return facts


def _show(told: dict[str, str], found: dict[str, list[Outcome]]) -> None:
    everything = [outcome for outcomes in found.values() for outcome in outcomes]
    blocks = [
        table.facts(told),
        *tables(found["sizes"], found["parts"], found["processes"], found["payloads"]),
        bounds_table(bounds(found["sizes"])),
        faults(everything),
    ]
    print("\n\n".join("\n".join(block) for block in blocks if block))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.scale", description="Measure how Gesso grows.")
    parser.add_argument("--quick", action="store_true", help="no more than 10,000 members")
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(part) for part in text.split(",")],
        help="members, with commas between",
    )
    parser.add_argument("--only", default=",".join(_QUESTIONS), help=f"which of {', '.join(_QUESTIONS)}")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
