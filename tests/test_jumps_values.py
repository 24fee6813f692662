"""The value of the swapped pair at every border, and the spread of f: against forward passes and closed forms."""

import numpy as np
import pytest
import small_networks
import torch
from hypothesis import given
from small_networks import Small, degenerate

from kwta import jumps, slices
from kwta.activation import KWTA
from kwta.networks import CNN, MLP, build, from_arrays, from_npz
from kwta.regions.plane import cells, of_stages
from kwta.regions.stages import stages
from kwta.slices import Slice

SQUARE = slices.square(-1, 1, -1, 1)


def valued(net, where=SQUARE, shape=None):
    """The borders of a network and their values."""
    steps = stages(net, where, shape)
    found = jumps.borders(of_stages(steps, where))
    return found, jumps.values(found, steps)


def kth_largest(net, found: jumps.Borders, t: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The k-th largest pre-activation in the border's layer at t, [borders, 2], by a forward pass in float64."""
    x = torch.tensor(found.of.plane.points(t.reshape(-1, 2))).reshape(-1, *shape)
    levels, z = [], x
    with torch.no_grad():
        for module in net.double():
            if isinstance(module, KWTA):
                flat = z.flatten(1)
                k = module.winners(flat.shape[1])
                levels.append(flat.sort(dim=1, descending=True).values[:, k - 1])
            z = module(z)
    return torch.stack(levels)[found.layer.repeat(2), torch.arange(len(x))].reshape(-1, 2).numpy()


def quarters(found: jumps.Borders, inwards: float) -> np.ndarray:
    """Points at 1/4 and 3/4 of every border, moved a little into its first cell, [borders, 2, 2]."""
    first, last = found.ends[:, 0], found.ends[:, 1]
    middles = np.stack([found.of.polygon(int(c)).mean(axis=0) for c in found.cells[:, 0]])
    points = np.stack([0.75 * first + 0.25 * last, 0.25 * first + 0.75 * last], axis=1)
    return points + inwards * (middles[:, None] - points)


def test_one_winner_of_two_swaps_where_both_are_equal():
    net = from_arrays([np.array([[1.0, 0], [0, 1]]), np.array([[1.0, 2]])], [np.ones(2), np.zeros(1)], 0.5)
    found, value = valued(net)
    assert sorted(value[0].tolist()) == [0.0, 2.0]  # along the diagonal of the square x + 1 = y + 1 goes from 0 to 2
    np.testing.assert_allclose(value, found.ends[:, :, 0] + 1)


@pytest.mark.parametrize("gamma", [0.1, 0.4, 0.5, 0.9])
def test_with_one_hidden_layer_the_jump_is_the_value_times_the_difference_of_the_columns(gamma):
    rng = np.random.default_rng(1)
    weights, biases = [rng.standard_normal(s) for s in ((20, 2), (3, 20))], [rng.standard_normal(n) for n in (20, 3)]
    found, value = valued(from_arrays(weights, biases, gamma))
    assert len(found) > 10
    columns = (weights[1][:, found.enters] - weights[1][:, found.leaves]).T
    np.testing.assert_allclose(found.jumps, value[:, :, None] * columns[:, None], rtol=0, atol=1e-12)
    if gamma in (0.1, 0.9):  # winners are negative only where there are more of them than positive units
        assert (value < 0).all() if gamma == 0.9 else (value > 0).all()


@pytest.mark.parametrize(("name", "gamma"), [("a_he", 0.125), ("c_he", 0.125), ("c_he", 0.7), ("f_def_slice2d", 0.3)])
def test_the_value_is_the_kth_largest_of_a_forward_pass(case_folder, name, gamma):
    net = from_npz(case_folder / f"{name}.npz", gamma)
    found, value = valued(net)
    long = found.lengths > 1e-4  # where a point beside the border is surely in the first cell
    assert long.mean() > 0.5
    inwards = 1e-9
    expected = kth_largest(net, found, quarters(found, inwards), (2,))
    own = value @ np.array([[0.75, 0.25], [0.25, 0.75]])
    np.testing.assert_allclose(own[long], expected[long], rtol=0, atol=1e-6)


def test_a_convolution_has_values_too():
    net = build(CNN((1, 8, 8), (2,), 4, hidden=(10,), gamma=0.3), seed=0).eval()
    rng = np.random.default_rng(0)
    where = slices.through(*rng.uniform(0, 1, (3, 64)))
    found, value = valued(net, where, (1, 8, 8))
    assert set(found.layer.tolist()) == {0, 1}
    long = found.lengths > 1e-3
    expected = kth_largest(net, found, quarters(found, 1e-9), (1, 8, 8))
    own = value @ np.array([[0.75, 0.25], [0.25, 0.75]])
    np.testing.assert_allclose(own[long], expected[long], rtol=0, atol=1e-6)


def test_relu_layers_have_no_value_and_k_wta_layers_beside_them_do():
    assert (valued(build(MLP((2, 16, 16, 1)), seed=0))[1] == 0).all()
    found, value = valued(build(MLP((2, 12, 12, 12, 1), (None, 0.25, None)), seed=0))
    assert ((value != 0).any(axis=1) == (found.layer == 1)).all()


@given(degenerate())
def test_at_equal_and_tied_units_both_of_the_pair_have_the_value(small: Small):
    steps = stages(small.net, SQUARE)
    found = jumps.borders(of_stages(steps, SQUARE))
    value = jumps.values(found, steps)
    assert value.shape == (len(found), 2)
    first = steps.hidden[0]
    here = (found.layer == 0) & (first.k > 0)
    for units in (found.leaves, found.enters):
        y = np.einsum("bd,bed->be", first.weight[units[here]], found.ends[here]) + first.bias[units[here], None]
        np.testing.assert_allclose(value[here], y, atol=1e-9 * max(1.0, float(np.abs(first.weight).max())))


def test_another_networks_stages_are_refused():
    found, _ = valued(build(MLP((2, 8, 8, 1), 0.25), seed=0))
    with pytest.raises(ValueError, match=r"\(4, 4\) winners"):
        jumps.values(found, stages(build(MLP((2, 8, 8, 1), 0.5), seed=0), SQUARE))


@pytest.mark.parametrize("gamma", [0.2, None])
def test_the_deviation_is_that_of_many_points(gamma):
    net = build(MLP((2, 16, 16, 3), gamma), seed=2).double()
    found = cells(net, SQUARE)
    points = slices.grid(SQUARE, 500).t.reshape(-1, 2)
    with torch.no_grad():
        sampled = net(torch.tensor(points)).numpy().std(axis=0)
    np.testing.assert_allclose(jumps.deviations(found), sampled, rtol=0.01)
    assert jumps.spread(found, logit=1) == pytest.approx(jumps.deviations(found)[1])
    assert jumps.spread(found) == pytest.approx(np.linalg.norm(jumps.deviations(found)))


def test_the_deviation_of_a_plane_far_from_zero_keeps_its_digits():
    far = Slice(np.array([1e6, 0.0]), np.eye(2), SQUARE.domain)
    flat = from_arrays([np.array([[1.0, 0.0]])], [np.array([0.0])], None)  # f = 1e6 + t₁, t₁ uniform on [−1, 1]
    assert jumps.deviations(cells(flat, far)) == pytest.approx([1 / np.sqrt(3)], rel=1e-9)


@pytest.mark.parametrize("kind", small_networks.KINDS)
def test_small_networks_of_every_kind_have_finite_values(kind):
    small = small_networks.random(3, kind)
    found, value = valued(small.net)
    assert value.shape == (len(found), 2)
    assert np.isfinite(value).all()
