"""A page of a real browser, under a watch that remembers everything that goes wrong."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, expect
from server import Server

# What a lecture room's beamer shows.
VIEWPORT = {"width": 1280, "height": 720}

# A view of the app settles in a second or two; a busy machine with two cores may need far longer.
TIMEOUT_MS = 30_000

# Opened at the address of a view, Streamlit's page first looks for its server below that address, and is told 404. The
# second place it looks is the right one.
STREAMLIT_LOOKS_AROUND = re.compile(r"https?://[^/]+/[^/]+/_stcore/(health|host-config)")


class Watch:
    """A page, and what goes wrong in it or in the server meanwhile, one sentence each."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self._server = server
        self._seen = len(server.printed())
        self._problems: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._problems.append(f"page error: {error}"))
        page.on("response", self._response)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        source = message.location.get("url", "")
        if message.type == "error" and not STREAMLIT_LOOKS_AROUND.fullmatch(source):
            self._problems.append(f"console error: {message.text} ({source})")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and not STREAMLIT_LOOKS_AROUND.fullmatch(response.url):
            self._problems.append(f"answer {response.status} for {response.url}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self._server.url, "data:", "blob:", "about:")):
            self._problems.append(f"the page asked for something outside the app: {request.url}")

    def problems(self) -> list[str]:
        """What went wrong since the last call."""
        printed = self._server.printed()
        new, self._seen = printed[self._seen :], len(printed)
        found, self._problems = self._problems, []
        if "Traceback (most recent call last)" in new:
            found.append(f"the server printed a traceback:\n{new}")
        return found


@contextmanager
def watched(browser: Browser, server: Server, **options) -> Iterator[Watch]:
    """A fresh page at the server's address, without cookies of earlier ones; `options` are a browser context's."""
    chosen = {"viewport": VIEWPORT, "base_url": server.url, "reduced_motion": "reduce"} | options
    context = browser.new_context(**chosen)
    context.set_default_timeout(TIMEOUT_MS)
    expect.set_options(timeout=TIMEOUT_MS)
    try:
        yield Watch(context.new_page(), server)
    finally:
        context.close()
