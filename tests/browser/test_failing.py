"""A run that cannot even start says why, on the page."""

from playwright.sync_api import expect
from server import free_port, own_server, serve
from watching import watched


def test_a_device_that_is_not_there_is_named_on_the_page(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("KWTA_DEVICE", "mps" if __import__("sys").platform != "darwin" else "cuda")
    port = free_port()
    with serve(own_server(port), port, tmp_path / "log.txt") as server, watched(browser, server) as watch:
        watch.page.goto("/")
        expect(watch.page.locator(".train .readout.failed")).to_contain_text("device must be", timeout=30_000)


def test_stopping_the_server_while_networks_learn_is_no_crash(browser, tmp_path):
    port = free_port()
    with serve(own_server(port), port, tmp_path / "log.txt") as server, watched(browser, server) as watch:
        watch.page.goto("/?epochs=200")
        expect(watch.page.locator(".train .readout")).to_contain_text("Epoch", timeout=30_000)
    assert "terminate called" not in server.printed()
