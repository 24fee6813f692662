"""The Operator view under the hand: the drift is a movement of the chosen vector, and only drawing makes another."""

import re

from pages import settle, wait_until_drawn
from playwright.sync_api import Locator, Page, expect

DRIFT_MS = 700  # a fifth of a radian: enough that the winners are the browser's own


def shown(page: Page) -> Locator:
    """The component, once it has drawn its bars."""
    box = page.locator(".operator")
    wait_until_drawn(box.locator("canvas.main"))
    return box


def play(box: Locator) -> None:
    """Start the drift by hand: the pages of these tests ask for stillness."""
    box.get_by_test_id("operator-play").click()


def pause(page: Page, box: Locator) -> None:
    """Pause the drift after a moment, and let the page take it over."""
    expect(box.get_by_test_id("operator-play")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(DRIFT_MS)
    box.get_by_test_id("operator-play").click()
    expect(box.get_by_test_id("operator-play")).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(DRIFT_MS)
    settle(page)


def draw(page: Page, box: Locator) -> None:
    area = box.locator("canvas.main").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 0.3 * area["width"], area["y"] + 0.3 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.4 * area["width"], area["y"] + 0.3 * area["height"], steps=5)
    page.mouse.up()


def test_a_pause_of_the_drift_that_starts_by_itself_keeps_the_preset_and_the_picture(page, visit):
    page.emulate_media(reduced_motion="no-preference")
    visit("operator")
    box = shown(page)
    pause(page, box)
    assert "preset" not in page.url
    assert "values" not in page.url
    expect(page.get_by_role("textbox", name="Your own values")).to_have_count(0)
    assert box.get_attribute("data-source") == "browser"  # where it stopped, not where it began


def test_gamma_moves_over_a_paused_drift_and_a_table_ends_it(visit):
    page = visit("operator", gamma=0.5)
    box = shown(page)
    play(box)
    pause(page, box)
    box.locator("canvas.main").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("gamma=0.54"))
    settle(page)
    assert "values" not in page.url
    assert box.get_attribute("data-source") == "browser"
    page.get_by_test_id("stMain").get_by_role("radio", name="Values").click()
    expect(box).to_have_attribute("data-source", "library")


def test_drawing_on_a_paused_drift_makes_it_ones_own(visit):
    page = visit("operator")
    box = shown(page)
    play(box)
    pause(page, box)
    draw(page, box)
    page.wait_for_url(re.compile("preset=own"))
    settle(page)
    assert "values=" in page.url
    expect(box).to_have_attribute("data-source", "library")
