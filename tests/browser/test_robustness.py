"""The Robustness view in a browser: the table fills by itself, can be held and gone on with, and its link keeps it."""

import re

from pages import overflow, settle
from playwright.sync_api import Locator, Page, expect
from watching import watched

LINK = {"data": "moons", "net": "8", "gamma": 0.5, "others": "", "rimages": 20}
BEGIN, PAUSE, CANCEL = (f".st-key-robust_{key} button" for key in ("start", "pause", "cancel"))
DONE = re.compile(r"^Done, in \d+ seconds of computing\.$")
LONG_MS = 120_000
LEFT_AND_RIGHT = "cells => cells.map(cell => [cell.getBoundingClientRect().left, cell.getBoundingClientRect().right])"
AT = "([x, y]) => document.elementFromPoint(x, y).textContent"


def table(page: Page) -> Locator:
    return page.locator("table.robust")


def numbers(page: Page) -> int:
    return table(page).locator(".bar").count()


def whole(page: Page) -> int:
    """How many numbers a table of two networks has: none in the row of the verdict."""
    return 2 * (table(page).locator("tbody tr").count() - 1)


def until_done(page: Page) -> None:
    expect(page.get_by_text(DONE)).to_be_visible(timeout=LONG_MS)


def test_the_table_fills_attack_by_attack_and_says_what_to_see(visit):
    page = visit("robustness", **LINK, seed=1)
    expect(table(page).locator(".bar").first).to_be_visible(timeout=LONG_MS)
    assert numbers(page) < whole(page)
    until_done(page)
    assert numbers(page) == whole(page) > 12
    expect(page.get_by_text(re.compile(r"PGD leaves \d+\.\d %")).first).to_be_visible()
    expect(table(page).get_by_role("row", name=re.compile("^Masking"))).to_contain_text(re.compile("sign|masked|few"))


def test_a_held_judgement_stays_as_it_is_and_goes_on(visit):
    page = visit("robustness", **LINK, seed=2)
    page.locator(PAUSE).click()
    expect(page.locator(BEGIN)).to_be_visible()
    page.wait_for_timeout(2_000)  # what was under way is finished
    before = numbers(page)
    page.wait_for_timeout(2_000)
    assert numbers(page) == before < whole(page)
    page.locator(BEGIN).click()
    until_done(page)


def test_a_cancelled_judgement_begins_again_at_a_press(visit):
    page = visit("robustness", **LINK, seed=3)
    page.locator(CANCEL).click()
    expect(page.locator(BEGIN)).to_be_visible()
    expect(page.locator(CANCEL)).to_have_count(0)
    page.locator(BEGIN).press("Enter")
    until_done(page)


def test_a_link_shows_the_same_numbers_at_once_and_the_other_eps_that_were_measured(visit, browser, app):
    page = visit("robustness", **LINK, seed=4, robustness_below="curve")
    until_done(page)
    page.locator(".st-key-robust_curve button").click()
    page.wait_for_url(re.compile("rcurve=1"))
    until_done(page)
    settle(page)
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    shown = table(page).inner_text()
    with watched(browser, app) as watch:
        watch.page.goto(page.url)
        until_done(watch.page)
        assert table(watch.page).inner_text() == shown
        assert watch.problems() == []


def test_the_whole_table_fits_a_beamer(visit):
    page = visit("robustness", **LINK, seed=1)
    until_done(page)
    area = table(page).bounding_box()
    assert area is not None
    assert area["y"] + area["height"] <= 720


def test_on_a_phone_the_names_of_the_attacks_stay_while_the_numbers_are_moved(browser, app):
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "color_scheme": "dark"}
    with watched(browser, app, **phone) as watch:
        page = watch.page
        page.goto("/robustness?data=moons&net=8&gamma=0.5&others=0.25,0.75&rimages=20&seed=1")
        name = table(page).get_by_role("rowheader", name="FGSM")
        name.wait_for()
        page.locator(".robust-box").evaluate("box => box.scrollLeft = 150")
        page.wait_for_timeout(300)  # the table comes to rest at a column
        head = table(page).get_by_role("columnheader", name="Attack")
        for still in (name, head):
            place = still.bounding_box()
            assert place is not None
            assert 0 <= place["x"] < 40
            assert still.evaluate("cell => getComputedStyle(cell).backgroundColor") == "rgb(20, 23, 26)"
        edge = place["x"] + place["width"]
        others = table(page).locator("thead th").evaluate_all(LEFT_AND_RIGHT)[1:]
        assert all(right <= edge + 1 or left >= edge - 1 for left, right in others)  # none is cut by the names
        assert any(left < 390 < right for left, right in others)  # a cut one tells of more
        assert page.evaluate(AT, [place["x"] + 5, place["y"] + place["height"] / 2]) == "Attack"
        assert overflow(page) == 0
        page.locator(CANCEL).click()
        expect(page.locator(BEGIN)).to_be_visible()
        assert watch.problems() == []
