"""Whether spans and metrics are exported, by OpenTelemetry's own variables."""

from __future__ import annotations

import pytest

from gesso_telemetry.setup import Signal, wanted_exporters


@pytest.mark.parametrize(
    ("environment", "exporters"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "x"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4317"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ["console", "otlp"]),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "True"}, []),
    ],
)
def test_exporters_are_those_that_the_environment_names(
    environment: dict[str, str], exporters: list[str]
) -> None:
    """An endpoint or a name switches it on, `none` and `OTEL_SDK_DISABLED` off; nothing is on by default."""
    assert wanted_exporters(environment, Signal.TRACES) == exporters


@pytest.mark.parametrize(
    ("environment", "exporters"),
    [
        ({}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4317"}, []),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://localhost:4317"}, ["otlp"]),
        ({"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}, []),
        ({"OTEL_METRICS_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, []),
    ],
)
def test_metrics_have_variables_of_their_own(environment: dict[str, str], exporters: list[str]) -> None:
    """What is said of spans switches no metrics on or off."""
    assert wanted_exporters(environment, Signal.METRICS) == exporters
