"""A running app and a page of a real browser. A test fails on any console error, page error or traceback of the server.

A test asks for `page` and opens a view with `visit`; `app` is the running server. Without a Chromium these tests are
skipped, except in CI, where that would hide them.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import chromium
import pytest
from pages import settle
from playwright.sync_api import Browser, Page, sync_playwright
from server import Server, free_port, own_server, serve
from watching import Watch, watched

HERE = Path(__file__).parent

REPORTS = pytest.StashKey[dict[str, pytest.TestReport]]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, so that no test opens a browser among the fast ones."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Keep the outcome with the test, so that its page is photographed when it failed."""
    report = yield
    item.stash.setdefault(REPORTS, {})[report.when] = report
    return report


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = chromium.find()
    if path is None:
        reason = "no Chromium found; install one or set KWTA_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app as `make run` serves it, one for all tests."""
    port = free_port()
    with serve(own_server(port), port, tmp_path_factory.mktemp("app") / "log.txt") as server:
        yield server


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    # Per module: while Playwright is open, its event loop would be in the way of other tests' own.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(chromium.ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def watch(browser: Browser, app: Server, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watch]:
    """A fresh page, 1280×720, without cookies of earlier tests, under a watch: what goes wrong in it fails the test.

    A test that provokes a problem takes it from `watch.problems()`.
    """
    with watched(browser, app) as watch:
        yield watch
        problems = watch.problems()
        report = request.node.stash.get(REPORTS, {}).get("call")
        if problems or (report is not None and report.failed):
            watch.page.screenshot(path=tmp_path / "page.png")
            print(f"the page is pictured in {tmp_path / 'page.png'}")
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


@pytest.fixture
def page(watch: Watch) -> Page:
    """The page of this test."""
    return watch.page


@pytest.fixture
def visit(page: Page) -> Callable[..., Page]:
    """visit("train", gamma=0.2) opens that view, waits until all of it is drawn, and returns the page."""

    def visit(path: str = "", **query: object) -> Page:
        page.goto(f"/{path}" + (f"?{urlencode(query)}" if query else ""))
        settle(page)
        return page

    return visit
