"""Every view opens by a click, by its address and on a phone in dark mode, shows a picture, and logs no error."""

from urllib.parse import urlsplit

import pytest
from pages import overflow, settle, wait_until_drawn
from playwright.sync_api import Page, expect
from server import ROOT, free_port, plain_streamlit, serve
from watching import watched

VIEWS = sorted(file.stem for file in (ROOT / "app" / "views").glob("*.py") if file.stem != "__init__")
LANDING = "train"
PHONE = {"width": 390, "height": 844}


def address(view: str) -> str:
    return "/" if view == LANDING else f"/{view}"


def opens_by_click(page: Page, view: str) -> None:
    page.locator(f'[data-testid="stTopNavLink"][href$="{address(view)}"]').click()
    page.wait_for_url(f"**{address(view)}*")
    settle(page)


def shows_a_picture(page: Page) -> None:
    main = page.locator('[data-testid="stMain"]')
    expect(main.locator('[data-testid="stException"], [data-testid="stAlertContentError"]')).to_have_count(0)
    picture = main.locator("canvas:visible, .js-plotly-plot:visible, table:visible").first
    picture.wait_for()
    if picture.evaluate("shown => shown.localName") == "canvas":
        wait_until_drawn(picture)


def test_the_navigation_has_every_view_and_no_other(visit):
    page = visit()
    links = page.locator('[data-testid="stTopNavLink"]')
    expect(links).to_have_count(len(VIEWS))
    found = {urlsplit(link.get_attribute("href")).path for link in links.all()}
    assert found == {address(view) for view in VIEWS}


@pytest.mark.parametrize("view", VIEWS)
def test_a_click_opens(visit, view):
    page = visit("operator" if view == LANDING else "")
    opens_by_click(page, view)
    shows_a_picture(page)


@pytest.mark.parametrize("view", VIEWS)
def test_its_address_opens(visit, view):
    shows_a_picture(visit(address(view).lstrip("/")))


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_in_dark_mode_opens_and_nobody_scrolls_sideways_in(browser, app, view):
    with watched(browser, app, viewport=PHONE, color_scheme="dark", is_mobile=True, has_touch=True) as watch:
        watch.page.goto(address(view))
        settle(watch.page)
        shows_a_picture(watch.page)
        assert overflow(watch.page) == 0
        assert watch.problems() == []


def test_plain_streamlit_serves_the_app_too(browser, tmp_path):
    port = free_port()
    with serve(plain_streamlit(port), port, tmp_path / "log.txt") as server, watched(browser, server) as watch:
        watch.page.goto("/")
        settle(watch.page)
        for view in sorted(VIEWS, key=lambda view: view == LANDING):
            opens_by_click(watch.page, view)
            shows_a_picture(watch.page)
        assert watch.problems() == []
