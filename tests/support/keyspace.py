"""Everything that a store has, as one value, to compare and to look through."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from redis.asyncio import Redis

Content: TypeAlias = "str | list[str] | dict[str, str]"
"""A string; a list, or a set in order; a hash, or a sorted set by member."""

_READ = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key).ok
  local value
  if kind == 'string' then value = {redis.call('GET', key)}
  elseif kind == 'hash' then value = redis.call('HGETALL', key)
  elseif kind == 'list' then value = redis.call('LRANGE', key, 0, -1)
  elseif kind == 'set' then value = redis.call('SMEMBERS', key)
  else value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
  found[#found + 1] = {key, kind, redis.call('PTTL', key), value}
end
return found
"""
_NONCE = re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])")


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The keys of a store at one moment."""

    keys: dict[str, Content] = field(default_factory=dict)
    ttls: dict[str, int] = field(default_factory=dict)
    """Of the keys that have one, ms."""

    @classmethod
    async def read(cls, redis: Redis) -> Keyspace:
        """Read everything in one step."""
        found: Any = await redis.eval(_READ, 0)  # type: ignore[no-untyped-call,misc,unused-ignore]  # redis-py's types
        keys = {name.decode(): _content(kind.decode(), value) for name, kind, _, value in found}
        return cls(keys, {name.decode(): ttl for name, _, ttl, _ in found if ttl >= 0})

    def under(self, prefix: str) -> dict[str, Content]:
        """Return the keys that begin so, by what follows."""
        return {key.removeprefix(prefix): value for key, value in self.keys.items() if key.startswith(prefix)}

    def hash(self, key: str) -> dict[str, str]:
        """Return a hash, or a sorted set by member; empty if there is none."""
        value = self.keys.get(key, {})
        assert isinstance(value, dict)
        return value

    def list(self, key: str) -> list[str]:
        """Return a list, or a set in order; empty if there is none."""
        value = self.keys.get(key, [])
        assert isinstance(value, list)
        return value

    def unmarked(self) -> dict[str, Content]:
        """Return the keys without what chance decides: nonces, and the epochs of sessions."""
        return {key: _unmarked(value) for key, value in self.keys.items()}


def _content(kind: str, value: list[bytes]) -> Content:
    texts = [text.decode(errors="backslashreplace") for text in value]
    match kind:
        case "string":
            return texts[0]
        case "hash" | "zset":
            return dict(zip(texts[::2], texts[1::2], strict=True))
        case "set":
            return sorted(texts)
        case _:
            return texts


def _unmarked(value: Content) -> Content:
    match value:
        case str():
            return _NONCE.sub("nonce", value)
        case list():
            return [_NONCE.sub("nonce", text) for text in value]
        case dict():
            return {
                name: "epoch" if name == "epoch" else _NONCE.sub("nonce", text)
                for name, text in value.items()
            }
