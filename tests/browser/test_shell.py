"""What surrounds the views, in a real browser: what is typed into a control, and the link to it."""

import re

from pages import settle
from playwright.sync_api import Page, expect


def layers(page: Page):
    return page.locator('.st-key-net input[role="combobox"]')


def typed(page: Page, text: str) -> None:
    layers(page).fill(text)
    page.keyboard.press("Enter")
    settle(page)


def test_layers_that_cannot_be_are_named_and_the_link_keeps_the_last_ones_that_can(visit):
    page = visit("operator")
    typed(page, "32,16")
    page.wait_for_url(re.compile("net=32%2C16"))
    typed(page, "abc")
    said = page.locator('[data-testid="stAlert"]')
    expect(said).to_contain_text("got 'abc'; using 32,16.")
    expect(page.locator(".st-key-control-gamma")).to_contain_text("k = 6 of 32, 3 of 16")
    assert "net=32%2C16" in page.url
    page.get_by_test_id("stBaseButton-secondary").filter(has_text="Share this state").click()
    expect(page.get_by_role("dialog")).to_contain_text("/operator?net=32,16")
    expect(page.get_by_role("dialog")).to_contain_text("--host 0.0.0.0")
    page.keyboard.press("Escape")
    typed(page, "64,64")
    expect(said).to_have_count(0)
    page.wait_for_url(re.compile("/operator$"))


def test_going_back_brings_the_layers_back(visit):
    page = visit("operator", net="32,16")
    typed(page, "8")
    page.wait_for_url(re.compile("net=8"))
    page.go_back()
    page.wait_for_url(re.compile("net=32"))
    settle(page)
    expect(page.locator(".st-key-control-gamma")).to_contain_text("k = 6 of 32, 3 of 16")


FLOOD = """slider => {
    window.flood = setInterval(() => slider.dispatchEvent(new Event("change", { bubbles: true })), 1);
}"""


def test_a_control_that_moves_while_the_picture_reports_reaches_the_whole_page(visit):
    """Streamlit sends what comes together as one message, which runs the picture's fragment alone.

    What the words under the slider say is drawn by the whole page; the picture keeps the γ of its own slider if that
    one's report comes last.
    """
    page = visit("line", weights="untrained", data="moons")
    expect(page.locator(".line")).to_have_attribute("data-pieces", re.compile(r"\d"))
    page.get_by_test_id("line-gamma").evaluate(FLOOD)
    thumb = page.locator('[class*="st-key-control-gamma"] input[type="range"], .st-key-gamma [role="slider"]').first
    thumb.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(60)
    page.evaluate("clearInterval(window.flood)")
    expect(page.locator('[class*="st-key-control-gamma"]')).to_contain_text("k = 19 of 64, 19 of 64")
