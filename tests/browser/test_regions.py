"""The Regions view in a real browser: pointing, γ under the hand, zooming, against the library's own cells."""

import re

import pytest
from moons import LINK, SEED, WAIT_MS, N, dragged, exact, part, picture, whole
from pages import overflow, wait_until_drawn
from playwright.sync_api import Locator, expect


@pytest.fixture
def box(visit) -> Locator:
    """The view on a small network, once every rung of γ is in the browser."""
    return whole(visit("regions", **LINK), "regions")


def middle(canvas: Locator) -> tuple[float, float]:
    area = canvas.bounding_box()
    assert area
    return area["x"] + area["width"] / 2, area["y"] + area["height"] / 2


def test_both_pictures_are_drawn_and_counted_exactly(box):
    for name in ("stage", "twin", "chart"):
        wait_until_drawn(part(box, name))
    expect(part(box, "left")).to_have_text(f"k-WTA, γ = 0.250: {len(exact(4))} regions, exact")
    expect(part(box, "right")).to_have_text(f"ReLU: {len(exact(None))} regions, exact")
    area = part(box, "stage").bounding_box()
    assert area
    assert area["y"] + area["height"] < 720
    assert overflow(box.page) <= 0


def test_pointing_tells_the_region_and_a_click_pins_it(box):
    page = box.page
    page.mouse.move(*middle(part(box, "stage")))
    expect(part(box, "info")).to_contain_text(re.compile(rf"Region \d+ of {len(exact(4))}"))
    region = box.get_attribute("data-region")
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(5, 5)
    expect(part(box, "info")).to_contain_text("pinned")
    expect(box).to_have_attribute("data-region", region or "")


def test_dragging_gamma_shows_the_exact_count_of_every_rung(box):
    before = picture(part(box, "stage"))
    seen = dragged(box, "cells")
    assert len(seen) > 5
    assert seen == {k: len(exact(k)) for k in seen}
    assert picture(part(box, "stage")) != before
    expect(box.page).to_have_url(re.compile(rf"rung={max(seen)}\b"))


def test_arrows_step_and_space_plays(box):
    page = box.page
    page.keyboard.press("ArrowRight")
    expect(box).to_have_attribute("data-rung", "5")
    expect(box).to_have_attribute("data-cells", str(len(exact(5))))
    page.keyboard.press("ArrowLeft")
    expect(box).to_have_attribute("data-rung", "4")
    page.keyboard.press(" ")
    expect(box).to_have_attribute("data-playing", "true")
    expect(box).not_to_have_attribute("data-rung", "4")
    page.keyboard.press(" ")
    expect(box).to_have_attribute("data-playing", "false")


# Every rung that the picture shows from now on.
RUNGS = """box => {
    window.rungs = [box.dataset.rung];
    const seen = () => window.rungs.at(-1) === box.dataset.rung || window.rungs.push(box.dataset.rung);
    new MutationObserver(seen).observe(box, { attributes: true });
}"""


@pytest.mark.parametrize("view", ["regions", "jumps"])
def test_gamma_plays_once_unasked_and_returns_to_the_shared_one(page, visit, view):
    page.emulate_media(reduced_motion="no-preference")
    visit(view, **LINK)
    box = page.get_by_test_id(view)
    expect(box).to_have_attribute("data-rung", "4", timeout=WAIT_MS)
    box.evaluate(RUNGS)
    expect(box).to_have_attribute("data-playing", "true", timeout=WAIT_MS)
    expect(box).to_have_attribute("data-playing", "false", timeout=WAIT_MS)
    rungs = [int(rung) for rung in page.evaluate("window.rungs")]
    assert set(rungs) == set(range(1, N + 1))
    assert rungs[0] == rungs[-1] == 4
    page.wait_for_timeout(2_000)  # a report would have changed the address by now
    expect(box).to_have_attribute("data-rung", "4")
    expect(box).to_have_attribute("data-playing", "false")
    assert "rung=" not in page.url


@pytest.mark.parametrize("view", ["regions", "jumps"])
def test_stopping_what_plays_unasked_is_a_choice_of_gamma(page, visit, view):
    page.emulate_media(reduced_motion="no-preference")
    visit(view, **LINK)
    box = page.get_by_test_id(view)
    expect(box).to_have_attribute("data-playing", "true", timeout=WAIT_MS)
    expect(box).not_to_have_attribute("data-rung", "4")
    page.keyboard.press(" ")
    expect(box).to_have_attribute("data-playing", "false")
    rung = box.get_attribute("data-rung")
    expect(page).to_have_url(re.compile(rf"rung={rung}\b"))
    expect(box).to_have_attribute("data-rung", rung or "")
    page.reload()
    expect(box).to_have_attribute("data-rung", rung or "", timeout=WAIT_MS)


def test_zooming_finds_the_exact_cells_of_the_part(box):
    page = box.page
    page.mouse.move(*middle(part(box, "stage")))
    for _ in range(4):
        page.mouse.wheel(0, -150)
    expect(page).to_have_url(re.compile("window="), timeout=WAIT_MS)
    expect(box).to_have_attribute("data-settled", "true", timeout=WAIT_MS)
    x, y, half = (float(word) for word in (box.get_attribute("data-window") or "").split(","))
    assert half < 0.5
    expect(box).to_have_attribute("data-cells", str(len(exact(4, (x, y, half)))))
    page.keyboard.press("Home")
    expect(box).to_have_attribute("data-cells", str(len(exact(4))), timeout=WAIT_MS)


def test_two_gammas_side_by_side(box):
    box.get_by_role("button", name="another γ").click()
    expect(part(box, "right")).to_contain_text(f": {len(exact(1))} regions, exact")
    part(box, "other").focus()
    box.page.keyboard.press("End")
    expect(part(box, "right")).to_contain_text("γ = 1.000: 1 region, exact")


def test_digits_show_the_plane_through_three_images_and_another_one(visit):
    page = visit("regions", net="16,16", gamma=0.25)
    box = whole(page, "regions")
    page.mouse.move(*middle(part(box, "stage")))
    expect(part(box, "info")).to_contain_text("Region")
    wait_until_drawn(box.locator(".thumb"))
    before = box.locator(".three").input_value()
    box.get_by_role("button", name="New plane").click()
    expect(page).to_have_url(re.compile("three="))
    assert box.locator(".three").input_value() != before


def test_a_new_seed_in_the_picture_reaches_the_whole_page(box):
    box.get_by_role("button", name="New seed").click()
    page = box.page
    expect(page).not_to_have_url(re.compile(rf"seed={SEED}\b"))
    expect(page).to_have_url(re.compile(r"seed=\d+"))
    seed = int(re.findall(r"seed=(\d+)", page.url)[0])
    expect(page.locator('.st-key-control-seed input[type="number"]')).to_have_value(str(seed))
    expect(part(box, "left")).to_have_text(f"k-WTA, γ = 0.250: {len(exact(4, seed=seed))} regions, exact")
    page.get_by_test_id("stSidebar").get_by_role("button", name="New", exact=True).click()
    expect(page).not_to_have_url(re.compile(rf"seed={seed}\b"))


def test_captions_are_read_to_their_end_and_the_width_is_used(visit):
    box = whole(visit("regions", net="16,16", gamma=0.25), "regions")
    for line in box.locator("figcaption span").all():
        expect(line).to_contain_text("joined")
        assert line.evaluate("span => span.scrollWidth - span.clientWidth") <= 0
    info, outer = part(box, "info").bounding_box(), box.bounding_box()
    assert info
    assert outer
    assert info["x"] + info["width"] > outer["x"] + 0.95 * outer["width"]


def test_on_a_phone_nothing_is_wider_than_the_window(page, visit):
    page.set_viewport_size({"width": 390, "height": 844})
    box = whole(visit("regions", **LINK), "regions")
    wait_until_drawn(part(box, "stage"))
    assert overflow(page) <= 0
    slider = part(box, "rung").bounding_box()
    assert slider
    assert slider["y"] < 844  # γ is within reach of the picture
