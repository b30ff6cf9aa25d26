"""The guides' section "Stamping", with "Custom stamping" and "Callbacks stamping"."""

from __future__ import annotations

from typing import Any

import pytest

from guides.guide import G000, G002, in_guides
from guides.shell import LIMIT_SECONDS, Shell

BOTH = in_guides(G000, G002)

IN_GROUP = """
    class InGroupVisitor(StampingVisitor):
        def __init__(self):
            self.in_group = False

        def on_group_start(self, group, **headers) -> dict:
            self.in_group = True
            return {"in_group": [self.in_group], "stamped_headers": ["in_group"]}

        def on_group_end(self, group, **headers) -> None:
            self.in_group = False

        def on_chain_start(self, chain, **headers) -> dict:
            return {"in_group": [self.in_group], "stamped_headers": ["in_group"]}

        def on_signature(self, sig, **headers) -> dict:
            return {"in_group": [self.in_group], "stamped_headers": ["in_group"]}
"""

MONITORING = """
    class MonitoringIdStampingVisitor(StampingVisitor):
        def on_signature(self, sig, **headers) -> dict:
            return {'monitoring_id': uuid4().hex}
"""

MONITORING_WITH_HEADERS = """
    class MonitoringIdStampingVisitor(StampingVisitor):
        def on_signature(self, sig, **headers) -> dict:
            return {'monitoring_id': uuid4().hex, 'stamped_headers': ['monitoring_id']}
"""

# The newest guide shows the method alone.
ONLY_SOME = """
    class MonitoringIdStampingVisitor(StampingVisitor):
        def on_signature(self, sig, **headers) -> dict:
            return {
                'monitoring_id': uuid4().hex,      # This will be a stamp
                'other_data': 'value',             # This will NOT be a stamp
                'stamped_headers': ['monitoring_id']  # Only monitoring_id is stamped
            }
"""

STAMPED = """
    sig_example = signature('t1')
    sig_example.stamp(visitor=MonitoringIdStampingVisitor())

    group_example = group([signature('t1'), signature('t2')])
    group_example.stamp(visitor=MonitoringIdStampingVisitor())

    chord_example = chord([signature('t1'), signature('t2')], signature('t3'))
    chord_example.stamp(visitor=MonitoringIdStampingVisitor())

    chain_example = chain(signature('t1'), group(signature('t2'), signature('t3')), signature('t4'))
    chain_example.stamp(visitor=MonitoringIdStampingVisitor())
"""

CUSTOM = """
    class CustomStampingVisitor(StampingVisitor):
        def on_signature(self, sig, **headers) -> dict:
            return {'header': 'value'}

        def on_callback(self, callback, **header) -> dict:
            return {'on_callback': True}

        def on_errback(self, errback, **header) -> dict:
            return {'on_errback': True}
"""

CUSTOM_WITH_COMMENTS = """
    class CustomStampingVisitor(StampingVisitor):
        def on_signature(self, sig, **headers) -> dict:
            # 'header' will automatically be treated as a stamped header
            # without needing to specify 'stamped_headers': ['header']
            return {'header': 'value'}

        def on_callback(self, callback, **header) -> dict:
            # 'on_callback' will automatically be treated as a stamped header
            return {'on_callback': True}

        def on_errback(self, errback, **header) -> dict:
            # 'on_errback' will automatically be treated as a stamped header
            return {'on_errback': True}
"""


@BOTH
def test_stamping_with_a_value(shell: Shell) -> None:
    """A stamp is put on every member, and is found with the result of a task that was frozen before."""
    shell["TIMEOUT"] = LIMIT_SECONDS

    shell.type("""
        >>> sig1 = add.si(2, 2)
        >>> sig1_res = sig1.freeze()
        >>> g = group(sig1, add.si(3, 3))
        >>> g.stamp(stamp='your_custom_stamp')
        >>> res = g.apply_async()
        >>> res.get(timeout=TIMEOUT)
        [4, 6]
        >>> sig1_res._get_task_meta()['stamp']
        ['your_custom_stamp']
    """)

    assert shell["sig1_res"].stamps["stamp"] == ["your_custom_stamp"]


# --- Custom stamping -----------------------------------------------------------------------------------


@BOTH
def test_custom_stamping_what_is_inside_a_group(shell: Shell) -> None:
    """A visitor can stamp by where an element stands."""
    shell.define(IN_GROUP)
    add, group, chain = shell["add"], shell["group"], shell["chain"]
    canvas = chain(add.s(1, 1), group(add.s(2), add.s(3)))

    canvas.stamp(visitor=shell["InGroupVisitor"]())

    result = canvas.apply_async()
    assert result.get(LIMIT_SECONDS) == [4, 5]
    assert [member.stamps["in_group"] for member in result] == [[True], [True]]
    assert result.parent.stamps["in_group"] == [False]


def _monitoring_ids(*elements: Any) -> list[str]:
    assert all(element.options["stamped_headers"] == ["monitoring_id"] for element in elements)
    return [element.options["monitoring_id"] for element in elements]


@pytest.mark.parametrize(
    ("guide", "visitor"),
    [(G000, MONITORING), (G000, MONITORING_WITH_HEADERS), (G002, MONITORING), (G002, ONLY_SOME)],
    indirect=["guide"],
)
def test_custom_stamping_ids_of_a_monitoring_system(shell: Shell, visitor: str) -> None:
    """Every task gets an id of its own; without `stamped_headers` every key is a stamp, else those listed."""
    shell.define(visitor)

    shell.define(STAMPED)

    tasks = [
        shell["sig_example"],
        *shell["group_example"].tasks,
        *shell["chord_example"].tasks,
        shell["chord_example"].body,
        shell["chain_example"].tasks[0],
        *shell["chain_example"].tasks[1].tasks,
        shell["chain_example"].tasks[1].body,
    ]
    assert len(tasks) == 10
    assert len(set(_monitoring_ids(*tasks))) == 10


# --- Callbacks stamping --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guide", "visitor"), [(G000, CUSTOM), (G002, CUSTOM_WITH_COMMENTS)], indirect=["guide"]
)
def test_callbacks_stamping(shell: Shell, visitor: str) -> None:
    """Links and error links are stamped as what they hang on, and with what their own hooks say."""
    shell.define(visitor)
    shell.define("""
        c = chord([add.s(1, 1), add.s(2, 2)], xsum.s())
        callback = signature('sig_link')
        errback = signature('sig_link_error')
        c.link(callback)
        c.link_error(errback)
        c.stamp(visitor=CustomStampingVisitor())
    """)

    shell.type("""
        >>> c.options
        {'header': 'value', 'stamped_headers': ['header']}
        >>> c.tasks.tasks[0].options
        {'header': 'value', 'stamped_headers': ['header']}
        >>> c.tasks.tasks[1].options
        {'header': 'value', 'stamped_headers': ['header']}
        >>> c.body.options['link'][0].options
        {'header': 'value', 'on_callback': True, 'stamped_headers': ['header', 'on_callback']}
        >>> c.body.options['link_error'][0].options
        {'header': 'value', 'on_errback': True, 'stamped_headers': ['header', 'on_errback']}
    """)

    stamps = {
        key: value for key, value in shell["c"].body.options.items() if key not in {"link", "link_error"}
    }
    assert stamps == {"header": "value", "stamped_headers": ["header"]}
