"""What is sent for a canvas is linear in its elements, however they are nested."""

from __future__ import annotations

from gesso.canvas import Canvas, chain, chord, group
from gesso.canvas.wire import encode
from unit.canvas.samples import add, sig, tsum


def sent(canvas: Canvas) -> int:
    """Return how many bytes a canvas takes."""
    return encode(canvas).ByteSize()


def nested(depth: int, width: int) -> Canvas:
    """Return chords within chords' headers."""
    if depth == 0:
        return add(1, 1)
    return chord([nested(depth - 1, width) for _ in range(width)], tsum())


def elements(depth: int, width: int) -> int:
    """Return how many signatures `nested` has."""
    return 1 if depth == 0 else width * elements(depth - 1, width) + 1


def test_nested_chords_take_as_much_for_each_signature_at_any_depth() -> None:
    """A chord of depth 5 and width 4 takes no more for a signature than one of depth 2."""
    flat = sent(nested(2, 4)) / elements(2, 4)

    deep = sent(nested(5, 4)) / elements(5, 4)

    assert deep < 1.2 * flat


def test_a_chain_of_chords_grows_by_the_same_for_each() -> None:
    """Twenty chords of ten in a row take twenty times what one takes."""

    def row(count: int) -> Canvas:
        return chain(*(chord([sig("add") for _ in range(10)], tsum()) for _ in range(count)))

    assert sent(row(20)) < 1.2 * 20 * sent(row(1))


def test_a_large_argument_of_a_body_is_sent_once() -> None:
    """A chord of 10,000 with 10 KB for its body takes under 1 MB beyond its members: Celery 5.7 sends 149 MB."""
    members = [add(number, number) for number in range(10_000)]
    alone = sent(group(members))

    whole = sent(chord(members, sig("tsum").clone(kwargs={"note": "x" * 10_240})))

    assert whole - alone < 1_000_000
