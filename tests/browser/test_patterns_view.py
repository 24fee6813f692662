"""The Patterns view under the hand: it follows the pointer and the keys, and its link reproduces the picture."""

import re

import pytest
from pages import POLL_MS, POLLS, overflow, settle, wait_until_drawn
from playwright.sync_api import Locator, Page, expect

PARTS = {
    name: f'[data-testid="patterns-{name}"]' for name in ("x", "x2", "radius", "layers", "progress", "index", "layer")
}


def shown(page: Page) -> Locator:
    """The component, once it has drawn a layer."""
    box = page.locator('[data-testid="patterns"]')
    wait_until_drawn(box.locator(f"{PARTS['layers']} canvas").first)
    return box


def numbers(box: Locator) -> str:
    return box.locator(PARTS["layers"]).inner_text()


def drag(page: Page, target: Locator, start: tuple[float, float], end: tuple[float, float], steps: int = 12) -> None:
    """Move the pressed pointer over the target, from and to these shares of its size."""
    area = target.bounding_box()
    assert area is not None
    places = [
        [area[k] + s * area[size] for k, s, size in (("x", u, "width"), ("y", v, "height"))] for u, v in (start, end)
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=steps)
    page.mouse.up()


def in_address(page: Page, pattern: str) -> str:
    page.wait_for_url(re.compile(pattern))
    settle(page)
    return page.url


def until(page: Page, holds) -> None:
    for _ in range(POLLS):
        if holds():
            return
        page.wait_for_timeout(POLL_MS)
    raise AssertionError("it did not come true")


def test_the_network_learns_while_its_winners_are_shown(visit):
    page = visit("patterns", data="moons", seed=5)
    box = shown(page)
    expect(box.locator(PARTS["progress"])).to_contain_text("trained for 20 epochs", timeout=120_000)
    expect(box.locator("figcaption").first).to_contain_text("✓")


def test_the_radius_under_the_hand_changes_the_winners_and_the_link(visit):
    page = visit("patterns", compare="delta", weights="untrained", radius=0)
    box = shown(page)
    assert box.get_attribute("data-hamming") == "0,0"
    drag(page, box.locator(PARTS["radius"]), (0.02, 0.5), (0.95, 0.5))
    in_address(page, r"radius=0\.\d+")
    until(page, lambda: box.get_attribute("data-hamming") != "0,0")


def test_a_drawing_stands_in_the_link_which_reproduces_its_winners(visit, browser):
    page = visit("patterns", weights="untrained")
    box = shown(page)
    before = numbers(box), box.locator("figcaption").first.inner_text()
    box.get_by_role("button", name="Clear").click()
    in_address(page, r"[?&]x=d")
    blank = page.url
    drag(page, box.locator(PARTS["x"]), (0.3, 0.2), (0.6, 0.8))
    until(page, lambda: page.url != blank)
    expect(box.locator("figcaption").first).to_contain_text("drawn")
    settle(page)
    says = box.locator("figcaption").first.inner_text()
    assert says != before[1]
    units = box.get_attribute("data-pattern")
    again = browser.new_page()
    again.goto(page.url)
    settle(again)
    other = shown(again)
    assert other.locator("figcaption").first.inner_text() == says
    assert other.get_attribute("data-pattern") == units
    again.close()


def test_arrow_keys_walk_through_a_class_and_to_the_next(visit):
    page = visit("patterns", weights="untrained")
    box = shown(page)
    label = box.locator("figcaption").first.inner_text().splitlines()[0].rpartition(": ")[2]
    page.keyboard.press("ArrowRight")
    in_address(page, r"[?&]x=\d+")
    assert box.locator("figcaption").first.inner_text().splitlines()[0].endswith(f": {label}")
    box.locator(PARTS["x"]).focus()
    page.keyboard.press("ArrowDown")
    expect(box.locator("figcaption").first).to_contain_text(f": {(int(label) + 1) % 10}")


def point(box: Locator) -> list[float]:
    """Where x lies, as the caption says."""
    found = re.search(r"x \(([−\d.]+), ([−\d.]+)\)", box.locator("figcaption").first.inner_text())
    assert found is not None
    return [float(number.replace("−", "-")) for number in found.groups()]


def test_a_point_follows_the_pointer_and_the_keys(visit):
    page = visit("patterns", data="moons", weights="untrained")
    box = shown(page)
    drag(page, box.locator(PARTS["x"]), (0.2, 0.9), (0.75, 0.25))
    in_address(page, r"[?&]x=0\.\d+%2C0\.\d+")
    x, y = point(box)
    assert x == y > 0.4  # three quarters of the way along a box around 0, in both directions
    page.keyboard.press("ArrowRight")
    until(page, lambda: point(box)[0] > x)
    assert point(box)[1] == y


@pytest.mark.parametrize("phi", ["k-WTA", "ReLU"])
def test_the_switch_shows_the_twin_for_the_same_input(visit, phi):
    page = visit("patterns", weights="untrained", x=4, phi="relu" if phi == "k-WTA" else "kwta")
    box = shown(page)
    box.get_by_role("button", name=phi).click()
    expect(box.locator(PARTS["layers"])).to_contain_text("12 of 64 win" if phi == "k-WTA" else "of 64 are positive")
    expect(box.locator("figcaption").first).to_contain_text("test input 4")


def test_the_picture_can_be_kept(visit):
    box = shown(visit("patterns", weights="untrained", compare="input"))
    with box.page.expect_download() as download:
        box.locator(".png").click()
    assert download.value.suggested_filename == "kwta-patterns.png"


def test_the_main_picture_fits_a_beamer(visit):
    page = visit("patterns", weights="untrained", compare="delta", net="conv 8,16 / 64")
    last = shown(page).locator(f"{PARTS['layers']} canvas").last.bounding_box()
    assert last is not None
    assert last["y"] + last["height"] <= 720


def test_a_number_that_no_test_input_has_is_named_and_nothing_is_lost(visit):
    page = visit("patterns", weights="untrained", x="9")
    box = shown(page)
    number = box.locator(PARTS["index"])
    number.fill("-3")
    page.keyboard.press("Tab")
    legend = page.get_by_test_id("patterns-legend")
    expect(legend).to_contain_text("Test inputs have the whole numbers from 0 to 358; −3 is none of them.")
    expect(number).to_have_value("-3")
    assert "x=9" in page.url
    number.fill("12")
    page.keyboard.press("Enter")
    in_address(page, "x=12")
    expect(legend).not_to_contain_text("none of them")


@pytest.mark.parametrize("link", [{"compare": "delta"}, {"compare": "input"}, {"data": "moons", "compare": "delta"}])
def test_it_fits_a_hand(page, visit, link):
    page.set_viewport_size({"width": 390, "height": 844})
    shown(visit("patterns", weights="untrained", **link))
    assert overflow(page) <= 0
