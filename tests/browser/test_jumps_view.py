"""The Jumps view in a real browser: γ under the hand, pointing at borders, ReLU, training, against the library."""

import re

import numpy as np
import pytest
from moons import LINK, WAIT_MS, N, dragged, part, picture, whole
from moons import exact as cells
from pages import overflow, wait_until_drawn
from playwright.sync_api import Locator, expect

from kwta import jumps
from kwta.jumps import Borders


def exact(k: int | None) -> Borders:
    """The library's borders for k winners (None: ReLU) on the data box."""
    return jumps.borders(cells(k))


@pytest.fixture
def box(visit) -> Locator:
    return whole(visit("jumps", **LINK), "jumps")


def point_at_a_border(box: Locator) -> None:
    """Move the mouse over the picture until a border is near."""
    area = part(box, "stage").bounding_box()
    assert area
    for share in np.linspace(0.2, 0.8, 60):
        box.page.mouse.move(area["x"] + share * area["width"], area["y"] + 0.37 * area["height"])
        box.page.wait_for_timeout(40)
        if box.get_attribute("data-border") != "-1":
            return
    raise AssertionError("there is no border to point at")


def test_the_borders_and_their_median_are_the_librarys(box):
    found = exact(4)
    for name in ("stage", "chart"):
        wait_until_drawn(part(box, name))
    expect(part(box, "caption")).to_have_text(f"γ = 0.250: {len(found)} borders of {len(found.of)} regions, exact")
    assert float(box.get_attribute("data-median") or 0) == pytest.approx(found.summary().quantiles[2])
    expect(part(box, "see")).to_contain_text("Smallest:")
    area = part(box, "stage").bounding_box()
    assert area
    assert area["y"] + area["height"] < 720
    assert overflow(box.page) <= 0


def test_dragging_gamma_shows_every_rung_without_the_server(box):
    before = picture(part(box, "stage"))
    seen = dragged(box, "borders")
    assert len(seen) > 5
    assert seen == {k: len(exact(k)) for k in seen}
    assert picture(part(box, "stage")) != before
    expect(box.page).to_have_url(re.compile(rf"rung={max(seen)}\b"))


def test_pointing_tells_the_border_and_a_click_pins_it(box):
    point_at_a_border(box)
    info = part(box, "info")
    expect(info).to_contain_text(re.compile(r"layer [12]: along the arrow unit \d+ leaves and unit \d+ enters"))
    expect(info).to_contain_text(re.compile(r"\|jump\| [\d.]+ at A, [\d.]+ at B; v = .+ at A, .+ at B"))
    number = int(box.get_attribute("data-border") or -1)
    found = exact(4)
    expect(info).to_contain_text(f"unit {found.leaves[number]} leaves and unit {found.enters[number]} enters")
    box.page.mouse.down()
    box.page.mouse.up()
    box.page.mouse.move(5, 5)
    expect(info).to_contain_text("pinned")
    expect(box).to_have_attribute("data-border", str(number))


def test_keys_step_and_play_and_the_curve_can_be_pulled(box):
    page = box.page
    page.keyboard.press("ArrowRight")
    expect(box).to_have_attribute("data-rung", "5")
    page.keyboard.press(" ")
    expect(box).to_have_attribute("data-playing", "true")
    expect(box).not_to_have_attribute("data-rung", "5")
    page.keyboard.press(" ")
    expect(box).to_have_attribute("data-playing", "false")
    area = part(box, "chart").bounding_box()
    assert area
    page.mouse.click(area["x"] + area["width"] - 10, area["y"] + area["height"] / 3)
    expect(box).to_have_attribute("data-rung", str(N))


def test_relu_has_the_same_weights_and_no_jump(box):
    part(box, "relu").click()
    expect(part(box, "caption")).to_contain_text(f"ReLU: {len(exact(None)):,} borders")
    expect(part(box, "see")).to_contain_text("no border jumps")
    expect(box.page).to_have_url(re.compile("phi=relu"))


def test_the_size_of_one_logit_and_relative_to_the_spread(box):
    part(box, "size").select_option("logit")
    found = exact(4)
    expect(box).to_have_attribute("data-median", str(found.summary(logit=0).quantiles[2]), timeout=WAIT_MS)
    part(box, "relative").check()
    relative = found.summary(logit=0).quantiles[2] / jumps.spread(found.of, logit=0)
    expect(part(box, "see").locator("b")).to_have_text(f"{relative:.2g}".rstrip("0").rstrip("."))
    expect(box.page).to_have_url(re.compile("relative=1"))


def test_the_cliffs_are_loaded_when_they_are_chosen(box):
    page = box.page
    assert page.locator(".js-plotly-plot").count() == 0
    page.get_by_role("radio", name="Cliffs in 3-D").click()
    page.locator(".js-plotly-plot").wait_for(timeout=WAIT_MS)
    expect(page.get_by_text("A wall stands at every border where it jumps").first).to_be_visible()


def test_networks_are_trained_at_each_gamma_with_progress(visit):
    page = visit("jumps", data="moons", net="12,12", gamma=0.3, seed=8)
    page.get_by_role("button", name="trained at each γ").click()
    expect(page.get_by_test_id("jumps-progress")).to_contain_text("networks trained")
    box = whole(page, "jumps")
    expect(part(box, "caption")).to_contain_text("trained at γ = 0.300")
    expect(page).to_have_url(re.compile("nets=each"))


def test_on_a_phone_nothing_is_wider_than_the_window(page, visit):
    page.set_viewport_size({"width": 390, "height": 844})
    box = whole(visit("jumps", **LINK), "jumps")
    wait_until_drawn(part(box, "stage"))
    assert overflow(page) <= 0
    slider = part(box, "rung").bounding_box()
    assert slider
    assert slider["y"] < 844  # γ is within reach of the picture
