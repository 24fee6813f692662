"""`python -m kwta attack` says what the library finds, and refuses in one line."""

import json

import pytest
from attacked_networks import images, trained

from kwta.attacks.ensembles import quick
from kwta.attacks.evaluate import evaluated
from kwta.attacks.masking import diagnose
from kwta.cli import attack
from kwta.cli.attack import catalogue
from kwta.cli.main import main
from kwta.networks import MLP, build, save
from kwta.threats import Threat

# Seconds of training, so that the twin of the record can be trained again.
TRAIN = ["train", "--data", "digits", "--widths", "32", "--epochs", "2", "--gamma", "0.2", "--out", "net"]
CHEAP = ["--images", "30", "--eps", "0.1", "--attacks", "fgsm,pgd,transfer"]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KWTA_DEVICE", "cpu")


def document(capsys) -> dict:
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def checkpoint(capsys) -> str:
    assert main(TRAIN) == 0
    capsys.readouterr()
    return "net"


def test_the_document_is_what_the_library_finds(capsys):
    save(trained(0.05), "k")
    save(trained(None), "r")
    options = ["--data", "digits", "--eps", "0.1", "--norm", "linf", "--images", "60", "--twin", "r", "--seed", "2"]
    assert main(["attack", "k", *options, "--attacks", "fgsm,noise,pgd,transfer,square", "--json"]) == 0
    shown = document(capsys)
    x, labels = images(60)
    wanted = ("fgsm", "noise", "pgd", "transfer", "square")
    specs = [spec for spec in quick(Threat(0.1), 64) if spec.name in wanted]
    found = evaluated(trained(0.05), x, labels, Threat(0.1), specs, 2, trained(None))
    assert shown["accuracy"] == found.accuracy
    assert shown["worst_case"] == found.worst_case
    assert tuple(shown["worst_interval"]) == found.worst_interval
    assert tuple(shown["attacks"]) == wanted
    for outcome in found.attacks:
        entry = shown["attacks"][outcome.name]
        assert entry["robust_accuracy"] == outcome.robust_accuracy
        assert tuple(entry["interval"]) == outcome.interval
        assert entry["queries"] == outcome.mean_queries
        assert entry["seconds"] >= 0
    assert shown["verdict"] in ("no sign of masking", "masked", "not enough images to tell")
    assert {"name", "speaks", "sentence", "numbers"} <= shown["evidence"][0].keys()


def test_people_read_a_table_and_the_evidence(checkpoint, capsys):
    assert main(["attack", checkpoint, *CHEAP]) == 0
    told = capsys.readouterr()
    for word in ("fgsm", "pgd", "transfer", "worst case", "without attack", "Verdict: not enough images to tell"):
        assert word in told.out
    assert "Training a ReLU twin" in told.err


def test_a_twin_is_trained_by_the_recipe_of_the_checkpoint(checkpoint, capsys):
    assert main(["attack", checkpoint, *CHEAP, "--json"]) == 0
    by_recipe = document(capsys)["attacks"]["transfer"]
    assert main([*TRAIN[:-4], "--relu", "--out", "twin"]) == 0
    capsys.readouterr()
    assert main(["attack", checkpoint, *CHEAP, "--twin", "twin", "--json"]) == 0
    named = document(capsys)["attacks"]["transfer"]
    assert by_recipe["robust_accuracy"] == named["robust_accuracy"] < 0.9


def test_without_a_record_or_a_wish_for_one_the_transfer_is_left_out(checkpoint, capsys):
    save(build(MLP((64, 16, 10), 0.5), 0), "bare")
    assert main(["attack", "bare", "--data", "digits", *CHEAP, "--json"]) == 0
    told = capsys.readouterr()
    assert "does not say how it was trained" in told.err
    assert json.loads(told.out)["skipped"] == {"transfer": "there is no twin to transfer from"}
    assert main(["attack", checkpoint, *CHEAP, "--no-twin", "--json"]) == 0
    assert "transfer" not in document(capsys)["attacks"]


def test_without_pgd_there_is_no_verdict_and_it_says_so(checkpoint, capsys):
    assert main(["attack", checkpoint, "--eps", "0.1", "--images", "10", "--attacks", "noise", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["verdict"] is None
    assert "No verdict" in told.err


def test_seconds_bound_the_verdict_too_and_it_says_what_it_left_out(checkpoint, capsys, monkeypatch):
    budgets = []

    def watched(*arguments):
        budgets.append(arguments[-1])
        return diagnose(*arguments[:-1], 0.0)

    monkeypatch.setattr(attack, "diagnose", watched)
    assert main(["attack", checkpoint, *CHEAP, "--seconds", "1000", "--json"]) == 0
    shown = document(capsys)
    assert shown["verdict"] == "not enough time to tell"
    assert "larger ε" in shown["left_out"]
    assert 0 < budgets[0] < 1000
    assert main(["attack", checkpoint, *CHEAP, "--seconds", "1000"]) == 0
    assert "beaten: the time was up" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--eps", "0"], "--eps must be positive"),
        (["--eps", "-1"], "--eps must be positive, got -1"),
        (["--eps", "nan"], "eps must be a finite number"),
        (["--eps", "0.1", "--attacks", "pgd,boundary"], "boundary"),
        (["--eps", "0.1", "--images", "0"], "--images must be at least 1"),
        (["--eps", "0.1", "--norm", "l1"], "l1"),
        (["--eps", "0.1", "--twin", "nowhere"], "nowhere holds no checkpoint"),
        (["--eps", "0.1", "--seconds", "0"], "--seconds must be positive"),
        (["--eps", "0.1", "--queries", "0"], "--queries must be at least 1"),
        (["--eps", "0.1", "--attacks", "transfer", "--no-twin"], "needs a twin"),
        ([], "--eps"),
    ],
)
def test_what_is_not_allowed_is_refused_in_one_line(options, message, capsys):
    save(build(MLP((64, 16, 10), 0.5), 0), "net")
    assert main(["attack", "net", "--data", "digits", *options]) == 2
    told = capsys.readouterr().err.strip()
    assert message in told
    assert "\n" not in told


def test_every_attack_of_the_catalogue_has_a_name_of_its_own_and_both_budgets():
    quickly, thoroughly = (catalogue(Threat(0.1), 64, thorough) for thorough in (False, True))
    assert list(quickly) == list(thoroughly)
    assert {"deepfool", "carlini_wagner", "random_search", "gaussian_noise", "mim"} <= set(quickly)
    assert thoroughly["square"].queries > quickly["square"].queries
