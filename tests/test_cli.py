"""The command line does what the library does, says so on the right stream, and refuses in one line."""

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from argparse import ArgumentTypeError
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from source_rules import ROOT

from kwta import datasets, networks
from kwta.cli import checkpoint, parser
from kwta.cli import train as train_command
from kwta.cli.console import plain
from kwta.cli.main import COMMANDS, main
from kwta.cli.main import parser as parser_of
from kwta.cli.options import data as data_options
from kwta.cli.options import network as network_options
from kwta.cli.options import training as training_options
from kwta.networks import CNN, MLP, build
from kwta.training import ANNEALED, Annealing, Training, evaluate, train

# A training run of a tenth of a second.
QUICK = ["train", "--data", "moons", "--points", "200", "--widths", "16,16", "--epochs", "2"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Every test works in a folder of its own, with the best device chosen as everywhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KWTA_DEVICE", "cpu")


def files(folder) -> dict[str, bytes]:
    """What a folder holds, hidden files included."""
    return {str(file): file.read_bytes() for file in Path(folder).rglob("*") if file.is_file()}


def document(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


def tensors(folder) -> dict[str, torch.Tensor]:
    return networks.load(folder).state_dict()


def equal(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# What training gives.


def test_the_document_agrees_with_the_saved_network_evaluated_by_the_library(capsys):
    arguments = ["train", "--data", "digits", "--widths", "32,24", "--gamma", "0.25", "--epochs", "3", "--seed", "4"]
    assert main([*arguments, "--out", "net", "--json"]) == 0
    told = document(capsys)
    net, data = networks.load("net"), datasets.load(datasets.Digits())
    last = told["epochs"][-1]
    for part, x, labels in (("train", data.x_train, data.labels_train), ("test", data.x_test, data.labels_test)):
        truth = evaluate(net, torch.tensor(x), torch.tensor(labels))
        assert last[f"{part}_accuracy"] == truth.accuracy
        assert last["loss" if part == "train" else "test_loss"] == pytest.approx(truth.loss, rel=1e-6)
        assert part == "test" or tuple(last["dead"]) == truth.dead
    assert [epoch["epoch"] for epoch in told["epochs"]] == [0, 1, 2, 3]
    assert told["parameters"] == sum(values.numel() for values in net.parameters())
    assert (told["seed"], told["checkpoint"], told["stopped"]["reason"]) == (4, "net", "finished")
    assert told["data"] == {"kind": "digits", "seed": 0}
    assert told["versions"]["torch"] == torch.__version__
    assert networks.from_json(json.dumps(told["network"])) == MLP((64, 32, 24, 10), 0.25) == net.spec
    assert net.record == {name: told[name] for name in net.record}
    assert set(net.record) == {"data", "classes", "training", "device", "epochs", "stopped", "versions"}


def test_the_command_gives_the_weights_that_the_library_gives():
    assert main([*QUICK, "--gamma", "0.25", "--seed", "5", "--optimiser", "adam", "--batch", "32", "--out", "net"]) == 0
    net = build(MLP((2, 16, 16, 2), 0.25), seed=5)
    spec = Training(epochs=2, batch=32, optimiser="adam", learning_rate=0.001, seed=5)
    list(train(net, datasets.load(datasets.Points("moons", 200)), spec, device="cpu"))
    assert equal(tensors("net"), net.state_dict())


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([*QUICK, "--seed", seed, "--out", folder]) == 0
    assert equal(tensors("a"), tensors("b"))
    assert not equal(tensors("a"), tensors("c"))


def test_annealing_leaves_the_last_gamma_in_the_checkpoint(capsys):
    assert main([*QUICK, "--anneal", "0.5:0.25:0.125:1", "--epochs", "3", "--out", "net"]) == 0
    capsys.readouterr()
    assert main(["info", "net", "--json"]) == 0
    told = document(capsys)
    assert [(row["gamma"], row["winners"]) for row in told["layers"]] == [(0.25, 4), (0.25, 4)]
    assert told["spec"]["gamma"] == 0.5
    assert told["record"]["training"]["gamma"]["start"] == 0.5


def test_without_out_nothing_is_written(tmp_path, capsys):
    assert main([*QUICK, "--json"]) == 0
    assert document(capsys)["checkpoint"] is None
    assert files(tmp_path) == {}


# What the options mean.


def parsed(*words: str):
    return parser_of(words).parse_args(words)


@pytest.fixture
def digits() -> datasets.Data:
    return datasets.load(datasets.Digits())


def test_without_options_everything_is_as_the_library_has_it(digits):
    arguments = parsed("train", "--data", "digits")
    assert training_options.spec(arguments) == Training()
    assert data_options.spec(arguments) == datasets.Digits()
    assert network_options.spec(arguments, digits) == MLP((64, 256, 256, 10), 0.2)


TRAININGS = {
    "--epochs 3 --seed 9 --batch 7": Training(epochs=3, seed=9, batch=7),
    "--optimiser adam": Training(optimiser="adam", learning_rate=0.001),
    "--optimiser adam --learning-rate 0.1": Training(optimiser="adam"),
    "--momentum 0": Training(momentum=0.0),
    "--learning-rate 0.5 --weight-decay 1e-4": Training(learning_rate=0.5, weight_decay=1e-4),
    "--rate-step 5:0.01 --rate-step 9:1e-3": Training(rate_steps=((5, 0.01), (9, 1e-3))),
    "--clip 2.5 --patience 4": Training(clip=2.5, patience=4),
    "--anneal paper": Training(gamma=ANNEALED),
    "--anneal 0.4:0.2:0.02:3": Training(gamma=Annealing(0.4, 0.2, 0.02, 3)),
}


@pytest.mark.parametrize("words", TRAININGS)
def test_training_options_have_the_meaning_of_their_fields(words):
    assert training_options.spec(parsed("train", "--data", "digits", *words.split())) == TRAININGS[words]


NETWORKS = {
    "--widths 30": MLP((64, 30, 10), 0.2),
    "--relu --init he": MLP((64, 256, 256, 10), None, "he"),
    "--widths 30,20 --gamma 0.1,1/4": MLP((64, 30, 20, 10), (0.1, Fraction(1, 4))),
    "--widths 30,20 --gamma relu,1": MLP((64, 30, 20, 10), (None, 1.0)),
    "--anneal paper": MLP((64, 256, 256, 10), 0.2),
    "--conv 4,8 --gamma 0.3": CNN((1, 8, 8), (4, 8), 10, gamma=0.3),
    "--conv 4 --widths 9 --kernel 5 --pool 4": CNN((1, 8, 8), (4,), 10, 5, 4, hidden=(9,), gamma=0.2),
}


@pytest.mark.parametrize("words", NETWORKS)
def test_network_options_make_the_spec_that_fits_the_data(words, digits):
    assert network_options.spec(parsed("train", "--data", "digits", *words.split()), digits) == NETWORKS[words]


DATA = {
    "moons": datasets.Points("moons"),
    "spirals --points 90 --noise 0 --classes 3 --data-seed 8": datasets.Points("spirals", 90, 0.0, 8, 3),
    "digits --data-seed 3": datasets.Digits(3),
    "mnist --train-size 600 --test-size 50": datasets.Images("mnist", 600, 50),
    "pictures --image-size 8x12 --grey": datasets.ImageFolder("pictures", (8, 12), grey=True),
}


@pytest.mark.parametrize("words", DATA)
def test_data_options_make_the_spec_of_the_set(words):
    Path("pictures").mkdir()
    assert data_options.spec(parsed("train", "--data", *words.split())) == DATA[words]


def points_file(name: str, seed: int = 0) -> None:
    """A table of two clouds."""
    x = np.random.default_rng(seed).normal(size=(60, 2))
    Path(name).write_text("".join(f"{a},{b},{'ab'[int(a > 0)]}\n" for a, b in x), encoding="utf-8")


def test_a_file_is_remembered_with_its_content_and_recognised_when_it_changed(capsys):
    points_file("mine.csv")
    assert (
        main(["train", "--data", "mine.csv", "--widths", "8", "--gamma", "0.5", "--epochs", "1", "--out", "net"]) == 0
    )
    assert main(["evaluate", "net"]) == 0
    points_file("mine.csv", seed=1)
    capsys.readouterr()
    assert main(["evaluate", "net"]) == 1
    assert "it is not the file that this data set was made from" in capsys.readouterr().err
    assert main(["evaluate", "net", "--data", "mine.csv"]) == 0


def test_an_npz_file_trains(capsys):
    x = np.random.default_rng(0).random((40, 3)).astype(np.float32)
    np.savez("mine.npz", x=x, labels=(x[:, 0] > 0.5).astype(np.int64))
    assert main(["train", "--data", "mine.npz", "--widths", "8", "--gamma", "0.5", "--epochs", "1", "--json"]) == 0
    assert document(capsys)["network"]["widths"] == [3, 8, 2]


# Evaluation and info.


@pytest.fixture
def saved() -> str:
    assert main([*QUICK, "--gamma", "0.25", "--out", "net"]) == 0
    return "net"


def test_evaluate_agrees_with_the_record_and_counts(saved, capsys):
    capsys.readouterr()
    assert main(["evaluate", saved, "--json"]) == 0
    told, record = document(capsys), networks.load(saved).record
    last = record["epochs"][-1]
    assert told["test"]["accuracy"] == last["test_accuracy"]
    assert told["train"]["accuracy"] == last["train_accuracy"]
    assert told["train"]["dead"] == last["dead"]
    assert (told["train"]["examples"], told["test"]["examples"]) == (160, 40)
    assert told["test"]["right"] == told["test"]["accuracy"] * 40
    assert (told["gammas"], told["winners"], told["data"]) == ([0.25, 0.25], [4, 4], record["data"])


def test_evaluate_at_another_gamma_is_evaluation_after_set_gamma(saved, capsys):
    capsys.readouterr()
    assert main(["evaluate", saved, "--gamma", "1/2", "--data", "moons", "--points", "300", "--json"]) == 0
    told = document(capsys)
    net, data = networks.load(saved), datasets.load(datasets.Points("moons", 300))
    networks.set_gamma(net, 0.5)
    truth = evaluate(net, torch.tensor(data.x_test), torch.tensor(data.labels_test))
    assert (told["test"]["accuracy"], told["winners"], told["gammas"]) == (truth.accuracy, [8, 8], ["1/2", "1/2"])
    assert tuple(told["test"]["dead"]) == truth.dead


def test_evaluate_prints_what_the_document_says(saved, capsys):
    main(["evaluate", saved, "--json"])
    capsys.readouterr()
    main(["evaluate", saved, "--json"])
    test = document(capsys)["test"]
    assert main(["evaluate", saved]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.split()[:4] == ["test", "40", str(test["right"]), f"{100 * test['accuracy']:.2f}"]


def test_info_tells_spec_winners_and_record(saved, capsys):
    capsys.readouterr()
    assert main(["info", saved]) == 0
    text = capsys.readouterr().out
    for fact in (
        "MLP 2–16–16–2, seed 0",
        "354, float32",
        "16 units, 4 winners (γ = 0.25)",
        "data        points, shape moons",
        "After epoch ",
        "test accuracy ",
        "stopped     Finished: 2 epochs",
        f"torch {torch.__version__}",
    ):
        assert fact in text
    assert main(["info", saved, "--json"]) == 0
    told = document(capsys)
    assert told["layers"][1] == {"layer": 2, "units": 16, "gamma": 0.25, "winners": 4}
    assert told["parameters"] == 354 == 3 * 16 + 17 * 16 + 17 * 2
    assert told["record"] == networks.load(saved).record


def test_train_begins_with_the_network_in_words(capsys):
    assert main([*QUICK, "--gamma", "0.5,relu", "--out", "net"]) == 0
    assert "MLP 2–16–16–2, γ = 0.5, ReLU (k = 8, –), 354 parameters, seed 0; " in capsys.readouterr().err


def test_info_names_the_data(capsys):
    assert main(["train", "--data", "digits", "--widths", "8", "--gamma", "0.5", "--epochs", "1", "--out", "net"]) == 0
    capsys.readouterr()
    assert main(["info", "net"]) == 0
    assert "data        digits, seed 0" in capsys.readouterr().out


def test_info_shows_a_record_of_another_kind_as_it_is(capsys):
    record = {"epochs": [{"epoch": "last", "loss": 0.5}], "stopped": {"reason": "bored"}}
    networks.save(build(MLP((2, 6, 2), 0.5), seed=1), "net", record)
    assert main(["info", "net"]) == 0
    shown = capsys.readouterr().out
    assert "last epoch  epoch last, loss 0.5" in shown
    assert "stopped     reason bored" in shown


def test_info_shows_networks_that_others_saved(capsys):
    net = build(MLP((2, 6, 2), (Fraction(1, 3),)), seed=1)
    networks.save(net, "bare")
    networks.save(net, "own", {"note": "from elsewhere", "data": "a name", "epochs": 3})
    for folder in ("bare", "own"):
        assert main(["info", folder]) == 0
        assert "6 units, 2 winners (γ = 1/3)" in capsys.readouterr().out
        assert main(["evaluate", folder]) == 2
        assert "name the data with --data" in capsys.readouterr().err
        assert main(["evaluate", folder, "--data", "moons"]) == 0
        capsys.readouterr()


def test_relu_layers_are_told_apart(capsys):
    assert main([*QUICK, "--gamma", "0.5,relu", "--out", "net"]) == 0
    assert "0.5,ReLU" in capsys.readouterr().out
    assert main(["info", "net"]) == 0
    assert "layer 2     16 units, ReLU" in capsys.readouterr().out


# Where words go.


def test_the_epochs_are_on_stdout_and_messages_on_stderr(capsys):
    assert main([*QUICK, "--out", "net"]) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].split() == ["epoch", "loss", "train", "test", "γ", "dead", "seconds"]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "2"]
    assert lines[4:] == ["Finished: 2 epochs, 6 steps.", "Saved in net."]
    assert "354 parameters, seed 0; 160 examples, tested on 40, on CPU" in shown.err


def test_with_json_stdout_is_one_document_and_the_epochs_move_to_stderr(capsys):
    assert main([*QUICK, "--json"]) == 0
    shown = capsys.readouterr()
    assert len(json.loads(shown.out)["epochs"]) == 3
    assert "Finished: 2 epochs" in shown.err


def test_bars_are_drawn_when_asked_for_and_otherwise_on_terminals_only(capsys):
    assert main([*QUICK, "--progress"]) == 0
    assert "6/6" in capsys.readouterr().err
    assert main(QUICK) == 0
    assert "6/6" not in capsys.readouterr().err


def test_what_will_not_happen_is_said_beforehand(capsys):
    assert main([*QUICK, "--anneal", "paper", "--rate-step", "30:0.01"]) == 0
    told = capsys.readouterr().err
    assert "from epoch 30 on is never used: there are 2 epochs" in told
    assert "γ ends at 0.2 and not at 0.1" in told


def test_json_values_are_plain():
    value = {"a": (1, Fraction(1, 3)), "b": [float("nan"), float("-inf"), 0.5], "c": None}
    assert plain(value) == {"a": [1, "1/3"], "b": [None, None, 0.5], "c": None}


# Refusals.

REFUSED = {
    "": "COMMAND",
    "tarin": "invalid choice: 'tarin'",
    "train": "--data",
    "train --data mons": "moons",
    "train --data none.csv": "none.csv cannot be read",
    "train --data none.npz": "none.npz cannot be read",
    "train --data moons --widths 8,x": "positive whole numbers with commas between, such as 256,128; got '8,x'",
    "train --data moons --widths 8,0": "got '8,0'",
    "train --data moons --widths 99999999,99999999": "parameters are supported",
    "train --data moons --gamma 0": "above 0 and up to 1",
    "train --data moons --gamma 1.5": "got '1.5'",
    "train --data moons --gamma nan": "got 'nan'",
    "train --data moons --gamma 0.2,": "got '0.2,'",
    "train --data moons --gamma 0.001": "leaves no winner",
    "train --data moons --gamma 0.1,0.2,0.3": "one entry per hidden layer, 2, got 3",
    "train --data moons --gamma 0.2 --relu": "not allowed with",
    "train --data moons --relu --anneal paper": "not allowed with",
    "train --data moons --anneal 0.1:0.2:0.1:1": "0 < end <= start <= 1",
    "train --data moons --anneal 0.2:0.1": "START:END:STEP:EVERY",
    "train --data moons --anneal 0.2:0.001:0.01:1 --widths 16": "leaves no winner",
    "train --data moons --epochs 0": "epochs must be at least 1, got 0",
    "train --data moons --epochs 2.5": "whole number up to 1000000000000, got '2.5'",
    "train --data moons --epochs 99999999999999999999": "whole number up to",
    "train --data moons --batch 0": "batch must be at least 1",
    "train --data moons --seed -1": "from 0 to 4294967295, got '-1'",
    "train --data moons --seed 4294967296": "from 0 to 4294967295",
    "train --data moons --optimiser rmsprop": "choose from",
    "train --data moons --learning-rate 0": "positive and finite, got 0.0",
    "train --data moons --learning-rate fast": "must be a number, got 'fast'",
    "train --data moons --momentum 1": "[0, 1), got 1.0",
    "train --data moons --optimiser adam --momentum 0.5": "--momentum is for sgd",
    "train --data moons --weight-decay -1": "weight_decay must be 0 or more, got -1.0",
    "train --data moons --clip 0": "clip must be positive",
    "train --data moons --patience 0": "patience must be at least 1",
    "train --data moons --rate-step 5": "EPOCH:RATE, such as 15:0.01, got '5'",
    "train --data moons --rate-step 0:0.1": "count epochs from 1",
    "train --data moons --device tpu": "got 'tpu'",
    "train --data moons --conv 4": "--conv needs images",
    "train --data moons --pool 2": "--pool is for CNNs",
    "train --data digits --conv 4,4,4,4": "pool 2 exceeds the 1×1 output",
    "train --data digits --conv 4 --kernel 2": "kernel must be odd",
    "train --data digits --noise 0.1": "--noise is for the made 2-D sets; --data is digits",
    "train --data moons --train-size 100": "--train-size is for the public image sets",
    "train --data moons --classes 3": "classes of moons must be 2, got 3",
    "train --data moons --noise -1": "noise must be a number from 0 to 10, got -1.0",
    "train --data moons --grey": "--grey is for image folders",
    "train --data digits --unscaled": "--unscaled is for CSV files",
    "train --data mnist --train-size 70000": "from 10 to 60000, got 70000",
    "train --data pictures --image-size 8": "HEIGHTxWIDTH, such as 32x32, got '8'",
    "train --data moons --epoch 3": "unrecognized arguments: --epoch 3",
    "train --data moons --out a_file": "a_file is a file",
    "train --data moons --out foreign": "is no checkpoint; name another folder",
    "info nowhere": "nowhere holds no checkpoint",
    "evaluate nowhere": "nowhere holds no checkpoint",
    "info": "CHECKPOINT",
    "evaluate net --data digits": "inputs of shape 2 and has 2 outputs, but the inputs of digits have shape 1×8×8",
    "evaluate net --data gaussians --classes 3": "3 classes",
    "evaluate net --noise 0.1": "--noise needs --data",
    "evaluate net --gamma 0.01": "leaves no winner",
    "evaluate net --device tpu": "got 'tpu'",
}


@pytest.mark.parametrize("words", REFUSED)
def test_it_refuses_in_one_line(words, capsys, tmp_path):
    networks.save(build(MLP((2, 16, 2), 0.25), 0), "net", {"data": {"kind": "points", "shape": "moons"}})
    Path("a_file").touch()
    Path("pictures").mkdir()
    Path("foreign").mkdir()
    Path("foreign", "spec.json").write_text("{}")
    before = files(tmp_path)
    assert main(words.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert REFUSED[words] in shown.err
    assert shown.err.startswith("python -m kwta")
    assert files(tmp_path) == before


@pytest.mark.parametrize("text", ["", ",", "a", "0/3", "1/0", "1e400", "-0.2", "relu,,relu", "true"])
def test_what_is_no_gamma_is_refused(text):
    with pytest.raises(ArgumentTypeError, match=r"got '"):
        parser.gammas(text)


def test_a_folder_that_cannot_be_written_to_is_refused_before_training(monkeypatch, capsys):
    monkeypatch.setattr(checkpoint.os, "access", lambda *_: False)
    assert main([*QUICK, "--out", "net"]) == 2
    assert "that can be written to" in capsys.readouterr().err


# Failures: exit code 1, nothing lost.


def test_divergence_keeps_the_old_checkpoint_and_says_so(saved, capsys):
    before = files(saved)
    capsys.readouterr()
    assert main([*QUICK, "--learning-rate", "1e30", "--out", saved, "--json"]) == 1
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert (told["stopped"]["reason"], told["checkpoint"]) == ("diverged", None)
    assert "Training diverged: the " in shown.err
    assert shown.err.endswith("train: nothing was saved, net keeps the checkpoint it had\n")
    assert files(saved) == before


def test_divergence_leaves_no_folder_behind(tmp_path, capsys):
    assert main([*QUICK, "--learning-rate", "1e30", "--out", "new/net"]) == 1
    assert capsys.readouterr().err.endswith("train: nothing was saved\n")
    assert files(tmp_path) == {}
    assert not Path("new").exists()


@pytest.mark.parametrize("command", ["info", "evaluate"])
def test_a_damaged_checkpoint_fails_with_the_reason(saved, command, capsys):
    Path(saved, "weights.safetensors").write_bytes(b"{")
    capsys.readouterr()
    assert main([command, saved]) == 1
    assert "the checkpoint net is damaged: not a complete safetensors file" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["info", "evaluate"])
def test_the_spec_for_people_is_not_needed(saved, command, capsys):
    Path(saved, "spec.json").unlink()
    assert main([command, saved]) == 0
    assert not capsys.readouterr().err.count("damaged")


def test_missing_weights_fail_evaluation(saved, capsys):
    Path(saved, "weights.safetensors").unlink()
    assert main(["evaluate", saved]) == 1
    assert "the checkpoint net is damaged" in capsys.readouterr().err


def test_unusable_data_fail_with_the_reason(capsys):
    Path("one.csv").write_text("0,0,a\n1,1,a\n2,2,a\n")
    assert main(["train", "--data", "one.csv"]) == 1
    assert "learning needs at least two" in capsys.readouterr().err


def test_a_failed_download_fails_with_the_advice(monkeypatch, capsys):
    def load(*_, **__):
        raise datasets.DownloadError("no connection; set KWTA_DATA")

    monkeypatch.setattr(data_options, "load", load)
    assert main(["train", "--data", "mnist"]) == 1
    assert capsys.readouterr().err == "python -m kwta train: no connection; set KWTA_DATA\n"


def test_too_little_memory_is_said_so_and_other_errors_of_torch_are_not_hidden(monkeypatch, capsys):
    def build_with(error: Exception):
        def build(*_):
            raise error

        return build

    for exhausted in (MemoryError(), torch.OutOfMemoryError("CUDA is full"), raised_by(lambda: torch.empty(10**15))):
        monkeypatch.setattr(train_command, "build", build_with(exhausted))
        assert main(QUICK) == 1
        assert "not enough memory" in capsys.readouterr().err
    for mistake in ("a mistake of ours", "an illegal memory access was encountered", "expected channels_last memory"):
        monkeypatch.setattr(train_command, "build", build_with(RuntimeError(mistake)))
        with pytest.raises(RuntimeError, match=mistake):
            main(QUICK)


def raised_by(act) -> Exception:
    with pytest.raises(RuntimeError) as caught:
        act()
    return caught.value


# Ctrl+C.


def test_an_interrupted_run_leaves_the_old_checkpoint(saved, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        records = train(*arguments, **options)
        yield from (next(records) for _ in range(3))
        raise KeyboardInterrupt

    before = files(saved)
    monkeypatch.setattr(train_command, "train", interrupted)
    assert main([*QUICK, "--seed", "1", "--out", saved]) == 130
    assert capsys.readouterr().err.endswith("interrupted; nothing was saved, net keeps the checkpoint it had\n")
    assert files(saved) == before


def test_ctrl_c_while_saving_waits_until_the_checkpoint_is_whole(saved, monkeypatch, capsys):
    def pressed_while_saving(*arguments):
        signal.raise_signal(signal.SIGINT)
        networks.save(*arguments)

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(checkpoint, "save", pressed_while_saving)
    assert main([*QUICK, "--seed", "1", "--out", saved]) == 130
    assert "interrupted, when net had been saved" in capsys.readouterr().err
    assert networks.load(saved).seed == 1
    assert signal.getsignal(signal.SIGINT) is handler


def test_it_works_outside_the_main_thread(saved):
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main([*QUICK, "--seed", "3", "--out", saved])))
    thread.start()
    thread.join()
    assert codes == [0]
    assert networks.load(saved).seed == 3


# Help.


def help_of(capsys, *command: str) -> str:
    assert main([*command, "--help"]) == 0
    return capsys.readouterr().out


def examples(text: str) -> list[list[str]]:
    """The command lines among a help text's examples, without the program's name."""
    start = f"  {parser.PROGRAM} "
    return [shlex.split(line.removeprefix(start)) for line in text.splitlines() if line.startswith(start)]


def test_the_help_names_every_command_and_exit_code(capsys):
    text = help_of(capsys)
    for word in (*COMMANDS, "130", "examples:"):
        assert word in text


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_explains_it(command, capsys):
    text = help_of(capsys, command)
    assert len(examples(text)) >= 2
    assert all(example[0] == command for example in examples(text))
    its = [action for action in _options(command) if action.option_strings != ["-h", "--help"]]
    assert its
    assert [action.dest for action in its if not action.help] == []


def _options(command: str):
    commands = next(action for action in parser_of([command])._actions if action.dest == "command")
    return commands.choices[command]._actions


def test_the_help_shows_the_defaults_of_the_library(capsys):
    text = " ".join(help_of(capsys, "train").partition("examples:")[0].split())
    for name in ("epochs", "batch", "seed", "optimiser", "weight_decay"):
        option = text.split(f" --{name.replace('_', '-')} ")[-1]
        assert f"(default: {getattr(Training(), name)})" in option.split(" --")[0]
    assert "0.1 for sgd, 0.001 for adam" in text
    assert "0.2:0.1:0.005:2" in text


@pytest.mark.slow
def test_the_examples_run(capsys, monkeypatch):
    beside = Path(os.environ.get("KWTA_DATA", ROOT.parent / "shared" / "data"))
    monkeypatch.setenv("KWTA_DATA", str(beside)) if beside.is_dir() else monkeypatch.delenv("KWTA_DATA", raising=False)
    points_file("my_points.csv")
    texts = [help_of(capsys, *command) for command in ((), ("train",), ("evaluate",), ("info",))]
    runs = [example for text in texts for example in examples(text) if "--help" not in example]
    assert len(runs) >= 12
    for run in runs:
        if "mnist" in run and not (beside / "mnist").is_dir():
            continue  # would be downloaded
        assert main(run) == 0, run
        out = capsys.readouterr().out
        assert ("--json" not in run) or json.loads(out)


# As a program.


def program(*words: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "kwta", *words], env=environment, **pipes)


def test_the_general_help_waits_for_no_library():
    watched = "import sys; from kwta.cli.main import main; main(['--help']); main(['tarin'])"
    code = f"{watched}; print(sorted({{'torch', 'numpy', 'numba', 'argparse'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "['argparse']", done.stderr


@pytest.fixture
def interruptible():
    """Ctrl+C reaches programs started here, also where these tests run in the background, deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_program_with_130_and_the_old_checkpoint(saved):
    before = files(saved)
    running = program("train", "--data", "digits", "--epochs", "100000", "--out", saved)
    assert running.stdout is not None
    while not running.stdout.readline().startswith("    1 "):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted; nothing was saved, net keeps the checkpoint it had" in errors
    assert files(saved) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has other pipes")
def test_a_reader_that_leaves_early_is_no_error(saved):
    with program("info", saved, "--json") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == ""
        assert running.wait(60) == 1


def test_a_terminal_without_greek_shows_question_marks(saved, monkeypatch):
    seen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(seen, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["kwta", "info", saved])
    assert main() == 0
    assert b"4 winners (? = 0.25)" in seen.getvalue()
