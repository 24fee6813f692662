"""`python -m benchmarks.browser_regions [--json]`: the Regions view in Chromium, as a person uses it.

Numbers, each a series of which median and 95th percentile are told: the main thread's work for one repaint while γ is
dragged; the time from a click on "New seed" (and on "New" in the sidebar), and from a wheel event (another part of the
plane), to the exact polygons on the canvas; and the main thread's work while the largest picture is pointed at and
moved.
"""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, TimeoutError, expect, sync_playwright

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "browser"))
import chromium  # pyright: ignore[reportMissingImports]
from pages import settle  # pyright: ignore[reportMissingImports]
from server import free_port, own_server, serve  # pyright: ignore[reportMissingImports]

WAIT_MS, LOST_MS = 120_000, 10_000
# Moves of the hand in a series; a mouse reports about as often as the screen is painted.
MOVES, EVENTS = 120, 25
FRAME_MS = 16
DRAG = {"data": "moons", "net": "64,64", "gamma": 0.2}
NEW = {"data": "moons", "net": "64,64,64", "gamma": 0.2}
# Its ReLU network has more regions than one picture takes.
LARGE = {"data": "moons", "net": "512,512", "gamma": 0.5}

# An answer is painted when the frame after the one that shows it begins.
WATCH = """box => {
window.asked = (event, known) => {
  window.painted = null;
  const from = box.dataset.key;
  document.addEventListener(event, () => {
    const start = performance.now();
    const look = () => {
      if (box.dataset.key !== from && box.dataset.cells) {
        requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now() - start; }));
        observer.disconnect();
      }
    };
    const observer = new MutationObserver(look);
    observer.observe(box, { attributes: true, attributeFilter: ['data-key', 'data-cells'] });
  }, { capture: true, once: true, passive: true });
};
}
"""


@dataclass(frozen=True)
class Series:
    """Milliseconds: median and 95th percentile of n, what was promised of one of them, and the machine's load."""

    case: str
    p50: float
    p95: float
    least: float
    n: int
    load: float
    promised: str = ""

    def __str__(self) -> str:
        promised = f"  promised: {self.promised}" if self.promised else ""
        return (
            f"{self.case:58} p50 {self.p50:6.1f}  p95 {self.p95:6.1f}  least {self.least:6.1f} ms  n = {self.n}  "
            f"load {self.load:.1f}{promised}"
        )


def series(case: str, ms: list[float], promised: str = "") -> Series:
    ordered = sorted(ms)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return Series(case, statistics.median(ms), p95, ordered[0], len(ms), os.getloadavg()[0], promised)


def opened(page: Page, query: dict, all_rungs: bool = True) -> None:
    """The view with this link, its pictures drawn; with all rungs of γ in the browser, if so wanted."""
    page.goto(f"/regions?{urlencode(query)}")
    settle(page)
    box = page.get_by_test_id("regions")
    expect(box).to_have_attribute("data-cells", re.compile(r"\d"), timeout=WAIT_MS)
    if all_rungs:
        expect(box).to_have_attribute("data-whole", "true", timeout=WAIT_MS)
        page.wait_for_timeout(1000)
    box.evaluate(WATCH)


def work(page: Page, move: Callable[[int], None]) -> list[float]:
    """Milliseconds of the main thread's own time (others' load does not count) for each of MOVES events."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        return 1000 * metrics["TaskDuration"]

    found = []
    for i in range(MOVES):
        before = spent()
        move(i)
        page.wait_for_timeout(FRAME_MS)
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        found.append(spent() - before)
    session.detach()
    return found


def answers(page: Page, event: str, act: Callable[[int], None]) -> list[float]:
    """Milliseconds from each of EVENTS events to the painted answer, as far as it was seen."""
    found = []
    for i in range(EVENTS):
        page.get_by_test_id("regions").evaluate(WATCH)  # the page may have made it anew
        page.evaluate(f"window.asked({event!r})")
        act(i)
        try:
            page.wait_for_function("window.painted !== null", timeout=LOST_MS)
        except TimeoutError:  # the page has made the component anew meanwhile: nothing watches the new one; n tells
            continue
        found.append(page.evaluate("window.painted"))
        page.wait_for_timeout(600)  # what follows at rest is another matter: a person looks
    return found


def drag(page: Page) -> Series:
    opened(page, DRAG)
    area = page.get_by_test_id("regions-rung").bounding_box()
    assert area
    y = area["y"] + area["height"] / 2
    page.mouse.move(area["x"] + 0.2 * area["width"], y)
    page.mouse.down()
    ms = work(page, lambda i: page.mouse.move(area["x"] + area["width"] * (0.1 + 0.8 * i / MOVES), y))
    page.mouse.up()
    return series("dragging γ, 2-64-64-2, all rungs: work of a repaint", ms, "p95 < 20")


def seeds(page: Page) -> Iterator[Series]:
    opened(page, NEW, all_rungs=False)
    button = page.get_by_test_id("regions").get_by_role("button", name="New seed")
    ms = answers(page, "click", lambda _: button.click())
    yield series("a new seed, 2-64-64-64-2: click to exact polygons", ms, "p50 ≤ 120")
    button = page.get_by_test_id("stSidebar").get_by_role("button", name="New", exact=True)
    ms = answers(page, "click", lambda _: button.click())
    yield series("the same by the control that all views share", ms)


def planes(page: Page) -> Series:
    opened(page, NEW, all_rungs=False)
    area = page.get_by_test_id("regions-stage").bounding_box()
    assert area
    page.mouse.move(area["x"] + 0.6 * area["width"], area["y"] + 0.45 * area["height"])
    ms = answers(page, "wheel", lambda i: page.mouse.wheel(0, -150 if i % 8 < 4 else 100))
    return series("a new plane, 2-64-64-64-2: wheel to exact polygons", ms, "p50 ≤ 120")


def images(page: Page) -> Series:
    opened(page, {"net": "64,64,64"}, all_rungs=False)
    ms = answers(page, "click", lambda _: page.get_by_role("button", name="New plane").click())
    return series("a new plane through three digits, 64-64-64-64-10", ms)


def large(page: Page) -> Iterator[Series]:
    opened(page, LARGE, all_rungs=False)
    n = int(page.get_by_test_id("regions").get_attribute("data-twin") or 0)
    area = page.get_by_test_id("regions-twin").bounding_box()
    assert area
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    page.mouse.move(x, y)
    page.wait_for_timeout(500)
    ms = work(page, lambda i: page.mouse.move(x + i % 60, y + i // 3))
    yield series(f"pointing at {n:,} regions: work of a repaint", ms, "p95 < 20")
    page.mouse.move(x, y)
    page.mouse.wheel(0, -150)
    page.wait_for_timeout(4000)
    page.mouse.down()
    ms = work(page, lambda i: page.mouse.move(x - i % 60, y - i // 3))
    page.mouse.up()
    yield series("moving a picture of that size: work of a repaint", ms, "p95 < 20")


def all_series(page: Page) -> Iterator[Series]:
    yield drag(page)
    yield from seeds(page)
    yield planes(page)
    yield images(page)
    yield from large(page)


@contextmanager
def chromium_page() -> Iterator[Page]:
    """A page of a fresh browser, at the address of a fresh server."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(own_server(port), port, Path(folder) / "log.txt") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.ARGUMENTS))
        context = browser.new_context(
            viewport={"width": 1280, "height": 720}, base_url=server.url, reduced_motion="reduce"
        )
        context.set_default_timeout(WAIT_MS)
        yield context.new_page()
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser_regions", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON text instead of a table")
    parser.add_argument("--only", choices=["drag", "seeds", "planes", "images", "large"], help="one of the series")
    arguments = parser.parse_args()
    with chromium_page() as page:
        for one in all_series(page) if not arguments.only else only(page, arguments.only):
            print(json.dumps(asdict(one)) if arguments.json else one, flush=True)


def only(page: Page, name: str) -> Iterator[Series]:
    found = {"drag": drag, "seeds": seeds, "planes": planes, "images": images, "large": large}[name](page)
    return iter([found]) if isinstance(found, Series) else found


if __name__ == "__main__":
    main()
