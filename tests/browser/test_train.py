"""The landing page in a real browser: two networks learn the digits, and the hand on the controls is felt."""

import re

import pytest
from pages import settle, wait_until_drawn
from playwright.sync_api import Locator, Page, expect
from server import free_port, own_server, serve
from watching import watched


def stage(page: Page) -> Locator:
    """The Train component once it has its first frames."""
    box = page.locator(".train")
    expect(box).to_have_attribute("data-position", re.compile(r"\d"), timeout=30_000)
    return box


def position(box: Locator) -> int:
    return int(box.get_attribute("data-position") or -1)


def play_to_the_end(box: Locator) -> None:
    box.locator(".speed").select_option("120")
    if box.get_attribute("data-playing") == "false":
        box.locator(".play").click()
    expect(box).to_have_attribute("data-done", "true", timeout=90_000)
    expect(box).to_have_attribute("data-playing", "false", timeout=90_000)


def accuracies(box: Locator) -> list[float]:
    return [float(number) for number in re.findall(r"([\d.]+) % of", box.locator(".readout").inner_text())]


def picture(box: Locator) -> str:
    return box.locator(".stage").evaluate("canvas => canvas.toDataURL()")


@pytest.fixture
def moving(page, visit):
    """visit, for somebody who has not asked for stillness."""
    page.emulate_media(reduced_motion="no-preference")
    return visit


def test_two_networks_learn_the_digits_and_the_newcomer_touches_nothing(moving):
    page = moving()
    box = stage(page)
    wait_until_drawn(box.locator(".stage"))
    expect(box).to_have_attribute("data-playing", "true")
    before = picture(box)
    page.wait_for_timeout(1500)
    assert position(box) > 0
    assert picture(box) != before
    play_to_the_end(box)
    found = accuracies(box)
    assert len(found) == 2
    assert min(found) >= 95


def test_rewinding_keeps_the_seed_and_a_step_is_one_picture(visit):
    page = visit(data="moons", epochs=5)
    box = stage(page)
    play_to_the_end(box)
    final = box.locator(".readout").inner_text()
    box.locator(".rewind").click()
    expect(box).to_have_attribute("data-position", "0")
    box.locator(".step").click()
    expect(box).to_have_attribute("data-position", "1")
    page.keyboard.press("ArrowRight")
    expect(box).to_have_attribute("data-position", "2")
    page.keyboard.press("ArrowLeft")
    expect(box).to_have_attribute("data-position", "1")
    play_to_the_end(box)
    assert box.locator(".readout").inner_text() == final


def test_a_training_is_cancelled_where_it_is_and_trained_again_from_the_same_start(moving):
    page = moving(epochs=200)
    box = stage(page)
    start = picture_at_the_start(box)
    box.locator(".play").click()
    expect(box).to_have_attribute("data-position", re.compile(r"\d\d"), timeout=30_000)
    box.locator(".cancel").focus()
    page.keyboard.press("Enter")
    expect(box).to_have_attribute("data-cancelled", "true", timeout=15_000)
    expect(box).to_have_attribute("data-done", "true")
    said = re.fullmatch(
        r"Cancelled at epoch ([\d.]+) of 200; the picture keeps what was learnt\. "
        r"“Train again” starts from the same initialisation\.",
        box.locator(".note").inner_text(),
    )
    assert said
    assert 0 < float(said[1]) < 200
    expect(box.locator(".readout")).to_contain_text(f"Epoch {said[1]} of 200")
    length = int(box.get_attribute("data-length") or 0)
    assert position(box) == length - 1
    page.locator(".st-key-train_more button").click()  # the page runs again, and does not train
    settle(page)
    page.keyboard.press("Escape")
    page.wait_for_timeout(1500)
    assert int(box.get_attribute("data-length") or 0) == length
    box.locator(".rewind").click()
    expect(box).to_have_attribute("data-position", "0")
    expect(box.locator(".cancel")).to_have_text("Train again")
    box.locator(".cancel").click()
    expect(box).to_have_attribute("data-cancelled", "false", timeout=15_000)
    expect(box.locator(".note")).to_be_hidden()
    assert picture_at_the_start(box) == start
    box.locator(".play").click()
    expect(box).to_have_attribute("data-position", re.compile(r"\d\d"), timeout=30_000)


def picture_at_the_start(box: Locator) -> str:
    """What is said of both networks before the first step; the training pauses there."""
    expect(box).to_have_attribute("data-playing", "true", timeout=15_000)
    box.locator(".play").click()
    box.locator(".rewind").click()
    expect(box).to_have_attribute("data-position", "0")
    return box.locator(".readout").inner_text()


def test_one_viewer_cancels_and_another_goes_on(visit, browser, app):
    link = {"data": "moons", "epochs": 150, "seed": 4321}
    page = visit(**link)
    box = stage(page)
    with watched(browser, app) as other:
        other.page.goto("/?data=moons&epochs=150&seed=4321")
        beside = stage(other.page)
        box.locator(".cancel").click()
        expect(box).to_have_attribute("data-cancelled", "true", timeout=15_000)
        before = int(beside.get_attribute("data-length") or 0)
        beside.locator(".speed").select_option("120")
        beside.locator(".play").click()
        expect(beside).not_to_have_attribute("data-length", str(before), timeout=15_000)
        expect(beside).to_have_attribute("data-cancelled", "false")


def test_who_asks_for_stillness_gets_the_start_and_plays_by_hand(visit):
    page = visit(data="moons", epochs=5)
    box = stage(page)
    page.wait_for_timeout(600)
    assert position(box) == 0
    box.locator(".play").click()
    expect(box).to_have_attribute("data-position", re.compile("[1-9]"))


def test_space_pauses_and_plays(moving):
    page = moving()
    box = stage(page)
    expect(box).to_have_attribute("data-playing", "true")
    page.keyboard.press(" ")
    expect(box).to_have_attribute("data-playing", "false")
    at = position(box)
    page.wait_for_timeout(600)
    assert position(box) == at
    page.keyboard.press(" ")
    expect(box).to_have_attribute("data-playing", "true")


def test_moving_gamma_changes_the_network_the_picture_and_the_link(visit):
    page = visit(data="moons", epochs=5)
    box = stage(page)
    expect(box.locator(".readout")).to_contain_text("γ = 0.20")
    page.locator(".st-key-gamma input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect(box.locator(".readout")).to_contain_text("γ = 0.21", timeout=15_000)
    page.wait_for_url(re.compile(r"gamma=0\.21"))


def test_a_link_reproduces_data_schedule_twin_and_result(visit):
    link = {"data": "circles", "gamma": 0.1, "anneal": "annealed", "against": "0.5", "epochs": 3, "seed": 7}
    results = []
    for _ in range(2):
        box = stage(visit(**link))
        expect(box.locator(".readout")).to_contain_text("γ = 0.20")
        expect(box.locator(".readout")).to_contain_text("γ = 0.50")
        play_to_the_end(box)
        results.append(box.locator(".readout").inner_text())
    assert results[0] == results[1]


def test_a_diverging_training_says_at_once_which_network_and_what_happened(visit):
    box = stage(visit(data="moons", rate=100, epochs=20, net="8,8,8,8,8,8", gamma=1))
    box.locator(".speed").select_option("120")
    box.locator(".play").click()
    expect(box.locator(".readout.failed")).to_contain_text("k-WTA, γ = 1.00: Training diverged", timeout=30_000)
    play_to_the_end(box)
    expect(box.locator(".readout.failed")).to_contain_text("ReLU: ")


def test_annealing_survives_the_hand_on_gamma(visit):
    page = visit(data="moons", epochs=5, anneal="annealed", gamma=0.1)
    stage(page)
    page.locator(".st-key-gamma input[type=range]").focus()
    for gamma in ("0.11", "0.12", "0.13"):
        page.keyboard.press("ArrowRight")
        page.wait_for_url(re.compile(rf"gamma={gamma}".replace(".", r"\.")))
        settle(page)
    assert "anneal=annealed" in page.url
    expect(page.locator(".train .readout")).to_contain_text("γ = 0.26", timeout=15_000)


def test_data_that_cannot_be_had_get_a_message_and_the_page_stays(browser, tmp_path, monkeypatch):
    monkeypatch.delenv("KWTA_DATA", raising=False)
    monkeypatch.setenv("KWTA_CACHE", str(tmp_path / "empty"))
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")  # nobody is there: offline
    port = free_port()
    with serve(own_server(port), port, tmp_path / "log.txt") as server, watched(browser, server) as watch:
        watch.page.goto("/?data=mnist")
        expect(watch.page.locator('[data-testid="stAlert"]').first).to_contain_text("KWTA_DATA", timeout=60_000)
        expect(watch.page.locator('[data-testid="stException"]')).to_have_count(0)
        expect(watch.page.locator(".st-key-share")).to_be_visible()


def test_a_gamma_without_winners_gets_the_least_one_named_and_the_controls_stay(visit):
    page = visit(data="moons", net="8", gamma=0.12, epochs=5)
    expect(page.locator('[data-testid="stAlert"]').first).to_contain_text(
        "γ = 0.12 leaves hidden layer 1, of 8 units, without a winner; choose at least 0.13"
    )
    expect(page.locator(".st-key-epochs input")).to_be_visible()
    page.locator(".st-key-gamma input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    expect(stage(page).locator(".readout")).to_contain_text("γ = 0.13", timeout=15_000)
    expect(page.locator('[data-testid="stAlert"]')).to_have_count(0)


def test_a_link_carries_what_is_under_more(visit):
    more = {"gammas": "0.5,0.25", "drops": "2:0.01", "decay": 0.001, "patience": 3}
    page = visit(data="moons", net="8,8", epochs=4, **more)
    box = stage(page)
    expect(box.locator(".readout")).to_contain_text("k-WTA, γ = 0.50, 0.25")
    page.locator(".st-key-train_more button").click()
    for key, shown in {"gammas": "0.5,0.25", "drops": "2:0.01", "decay": "0.001", "patience": "3"}.items():
        expect(page.locator(f".st-key-{key} input")).to_have_value(shown)
    for key in more:
        assert f"{key}=" in page.url


ABSURD = (
    {"gamma": "7"},
    {"net": "64,,x"},
    {"anneal": "often"},
    {"rate": "fast"},
    {"epochs": "-3"},
    {"drops": "soon"},
    {"gammas": "7"},
)


@pytest.mark.parametrize("query", ABSURD)
def test_an_absurd_link_gives_a_message_and_the_networks_learn_all_the_same(visit, query):
    page = visit(**query)
    expect(page.locator('[data-testid="stAlert"]').first).to_contain_text(str(next(iter(query.values()))))
    stage(page)


def test_numbers_of_every_epoch_stand_in_a_table(visit):
    page = visit(data="moons", epochs=3)
    box = stage(page)
    play_to_the_end(box)
    box.locator(".numbers summary").click()
    expect(box.locator(".numbers tr")).to_have_count(1 + 4)
    with page.expect_download() as download:
        box.locator(".csv").click()
    assert download.value.suggested_filename == "kwta_training.csv"
    settle(page)
