"""Jumps at borders: closed forms, exact borders in rational arithmetic, forward differences, and no jump for ReLU."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import oracle
import pytest
import small_networks
import torch
from hypothesis import given
from small_networks import Small, degenerate, integers

from kwta import jumps, slices
from kwta.networks import MLP, build, from_arrays, from_npz
from kwta.regions.cells import Cells
from kwta.regions.line import pieces
from kwta.regions.plane import cells
from kwta.slices import Slice

SQUARE = slices.square(-1, 1, -1, 1)
LINE = Slice([-1.0, -0.8], [[2.0, 1.7]], [[0.0], [1.0]])
REFERENCE = ["a_def", "a_he", "b_def", "c_he", "f_def_slice2d"]


# Along a line.


def test_the_jump_of_one_hidden_layer_is_the_value_times_the_difference_of_the_columns():
    rng = np.random.default_rng(0)
    weights, biases = [rng.standard_normal(s) for s in ((9, 2), (3, 9))], [rng.standard_normal(n) for n in (9, 3)]
    steps = jumps.along(pieces(from_arrays(weights, biases, 0.4), LINE))
    assert len(steps.jump) > 3
    for jump, value, i, j in zip(steps.jump, steps.pieces.level, steps.pieces.leaves, steps.pieces.enters, strict=True):
        np.testing.assert_allclose(jump, value * (weights[1][:, j] - weights[1][:, i]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", small_networks.KINDS)
@pytest.mark.parametrize("seed", range(10))
def test_jumps_along_a_line_are_those_of_the_oracle(seed, kind):
    small = small_networks.random(seed, kind)
    steps = jumps.along(pieces(small.net, LINE))
    exact = oracle.pieces(small.exact, LINE.origin, LINE.directions[0], 0, 1)
    expected = [
        [float(oracle.value(f, after.vertices[0]) - oracle.value(g, after.vertices[0])) for f, g in outputs]
        for before, after in pairwise(exact)
        for outputs in [list(zip(after.outputs, before.outputs, strict=True))]
    ]
    np.testing.assert_allclose(steps.jump, np.reshape(expected, steps.jump.shape), rtol=0, atol=1e-9)
    if kind == "ReLU":
        assert (steps.jump == 0).all()


@pytest.mark.parametrize("name", REFERENCE)
def test_relu_networks_do_not_jump_along_a_line_and_k_wta_networks_do(name, case_folder):
    smooth = jumps.along(pieces(from_npz(case_folder / f"{name}.npz", None), LINE))
    assert len(smooth.jump) > 20
    assert (smooth.jump == 0).all()
    assert smooth.summary().continuous == 1
    steps = jumps.along(pieces(from_npz(case_folder / f"{name}.npz", 0.125), LINE))
    assert (steps.sizes() > 0).all()
    assert steps.summary().continuous == 0


def test_summaries_along_a_line_count_every_border_once(case_folder):
    steps = jumps.along(pieces(from_npz(case_folder / "c_he.npz", 0.125), LINE))
    whole, layers = steps.summary(), steps.by_layer()
    assert whole.n == whole.length == len(steps.jump) == sum(layer.n for layer in layers)
    assert whole.largest == steps.sizes().max() == max(layer.largest for layer in layers)
    np.testing.assert_allclose(whole.mean, steps.sizes().mean())
    assert whole.quantiles[2] in steps.sizes()


def test_one_piece_has_no_jumps():
    steps = jumps.along(pieces(from_arrays([np.ones((2, 2))], [np.zeros(2)], None), LINE))
    assert steps.jump.shape == (0, 2)
    assert steps.summary().n == 0
    assert np.isnan(steps.summary().quantiles).all()


# On a plane.


def test_the_borders_of_four_half_axes_are_the_half_diagonals_and_their_jump_grows_along_them():
    # One winner of (x, y, −x, −y), f = its value times (1, 2, 3, 4): at distance s from the middle both meet at s/√2.
    weights = [np.array([[1.0, 0], [0, 1], [-1, 0], [0, -1]]), np.array([[1.0, 2, 3, 4]])]
    found = jumps.borders(cells(from_arrays(weights, [np.zeros(4), np.zeros(1)], 0.25), SQUARE))
    assert len(found) == 4
    np.testing.assert_allclose(found.lengths, np.sqrt(2))
    units = {frozenset(pair) for pair in zip(found.leaves.tolist(), found.enters.tolist(), strict=True)}
    assert units == {frozenset(pair) for pair in ((0, 1), (1, 2), (2, 3), (3, 0))}
    reach = np.abs(found.ends[:, :, 0])
    np.testing.assert_allclose(found.jumps[:, :, 0], (found.enters - found.leaves)[:, None] * reach, atol=1e-15)
    np.testing.assert_allclose(np.sort(found.sizes().max(axis=1)), [1, 1, 1, 3])
    assert found.layer.tolist() == [0] * 4
    assert abs(found.unmatched) < 1e-12


def exact_borders(parts: list[oracle.Cell]) -> dict[frozenset, float]:
    """The squared length of what two patterns share, for all pairs that share more than points; by edges, exactly."""
    edges = [
        (part.pattern, a, b)
        for part in parts
        for a, b in zip(part.vertices, part.vertices[1:] + part.vertices[:1], strict=True)
    ]
    shared: dict[frozenset, float] = {}
    for (first, a, b), (second, c, d) in combinations(edges, 2):
        across = (b[0] - a[0], b[1] - a[1])
        if first == second or any(across[0] * (p[1] - a[1]) != across[1] * (p[0] - a[0]) for p in (c, d)):
            continue
        axis = 0 if across[0] else 1
        low, high = sorted((a[axis], b[axis]))
        start, stop = max(low, min(c[axis], d[axis])), min(high, max(c[axis], d[axis]))
        if stop > start:
            pair = frozenset((first, second))
            length = float((stop - start) / abs(across[axis])) * float(np.hypot(*map(float, across)))
            shared[pair] = shared.get(pair, 0.0) + length
    return shared


def patterns_of(found: Cells) -> list[oracle.Pattern]:
    layers = [found.pattern(layer) for layer in range(len(found.sizes))]
    return [tuple(tuple(np.flatnonzero(layer[r]).tolist()) for layer in layers) for r in range(len(found))]


def check_borders_against_oracle(small: Small) -> None:
    """The pairs of neighbours and the length of what they share."""
    found = jumps.borders(cells(small.net, SQUARE))
    names = patterns_of(found.of)
    lengths: dict[frozenset, float] = {}
    for (a, b), length in zip(found.cells.tolist(), found.lengths.tolist(), strict=True):
        pair = frozenset((names[a], names[b]))
        lengths[pair] = lengths.get(pair, 0.0) + length
    expected = exact_borders(oracle.cells(small.exact, [0, 0], np.eye(2), SQUARE.domain))
    assert set(lengths) == set(expected)
    for pair, length in expected.items():
        np.testing.assert_allclose(lengths[pair], length, rtol=0, atol=1e-9)


@pytest.mark.parametrize("draw", [small_networks.gaussian, integers])
@pytest.mark.parametrize("kind", small_networks.KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_neighbours_and_the_lengths_they_share_are_exact(seed, kind, draw):
    check_borders_against_oracle(small_networks.random(seed, kind, draw, deepest=2))


@given(degenerate(widest=3, deepest=2))
def test_neighbours_are_exact_where_everything_ties(small):
    check_borders_against_oracle(small)


@pytest.mark.parametrize("gamma", [None, 0.125, 0.5])
@pytest.mark.parametrize("name", REFERENCE)
def test_jumps_are_forward_differences_across_the_border(name, gamma, case_folder):
    net = from_npz(case_folder / f"{name}.npz", gamma)
    found = jumps.borders(cells(net, SQUARE))
    long = np.flatnonzero(found.lengths > 1e-3)
    chosen = np.random.default_rng(0).choice(long, min(len(long), 400), replace=False)
    along = found.ends[chosen, 1] - found.ends[chosen, 0]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1)[:, None]
    inside = np.array([found.of.polygon(c).mean(axis=0) for c in found.cells[chosen, 1].tolist()])
    middle = found.ends[chosen].mean(axis=1)
    normal *= np.sign(np.einsum("ni,ni->n", normal, inside - middle))[:, None]  # towards the second cell
    step = 1e-9
    with torch.no_grad():
        after, before = (net.double()(torch.from_numpy(middle + s * step * normal)).numpy() for s in (1, -1))
    steepest = np.abs(found.of.weight).max()
    expected = found.jumps[chosen].mean(axis=1)
    np.testing.assert_allclose(after - before, expected, rtol=0, atol=4 * step * steepest + 1e-12)


@pytest.mark.parametrize("gamma", [None, 0.125, 0.5])
@pytest.mark.parametrize("name", REFERENCE)
def test_the_borders_of_the_reference_networks_are_complete(name, gamma, case_folder):
    found = jumps.borders(cells(from_npz(case_folder / f"{name}.npz", gamma), SQUARE))
    total = found.lengths.sum()
    assert abs(found.unmatched) < 1e-10 * total
    following = np.arange(1, len(found.of.vertices) + 1)
    following[found.of.offsets[1:] - 1] = found.of.offsets[:-1]
    edges = found.of.vertices[following] - found.of.vertices
    np.testing.assert_allclose(np.hypot(*edges.T).sum(), 2 * total + 8, rtol=1e-12)  # 8: around the square
    neighbours = 2 * len(found) / len(found.of)
    if gamma is None:
        assert (found.jumps == 0).all()
        assert 3.7 < neighbours < 4  # lines cross: four cells meet at a vertex
    else:
        assert (found.sizes().max(axis=1) > 0).all()
        assert 4.8 < neighbours < 6  # three cells meet at a vertex
    masks = [found.of.pattern(layer) for layer in range(len(found.of.sizes))]
    for border in np.random.default_rng(1).choice(len(found), min(len(found), 100), replace=False):
        before, after = (masks[found.layer[border]][c] for c in found.cells[border])
        leaves, enters = found.leaves[border], found.enters[border]
        assert np.flatnonzero(before & ~after).tolist() == [leaves] * int(leaves >= 0)
        assert np.flatnonzero(after & ~before).tolist() == [enters] * int(enters >= 0)
        assert all(
            (mask[found.cells[border, 0]] == mask[found.cells[border, 1]]).all()
            for mask in masks[: found.layer[border]]
        )


def test_borders_agree_with_the_steps_of_a_line_that_crosses_them(case_folder):
    """Every step along a line is, up to its sign, the jump of a border that passes through that point."""
    net = from_npz(case_folder / "a_he.npz", 0.25)
    steps, found = jumps.along(pieces(net, LINE)), jumps.borders(cells(net, SQUARE))
    across = found.ends[:, 1] - found.ends[:, 0]
    for x, jump, layer in zip(LINE.points(steps.pieces.t[:, None]), steps.jump, steps.pieces.layer, strict=True):
        share = np.einsum("ni,ni->n", x - found.ends[:, 0], across) / (across**2).sum(axis=1)
        miss = np.linalg.norm(found.ends[:, 0] + share[:, None] * across - x, axis=1)
        nearest = np.where((share >= 0) & (share <= 1), miss, np.inf).argmin()
        assert miss[nearest] < 1e-9
        assert found.layer[nearest] == layer
        there = (1 - share[nearest]) * found.jumps[nearest, 0] + share[nearest] * found.jumps[nearest, 1]
        np.testing.assert_allclose(abs(there), abs(jump), rtol=0, atol=1e-8)


def test_lengths_are_measured_in_the_input_space():
    net = build(MLP((2, 16, 1), gamma=0.25, init="he"), seed=0)
    small = Slice([0, 0], [[0.5, 0], [0, 0.25]], [[-2, -4], [2, -4], [2, 4], [-2, 4]])
    same, stretched = jumps.borders(cells(net, SQUARE)), jumps.borders(cells(net, small))
    np.testing.assert_allclose(stretched.lengths.sum(), same.lengths.sum(), rtol=1e-9)
    np.testing.assert_allclose(stretched.summary().quantiles, same.summary().quantiles, rtol=1e-9)


def test_summaries_are_weighted_by_length_and_layers_add_up(case_folder):
    found = jumps.borders(cells(from_npz(case_folder / "c_he.npz", 0.125), SQUARE))
    whole, layers = found.summary(), found.by_layer()
    assert whole.n == len(found) == sum(layer.n for layer in layers)
    np.testing.assert_allclose(whole.length, sum(layer.length for layer in layers))
    assert whole.largest == found.sizes().max()
    below = found.lengths[found.middle_sizes() <= whole.quantiles[2]].sum()
    assert 0.5 <= below / whole.length < 0.51
    assert (np.diff(whole.quantiles) > 0).all()


def test_a_walk_that_was_cut_short_leaves_edges_without_a_partner(case_folder):
    whole = cells(from_npz(case_folder / "a_he.npz", 0.125), SQUARE)
    part = cells(from_npz(case_folder / "a_he.npz", 0.125), SQUARE, max_regions=len(whole) // 2)
    assert jumps.borders(part).unmatched > 0.1
    assert abs(jumps.borders(whole).unmatched) < 1e-9


def test_one_cell_has_no_borders():
    found = jumps.borders(cells(from_arrays([np.ones((3, 2))], [np.zeros(3)], None), SQUARE))
    assert found.jumps.shape == (0, 2, 3)
    assert found.summary().n == 0
    assert found.unmatched == 0


def test_sparse_line_numbers_give_the_same_borders(case_folder):
    found = cells(from_npz(case_folder / "a_def.npz", 0.25), SQUARE)
    moved = found.tags.copy()
    moved[moved[:, 1] >= 0, 1] += 2 * 10**12  # a table with a row for each line would not fit into memory
    expected, sparse = jumps.borders(found), jumps.borders(replace(found, tags=moved))
    assert len(expected) > 100
    np.testing.assert_array_equal(sparse.cells, expected.cells)
    np.testing.assert_array_equal(sparse.ends, expected.ends)
    np.testing.assert_array_equal(sparse.enters, expected.enters)


def test_jumps_fall_towards_gamma_one_half_and_rise_beyond_it():
    """|v| at a border is the k-th largest pre-activation, which is nearest to zero in the middle."""
    medians = []
    for gamma in (0.1, 0.5, 0.9):
        net = build(MLP((2, 64, 64, 1), gamma, init="he"), seed=0)
        medians.append(jumps.borders(cells(net, SQUARE)).summary().quantiles[2])
    assert medians[1] < 0.5 * min(medians[0], medians[2])


# Sizes.


def test_sizes_are_norms_or_one_logit():
    values = np.array([[3.0, -4.0], [0.0, 1.0]])
    assert jumps.sizes(values).tolist() == [5, 1]
    assert jumps.sizes(values, "l1").tolist() == [7, 1]
    assert jumps.sizes(values, "linf").tolist() == [4, 1]
    assert jumps.sizes(values, logit=0).tolist() == [3, 0]
    with pytest.raises(ValueError, match=r"logit must lie in 0..1, got 2"):
        jumps.sizes(values, logit=2)


def test_weighted_quantiles_repeat_each_value_as_often_as_its_weight_says():
    rng = np.random.default_rng(0)
    values, weights = rng.standard_normal(20), rng.integers(1, 6, 20).astype(float)
    shares = np.array([0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
    repeated = np.sort(np.repeat(values, weights.astype(int)))
    expected = [repeated[int(np.ceil(Fraction(s).limit_denominator(100) * len(repeated))) - 1] for s in shares]
    assert jumps.weighted_quantiles(values, weights, shares).tolist() == expected
