"""The Attack view under the hand: playing, ε and γ, choosing, typing, the link, keeping pictures."""

import re
from contextlib import suppress
from urllib.parse import urlencode

import pytest
from pages import overflow, press_letter, settle, wait_until_drawn
from playwright.sync_api import Error, Locator, Page, expect
from server import free_port, plain_streamlit, serve
from watching import watched

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


def test_what_the_hand_moves_is_answered_without_a_run_of_the_page(visit):
    page = visit("attack", **QUICK)
    found = box(page)
    asked = []
    page.on("request", lambda r: asked.append(r.post_data_json) if "/answers/" in r.url else None)
    slider = page.get_by_test_id("attack-eps")
    slider.focus()
    for _ in range(3):
        key = found.get_attribute("data-key") or ""
        page.keyboard.press("ArrowRight")
        expect(found).not_to_have_attribute("data-key", key)
    moves = [report["eps"] for report in asked if report.get("moving")]
    assert len(set(moves)) == 3
    page.wait_for_url(re.compile(rf"eps={moves[-1]}"))
    box(page)


def test_what_the_hand_chooses_is_answered_at_once_and_by_the_page(visit):
    page = visit("attack", **QUICK)
    found = box(page)
    found.evaluate("""box => {
        window.seen = [[box.dataset.key, Number(box.dataset.seq)]];
        new MutationObserver(() => {
            if (box.dataset.key !== window.seen.at(-1)[0]) window.seen.push([box.dataset.key, Number(box.dataset.seq)]);
        }).observe(box, { attributes: true });
    }""")
    asked = []
    page.on("request", lambda r: asked.append(r.post_data_json) if "/answers/" in r.url else None)
    page.get_by_test_id("attack-steps").fill("7")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("steps=7"))
    box(page)
    seen = page.evaluate("window.seen")
    moves = [report["seq"] for report in asked if report.get("moving")]
    assert len(moves) == 1
    assert [seq for _, seq in seen[1:]] == moves  # the answer that came first was taken


def test_what_was_chosen_just_before_the_view_is_left_is_kept(visit):
    page = visit("attack", **QUICK)
    box(page)
    page.route("**/answers/**", lambda _route: None)  # on its way for long
    page.get_by_test_id("attack-steps").fill("7")
    page.keyboard.press("Enter")
    page.locator('[data-testid="stTopNavLink"][href$="/operator"]').click()
    page.wait_for_url("**/operator*")
    settle(page)
    page.unroute("**/answers/**")
    page.locator('[data-testid="stTopNavLink"][href$="/attack"]').click()
    page.wait_for_url("**/attack*")
    expect(page.get_by_test_id("attack-steps")).to_have_value("7")


def test_where_requests_find_nobody_or_are_never_answered_the_page_answers(watch, visit):
    page = visit("attack", **QUICK)
    found = box(page)
    asked = []

    def refuse(route) -> None:
        asked.append(route.request.post_data_json)
        route.fulfill(status=405)

    page.route("**/answers/**", refuse)
    slider = page.get_by_test_id("attack-eps")
    for _ in range(3):
        key = found.get_attribute("data-key") or ""
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(found).not_to_have_attribute("data-key", key)
        box(page)
    assert len(asked) == 1  # and no more at this path
    assert all("405" in problem for problem in watch.problems())
    page.unroute("**/answers/**")
    page.reload()
    box(page)
    page.route("**/answers/**", lambda _route: None)
    key, value = found.get_attribute("data-key") or "", slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(found).not_to_have_attribute("data-key", key)
    box(page)
    assert slider.input_value() != value


def test_an_answer_that_comes_late_does_not_undo_a_step_back(visit):
    page = visit("attack", **QUICK | {"queries": 9000})
    found = box(page)
    slider = page.get_by_test_id("attack-eps")
    first, key = slider.input_value(), found.get_attribute("data-key") or ""
    held = []
    page.route("**/answers/**", lambda r: held.append(r) if "poll" in r.request.post_data_json else r.continue_())
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("eps="))
    n = len(held)
    for _ in range(50):  # a question after the page has heard of the move
        page.wait_for_timeout(20)
        if len(held) > n:
            break
    assert len(held) > n
    page.go_back()
    page.wait_for_url(lambda url: "eps=" not in url)
    expect(slider).to_have_value(first)
    for route in held:
        with suppress(Error):  # given up meanwhile
            route.continue_()
    page.unroute("**/answers/**")
    page.wait_for_timeout(500)
    page.get_by_test_id("attack-play").focus()
    page.keyboard.press("3")  # tells the page all values
    page.wait_for_url(re.compile("column=adaptive"))
    assert "eps=" not in page.url
    expect(slider).to_have_value(first)
    expect(found).to_have_attribute("data-key", key)


def test_gamma_moves_on_the_page(visit):
    page = visit("attack", **QUICK)
    found = box(page)
    before = found.get_attribute("data-key") or ""
    page.get_by_test_id("attack-gamma").focus()
    page.keyboard.press("End")
    expect(found).not_to_have_attribute("data-key", before)
    page.wait_for_url(re.compile(r"agamma=1"))
    box(page)


def test_both_gammas_are_told_where_they_differ(visit):
    page = visit("attack", **QUICK | {"agamma": 0.5, "learned": "trained", "adaptive": "soft"})
    box(page)
    said = page.get_by_test_id("attack-gamma-home")
    expect(said).to_have_text("trained at γ = 0.25")
    expect(page.get_by_test_id("attack-gamma")).to_have_attribute("aria-valuetext", re.compile("trained at γ = 0.25"))
    page.get_by_test_id("attack-weights").select_option("untrained")
    expect(said).to_have_text("sidebar: γ = 0.25")
    page.locator('[data-key="who"] [data-value="relu"]').click()
    expect(said).to_be_hidden()
    page = visit("attack", **QUICK)
    box(page)
    expect(said).to_be_empty()


@pytest.mark.parametrize(
    ("who", "image", "lesson"),
    [("relu", 250, "one image does not show masking"), ("kwta", 7, "a hint of gradient masking")],
)
def test_one_image_that_pgd_alone_does_not_fool_is_no_verdict(visit, who, image, lesson):
    page = visit("attack", who=who, image=image)
    box(page)
    expect(page.get_by_test_id("attack-see")).to_contain_text("PGD does not fool it")
    expect(page.get_by_test_id("attack-why")).to_contain_text("The network is not robust here")
    expect(page.get_by_test_id("attack-why")).to_contain_text(lesson)
    assert ("ReLU has no jumps" in page.get_by_test_id("attack-why").inner_text()) == (who == "relu")


def test_an_input_that_is_wrong_without_attack_teaches_nothing_of_gradients(visit):
    page = visit("attack", learned="untrained", image=7, adaptive="soft")
    box(page)
    expect(page.get_by_test_id("attack-see")).to_contain_text("wrong here without any attack")
    expect(page.get_by_test_id("attack-why")).to_be_empty()
    expect(page.locator(".place-says")).to_have_text("step 0 of 0")


@pytest.mark.parametrize("black", ["square", "search", "noise"])
def test_names_of_attacks_are_whole_and_in_one_row_on_a_beamer(visit, black):
    page = visit("attack", **QUICK | {"black": black})
    box(page)
    select = page.locator('select[data-key="black"]')
    cut = "one => { const had = one.offsetWidth; one.style.maxWidth = 'none'; return one.offsetWidth - had; }"
    assert select.evaluate(cut) == 0
    row, field = page.locator(".methods").bounding_box(), select.bounding_box()
    assert row
    assert field
    assert row["height"] < 1.5 * field["height"]


@pytest.mark.parametrize(
    ("field", "typed", "held", "told"),
    [
        ("index", "9999", "3", "Input: from 0 to 358"),
        ("index", "1.5", "3", "Input: from 0 to 358"),
        ("stride", "abc", "0.01", "Size of a step: from 0.000001 to 1"),
        ("stride", "0", "0.01", "Size of a step: from 0.000001 to 1"),
        ("steps", "201", "40", "Steps: from 1 to 200"),
        ("queries", "", "60", "Queries: from 10 to 10000"),
    ],
)
def test_a_field_tells_its_range_and_goes_back_to_what_holds(visit, field, typed, held, told):
    page = visit("attack", **QUICK | {"data": "digits", "image": "3", "adaptive": "soft"})
    box(page)
    one, range_ = page.get_by_test_id(f"attack-{field}"), page.get_by_test_id(f"attack-{field}-range")
    expect(range_).to_be_empty()
    one.fill(typed)
    page.keyboard.press("Enter")
    expect(range_).to_have_text(told)
    expect(range_).to_be_in_viewport(ratio=1)
    assert one.get_attribute("aria-describedby") == range_.get_attribute("id")
    expect(one).to_have_attribute("aria-invalid", "true")
    expect(one).to_have_class(re.compile("wrong"))
    page.get_by_test_id("attack-play").focus()
    expect(one).to_have_value(held)
    expect(one).not_to_have_class(re.compile("wrong"))
    expect(one).to_have_attribute("aria-invalid", "false")
    expect(range_).to_have_text(told)  # for a while, so that who types and leaves can read it
    one.fill("20" if field != "stride" else "0,02")
    page.keyboard.press("Enter")
    expect(range_).to_be_empty()
    page.wait_for_url(re.compile(r"=(20|0\.02)\b"))


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
    press_letter(page, "a")
    page.wait_for_url(re.compile("/attack"))
    expect(page.get_by_test_id("attack")).to_have_attribute("data-key", re.compile(r"\w"), timeout=60_000)


def test_without_the_own_server_the_page_answers_what_the_hand_moves(browser, tmp_path):
    port = free_port()
    with (
        serve(plain_streamlit(port), port, tmp_path / "log.txt") as plain,
        watched(browser, plain) as watch,
    ):
        page = watch.page
        page.goto(f"/attack?{urlencode(QUICK)}")
        found = box(page)
        before = found.get_attribute("data-key") or ""
        asked = []
        page.on("request", lambda r: asked.append(r.url) if "/answers/" in r.url else None)
        page.get_by_test_id("attack-eps").focus()
        page.keyboard.press("ArrowRight")
        expect(found).not_to_have_attribute("data-key", before)
        page.wait_for_url(re.compile("eps="))
        box(page)
        assert asked == []
        assert watch.problems() == []
