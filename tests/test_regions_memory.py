"""What is found does not depend on how much memory the walk begins with."""

import numpy as np
import pytest

from kwta import slices
from kwta.networks import MLP, build
from kwta.regions import plane, workspace
from kwta.regions.stages import Layer, Stages, stages

SQUARE = slices.square(-1, 1, -1, 1)


def nearly_tied(seed: int) -> Stages:
    """A k-WTA layer whose units are equal but for a few roundings somewhere in the square."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 12))
    weight = rng.normal(size=(n, 2)) * 10 ** rng.uniform(-1, 1, size=(n, 1))
    bias = rng.uniform(-3, 3, size=n) * 1e-12 * np.abs(weight).sum(1).max()
    return Stages((Layer(weight, bias, int(rng.integers(1, n)), "φ"),), np.ones((1, n)), np.zeros(1))


def crowded(seed: int) -> Stages:
    """So many ReLU cells in the first layer's first one that a k-WTA layer behind them begins without room."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, 40)
    first = Layer(np.c_[np.cos(angle), np.sin(angle)], rng.uniform(-0.5, 0.5, 40), 0, "first")
    one = plane.of_stages(Stages((first,), np.ones((1, 40)), np.zeros(1)), SQUARE)
    inside = np.where(one.pattern(0)[0], one.polygon(0) @ first.weight.T + first.bias, 0).mean(0)
    weight = rng.normal(size=(85, 40))
    last = Layer(rng.normal(size=(8, 85)) * 1e-12, np.ones(8), 3, "last")
    return Stages((first, Layer(weight, -(weight @ inside), 0, "second"), last), rng.normal(size=(2, 8)), np.zeros(2))


@pytest.mark.parametrize("rooms", [1, 2, 3, 65])
def test_nearly_tied_units_have_the_same_cells_with_little_memory(monkeypatch, rooms):
    networks = [nearly_tied(seed) for seed in range(60)]
    wanted = [plane.of_stages(one, SQUARE) for one in networks]
    monkeypatch.setattr(workspace, "CHILDREN", rooms)
    for one, cells in zip(networks, wanted, strict=True):
        found = plane.of_stages(one, SQUARE)
        np.testing.assert_array_equal(found.bits, cells.bits)
        assert found.n_unsplit == cells.n_unsplit


@pytest.mark.parametrize("seed", range(6))
def test_every_cell_of_a_k_wta_layer_has_k_winners_where_memory_ends(seed):
    cells = plane.of_stages(crowded(seed), SQUARE, 3000)
    assert set(cells.pattern(2).sum(1)) == {3}


@pytest.mark.parametrize("threads", [1, 2])
def test_large_outputs_which_are_not_copied_hold_the_same_cells(monkeypatch, threads):
    one = stages(build(MLP((2, 48, 48, 48, 3)), seed=0).eval(), SQUARE)
    wanted = plane.of_stages(one, SQUARE)
    monkeypatch.setattr(workspace, "LARGE", 0)
    found = plane.of_stages(one, SQUARE, threads=threads)
    for name in ("vertices", "offsets", "weight", "bias", "bits", "areas", "edge_layers"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
