"""The study of convergence counts epochs and summarises seeds as it says."""

import re

import pytest

from benchmarks import convergence
from benchmarks.convergence import Course, course, table
from kwta.datasets import Digits, load
from kwta.training import Training


def rising(gamma: float | None, seed: int, reached: int | None, dead: int = 0) -> Course:
    """95 % from epoch `reached` on, and 10 % before."""
    accuracies = tuple(0.95 if reached is not None and epoch >= reached else 0.1 for epoch in range(21))
    return Course(gamma, seed, accuracies, 0.5, dead)


def test_the_goal_is_reached_at_the_first_epoch_with_that_accuracy_and_not_before():
    assert rising(0.2, 0, 7).reached == 7
    assert rising(0.2, 0, None).reached is None
    assert Course(0.2, 0, (0.1, 0.9499, 0.96, 0.9), 0.5, 0).reached == 2


def test_a_row_has_the_mean_and_spread_over_its_seeds():
    runs = [rising(0.2, 0, 2, 10), rising(0.2, 1, 4, 13), rising(None, 0, None), rising(None, 1, 20)]
    lines = list(table(runs))
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| 0.2 | 12 | 10.0 ± 0.0 | 52.5 ± 60.1 | 95.0 ± 0.0 | 95.0 ± 0.0 | 3.0 (2–4) | 11.5 |"
    assert (
        lines[3]
        == "| ReLU | – | 10.0 ± 0.0 | 10.0 ± 0.0 | 10.0 ± 0.0 | 52.5 ± 60.1 | 20.0 (20–20), 1 of 2 runs | 0.0 |"
    )
    assert "| never |" in list(table([rising(0.5, 0, None), rising(0.5, 1, None)]))[2]


def test_a_course_starts_before_training_and_is_fixed_by_its_seed():
    data, short = load(Digits()), Training(epochs=2)
    first = course(data, 0.5, 3, short)
    assert len(first.accuracies) == 3
    assert first == course(data, 0.5, 3, short) != course(data, 0.5, 4, short)
    assert first.accuracies[0] < 0.3 < first.accuracies[2]


def test_all_gammas_meet_all_seeds(monkeypatch, capsys):
    monkeypatch.setattr(convergence, "course", lambda _, gamma, seed: rising(gamma, seed, seed))
    monkeypatch.setattr("sys.argv", ["convergence"])
    convergence.main()
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [re.split(r"[| ]+", row)[1] for row in rows] == ["0.05", "0.1", "0.2", "0.3", "0.5", "0.8", "1", "ReLU"]
    assert all("2.0 (0–4)" in row for row in rows)
    assert len({(c.gamma, c.seed) for c in convergence.courses()}) == 40


@pytest.mark.parametrize("gamma", [0.05, 1.0, None])
def test_every_gamma_of_the_study_leaves_winners(gamma):
    assert gamma in convergence.GAMMAS
    assert len(list(table([rising(gamma, 0, 3), rising(gamma, 1, 3)]))) == 3
