"""Answers to a component by plain requests, without a run of the page: what the hand moves has no time for one.

    offer = answers.offered("attack", basis, answer)   # in a view; its component asks at offer.path
    app = st.App(..., routes=answers.routes())         # in the server

`basis` is all that answers rest on besides the report: with another basis the path changes, so that no answer to an
older page is mistaken for one to this. Plain `streamlit run` has no routes; there every report goes to the page.
"""

import asyncio
import json
import secrets
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import streamlit as st
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from app.compute import Unusable

# Relative to the address of a view, whose last part it replaces; so it holds behind a proxy's prefix, too.
FOLDER = "answers"
# Threads for what the hand does, and for mere questions, which wait for something new: no move waits for them.
MOVES, QUESTIONS = 8, 64
# Bytes of a report; those of a view are about two thousand.
MOST_BYTES = 64 * 1024

Answer = Callable[[Mapping[str, Any]], bytes | None]


@dataclass(frozen=True, eq=False)
class Offer:
    """What answers the reports of one view in one session.

    answer(report): a block of bytes, or None where the page has to be asked; the report holds the path as `answers`.
    """

    name: str
    basis: Any
    answer: Answer

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.name}" if _offers.is_open else ""


class _Offers:
    """All offers at hand, by name. A session holds its own; those of sessions that have ended are gone."""

    def __init__(self) -> None:
        self.is_open = False
        self.named: weakref.WeakValueDictionary[str, Offer] = weakref.WeakValueDictionary()


_offers = _Offers()
_moves = ThreadPoolExecutor(MOVES, "kwta-moves")
_questions = ThreadPoolExecutor(QUESTIONS, "kwta-questions")


def offered(view: str, basis: Any, answer: Answer) -> Offer:
    """This session's offer for a view: the one that it has, or a new one where the basis is another."""
    key = f"_{view}_offer"
    found = st.session_state.get(key)
    if found is None or found.basis != basis:
        found = st.session_state[key] = Offer(secrets.token_urlsafe(12), basis, answer)
        _offers.named[found.name] = found
    return found


def routes() -> list[Route]:
    """The routes that a server needs; from now on views offer answers."""
    _offers.is_open = True
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return [Route(f"{'/' if base else ''}{base}/{FOLDER}/{{name}}", _answered, methods=["POST"])]


async def _answered(request: Request) -> Response:
    """The answer to a report (JSON); 204 where the page has to be asked."""
    offer = _offers.named.get(request.path_params["name"])
    report = None if offer is None else await _report(request)
    block = None
    if offer is not None and report is not None:
        threads = _questions if "poll" in report else _moves
        block = await asyncio.get_running_loop().run_in_executor(threads, _block, offer, report)
    if block is None:
        return Response(status_code=204)
    return Response(block, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})


async def _report(request: Request) -> Mapping[str, Any] | None:
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return None
        report = json.loads(body)
    except (ValueError, RecursionError, ClientDisconnect):
        return None
    return report if isinstance(report, dict) else None


def _block(offer: Offer, report: Mapping[str, Any]) -> bytes | None:
    try:
        return offer.answer({**report, "answers": offer.path})
    except Unusable:  # the page says why
        return None
