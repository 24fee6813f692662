"""What every picture under the hand has in common: its reports reach the session, in whatever order they come."""

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from app import picture, state
from app.controls import Control, whole

ROWS = (Control("a", "A", 0, "", whole("a", 0, 9), False), Control("b", "B", 0, "", whole("b", 0, 9), False))


@pytest.fixture
def session(monkeypatch) -> dict:
    found: dict = {}
    monkeypatch.setattr(picture, "st", SimpleNamespace(session_state=found))
    return found


def tell(**told) -> None:
    picture.heard("line", told, lambda: picture.values(told, ROWS, ("a", "b")))


def test_a_report_is_taken_over_and_kept_for_the_next_drawing(session):
    tell(seq=1, a=3, b="4", moving=True)
    assert (session["a"], session["b"]) == (3, 4)
    assert session["_line_heard"]["moving"]
    assert picture.sequence("line") == 1
    assert picture.sequence("regions") == 0


def test_a_question_brings_what_a_lost_report_would_have_brought(session):
    tell(seq=1, a=3, b=4)
    tell(seq=2, a=5, b=4, poll=0.1)  # report 2 itself was passed over
    assert session["a"] == 5
    assert picture.sequence("line") == 2


def test_an_old_question_leaves_what_is_known_already(session):
    tell(seq=2, a=5, b=4)
    session["b"] = 7  # by a link, say
    tell(seq=2, a=1, b=1, poll=0.1)
    tell(seq=1, a=1, b=1)
    assert (session["a"], session["b"]) == (5, 7)
    assert session["_line_heard"]["seq"] == 1


@pytest.mark.parametrize("told", [{}, {"a": 1}, {"a": 1, "b": 10}, {"a": "x", "b": 1}, {"a": None, "b": 1}])
@pytest.mark.parametrize("seq", [3, "three", None])
def test_a_report_that_makes_no_sense_is_dropped(session, told, seq):
    tell(seq=seq, **told)
    assert session == {}


def test_reports_without_a_number_count_as_later_ones(session):
    for a in (1, 2):
        tell(a=a, b=0)
        assert session["a"] == a


# Of what the browser sends at once Streamlit runs one fragment, be it that a shared control is among that.


@pytest.mark.parametrize(
    ("fragments", "now", "is_behind"),
    [(["line"], 0.3, True), (["line"], 0.2, False), ([], 0.3, False), ([], 0.2, False)],
)
def test_a_fragment_alone_is_left_behind_by_a_shared_control_that_moved(monkeypatch, fragments, now, is_behind):
    found: dict = {"gamma": 0.2, "_shown": {}}
    page = SimpleNamespace(session_state=found, query_params={})
    context = SimpleNamespace(fragment_ids_this_run=fragments, page_script_hash="line")
    monkeypatch.setattr(state, "st", page)
    monkeypatch.setattr(state, "get_script_run_ctx", lambda: context)
    state.end()  # of a run of the whole page
    found["gamma"] = now
    assert state.is_left_behind() is is_behind


def test_nobody_is_left_behind_before_the_whole_page_has_run(monkeypatch):
    monkeypatch.setattr(state, "st", SimpleNamespace(session_state={"gamma": 0.3}, query_params={}))
    monkeypatch.setattr(state, "get_script_run_ctx", lambda: SimpleNamespace(fragment_ids_this_run=["line"]))
    assert not state.is_left_behind()


# The picture goes out before the shared controls where these are known before they are drawn.


def test_the_controls_values_are_known_beforehand_unless_page_data_or_history_moved(monkeypatch):
    found: dict = {"data": "moons"}
    context = SimpleNamespace(page_script_hash="line", is_history_navigation=False)
    monkeypatch.setattr(state, "st", SimpleNamespace(session_state=found))
    monkeypatch.setattr(state, "get_script_run_ctx", lambda: context)
    assert not state.is_again()  # the first run
    assert state.is_again()
    context.is_history_navigation = True
    assert not state.is_again()
    context.is_history_navigation = False
    assert state.is_again()
    found["data"] = "digits"
    assert not state.is_again()
    assert state.is_again()
    context.page_script_hash = "regions"
    assert not state.is_again()
    assert state.is_again()


# What the browser forgets: the value of a widget that it drew anew comes back as None.


def below_a_picture():
    import streamlit as st

    from app import controls, picture, state

    state.begin()
    rows = (controls.Control("below", "Below", "a", "", controls.one_of("what is below", ["a", "b"]), False),)
    if not st.session_state.get("is_moving"):
        state.follow(rows)
    picture.below("below", {"a": "Explained", "b": "Table"})
    st.text(str(state.value(rows[0])))


@pytest.mark.parametrize("is_moving", [False, True])
@pytest.mark.parametrize(("link", "kept"), [({}, "a"), ({"below": "b"}, "b")])
def test_a_forgotten_choice_is_the_links_again_and_never_none(link, kept, is_moving):
    at = AppTest.from_function(below_a_picture)
    for key, value in link.items():
        at.query_params[key] = value
    at.run()
    at.session_state["is_moving"] = is_moving
    at.session_state["below"] = None
    at.run()
    assert not at.exception
    assert at.text[0].value == kept
    assert at.session_state["below"] == kept
    assert {key: "".join(value) for key, value in dict(at.query_params).items()} == link
