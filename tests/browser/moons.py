"""What the tests of Regions and Jumps share: a small network, its exact cells, and a page that holds all rungs of γ."""

import re
from fractions import Fraction

import numpy as np
from playwright.sync_api import Locator, Page, expect

from kwta import slices
from kwta.datasets import Points, load
from kwta.networks import MLP, build
from kwta.regions import plane
from kwta.regions.cells import Cells

N, SEED = 16, 3
LINK = {"data": "moons", "net": f"{N},{N}", "gamma": 0.25, "seed": SEED}
WAIT_MS = 90_000


def exact(k: int | None, window: tuple[float, float, float] = (0, 0, 1), seed: int = SEED) -> Cells:
    """The library's cells for k winners (None: ReLU) in a window of the data box, in halves of it."""
    low, high = load(Points("moons", noise=0.05)).box
    half = (high - low) / 2
    x, y = (low + half + half * c for c in window[:2])
    r = half * window[2]
    net = build(MLP((2, N, N, 2), k and Fraction(k, N), init="he"), seed=seed).eval()
    return plane.cells(net, slices.square(x - r, x + r, y - r, y + r))


def whole(page: Page, view: str) -> Locator:
    """The view's picture once every rung of γ is in the browser."""
    box = page.get_by_test_id(view)
    expect(box).to_have_attribute("data-all", re.compile(r"\d"), timeout=WAIT_MS)
    expect(box).to_have_attribute("data-here", box.get_attribute("data-all") or "", timeout=WAIT_MS)
    return box


def part(box: Locator, name: str) -> Locator:
    """A part of the picture: regions-stage, jumps-rung, …"""
    return box.page.get_by_test_id(f"{box.get_attribute('data-testid')}-{name}")


def picture(canvas: Locator) -> str:
    return canvas.evaluate("canvas => canvas.toDataURL()")


def dragged(box: Locator, count: str) -> dict[int, int]:
    """Pull the slider of γ through its rungs: what the picture says of `count` at each rung that is met."""
    area, page = part(box, "rung").bounding_box(), box.page
    assert area
    y = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + area["width"] * 3.5 / N, y)
    page.mouse.down()
    seen = {}
    for share in np.linspace(0.3, 0.9, 9):
        page.mouse.move(area["x"] + area["width"] * share, y)
        seen[int(box.get_attribute("data-rung") or 0)] = int(box.get_attribute(f"data-{count}") or 0)
    page.mouse.up()
    return seen
