"""The watch over a page sees what it is there to see: each kind of problem, provoked, is reported."""

import pages
import pytest
from watching import STREAMLIT_LOOKS_AROUND

# Long enough for a task that the page has queued to run.
QUEUED_MS = 200


def test_a_console_error_is_reported(watch):
    watch.page.evaluate("console.error('a wrong colour')")
    assert "a wrong colour" in "\n".join(watch.problems())


def test_an_uncaught_exception_in_the_page_is_reported(watch):
    watch.page.evaluate("setTimeout(() => { throw new Error('lost') }, 0)")
    watch.page.wait_for_timeout(QUEUED_MS)
    assert "page error: lost" in "\n".join(watch.problems())


def test_a_missing_file_is_reported(watch):
    watch.page.goto("/media/none.png")
    assert "answer 404" in "\n".join(watch.problems())


def test_a_request_to_another_host_is_reported(watch):
    watch.page.route("**/*", lambda route: route.abort())  # it must not really leave
    watch.page.evaluate("fetch('http://elsewhere.invalid/').catch(() => 0)")
    watch.page.wait_for_timeout(QUEUED_MS)
    assert "outside the app: http://elsewhere.invalid/" in "\n".join(watch.problems())


def test_a_traceback_of_the_server_is_reported(watch, app):
    with app.log.open("a") as log:
        log.write("Traceback (most recent call last)\nValueError: provoked\n")
    assert "ValueError: provoked" in "\n".join(watch.problems())
    assert watch.problems() == []


def test_an_empty_canvas_is_not_taken_for_a_picture(page, monkeypatch):
    monkeypatch.setattr(pages, "POLLS", 2)
    page.set_content("<canvas id=empty></canvas><canvas id=full></canvas>")
    page.evaluate("document.getElementById('full').getContext('2d').fillRect(3, 3, 1, 1)")
    pages.wait_until_drawn(page.locator("#full"))
    with pytest.raises(AssertionError, match="stayed empty"):
        pages.wait_until_drawn(page.locator("#empty"))


def test_a_page_wider_than_its_window_is_measured(page):
    page.set_content("<body style='margin:0'><div style='width:1300px'>wide</div>")
    assert pages.overflow(page) == 1300 - 1280


def test_looking_for_the_server_below_a_view_is_no_problem_but_another_missing_file_there_is():
    looks = STREAMLIT_LOOKS_AROUND
    assert looks.fullmatch("http://127.0.0.1:8501/operator/_stcore/health")
    assert not looks.fullmatch("http://127.0.0.1:8501/_stcore/health")
    assert not looks.fullmatch("http://127.0.0.1:8501/operator/_stcore/stream")
