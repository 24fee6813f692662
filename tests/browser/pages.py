"""What tests do with a page of the app again and again."""

from playwright.sync_api import Locator, Page, expect

# Copied to a canvas of our own, since one that draws with WebGL gives no 2-D context; any opaque pixel will do.
HAS_PIXELS = """canvas => {
    if (!canvas.width || !canvas.height) return false;
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
    copy.drawImage(canvas, 0, 0);
    return copy.getImageData(0, 0, canvas.width, canvas.height).data.some(value => value > 0);
}"""

# How often a condition that Playwright cannot wait for itself is looked at, and how often in all.
POLL_MS = 100
POLLS = 300


def settle(page: Page) -> None:
    """Wait until Streamlit has run the script and drawn what it sent."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0)
    expect(page.locator('[data-testid="stSpinner"]')).to_have_count(0)


def press_letter(page: Page, letter: str) -> None:
    """Open a view by its key, as soon as the page listens."""
    page.locator(".st-key-shortcuts [data-live]").wait_for(state="attached")
    page.keyboard.press(letter)


def wait_until_drawn(canvas: Locator) -> None:
    """Wait until there is a pixel on the canvas; AssertionError if it stays empty."""
    canvas.wait_for()
    for _ in range(POLLS):
        if canvas.evaluate(HAS_PIXELS):
            return
        canvas.page.wait_for_timeout(POLL_MS)
    raise AssertionError(f"{canvas} stayed empty for {POLLS * POLL_MS / 1000:g} s")


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window: 0 if nobody has to scroll sideways.

    Streamlit's main part scrolls by itself, so that the document never is too wide.
    """
    wide = """() => Math.max(
        document.documentElement.scrollWidth - window.innerWidth,
        ...[...document.querySelectorAll('[data-testid="stMain"]')].map(main => main.scrollWidth - main.clientWidth),
    )"""
    return page.evaluate(wide)
