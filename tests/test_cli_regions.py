"""`python -m kwta regions`: reference counts on the command line, and refusals in one line."""

import json

import numpy as np
import pytest

from kwta.cli.main import main
from kwta.networks import MLP, build, save

# name, ReLU regions, k-WTA regions at k = N/8; see the reference networks' description.
COUNTS = (
    ("a_def", 795, 61),
    ("a_he", 1026, 99),
    ("b_def", 2943, 311),
    ("c_he", 8161, 504),
    ("d_def", 20714, 1508),
    ("f_def_slice2d", 1000, 131),
)


def document(capsys, *arguments: str) -> dict:
    assert main(["regions", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments: str, code: int = 2) -> str:
    assert main(["regions", *arguments]) == code
    return capsys.readouterr().err


@pytest.fixture
def folder(tmp_path):
    save(build(MLP((2, 8, 8, 2), gamma=0.25), seed=0), tmp_path / "net")
    return str(tmp_path / "net")


@pytest.mark.parametrize(("name", "relu", "kwta"), COUNTS)
def test_reference_counts_come_out_exactly(case_folder, capsys, name, relu, kwta):
    file = str(case_folder / f"{name}.npz")
    for options, count in ((["--relu"], relu), (["--gamma", "0.125"], kwta)):
        found = document(capsys, file, *options)
        assert found["regions"] == count
        assert found["complete"]
        assert found["area"] == pytest.approx(4, rel=1e-9)
    assert found["jumps"]["continuous"] < 0.5


@pytest.mark.parametrize(("name", "count"), [("c_he", 126), ("d_def", 207), ("f_def_slice2d", 42)])
def test_reference_pieces_of_a_line_come_out_exactly(case_folder, capsys, name, count):
    file = str(case_folder / f"{name}.npz")
    found = document(capsys, file, "--relu", "--line", "-1,-0.8", "1,0.9")
    assert found["regions"] == count
    assert found["jumps"]["largest"] == 0


def test_a_checkpoint_keeps_its_gamma_unless_another_is_asked_for(folder, capsys):
    assert document(capsys, folder)["winners"] == [2, 2]
    assert document(capsys, folder, "--gamma", "0.5")["winners"] == [4, 4]
    assert document(capsys, folder, "--relu")["winners"] == [None, None]


def test_a_limit_is_said(folder, capsys):
    found = document(capsys, folder, "--plane", "-3,3,-3,3", "--max-regions", "3")
    assert not found["complete"]
    assert found["area"] < found["whole"] == 36
    for where in ((), ("--line", "-3,-3", "3,3")):
        assert main(["regions", folder, "--max-regions", "3", *where]) == 0
        said = capsys.readouterr().out
        assert said.startswith("INCOMPLETE: there are more than these")
        assert "exact" not in said
    assert main(["regions", folder]) == 0
    said = capsys.readouterr().out
    assert "regions, exact; " in said
    assert "INCOMPLETE" not in said


def test_checkpoints_that_train_made_have_regions(tmp_path, capsys):
    planar, images = str(tmp_path / "planar"), str(tmp_path / "images")
    training = ("--gamma", "0.25", "--epochs", "1", "--out")
    assert main(["train", "--data", "moons", "--widths", "16,16", *training, planar]) == 0
    assert main(["train", "--data", "digits", "--widths", "16", *training, images]) == 0
    capsys.readouterr()
    found = document(capsys, planar)
    assert (found["complete"], found["area"]) == (True, pytest.approx(4))
    ends = [",".join([str(value)] * 64) for value in (0, 1)]
    found = document(capsys, images, "--line", *ends)
    assert (found["complete"], found["length"]) == (True, pytest.approx(1))
    assert found["jumps"]["borders"] == found["regions"] - 1 > 0
    for plane in ((), ("--plane", "-1,1,-1,1")):
        said = refusal(capsys, images, *plane)
        assert "takes 64: give --line X Y, two inputs of 64 numbers each" in said
        assert "kwta.slices.through" in said
    said = refusal(capsys, images, "--line", "0,1", "1,0,0")
    assert "two inputs of 64 numbers each, with commas, got one of 2 and one of 3" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--plane", "1,1,0,1"], "1"),
        (["--plane", "0,1,0"], "4 numbers"),
        (["--plane", "a,b,c,d"], "numbers with commas"),
        (["--line", "0,0", "0,0,1"], "2"),
        (["--gamma", "0.01"], "k = 0"),
        (["--max-regions", "0"], "at least 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(folder, capsys, options, said):
    error = refusal(capsys, folder, *options)
    assert said in error
    assert error.count("\n") == 1


def test_weights_alone_need_an_activation_and_must_be_there(tmp_path, capsys):
    assert "--gamma G or --relu" in refusal(capsys, str(tmp_path / "x.npz"))
    assert "no file" in refusal(capsys, str(tmp_path / "x.npz"), "--relu")
    (tmp_path / "x.npz").write_bytes(b"nothing")
    assert "x.npz" in refusal(capsys, str(tmp_path / "x.npz"), "--relu", code=1)
    assert "x.npz" in refusal(capsys, str(tmp_path / "x.npz"), "--gamma", "0.5", code=1)


@pytest.mark.parametrize(
    ("gamma", "said"), [("0.01", "k = 0"), ("0.5,0.5,0.5", "one entry per hidden layer, 1, got 3")]
)
def test_a_gamma_that_the_weights_cannot_have_is_misuse_and_no_failure(tmp_path, capsys, gamma, said):
    file = tmp_path / "net.npz"
    np.savez(file, W0=np.eye(4, 2), b0=np.zeros(4), W1=np.ones((1, 4)), b1=np.zeros(1))
    assert said in refusal(capsys, str(file), "--gamma", gamma, code=2)
    assert document(capsys, str(file), "--gamma", "0.5")["winners"] == [2]
