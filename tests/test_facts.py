"""The measured facts of `python -m benchmarks.facts`: their shape, and that the figures come from the library."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import facts
from benchmarks.harness import threads
from kwta import jumps, slices
from kwta.networks import MLP, build
from kwta.regions import plane
from kwta.regions.stages import stages
from kwta.training import Training

SMALL = MLP((2, 12, 12, 1), init="he")


def test_a_row_holds_the_medians_of_the_borders(monkeypatch):
    monkeypatch.setattr(facts, "RANDOM", SMALL)
    (row,) = facts.random_networks([0.25], [1])
    net = build(replace(SMALL, gamma=0.25), 1).eval()
    cells = plane.cells(net, facts.SQUARE)
    borders = jumps.borders(cells)
    assert (row.regions, row.jump) == (len(cells), float(np.median(borders.middle_sizes())))
    assert row.spread == jumps.spread(cells)
    assert row.relative == row.jump / row.spread


def test_a_network_with_one_region_has_no_median():
    where = slices.square(-1, 1, -1, 1)
    row = facts.along("one", stages(build(MLP((2, 4, 1), 1.0), 0), where), where, 1.0, 0)
    assert row.regions == 1
    assert np.isnan(row.jump)
    assert "nan" in "\n".join(facts.curve([row], "one"))


def test_a_grid_never_meets_more_regions_than_there_are():
    (row,) = facts.grids([SMALL], [0], resolution=60)
    assert 0 < row.met < row.regions
    assert 0 < row.missed < 1


def test_the_report_has_a_line_for_every_gamma(monkeypatch):
    monkeypatch.setattr(facts, "RANDOM", SMALL)
    found = list(facts.random_networks([0.25, 0.5, None], [0, 1]))
    lines = list(facts.report(found, []))
    assert [line.split(" | ")[0] for line in lines[3:]] == ["| 0.25", "| 0.5", "| ReLU"]
    assert "2 seeds" in lines[0]


@pytest.mark.slow
def test_jumps_fall_until_half_of_the_units_win_and_rise_after():
    found = list(facts.random_networks((*facts.GAMMAS, None), (0, 1, 2)))
    for seed in (0, 1, 2):
        rows = {row.gamma: row for row in found if row.seed == seed}
        assert rows[None].jump == 0
        assert rows[None].regions > max(row.regions for gamma, row in rows.items() if gamma is not None)
        assert rows[0.1].jump > rows[0.3].jump > rows[0.5].jump
        assert rows[0.6].jump < rows[0.7].jump < rows[0.8].jump < rows[0.9].jump
        relative = [rows[gamma].relative for gamma in facts.GAMMAS[:5]]
        assert relative == sorted(relative, reverse=True)
        assert rows[0.05].regions < rows[0.1].regions < rows[0.2].regions < rows[0.5].regions
        level = [rows[gamma].value for gamma in facts.GAMMAS]
        assert abs(facts.GAMMAS[int(np.argmin(level))] - 0.5) < 0.15
        assert rows[0.2].negative == 0
        assert rows[0.8].negative == 1
    assert set(facts.minima(found, "random")) <= {0.4, 0.5, 0.6}


@pytest.mark.slow
def test_training_moves_the_minimum_and_how_depends_on_the_training(monkeypatch):
    monkeypatch.setattr(facts, "TRAINING", Training(epochs=8))
    with threads(1):
        found = list(facts.trained_networks(facts.GAMMAS, [0]))
    cases = dict.fromkeys(row.case for row in found)
    least = {case: facts.minima(found, case)[0] for case in cases}
    assert least["digits, SGD at each γ"] < 0.7 <= least["digits, Adam with ReLU, then γ varied"]
