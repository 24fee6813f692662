"""The origin's experiment runs from end to end, goes on where it was broken off, and prints its table beside ours."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from kwta import networks
from kwta.attacks.adaptive import SCHEDULE
from kwta.attacks.evaluate import Outcome, Robustness, evaluated, names
from kwta.attacks.gradient import Relative
from kwta.cli import reproduce as command
from kwta.cli import resumption, table
from kwta.cli.main import main
from kwta.datasets import Data, Digits, NpzFile, Points, load
from kwta.networks import AlexNet, ResNet18, build
from kwta.published import origin_rows
from kwta.reproduction import Reproduction, fitted
from kwta.threats import Threat
from kwta.training import ANNEALED, Augmentation, train

TINY = "--data own.npz --width 2 --batch 8 --epochs 2 --images 6 --adaptive fastest --device cpu"


SHORT = ((2, 4), (1, 8))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Every test works in a folder of its own, with an adaptive attack of 16 forward passes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(command.SCHEDULES, "fastest", SHORT)


@pytest.fixture
def own() -> None:
    """Two classes of 3×32×32 that a tiny network learns at once: dark and bright."""
    rng = np.random.default_rng(0)
    labels = np.arange(32) % 2
    x = np.clip(0.3 + 0.4 * labels[:, None, None, None] + 0.05 * rng.standard_normal((32, 3, 32, 32)), 0, 1)
    parts = {"x_train": x[:24], "labels_train": labels[:24], "x_test": x[24:], "labels_test": labels[24:]}
    np.savez("own.npz", **{name: a.astype(np.float32) if a.ndim > 1 else a for name, a in parts.items()})


def reproduced(words: str, capsys) -> dict:
    assert main(["reproduce", *shlex.split(words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def weights(net) -> dict[str, torch.Tensor]:
    return net.state_dict()


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# From end to end.


@pytest.mark.usefixtures("own")
def test_it_trains_attacks_and_tells_what_the_library_finds(capsys):
    told = reproduced(f"--network alexnet --relu {TINY} --out net", capsys)
    plan = Reproduction("alexnet", None, epochs=2, batch=8, images=6, width=2, schedule=SHORT)
    data, net = load(NpzFile("own.npz")), networks.load("net")
    twin = build(plan.spec(data), 0)
    list(train(twin, data, plan.training, device="cpu"))
    assert same(weights(net), weights(twin))
    x, labels = plan.chosen(data)
    truth = evaluated(net, x, labels, Threat(0.031), plan.attacks, seed=0)
    assert list(told["attacks"]) == ["pgd-relative", "pgd", "deepfool", "adaptive"]
    for outcome in truth.attacks:
        cell = told["attacks"][outcome.name]
        assert cell["robust_accuracy"] == outcome.robust_accuracy
        assert tuple(cell["interval"]) == outcome.interval
        assert cell["queries"] == outcome.mean_queries
    assert (told["accuracy"], told["worst_case"], told["images"]) == (truth.accuracy, truth.worst_case, 6)
    assert [epoch["epoch"] for epoch in told["epochs"]] == [0, 1, 2]
    assert told["published"] == []
    assert net.record["reproduction"]["images"] == 6
    assert sorted(file.name for file in Path("net").iterdir()) == ["spec.json", "weights.safetensors"]


@pytest.mark.slow
@pytest.mark.usefixtures("own")
def test_resnet_with_k_wta_goes_all_the_way_too(capsys):
    told = reproduced(f"--network resnet18 --gamma 0.2 {TINY} --epochs 1 --width 1 --images 2 --out net", capsys)
    assert told["network"] == json.loads(networks.to_json(ResNet18(2, gamma=0.2, width=1)))
    assert told["parameters"] == sum(values.numel() for values in networks.load("net").parameters())
    assert list(told["attacks"]) == ["pgd-relative", "pgd", "deepfool", "adaptive"]
    assert (told["images"], told["stopped"]["reason"]) == (2, "finished")


@pytest.mark.usefixtures("own")
def test_people_read_a_table_with_an_interval_in_every_cell(capsys):
    assert main(["reproduce", "--network", "alexnet", "--anneal", *TINY.split()]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("alexnet on npz"))
    assert lines[start + 1].split() == ["ours,", "γ", "0.2"]  # two epochs are too few for the annealing to move
    cells = lines[start + 2 : start + 8]
    names = ["clean", "PGD, step 9.3e-05", "PGD, step 0.003 ", "DeepFool", "adaptive", "worst case"]
    for line, name in zip(cells, names, strict=True):
        assert line.startswith(name)
        assert re.search(r"\d+\.\d\d \[\d+\.\d, \d+\.\d\]$", line)
    assert "(0.003 ε)" in cells[1]
    assert max(map(len, lines)) <= 120
    assert "has no row for alexnet on npz" in lines[-1]


def test_digits_are_brought_to_its_size(capsys):
    words = "--network alexnet --data digits --width 1 --epochs 1 --subset 40 --images 4 --adaptive fastest --relu"
    told = reproduced(f"{words} --device cpu", capsys)
    assert told["network"]["image"] == [3, 32, 32]
    assert told["stopped"]["step"] == 1
    assert told["data"] == {"kind": "digits", "seed": 0}


# Going on.


@pytest.mark.usefixtures("own")
def test_a_run_that_was_broken_off_goes_on_to_the_same_weights_and_epochs(monkeypatch, capsys):
    words = f"--network alexnet --gamma 0.2 {TINY}"
    whole = reproduced(f"{words} --out whole", capsys)

    def interrupted(*arguments, **options):
        for record in train(*arguments, **options):
            yield record
            if record.kind == "epoch" and record.epoch == 1:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "train", interrupted)
        assert main(["reproduce", *words.split(), "--out", "broken"]) == 130
    assert "interrupted; the same command goes on after the last whole epoch" in capsys.readouterr().err
    assert [file.name for file in Path("broken").iterdir()] == ["training.safetensors"]
    assert main(["reproduce", *words.split(), "--out", "broken", "--json"]) == 0
    shown = capsys.readouterr()
    assert "Going on after epoch 1 of 2." in shown.err
    told = json.loads(shown.out)
    assert same(weights(networks.load("whole")), weights(networks.load("broken")))
    timeless = [[{**epoch, "seconds": 0} for epoch in run["epochs"]] for run in (whole, told)]
    assert timeless[0] == timeless[1]
    accuracies = [{name: cell["robust_accuracy"] for name, cell in run["attacks"].items()} for run in (whole, told)]
    assert accuracies[0] == accuracies[1]


@pytest.mark.usefixtures("own")
def test_attacks_that_were_broken_off_start_again_without_training(monkeypatch, capsys):
    words = ["reproduce", "--network", "alexnet", "--gamma", "0.2", *TINY.split(), "--out", "net"]

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "evaluate", interrupted)
        assert main(words) == 130
    assert Path("net", "weights.safetensors").is_file()
    assert Path("net", "training.safetensors").is_file()
    capsys.readouterr()
    assert main(words) == 0
    shown = capsys.readouterr()
    assert "Going on after epoch 2 of 2." in shown.err
    assert not Path("net", "training.safetensors").exists()


@pytest.mark.usefixtures("own")
def test_another_run_in_the_folder_or_a_damaged_one_is_not_gone_on_with(capsys):
    plan = Reproduction("alexnet", 0.2, epochs=2, batch=8, width=2)
    data = load(NpzFile("own.npz"))
    keep = resumption.keeper("net")
    records = train(build(plan.spec(data), 0), data, plan.training, device="cpu", keep=keep)
    while not Path("net", "training.safetensors").exists():
        next(records)
    words = f"reproduce --network alexnet --gamma 0.2 {TINY} --out net"
    assert main([*words.split(), "--seed", "1"]) == 2
    assert "the run that was kept is another one" in capsys.readouterr().err
    Path("net", "training.safetensors").write_bytes(b"{")
    assert main(words.split()) == 1
    assert "training.safetensors is damaged" in capsys.readouterr().err


# What a reproduction is.


def test_the_recipe_is_the_published_one():
    training = Reproduction("resnet18").training
    assert (training.epochs, training.optimiser, training.momentum, training.clip) == (80, "sgd", 0.9, 0.5)
    assert [training.rate_at(epoch) for epoch in (1, 50, 51, 80)] == [0.1, 0.1, 0.01, 0.01]
    assert (training.augmentation, training.weight_decay, training.gamma) == (Augmentation(4, True), 0.0, None)
    assert Reproduction("resnet18", anneal=True).training.gamma == ANNEALED
    assert Reproduction("resnet18", anneal=True).trained_gamma == 0.1
    assert Reproduction("resnet18", epochs=8).training.rate_steps == ((6, 0.01),)
    assert Reproduction("resnet18", epochs=1).training.rate_steps == ()


def test_the_attacks_are_the_published_ones():
    relative, absolute, deepfool, adaptive = Reproduction("alexnet").attacks
    assert (relative.step, relative.steps, relative.start) == (Relative(0.003), 40, "random")
    assert (absolute.step, absolute.steps, absolute.start) == (0.003, 40, "random")
    assert (deepfool.steps, deepfool.candidates) == (20, 10)
    assert (adaptive.sigma, adaptive.step, adaptive.schedule) == (8 / 255, 0.01, SCHEDULE)
    assert Reproduction("alexnet", eps=0.062).attacks[1].step == pytest.approx(0.006)


def test_the_networks_are_those_of_the_field_at_full_width():
    data = fitted(load(Digits()))
    assert Reproduction("resnet18", 0.1).spec(data) == ResNet18(gamma=0.1)
    assert Reproduction("alexnet", None).spec(data) == AlexNet()
    assert Reproduction("alexnet", 0.1, anneal=True).spec(data) == AlexNet(gamma=0.2)


def test_the_attacked_images_are_a_seeded_selection():
    data = load(Digits())
    plan = Reproduction("resnet18", images=50)
    (x, labels), (again, _) = plan.chosen(data), plan.chosen(data)
    assert torch.equal(x, again)
    places = [int((torch.tensor(data.x_test) == image).flatten(1).all(dim=1).nonzero()[0]) for image in x]
    assert len(set(places)) == 50
    assert places != sorted(places)
    assert labels.tolist() == [int(data.labels_test[place]) for place in places]
    everything = Reproduction("resnet18", images=10**6).chosen(data)[0]
    assert len(everything) == len(data.x_test)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"eps": 0.0}, "eps must be positive and finite, got 0"),
        ({"images": 0}, "at least 1 image must be attacked, got 0"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"schedule": ((20, 3),)}, "even number"),
    ],
)
def test_a_reproduction_that_makes_no_sense_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        Reproduction("resnet18", **change)


# Images of any size.


def images(*shape: int, box: tuple[float, float] = (0.0, 1.0)) -> Data:
    x = np.random.default_rng(1).uniform(*box, (6, *shape)).astype(np.float32)
    labels = np.arange(6) % 2
    return Data(NpzFile("made"), x, labels, x[:2], labels[:2], ("a", "b"), box)


def test_small_grey_images_are_enlarged_repeated_and_centred():
    data = images(1, 7, 10, box=(-1.0, 2.0))
    found = fitted(data)
    assert found.shape == (3, 32, 32)
    (image,) = data.x_train[3]
    large = np.kron(image, np.ones((3, 3)))  # 30 is the largest multiple of 10 within 32
    for channel in found.x_train[3]:
        assert np.array_equal(channel[5:26, 1:31], large)
        rest = channel.copy()
        rest[5:26, 1:31] = -1
        assert (rest == -1).all()
    assert np.array_equal(found.labels_train, data.labels_train)


def test_images_of_the_right_size_stay_the_same_arrays():
    data = images(3, 32, 32)
    assert fitted(data) is data


def test_what_cannot_be_brought_to_its_size_is_refused():
    for data, said in ((images(3, 33, 20), "33×20, larger than 32×32"), (images(2, 8, 8), "2 channels")):
        with pytest.raises(ValueError, match=said):
            fitted(data)
    with pytest.raises(ValueError, match="images are needed"):
        fitted(load(Points("moons")))


# The table.


def test_their_figures_stand_beside_ours_and_are_called_theirs():
    plan = Reproduction("alexnet", None)
    right = np.arange(1280) < 640
    cost = np.zeros(1280, np.int64)
    outcomes = tuple(
        Outcome(spec, name, ~right, right, cost, cost, 0.0)
        for spec, name in zip(plan.attacks, names(plan.attacks), strict=True)
    )
    found = Robustness(Threat(0.047), 0, right, right, outcomes)
    lines = list(table.lines(plan, found, origin_rows("alexnet", "svhn"), "svhn"))
    text = "\n".join(lines)
    head = next(line for line in lines if "ours, ReLU" in line)
    assert head.split() == ["ours,", "ReLU", "ReLU", "γ", "0.2", "γ", "0.1", "theirs", "(logs)"]
    cells = {line.split("   ")[0]: line.split()[-3:] for line in lines[3:9]}
    assert cells["clean"] == ["19.59", "95.35", "95.34"]
    assert cells["PGD, step 9.3e-05 (0.003 ε)"] == ["18.91", "44.30", "35.31"]
    assert cells["PGD, step 0.003"] == ["–", "–", "–"]
    assert cells["DeepFool"] == ["20.08", "1.95", "0.39"]
    assert text.count("50.00 [47.3, 52.7]") == 6
    assert "Costa and Antonini, k-WTA Activation Function, 2020 (logs)" in text
    assert "Their ReLU column is a training that failed." in text


REFUSED = {
    "--network resnet18 --data moons": "images are needed",
    "--network resnet18 --data digits --subset 1": "--subset must lie in 2..",
    "--network resnet18 --data digits --gamma 0": "gamma must lie in (0, 1], got 0.0",
    "--network vgg --data digits": "invalid choice: 'vgg'",
    "--data digits": "--network",
    "--network resnet18 --data digits --eps 0": "eps must be positive and finite, got 0.0",
    "--network resnet18 --data digits --images 0": "at least 1 image",
    "--network resnet18 --data digits --relu --anneal": "not allowed with",
    "--network resnet18 --data digits --device tpu": "got 'tpu'",
}


@pytest.mark.parametrize("words", REFUSED)
def test_it_refuses_in_one_line(words, capsys):
    assert main(["reproduce", *words.split()]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert REFUSED[words] in shown.err
