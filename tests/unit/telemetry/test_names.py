"""Names of attributes that are not Gesso's own are OpenTelemetry's."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
from opentelemetry.semconv._incubating.attributes import messaging_attributes
from opentelemetry.semconv.attributes import error_attributes, exception_attributes

ROOT = Path(__file__).parents[3]
SPANS = ("client/gesso/tracing.py", "worker/gesso_worker/spans.py", "server/gesso_server/rpc/spans.py",
         "server/gesso_server/dispatch/tracing.py")  # fmt: skip
CONVENTIONS = (messaging_attributes, error_attributes, exception_attributes)


def known(module: ModuleType) -> set[str]:
    """Return the names that a module of the conventions has and that are not deprecated."""
    return {value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}


@pytest.mark.parametrize("path", SPANS)
def test_attributes_are_those_of_the_conventions(path: str) -> None:
    """Whatever stands under `messaging`, `error` or `exception` is a name of the conventions that are installed."""
    names = set(re.findall(r'"((?:messaging|error|exception)\.[a-z_.]+)"', (ROOT / path).read_text("utf-8")))

    assert names
    assert names <= set().union(*map(known, CONVENTIONS))


def test_operations_are_of_types_that_the_conventions_have() -> None:
    """A submission sends, and an attempt processes."""
    types = {value.value for value in messaging_attributes.MessagingOperationTypeValues}
    said = {
        found
        for path in SPANS
        for found in re.findall(r'"messaging\.operation\.type": "(\w+)"', (ROOT / path).read_text("utf-8"))
    }

    assert said == {"send", "process"}
    assert said <= types
