"""Devices by name: what is usable is found, and every other name is refused before torch meets it."""

import pytest
import torch

from kwta import devices


@pytest.fixture(autouse=True)
def _nobody_has_chosen(monkeypatch):
    monkeypatch.delenv("KWTA_DEVICE", raising=False)


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["auto", "cpu", "cpu:0"])
def test_without_a_gpu_there_is_the_cpu(name):
    assert devices.available() == ("cpu",)
    assert devices.pick(name).type == "cpu"
    assert torch.ones(2, device=devices.pick(name)).sum() == 2


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("auto", "cuda"),
        ("cuda", "cuda"),
        ("cuda:0", "cuda:0"),
        ("cuda:1", "cuda:1"),
        ("cpu", "cpu"),
        ("cpu:0", "cpu:0"),
    ],
)
def test_gpus_go_by_their_numbers(name, device):
    assert devices.pick(name) == torch.device(device)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    "name",
    [
        "cuda:2",
        "cuda:99",
        "cuda:-1",
        "cuda:00",
        "cuda:",
        "cuda:x",
        "cpu:1",
        "cpu:7",
        "cpu:x",
        "cpu:1000",
        "mps",
        "cpu ",
        "",
    ],
)
def test_what_is_not_here_is_refused_with_what_is(name):
    with pytest.raises(ValueError, match="must be auto or one of cuda, cuda:0, cuda:1, cpu, cpu:0, got") as caught:
        devices.pick(name)
    assert str(caught.value).endswith(f"got {name!r}")


@pytest.mark.usefixtures("no_gpu")
def test_the_environment_chooses_where_nothing_is_asked_for(monkeypatch):
    monkeypatch.setenv("KWTA_DEVICE", "cpu:0")
    assert devices.pick() == torch.device("cpu:0")
    monkeypatch.setenv("KWTA_DEVICE", "cuda")
    assert devices.pick("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="must be auto or one of cpu, cpu:0, got 'cuda'"):
        devices.pick()
