"""`python -m benchmarks.browser_attack [--json]`: the Attack view in Chromium, as a person uses it.

While the attacks play, ε or γ is moved: milliseconds from each move to the first perturbation of the new attack on the
canvas; and what one repaint of the picture takes. Median, 95th percentile and the machine's load are told.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from benchmarks.browser_regions import Series, chromium_page, series  # and the browser tests' folder on the path

from pages import settle  # isort: skip # pyright: ignore[reportMissingImports]

WAIT_MS = 120_000
MOVES = 30
PROMISED = "≤ 150"

# A new attack is on the canvas when the frame after the one that paints its first perturbation begins.
WATCH = """box => {
window.asked = slider => {
  window.painted = null;
  const from = box.dataset.shown;
  slider.addEventListener('input', () => {
    const start = performance.now();
    const observer = new MutationObserver(() => {
      if (box.dataset.shown === from) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => { window.painted = performance.now() - start; }));
    });
    observer.observe(box, { attributes: true, attributeFilter: ['data-shown'] });
  }, { capture: true, once: true });
};
}
"""
CASES = {
    "eps": ("ε, digits 64-64, trained", {}, "attack-eps"),
    "gamma": ("γ, digits 64-64, trained", {}, "attack-gamma"),
    "points": (
        "ε, moons 64-64, untrained",
        {"data": "moons", "learned": "untrained", "image": "0.1,0.2"},
        "attack-eps",
    ),
}


def opened(page: Page, query: dict) -> None:
    """The view with this link, its attacks ended."""
    page.goto(f"/attack?{urlencode(query)}")
    settle(page)
    box = page.get_by_test_id("attack")
    expect(box).to_have_attribute("data-complete", "true", timeout=WAIT_MS)
    box.evaluate(WATCH)


def moves(page: Page, slider: str, pause: int) -> list[float]:
    """Milliseconds from each of MOVES keys on a slider to the first perturbation; `pause` ms between them."""
    element = page.get_by_test_id(slider)
    found = []
    for i in range(MOVES):
        element.evaluate("slider => window.asked(slider)")
        element.focus()
        page.keyboard.press("ArrowRight" if i % 20 < 10 else "ArrowLeft")
        page.wait_for_function("window.painted !== null", timeout=WAIT_MS)
        found.append(page.evaluate("window.painted"))
        page.wait_for_timeout(pause + i)  # a person's pause, never in step with a timer
    return found


def all_series(page: Page, only: str | None) -> Iterator[Series]:
    for case, query, slider in CASES.values() if only is None else [CASES[only]]:
        opened(page, query)
        moves(page, slider, 100)  # what is compiled and cached once is another matter
        yield series(f"{case}: move to first perturbation, at rest", moves(page, slider, 1500), PROMISED)
        yield series(f"{case}: the same in quick succession", moves(page, slider, 60), PROMISED)
        yield series(f"{case}: a repaint, by the page's own clock", repaints(page))


def repaints(page: Page) -> list[float]:
    """Milliseconds of drawing for each step through the attacks."""
    page.keyboard.press("Home")
    found = []
    for _ in range(MOVES):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(30)
        found.append(float(page.get_by_test_id("attack").get_attribute("data-painted") or "nan"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser_attack", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON text per series instead of a table")
    parser.add_argument("--only", choices=[*CASES], help="what is moved")
    arguments = parser.parse_args()
    with chromium_page() as page:
        for one in all_series(page, arguments.only):
            print(json.dumps(asdict(one)) if arguments.json else one, flush=True)


if __name__ == "__main__":
    main()
