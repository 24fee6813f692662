"""Answers without a run of the page: what is answered, what is left to the page, and which offers are at hand."""

import asyncio
import gc
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette

from app import answers
from app.compute import Unusable


@pytest.fixture
def served(monkeypatch) -> Starlette:
    """A server that has nothing but the routes of answers, of which no other test is to know."""
    monkeypatch.setattr(answers, "_offers", answers._Offers())
    monkeypatch.setattr(answers, "st", SimpleNamespace(session_state={}, get_option=lambda _name: ""))
    return Starlette(routes=answers.routes())


def asked(server: Starlette, path: str, body: bytes, method: str = "POST", pieces: int = 1) -> tuple[int, bytes]:
    """Status and body of the answer; the request's body comes in so many pieces."""
    return asyncio.run(answered(server, path, body, method, pieces))


async def answered(server: Starlette, path: str, body: bytes, method: str, pieces: int) -> tuple[int, bytes]:
    size = -(-len(body) // pieces) or 1 if pieces else 0
    parts = [body[i * size : (i + 1) * size] for i in range(pieces)]
    incoming = [{"type": "http.request", "body": p, "more_body": i < pieces - 1} for i, p in enumerate(parts)]
    sent: list[dict] = []

    async def receive() -> dict:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": f"/{path}",
        "raw_path": f"/{path}".encode(),
        "query_string": b"",
        "headers": [],
    }
    await server(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def echo(report) -> bytes | None:
    if report.get("of") == "nothing":
        return None
    if report.get("of") == "trouble":
        raise Unusable("there is none")
    return json.dumps(dict(report)).encode()


def test_a_report_is_answered_and_the_answer_can_say_where_it_was_asked(served):
    offer = answers.offered("attack", "digits", echo)
    status, body = asked(served, offer.path, b'{"eps": 0.1}', pieces=3)
    assert status == 200
    assert json.loads(body) == {"eps": 0.1, "answers": offer.path}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"3", b'"eps"', b"{", b"\xff\xfe", b'{"of": "nothing"}', b'{"of": "trouble"}'),
        json.dumps({"long": "x" * answers.MOST_BYTES}).encode(),
        b"[" * 60_000,
    ],
    ids=lambda body: body[:20].decode("latin-1"),
)
def test_what_cannot_be_answered_is_left_to_the_page(served, body):
    offer = answers.offered("attack", "digits", echo)
    assert asked(served, offer.path, body, pieces=4) == (204, b"")


def test_a_defect_is_no_answer_and_is_not_hidden(served):
    def broken(_report):
        raise ZeroDivisionError

    offer = answers.offered("attack", "digits", broken)
    with pytest.raises(ZeroDivisionError):
        asked(served, offer.path, b"{}")


def test_who_leaves_while_he_tells_gets_no_answer(served):
    offer = answers.offered("attack", "digits", echo)
    assert asked(served, offer.path, b"", pieces=0) == (204, b"")


def test_no_move_waits_for_questions(served, monkeypatch):
    enough = threading.Event()

    def answer(report) -> bytes:
        if "poll" in report:
            enough.wait(60)
        return b"here"

    offer = answers.offered("attack", "digits", answer)
    with ThreadPoolExecutor(2) as two:
        monkeypatch.setattr(answers, "_questions", two)

        async def crowd() -> tuple[int, int]:
            polls = [asyncio.create_task(answered(served, offer.path, b'{"poll": 1}', "POST", 1)) for _ in range(5)]
            await asyncio.sleep(0.05)
            moved = await asyncio.wait_for(answered(served, offer.path, b'{"moving": true}', "POST", 1), 30)
            open_ = sum(not poll.done() for poll in polls)
            enough.set()
            await asyncio.gather(*polls)
            return moved[0], open_

        assert asyncio.run(crowd()) == (200, 5)


def test_the_routes_lie_below_the_path_that_all_is_served_at(monkeypatch):
    monkeypatch.setattr(answers, "_offers", answers._Offers())
    at = SimpleNamespace(session_state={}, get_option={"server.baseUrlPath": "/lab/"}.get)
    monkeypatch.setattr(answers, "st", at)
    server = Starlette(routes=answers.routes())
    offer = answers.offered("attack", "digits", echo)
    assert asked(server, f"lab/{offer.path}", b"{}")[0] == 200
    assert asked(server, offer.path, b"{}")[0] == 404


def test_only_a_path_that_was_offered_is_answered_and_only_to_a_report(served):
    offer = answers.offered("attack", "digits", echo)
    assert asked(served, offer.path + "x", b"{}") == (204, b"")
    assert asked(served, offer.path, b"", method="GET")[0] == 405


def test_an_offer_lasts_as_long_as_what_it_rests_on_and_its_session(served):
    first = answers.offered("attack", ("digits", 3), echo).path
    assert answers.offered("attack", ("digits", 3), echo).path == first
    other = answers.offered("line", ("digits", 3), echo).path
    second = answers.offered("attack", ("digits", 4), echo).path
    assert len({first, other, second}) == 3
    gc.collect()
    assert [asked(served, path, b"{}")[0] for path in (first, other, second)] == [204, 200, 200]
    answers.st.session_state.clear()  # the session ends
    gc.collect()
    assert [asked(served, path, b"{}")[0] for path in (other, second)] == [204, 204]


def test_without_the_routes_nothing_is_offered(monkeypatch):
    monkeypatch.setattr(answers, "_offers", answers._Offers())
    monkeypatch.setattr(answers, "st", SimpleNamespace(session_state={}))
    assert answers.offered("attack", "digits", echo).path == ""
