"""The Line view in a real browser: γ without asking the server, the ends under the hand, hover, keys and export."""

import re
from itertools import pairwise

import pytest
from pages import overflow, press_letter, wait_until_drawn
from playwright.sync_api import Locator, Page, expect

WHOLE = {"weights": "untrained", "data": "moons"}
# Milliseconds of the main thread for one picture, half of a frame; the machine may be busy.
MOST_MS = 8.0


def box(page: Page) -> Locator:
    """The component once every rung is there."""
    found = page.locator(".line")
    expect(found).to_have_attribute("data-rungs", re.compile(r"\d"))
    expect(found).to_have_attribute("data-rungs", found.get_attribute("data-of") or "", timeout=90_000)
    return found


def canvas(page: Page) -> Locator:
    return page.get_by_test_id("line-stage")


def picture(page: Page) -> str:
    return canvas(page).evaluate("canvas => canvas.toDataURL()")


def slide(page: Page, rung: int) -> None:
    """What a hand on the slider does while it moves: input events, no change."""
    page.get_by_test_id("line-gamma").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', { bubbles: true })); }",
        rung,
    )


def test_moving_gamma_repaints_at_once_and_reaches_the_link_when_it_rests(visit):
    page = visit("line", **WHOLE)
    found = box(page)
    wait_until_drawn(canvas(page))
    seen, times = set(), []
    for rung in range(0, 64, 7):
        slide(page, rung)
        expect(found).to_have_attribute("data-shown", str(rung), timeout=100)
        seen.add(picture(page))
        times.append(float(found.get_attribute("data-painted") or "nan"))
    assert len(seen) == 10
    assert sorted(times)[len(times) // 2] < MOST_MS
    assert "g=" not in page.url
    page.get_by_test_id("line-gamma").dispatch_event("change")
    page.wait_for_url(re.compile(r"g=1"))
    expect(page.get_by_test_id("line-gamma-says")).to_contain_text("k = 64 of 64, 64 of 64")
    expect(found).to_have_attribute("data-pieces", "1")


def test_arrow_keys_change_k_and_space_plays(visit):
    page = visit("line", **WHOLE)
    found = box(page)
    expect(found).to_have_attribute("data-here", "11")
    page.keyboard.press("ArrowRight")
    expect(found).to_have_attribute("data-here", "12")
    page.wait_for_url(re.compile(r"g=0\.21"))
    page.keyboard.press(" ")
    expect(found).not_to_have_attribute("data-here", "12")
    page.keyboard.press(" ")
    expect(page.locator(".play")).to_contain_text("Play")
    at = found.get_attribute("data-here")
    page.wait_for_timeout(400)
    assert found.get_attribute("data-here") == at


def test_dragging_an_end_moves_the_segment_and_the_link(visit):
    page = visit("line", **WHOLE, **{"from": "-0.5,-0.5", "to": "0.5,0.5"})
    found = box(page)
    before = int(found.get_attribute("data-seq") or 0)
    area = page.get_by_test_id("line-map").bounding_box()
    assert area
    at = lambda u, v: (area["x"] + area["width"] * u, area["y"] + area["height"] * v)  # noqa: E731
    page.mouse.move(*at(0.72, 0.28))
    page.mouse.down()
    for i in range(12):
        page.mouse.move(*at(0.72, 0.28 + 0.05 * i))
        page.wait_for_timeout(30)
    page.mouse.up()
    page.wait_for_url(re.compile(r"to=0\.\d+%2C-0\.\d+"))
    assert "from=-0.5%2C-0.5" in page.url
    expect(found).not_to_have_attribute("data-seq", str(before))
    box(page)  # all rungs of the new segment arrive


def test_the_pointer_tells_piece_value_and_border(visit):
    page = visit("line", **WHOLE)
    found = box(page)
    area = canvas(page).bounding_box()
    assert area
    page.mouse.move(area["x"] + 0.5 * area["width"], area["y"] + 60)
    expect(page.get_by_test_id("line-readout")).to_contain_text(re.compile(r"t = 0\.\d+"))
    page.mouse.move(5, 5)
    canvas(page).focus()
    page.keyboard.press("ArrowRight")
    said = page.get_by_test_id("line-readout")
    expect(said).to_contain_text(
        re.compile(r"Border at t = 0\.\d+, layer [12]: unit \d+ out, unit \d+ in, at y = .*jumps by")
    )
    expect(found).to_have_attribute("data-here", "11")  # the arrow belonged to the curve
    assert canvas(page).get_attribute("aria-valuetext") == said.inner_text()


def test_images_are_chosen_by_number_or_thumbnail(visit):
    page = visit("line", weights="untrained")
    box(page)
    page.get_by_test_id("line-index").fill("9")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("from=9"))
    page.locator(".which button[data-end=to]").click()
    page.get_by_test_id("line-thumbs").click(position={"x": 40, "y": 12})
    page.wait_for_url(re.compile("to="))
    box(page)


def test_the_training_is_watched_and_then_every_rung_arrives(visit):
    page = visit("line", data="circles", net="16", gamma=0.25)
    expect(page.get_by_test_id("line-progress")).to_contain_text("trained for 20 epochs at γ = 0.25", timeout=90_000)
    assert box(page).get_attribute("data-of") == "17"


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_picture_can_be_kept(visit, kind, tmp_path):
    page = visit("line", **WHOLE, output="all")
    box(page)
    with page.expect_download() as download:
        page.locator(f".{kind}").click()
    file = tmp_path / "picture"
    download.value.save_as(file)
    assert download.value.suggested_filename == f"kwta-line-gamma0.20.{kind}"
    assert file.read_bytes().startswith(b"\x89PNG" if kind == "png" else b"<svg")


def test_every_jump_has_an_open_and_a_closed_end_also_where_jumps_are_close(visit, tmp_path):
    page = visit("line", **WHOLE)
    found = box(page)
    with page.expect_download() as download:
        page.locator(".svg").click()
    download.value.save_as(tmp_path / "picture.svg")
    drawing = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    circles = re.findall(r'<circle cx="([\d.]+)" cy="[\d.]+" r="([\d.]+)" fill="(#\w+)" stroke="(#\w+)"', drawing)
    jumps = int(found.get_attribute("data-pieces") or 0) - 1
    assert jumps > 30
    closed = sorted(float(x) for x, _, fill, stroke in circles if fill == stroke)
    hollow = sorted(float(x) for x, _, fill, stroke in circles if fill != stroke)
    assert closed == hollow
    assert len(closed) == jumps
    assert min(b - a for a, b in pairwise(closed)) < 8  # some of them are close
    radii = {float(radius) for _, radius, _, _ in circles}
    assert min(radii) >= 2
    assert max(radii) == 4


def test_the_names_of_all_outputs_stand_beside_the_curves_and_apart(visit, tmp_path):
    page = visit("line", weights="untrained", output="all")
    box(page)
    with page.expect_download() as download:
        page.locator(".svg").click()
    download.value.save_as(tmp_path / "picture.svg")
    drawing = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    names = re.findall(r'<text x="1242" y="([-\d.]+)"[^>]*>(\d)</text>', drawing)
    assert sorted(name for _, name in names) == list("0123456789")
    places = sorted(float(y) for y, _ in names)
    assert places[0] > 20
    assert min(b - a for a, b in pairwise(places)) > 10


def test_a_number_that_no_test_input_has_is_named_and_nothing_is_lost(visit):
    page = visit("line", weights="untrained", **{"from": "9", "to": "5"})
    box(page)
    number = page.get_by_test_id("line-index")
    number.fill("9999")
    page.keyboard.press("Tab")
    said = page.get_by_test_id("line-readout")
    expect(said).to_contain_text("Test inputs have the whole numbers from 0 to 358; 9999 is none of them.")
    expect(number).to_have_value("9999")
    expect(number).to_have_attribute("aria-invalid", "true")
    assert "from=9" in page.url
    number.fill("12")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("from=12"))
    expect(said).not_to_contain_text("none of them")
    expect(number).to_have_attribute("aria-invalid", "false")


def test_it_fits_a_hand(page, visit):
    page.set_viewport_size({"width": 390, "height": 844})
    visit("line", **WHOLE)
    box(page)
    assert overflow(page) <= 0


def test_the_letter_opens_it(visit):
    page = visit()
    press_letter(page, "l")
    page.wait_for_url(re.compile("/line"))
    expect(page.locator(".line")).to_have_attribute("data-pieces", re.compile(r"\d"), timeout=60_000)
