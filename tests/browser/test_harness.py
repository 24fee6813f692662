"""The watch over a page sees what it is there to see: each kind of problem, provoked, is reported."""

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
