"""The shape of a canvas: every element is a sequence of stages, and a stage is a call or a fan.

Chains are concatenation; a group is one fan; a chord is a fan and its body's stages. So unrolling,
flattening and upgrading to chord are the concatenation of lists:

- Empty groups and chains in a chain vanish. A group of one member in a chain is that member, unless it is kept or
  its policy is not the default.
- A group directly in a group or in a header is its members.
- A fan followed by anything joins into it; two fans in a row: each member of the second gets the first's list.
- A link of a chain or chord belongs to its last stage; of a fan to its first member, without its value.
- An error link of a sequence belongs to each of its calls, and to each member of a fan that ends it; of a chord to its
  body, and to its header's members only if that is asked for: those of the body then, too.
- A fan that still grows is never taken for empty or for single.

Source: `semantics.md`, Chains, Groups and Chords.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from gesso_server.plan.tree import Call, Chain, Chord, Element, Group, Policy

_DEFAULT = Policy()


@dataclass(frozen=True, slots=True)
class Fan:
    """Sequences that run side by side and are joined."""

    members: tuple[Stages, ...]
    policy: Policy
    task_id: str = ""
    open_index: int | None = None
    links: tuple[Element, ...] = ()
    """Of one that grows and has no member yet: what hangs behind the first one that comes."""
    error_links: tuple[Element, ...] = ()
    """Of one that grows: what hangs behind the failure of those that come."""
    kept: bool = False
    """Whether it stays a fan in a chain whatever it comes to."""
    told: bool = False
    """Whether error links of a sequence belong to each of its members, also where something follows it."""


Stage: TypeAlias = Call | Fan
Stages: TypeAlias = tuple[Stage, ...]


def stages(element: Element) -> Stages:
    """Return the stages of a canvas, one after the other. Empty for a chain of nothing."""
    match element:
        case Call():
            return (element,)
        case Chain():
            return _guarded(_linked(_chain(element.steps), element.links), element.error_links)
        case Group():
            fan = _fan(element.members, element, kept=_kept(element))
            return _guarded(_linked((fan,), element.links), element.error_links)
        case Chord():
            fan = _fan(element.header, element, kept=True, told=element.error_links_on_header)
            header = _guarded((fan,), _error_links(element) if fan.told else ())
            body = _guarded(_linked(stages(element.body), element.links), element.error_links)
            if not body:
                return _guarded(_linked(header, element.links), element.error_links)
            return (*header, *body)
        case _:
            assert_never(element)


def _chain(steps: tuple[Element, ...]) -> Stages:
    joined: list[Stage] = []
    empty_group: Stages = ()
    for step in steps:
        found = stages(step)
        match found:
            case (Fan(members=(), policy=policy, open_index=None, kept=False),) if policy == _DEFAULT:
                empty_group = found
            case (Fan(members=(only,), policy=policy, open_index=None, kept=False),) if policy == _DEFAULT:
                joined.extend(only)
            case _:
                joined.extend(found)
    return tuple(joined) or empty_group


def _kept(group: Group) -> bool:
    """Return whether a group is a fan whatever it comes to; it is if one that is unrolled into it is."""
    inner = (each for each in group.members if isinstance(each, Group) and each.policy == _DEFAULT)
    return group.keep or any(map(_kept, inner))


def _error_links(element: Element) -> tuple[Element, ...]:
    """Return the error links of an element's first task, or group, that is no header."""
    inner: tuple[Element, ...] = ()
    match element:
        case Chain():
            inner = element.steps[:1]
        case Chord():
            inner = (element.body,)
        case _:
            pass
    return element.error_links + tuple(link for each in inner for link in _error_links(each))


def _fan(members: tuple[Element, ...], element: Group | Chord, *, kept: bool, told: bool = False) -> Fan:
    inside = tuple(side_by_side(members))
    return Fan(inside, element.policy, element.task_id, element.open_index, kept=kept, told=told)


def side_by_side(members: Iterable[Element]) -> Iterator[Stages]:
    """Yield the stages of each member of a group; a group directly among them is its members."""
    for member in members:
        if isinstance(member, Call):
            yield (member,)
            continue
        match stages(member):
            case ():
                pass
            case (Fan() as inner,) if (
                isinstance(member, Group) and inner.policy == _DEFAULT and inner.open_index is None
            ):
                yield from inner.members
            case sequence:
                yield sequence


def coming(
    members: Iterable[Element], links: tuple[Element, ...], error_links: tuple[Element, ...]
) -> Iterator[Stages]:
    """Yield the stages of each member that comes to a fan that grows.

    Args:
        members: What comes.
        links: What hangs behind the first of them.
        error_links: What hangs behind the failure of each.
    """
    for member in side_by_side(members):
        yield _guarded(_linked(member, links), error_links)
        links = ()


def _linked(sequence: Stages, links: tuple[Element, ...]) -> Stages:
    """Hang links of a whole sequence behind its last stage."""
    if not links or not sequence:
        return sequence
    *before, last = sequence
    match last:
        case Call():
            return (*before, _with_links(last, links))
        case Fan(members=(), open_index=None):
            return sequence
        case Fan(members=()):
            return (*before, replace(last, links=(*last.links, *map(_immutable, links))))
        case Fan(members=(first, *others)):
            silent = tuple(map(_immutable, links))
            return (*before, replace(last, members=(_linked(first, silent), *others)))
        case _:
            return sequence


def _guarded(sequence: Stages, error_links: tuple[Element, ...]) -> Stages:
    """Hang error links of a whole sequence behind its calls and the members of the fan that ends it."""
    if not error_links:
        return sequence
    found: list[Stage] = []
    for position, stage in enumerate(sequence, 1):
        if isinstance(stage, Call):
            found.append(replace(stage, error_links=stage.error_links + error_links))
        elif position == len(sequence) or stage.told:
            members = tuple(_guarded(member, error_links) for member in stage.members)
            later = () if stage.open_index is None else error_links
            found.append(replace(stage, members=members, error_links=stage.error_links + later))
        else:
            found.append(stage)
    return tuple(found)


def _with_links(call: Call, links: tuple[Element, ...]) -> Call:
    return replace(call, links=call.links + links)


def _immutable(element: Element) -> Element:
    """Return an element whose first tasks take nothing from what it is linked to."""
    match element:
        case Call():
            return replace(element, immutable=True)
        case Chain():
            return replace(element, steps=(*map(_immutable, element.steps[:1]), *element.steps[1:]))
        case Group():
            return replace(element, members=tuple(map(_immutable, element.members)))
        case Chord():
            return replace(element, header=tuple(map(_immutable, element.header)))
        case _:
            assert_never(element)
