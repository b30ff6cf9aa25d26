"""Servers, workers and clients under `opentelemetry-instrument`, which intercepts every call and stream."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from acceptance.traces import sent
from support.otlp import Receiver, receiving
from support.system import Coordinator, Program, System

WORK = "/gesso.v1.WorkerService/Work"
CONFIGURATOR = "opentelemetry.sdk._configuration:_OTelSDKConfigurator"
"""What opentelemetry-distro adds to the instrumentation: it sets the SDK up before the program begins."""


class InstrumentedSystem(System):
    """A system every process of which is started by `opentelemetry-instrument`."""

    def run(self, name: str, command: Sequence[str], **environment: str) -> Program:
        """Start a program under it."""
        instrument = shutil.which("opentelemetry-instrument", path=Path(sys.executable).parent)
        assert instrument is not None
        return super().run(name, [instrument, *command], **environment)


@pytest.fixture(scope="module", params=["SDK set up by Gesso", "SDK set up by a distribution"])
def by_distribution(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[bool]:
    """Return whether the SDK is set up before the program begins; in that run workers' streams are left out."""
    if request.param == "SDK set up by Gesso":
        yield False
        return
    site = tmp_path_factory.mktemp("site")
    known = site / "distribution-1.dist-info"
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: distribution\nVersion: 1\n")
    (known / "entry_points.txt").write_text(f"[opentelemetry_configurator]\nsdk = {CONFIGURATOR}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(site)])  # the processes get it
        patch.setenv("OTEL_TRACES_EXPORTER", "otlp")
        patch.setenv("OTEL_METRICS_EXPORTER", "none")
        patch.setenv("OTEL_LOGS_EXPORTER", "none")
        patch.setenv("OTEL_PYTHON_GRPC_EXCLUDED_SERVICES", "gesso.v1.WorkerService")
        yield True


@pytest.fixture(scope="module")
def receiver(by_distribution: bool) -> Iterator[Receiver]:  # noqa: FBT001 - a fixture
    """Return a receiver to which every process that starts from now on sends its spans."""
    del by_distribution
    with receiving() as receiver, pytest.MonkeyPatch.context() as patch:
        for name, value in receiver.environment.items():
            patch.setenv(name, value)
        yield receiver


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[System]:
    """Return a system whose processes are instrumented."""
    del receiver
    with InstrumentedSystem(tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest.fixture(scope="module")
def coordinator(system: System) -> Coordinator:
    """Return a coordinator."""
    return system.coordinator()


@pytest.fixture(scope="module", autouse=True)
def worker(system: System, coordinator: Coordinator) -> Program:
    """Return a worker of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GESSO_ADDRESS", coordinator.address)  # for what tasks submit
        return system.worker(coordinator, module="acceptance.traced", threads=2)


@pytest.mark.parametrize(("name", "spans"), [("chord in a chord", 14), ("retry", 5), ("nested", 10)])
def test_trace_is_that_of_the_canvas_and_nothing_else(
    name: str, spans: int, system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """Interceptors neither break the streams nor double a span, and the streams' own spans lie elsewhere."""
    traced = sent(system, coordinator, receiver, name, spans=spans)

    assert {span.kind for span in traced.spans.values()} == {"internal", "producer", "consumer"}


def test_stream_of_a_canvas_is_a_call_under_its_submission(
    system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """A canvas that is sent as a stream is a call of its own, which lies under the submission, on both sides."""
    traced = sent(system, coordinator, receiver, "streamed", spans=9)

    (called,) = (span for span in traced.spans.values() if span.kind == "client")
    (served,) = (span for span in traced.spans.values() if span.kind == "server")
    assert traced.value == 60 * 59
    assert (traced.parent(called), traced.parent(served)) == (traced.submit, called)


@pytest.mark.parametrize(("name", "spans"), [("chord in a chord", 14), ("streamed", 9)])
def test_coroutines_are_traced_alike(
    name: str, spans: int, system: System, coordinator: Coordinator, receiver: Receiver
) -> None:
    """What `gesso.aio` sends is intercepted by other means, and makes the same trace."""
    traced = sent(system, coordinator, receiver, name, "coroutine", spans=spans)

    assert {"internal", "producer", "consumer"} <= {span.kind for span in traced.spans.values()}


def test_worker_ends_well_and_its_stream_is_a_span_unless_it_is_left_out(
    system: System, coordinator: Coordinator, worker: Program, receiver: Receiver, *, by_distribution: bool
) -> None:
    """A worker drains as ever; its stream has a span of its own trace, and none if its service is left out."""
    sent(system, coordinator, receiver, "chain", spans=8)
    worker.terminate()
    coordinator.program.terminate()

    assert (worker.ended(), coordinator.program.ended()) == (0, 0)
    works = [span for span in receiver.spans if span.name == WORK]
    assert not works if by_distribution else {span.kind for span in works} == {"client", "server"}
