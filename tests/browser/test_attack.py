"""The Attack view under the hand: playing, ε and γ, choosing, typing, the link, keeping pictures."""

import re

import pytest
from pages import overflow, wait_until_drawn
from playwright.sync_api import Locator, Page, expect

QUICK = {"data": "moons", "net": "16,8", "gamma": 0.25, "learned": "untrained", "image": "0.1,0.2", "queries": 60}
WHOLE_MS = 90_000


def box(page: Page) -> Locator:
    """The picture, once all attacks have ended and their plane is drawn."""
    found = page.get_by_test_id("attack")
    expect(found).to_have_attribute("data-complete", "true", timeout=WHOLE_MS)
    return found


def test_three_attacks_are_told_in_a_sentence_and_drawn(visit):
    page = visit("attack", **QUICK)
    found = box(page)
    wait_until_drawn(page.get_by_test_id("attack-stage"))
    said = page.get_by_test_id("attack-see")
    expect(said).to_contain_text(re.compile(r"PGD .*; Square .*; the smoothed gradient "))
    assert page.get_by_test_id("attack-stage").get_attribute("aria-label", timeout=1000)
    for column in ("white", "black", "adaptive"):
        fooled = (found.get_attribute(f"data-{column}") or "").startswith("fooled")
        assert fooled or found.get_attribute(f"data-{column}") == "resists"


def test_keys_go_a_step_rewind_play_and_choose(visit):
    page = visit("attack", **QUICK, eps=0.02, stride=0.001)
    found = box(page)
    page.keyboard.press("Home")
    expect(found).to_have_attribute("data-place", "0")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(found).to_have_attribute("data-place", "2")
    page.wait_for_url(re.compile(r"at=2"))
    page.keyboard.press("3")
    page.wait_for_url(re.compile(r"column=adaptive"))
    expect(page.get_by_test_id("attack-readout")).to_contain_text("Adaptive")
    page.keyboard.press(" ")
    expect(found).not_to_have_attribute("data-place", "2")
    page.keyboard.press(" ")
    expect(page.get_by_test_id("attack-play")).to_contain_text("Play")


def test_moving_epsilon_makes_new_attacks_and_the_link(visit):
    page = visit("attack", **QUICK)
    found = box(page)
    before = found.get_attribute("data-key") or ""
    area = page.get_by_test_id("attack-eps").bounding_box()
    assert area
    y = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + 0.2 * area["width"], y)
    page.mouse.down()
    for i in range(10):
        page.mouse.move(area["x"] + area["width"] * (0.2 + 0.03 * i), y)
        page.wait_for_timeout(30)
    page.mouse.up()
    page.wait_for_url(re.compile(r"eps=0\.\d+"))
    expect(found).not_to_have_attribute("data-key", before)
    box(page)


def test_gamma_moves_on_the_page(visit):
    page = visit("attack", **QUICK)
    found = box(page)
    before = found.get_attribute("data-key") or ""
    page.get_by_test_id("attack-gamma").focus()
    page.keyboard.press("End")
    expect(found).not_to_have_attribute("data-key", before)
    page.wait_for_url(re.compile(r"agamma=1"))
    box(page)


def test_what_cannot_be_is_marked_and_nothing_is_lost(visit):
    page = visit("attack", **QUICK | {"data": "digits", "image": "3", "gamma": 0.25})
    found = box(page)
    key = found.get_attribute("data-key") or ""
    page.get_by_test_id("attack-index").fill("99999")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("attack-index")).to_have_class(re.compile("wrong"))
    expect(found).to_have_attribute("data-key", key)
    page.get_by_test_id("attack-index").fill("12")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("image=12"))
    expect(found).not_to_have_attribute("data-key", key)


def test_the_point_is_dragged_on_the_map(visit):
    page = visit("attack", **QUICK)
    found = box(page)
    key = found.get_attribute("data-key") or ""
    area = page.get_by_test_id("attack-stage").bounding_box()
    assert area
    x, y = area["x"] + 60, area["y"] + area["height"] - 60
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(8):
        page.mouse.move(x + 4 * i, y - 4 * i)
        page.wait_for_timeout(30)
    page.mouse.up()
    page.wait_for_url(re.compile(r"image=-?0?\.?\d+"))
    expect(found).not_to_have_attribute("data-key", key)
    box(page)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_picture_can_be_kept(visit, kind, tmp_path):
    page = visit("attack", **QUICK)
    box(page)
    with page.expect_download() as download:
        page.locator(f".{kind}").click()
    file = tmp_path / "picture"
    download.value.save_as(file)
    assert download.value.suggested_filename.endswith(f".{kind}")
    assert file.read_bytes().startswith(b"\x89PNG" if kind == "png" else b"<svg")


def test_it_fits_a_hand(page, visit):
    page.set_viewport_size({"width": 390, "height": 844})
    visit("attack", **QUICK)
    box(page)
    assert overflow(page) <= 0


def test_a_beamer_shows_the_picture_without_scrolling(visit):
    page = visit("attack", **QUICK)
    box(page)
    area = page.get_by_test_id("attack-see").bounding_box()
    assert area
    assert area["y"] + area["height"] <= 720


def test_the_letter_opens_it(visit):
    page = visit()
    page.keyboard.press("a")
    page.wait_for_url(re.compile("/attack"))
    expect(page.get_by_test_id("attack")).to_have_attribute("data-key", re.compile(r"\w"), timeout=60_000)
