"""Messages that are nearly right: filled at random by their descriptors, then damaged as bytes.

Everything comes from one random generator, so that a seed repeats a run.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

DEPTH = 6
_INTERESTING = (0, 1, -1, 2, 9, 10, 64, 65, 1000, 1001, 10_000, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
_TEXTS = (
    "",
    "add",
    "default",
    "a b",
    "\n",
    "é",
    "x" * 129,
    "x" * 300,
    "gesso.x",
    "-1",
    "0" * 32,
    "²",
    "\x00",
    "../..",
    "%s{}",
)
_FLOATS = (0.0, -1.0, 0.5, 1.0, 1e308, float("inf"), float("nan"))


class Mutator:
    """Makes messages and damages them."""

    def __init__(self, seed: int, ids: Sequence[str]) -> None:
        """Begin.

        Args:
            seed: Repeats a run.
            ids: Texts that stand for something in the service; the list may grow.
        """
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self._ids = ids

    def message(self, kind: type[Message]) -> Message:
        """Return a message with fields set at random."""
        made = kind()
        self._fill(made, cast("Descriptor", made.DESCRIPTOR), DEPTH)
        return made

    def damaged(self, data: bytes) -> bytes:
        """Return bytes with up to four faults in them; sometimes with none."""
        faults: tuple[Callable[[bytearray], None], ...] = (
            self._flip,
            self._cut,
            self._insert,
            self._double,
            self._zero,
        )
        changed = bytearray(data)
        for _ in range(self.random.choice((0, 0, 0, 1, 1, 2, 4))):
            self.random.choice(faults)(changed)
        return bytes(changed[: 1 << 16])

    # --- messages ------------------------------------------------------------------------------

    def _fill(self, message: Any, descriptor: Descriptor, depth: int) -> None:
        for field in descriptor.fields:
            if self.random.random() < (0.5 if depth == DEPTH else 0.3):
                self._set(message, field, depth)

    def _set(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            self._set_map(getattr(message, field.name), field.message_type, depth)
        elif field.is_repeated:
            self._extend(getattr(message, field.name), field, depth)
        elif field.message_type is not None:
            part = getattr(message, field.name)
            part.SetInParent()
            if depth:
                self._fill(part, field.message_type, depth - 1)
        else:
            setattr(message, field.name, self._scalar(field))

    def _extend(self, values: Any, field: FieldDescriptor, depth: int) -> None:
        for _ in range(self.random.choice((0, 1, 1, 2, 3))):
            if field.message_type is None:
                values.append(self._scalar(field))
            elif depth:
                self._fill(values.add(), field.message_type, depth - 1)

    def _set_map(self, values: Any, entry: Descriptor, depth: int) -> None:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        for _ in range(self.random.choice((0, 1, 2))):
            if value.message_type is None:
                values[self._scalar(key)] = self._scalar(value)
            else:
                self._fill(values[self._scalar(key)], value.message_type, max(depth - 1, 0))

    def _scalar(self, field: FieldDescriptor) -> Any:  # noqa: PLR0911 - a table
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return self.random.randbytes(self.random.choice((0, 1, 30, 3000)))
            case FieldDescriptor.CPPTYPE_STRING:
                known = [text for text in self._ids[-50:] if self.random.random() < 0.5]
                return self.random.choice((*_TEXTS, *known))
            case FieldDescriptor.CPPTYPE_BOOL:
                return self.random.random() < 0.5
            case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
                return self.random.choice(_FLOATS)
            case FieldDescriptor.CPPTYPE_ENUM:
                return self.random.choice((0, 1, 2, 3, 99))
            case FieldDescriptor.CPPTYPE_INT32:
                return self._number(-(2**31), 2**31 - 1)
            case FieldDescriptor.CPPTYPE_UINT32:
                return self._number(0, 2**32 - 1)
            case FieldDescriptor.CPPTYPE_UINT64:
                return self._number(0, 2**64 - 1)
            case _:
                return self._number(-(2**63), 2**63 - 1)

    def _number(self, low: int, high: int) -> int:
        return min(max(self.random.choice(_INTERESTING), low), high)

    # --- bytes ---------------------------------------------------------------------------------

    def _at(self, data: bytearray) -> int:
        return self.random.randrange(len(data) + 1)

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)

    def _cut(self, data: bytearray) -> None:
        del data[self._at(data) :]

    def _insert(self, data: bytearray) -> None:
        at = self._at(data)
        data[at:at] = self.random.randbytes(self.random.choice((1, 4, 40)))

    def _double(self, data: bytearray) -> None:
        first, last = sorted((self._at(data), self._at(data)))
        data[first:first] = data[first:last]

    def _zero(self, data: bytearray) -> None:
        at = self._at(data)
        data[at : at + 4] = struct.pack("<i", self.random.choice((0, -1, 2**31 - 1)))
