"""What a link says is shown in a message as it is: it loads no picture, makes no link, and changes no letter."""

import pytest
from playwright.sync_api import expect

EVIL = "http://evil.ex"


@pytest.mark.parametrize(
    ("view", "key", "words"),
    [
        ("", "net", f"![]({EVIL}/x.png)"),
        ("", "gamma", f"<img src={EVIL}>"),
        ("operator", "preset", f"[Update]({EVIL})"),
        ("operator", "preset", f"{EVIL} www.evil.ex m@evil.ex"),
        ("operator", "preset", ":material/home: :smile: :red[a]"),
        ("operator", "preset", "$x^2$ `code` *b* ~~c~~ -> &amp; \\"),
    ],
)
def test_a_message_repeats_a_link_letter_by_letter(visit, view, key, words):
    page = visit(view, **{key: words})
    message = page.locator('[data-testid="stAlert"]')
    expect(message).to_have_count(1)
    body = message.locator('[data-testid="stMarkdownContainer"]')
    said = body.inner_text().replace("\u2060", "")
    assert f"got {words!r}" in said
    expect(body.locator("img, svg, code, em, del, .katex, [class*=colored]")).to_have_count(0)
    expect(page.locator("a[href*=evil], img[src*=evil]")).to_have_count(0)
