"""What a worker makes of an attempt's end beside the report."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gesso.codec import register_codec
from gesso.v1 import signature_pb2, task_error_pb2
from gesso.v1 import worker_service_pb2 as pb
from gesso_server.rpc.holdings import Held
from gesso_server.rpc.retries import after_error, as_asked
from gesso_worker.outcomes import asks_again, overran, returned

TYPES = st.lists(st.sampled_from(["a.A", "a.B", "gesso.TimeLimitExceeded"]), max_size=2, unique=True)
COUNTS = st.none() | st.integers(0, 4)
POLICIES = st.builds(
    signature_pb2.RetryPolicy, max_retry_count=COUNTS, retried_types=TYPES, final_types=TYPES
)
ERRORS = st.builds(
    task_error_pb2.TaskError, type=st.sampled_from(["a.A", "gesso.TimeLimitExceeded"]), base_types=TYPES,
    final=st.booleans(),
)  # fmt: skip
RETRIES = st.builds(pb.Outcome.Retry, error=ERRORS, max_retry_count=COUNTS, unlimited=st.booleans())
OUTCOMES = st.builds(pb.Outcome, error=ERRORS) | st.builds(pb.Outcome, retry=RETRIES) | st.just(overran())


def decided(outcome: pb.Outcome, assignment: pb.Assignment) -> bool:
    """Return whether the coordinator runs a task again: as long as it has not failed too often."""
    held = Held.of(assignment, assignment.failure_count)
    retry = outcome.HasField("retry")
    again = as_asked(held, outcome.retry) if retry else after_error(held, outcome.error)
    return again is not None and (again.most < 0 or assignment.failure_count + 1 <= again.most)


@given(outcome=OUTCOMES, policy=st.none() | POLICIES, failures=st.integers(0, 5))
def test_hooks_are_told_what_the_coordinator_decides(
    outcome: pb.Outcome, policy: signature_pb2.RetryPolicy | None, failures: int
) -> None:
    """Whether an attempt is followed by another is the same for worker and coordinator, whatever the policy."""
    assignment = pb.Assignment(failure_count=failures)
    if policy is not None:
        assignment.signature.options.retry.CopyFrom(policy)

    assert asks_again(outcome, assignment) is decided(outcome, assignment)


class Nothing:
    """A codec for which every value is the same."""

    def encode(self, value: object) -> bytes:  # noqa: ARG002 - as the protocol has it
        """Return no bytes."""
        return b""

    def decode(self, data: bytes) -> object:  # noqa: ARG002 - as the protocol has it
        """Return no value."""
        return None


def test_value_of_no_bytes_is_a_value() -> None:
    """What a codec makes of a value may be empty: it is in the outcome, with the codec's name."""
    register_codec("nothing", Nothing())

    outcome = pb.Outcome.FromString(returned(7, "nothing").SerializeToString())

    assert outcome.WhichOneof("kind") == "value"
    assert (outcome.value.encoding, outcome.value.data) == ("nothing", b"")
    assert returned(7, "").value.data == b"7"
