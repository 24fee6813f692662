"""What tests do with a page of the app again and again."""

from playwright.sync_api import Page, expect


def settle(page: Page) -> None:
    """Wait until Streamlit has run the script and drawn what it sent."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0)
    expect(page.locator('[data-testid="stSpinner"]')).to_have_count(0)
