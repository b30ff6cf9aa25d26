"""What metrics say of a system under load is what ran in it, on the page for Prometheus as in what is sent by OTLP."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest

from acceptance.tasks import Ledger
from gesso import Signature, group, signature
from gesso_server.dispatch import metrics
from gesso_telemetry.metering import Kind, Metric
from gesso_worker.metrics import PROCESS_DURATION
from support.otlp import Receiver, receiving
from support.scrape import Page, scrape
from support.system import Coordinator, System, until

PAGE = ("--http", "127.0.0.1:0")


def call(name: str, *args: object) -> Signature[object]:
    """Return a signature of a task of the metered project."""
    made: Signature[object] = signature(f"acceptance.metered.{name}", args=args)
    return made


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Return a receiver to which every process that starts from now on sends its metrics."""
    with receiving() as receiver:
        for name, value in receiver.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
        monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
        yield receiver


def test_counters_equal_the_ledger_of_what_ran(system: System, ledger: Ledger, receiver: Receiver) -> None:
    """Scraped under load no counter falls, and in the end each is what the tasks wrote down themselves."""
    system.lease_seconds, system.grace_seconds = (
        60.0,
        30.0,
    )  # who died says so, however long its successor takes
    coordinators = [system.coordinator(*PAGE)]
    coordinators.append(system.coordinator(*PAGE, store=coordinators[0]))
    for coordinator in coordinators:
        system.worker(coordinator, module="acceptance.metered", processes=2, threads=4)
    system.client(*coordinators)
    seen: list[list[Page]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.append([scrape(coordinator.http) for coordinator in coordinators])

    watching = system.background(watch)
    canvases = [
        group(
            *(call("good", ledger.path) for _ in range(50)), call("bad", ledger.path), call("worse", ledger.path),
            call("flaky", ledger.path, 2, 5), call("flaky", ledger.path, 9, 1),
        )
        for _ in range(4)
    ]  # fmt: skip
    for result in [canvas.delay() for canvas in canvases]:
        result.get(timeout=30, propagate=False)
    chain = (call("bad", ledger.path) | signature("acceptance.metered.good", args=(ledger.path,))).delay()
    with pytest.raises(ValueError, match="bad"):
        chain.get(timeout=30)
    call("mortal", ledger.path).delay().get(timeout=30)  # alone: what it takes with it would be run again
    done.set()
    watching.result(30)

    ran = ledger.counts()
    lost, retries = ran.pop("lost"), ran.pop("retry")
    until(lambda: attempts(coordinators) == ran, "the last reports are counted")
    pages = [scrape(coordinator.http) for coordinator in coordinators]
    assert total(pages, "gesso_attempts_lost_total") == lost == 1
    assert total(pages, "gesso_retries_total") == retries == 12
    returned = total(pages, "gesso_returns_total")
    assert total(pages, "gesso_deliveries_total") == sum(ran.values()) + lost + returned
    assert total(pages, "gesso_task_run_duration_seconds_count") == sum(ran.values())
    assert total(pages, "gesso_frame_reports_sum") == sum(ran.values())
    assert total(pages, "gesso_canvases_accepted_total") == 6
    assert total(pages, "gesso_canvas_duration_seconds_count") == 6
    assert added(page.by("gesso_canvases_ended_total", "gesso_state") for page in pages) == {
        "failed": 5,
        "succeeded": 1,
    }
    assert added(page.by("gesso_tasks_ended_total", "gesso_state") for page in pages) == {
        "succeeded": ran["succeeded"],
        "failed": 4 * 3 + 1,
        "failed_upstream": 1,
    }
    assert all(not later.fell(before) for before, later in pairs([*seen, pages]))
    assert receiver.wait_for_metrics(lambda: received(receiver) == ran)
    told = receiver.metric("gesso-worker", PROCESS_DURATION.name, "gesso.outcome")
    assert told["succeeded"] <= ran["succeeded"]  # what a process that was killed had not sent is missing


def test_page_has_every_metric_of_the_table(system: System) -> None:
    """After some work each metric is on the page, as what it is said to be, and nothing else of ours."""
    coordinator = system.coordinator(*PAGE)
    system.worker(coordinator, module="acceptance.metered")
    system.client(coordinator)
    call("bad", str(system.folder / "ledger")).delay().get(timeout=30, propagate=False)

    until(lambda: bool(attempts([coordinator])), "the report is counted")
    page = scrape(coordinator.http)

    ours = {name: kind for name, kind in page.kinds.items() if name.startswith("gesso_")}
    assert ours == {page_name(metric): page_kind(metric) for metric in (*metrics.OWN, *metrics.SHARED)}


def test_what_waits_is_on_the_page(system: System, ledger: Ledger) -> None:
    """Depth, age, running tasks, timers and what no worker knows are told by queue, of a hundred queues."""
    coordinator = system.coordinator(*PAGE)
    system.client(coordinator)
    names = [f"queue{number:03}" for number in range(120)]
    for name in names:
        signature(f"unknown.{name}", queue=name).delay()
    call("good", ledger.path).set(countdown=3600).delay()
    system.worker(coordinator, options=["--queues", names[0]])

    until(
        lambda: scrape(coordinator.http).value("gesso_queue_unroutable", gesso_queue=names[0]) == 1,
        "it is parked",
    )
    page = scrape(coordinator.http)

    depths = page.by("gesso_queue_depth", "gesso_queue")
    assert depths == dict.fromkeys(names[:100], 1)
    assert page.value("gesso_queue_oldest_age_seconds", gesso_queue=names[1]) > 0
    assert page.value("gesso_queue_workers", gesso_queue=names[0]) == 1
    assert page.value("gesso_timers", gesso_timer="due") == 1
    assert page.value("gesso_worker_slots") == 1
    assert page.value("gesso_streams", gesso_peer="worker") == 1
    assert page.value("gesso_streams", gesso_peer="client") >= 1
    assert page.value("gesso_nodes_open") == 121


def attempts(coordinators: list[Coordinator]) -> Counter[str]:
    """Return attempts by outcome and error, of all coordinators."""
    pages = [scrape(coordinator.http) for coordinator in coordinators]
    return added(page.by("gesso_attempts_total", "gesso_outcome", "error_type") for page in pages)


def received(receiver: Receiver) -> Counter[str]:
    """Return the same, as it came by OTLP."""
    return Counter(
        {
            key: int(value)
            for key, value in receiver.metric(
                "gesso-coordinator", metrics.ATTEMPTS.name, "gesso.outcome", "error.type"
            ).items()
        }
    )


def added(parts: Iterator[dict[str, float]]) -> Counter[str]:
    """Add up what several coordinators tell."""
    found = Counter[str]()
    for part in parts:
        found.update({key: int(value) for key, value in part.items()})
    return found


def total(pages: list[Page], name: str) -> float:
    """Add up a metric without labels."""
    return sum(page.value(name) for page in pages)


def pairs(scrapes: list[list[Page]]) -> Iterator[tuple[Page, Page]]:
    """Return each page with the one that came after it."""
    for before, later in pairwise(scrapes):
        yield from zip(before, later, strict=True)


def page_name(metric: Metric) -> str:
    """Return what a metric is called on the page."""
    unit = {"s": "_seconds", "By": "_bytes"}.get(metric.unit, "")
    return metric.name.replace(".", "_") + unit


def page_kind(metric: Metric) -> str:
    """Return what Prometheus calls its kind."""
    return {Kind.SUM: "gauge"}.get(metric.kind, metric.kind.value)
