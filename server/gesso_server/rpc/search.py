"""ListCanvases: filters and tokens."""

from __future__ import annotations

import re

from gesso.v1 import canvas_summary_pb2
from gesso.v1 import coordinator_service_pb2 as pb
from gesso_server.dispatch.search import find_canvases
from gesso_server.rpc.elements import Stamps, instant_ms, stamps_asked
from gesso_server.rpc.nodes import STATE_LETTERS, summary
from gesso_server.rpc.refusal import Refusal, invalid
from gesso_server.store.choice import CanvasChoice, stamp_texts
from gesso_server.store.inspection import CanvasPlace
from gesso_server.store.store import Store

_TOKEN = re.compile(r"(\d{1,15})-([0-9a-f]{32})", re.ASCII)


async def list_canvases(
    store: Store, namespace: str, request: pb.ListCanvasesRequest, size: int
) -> pb.ListCanvasesResponse:
    """Answer ListCanvases.

    Raises:
        Refusal: If the token or the filter cannot be used.
    """
    behind = _place(request.page_token)
    choice = canvas_choice(namespace, request.filter)
    page = await find_canvases(store.partitions, choice, behind, size)
    token = "" if page.behind is None else f"{page.behind.created_ms}-{page.behind.canvas_id}"
    summaries = [summary(found.id, found.canvas) for found in page.canvases]
    return pb.ListCanvasesResponse(canvases=summaries, next_page_token=token)


def canvas_choice(namespace: str, asked: pb.CanvasFilter) -> CanvasChoice:
    """Check and convert a filter.

    Raises:
        Refusal: If something in it is wrong; `path` says where.
    """
    until = instant_ms(asked.until_time, "filter.until_time") if asked.HasField("until_time") else None
    return CanvasChoice(
        namespace=namespace,
        states="".join(map(_letter, asked.states)),
        task=asked.task,
        stamps=[stamp_texts(key, stamp.values) for key, stamp in _stamps(asked).items()],
        until_ms=None if until is None else until - 1,
        since_ms=instant_ms(asked.since_time, "filter.since_time") if asked.HasField("since_time") else None,
    )


def _stamps(asked: pb.CanvasFilter) -> Stamps:
    try:
        return stamps_asked(asked.stamps)
    except Refusal as refusal:
        raise refusal.within("filter") from None


def _letter(state: canvas_summary_pb2.CanvasSummary.State) -> str:
    letter = STATE_LETTERS.get(state)
    if letter is None:
        raise invalid("OUT_OF_RANGE", "a state that a canvas can be in", "filter.states")
    return letter


def _place(token: str) -> CanvasPlace | None:
    if not token:
        return None
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise invalid("BAD_PAGE_TOKEN", "the token was not made by this service", "page_token")
    return CanvasPlace(int(found[1]), found[2])
