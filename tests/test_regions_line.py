"""The pieces of a network on a segment against the exact oracle, against forward passes, and in degenerate cases."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import oracle
import pytest
import small_networks
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_networks import Small, degenerate, gaussian, integers

from kwta import patterns, slices
from kwta.networks import CNN, MLP, build, from_arrays, from_npz
from kwta.regions.line import Pieces, pieces
from kwta.slices import Slice

SEEDS = range(40)  # for each kind of network and of weights


def line_of(rng: np.random.Generator, inputs: int, draw=gaussian) -> Slice:
    """A segment through random points of the grid of the weights, on a domain that is not [0, 1]."""
    while True:
        direction = draw(rng, (1, inputs))
        if direction.any():
            return Slice(draw(rng, (inputs,)), direction, [[-1.5], [2.0]])


def exact_pieces(small: Small, line: Slice) -> list[oracle.Cell]:
    low, high = line.domain[:, 0].tolist()
    return oracle.pieces(small.exact, line.origin, line.directions[0], low, high)


def winners_of(found: Pieces) -> list[oracle.Pattern]:
    masks = found.masks()
    return [tuple(tuple(np.flatnonzero(layer[p]).tolist()) for layer in masks) for p in range(len(found))]


def check_against_oracle(small: Small, line: Slice, accuracy: float = 1e-9) -> None:
    """The same patterns in the same order, the same borders, and the same outputs on every piece."""
    check_against(pieces(small.net, line), exact_pieces(small, line), accuracy)


def check_against(found: Pieces, expected: list[oracle.Cell], accuracy: float) -> None:
    assert winners_of(found) == [piece.pattern for piece in expected]
    edges = [float(piece.vertices[0][0]) for piece in expected] + [float(expected[-1].vertices[1][0])]
    np.testing.assert_allclose(found.edges, edges, rtol=0, atol=accuracy)
    maps = np.array([[[float(c) for c in output] for output in piece.outputs] for piece in expected])
    scale = np.abs(maps).max(initial=1)
    np.testing.assert_allclose(found.offset, maps[:, :, 0], rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(found.slope, maps[:, :, 1], rtol=0, atol=1e-12 * scale)
    assert found.complete


@pytest.mark.parametrize("draw", [gaussian, integers])
@pytest.mark.parametrize("kind", small_networks.KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_pieces_are_those_of_the_oracle(seed, kind, draw):
    inputs = 1 + seed % 3
    small = small_networks.random(seed, kind, draw, inputs)
    check_against_oracle(small, line_of(np.random.default_rng(1000 + seed), inputs, draw))


@given(degenerate(), st.integers(0, 5))
def test_pieces_are_those_of_the_oracle_where_everything_ties(small, seed):
    check_against_oracle(small, line_of(np.random.default_rng(seed), 2, integers))


TENTHS = [Fraction(1, 10), Fraction(-3, 10)], [Fraction(7, 10), Fraction(2, 10)], Fraction(-33, 10), Fraction(29, 10)


@given(degenerate())
def test_ties_of_the_ideal_line_are_found_on_the_rounded_one(small):
    """Tenths are no binary fractions, so values that are equal on the line that is meant differ by rounding here."""
    origin, direction, low, high = TENTHS
    line = Slice([float(x) for x in origin], [[float(x) for x in direction]], [[float(low)], [float(high)]])
    check_against(pieces(small.net, line), oracle.pieces(small.exact, origin, direction, low, high), 1e-9)


def test_a_unit_that_is_zero_by_cancellation_is_off():
    # Of two equal units both are subtracted behind their border, which leaves 1e-17 t instead of 0 if done carelessly.
    weights = [np.array([[-1.0], [-1.0]]), np.array([[1.0, 2.0]]), np.ones((1, 1))]
    net = from_arrays(weights, [np.zeros(2), np.zeros(1), np.zeros(1)], None)
    found = pieces(net, Slice([0.1], [[0.7]], [[-3.3], [2.9]]))
    assert winners_of(found) == [((0, 1), (0,)), ((), ())]


@pytest.mark.parametrize("scale", [0.1, 0.3, 0.7, 0.9, 1.1])
def test_equal_values_that_differ_by_rounding_go_to_the_lower_index(scale):
    # y = (x + 2, 2 x), both winning; behind them 2 y_0 − y_1 − 2 = 2 and the constant 2.
    weights = [np.array([[1.0], [2.0]]), np.array([[2.0, -1.0], [0.0, 0.0]]), np.ones((1, 2))]
    net = from_arrays(weights, [np.array([2.0, 0.0]), np.array([-2.0, 2.0]), np.zeros(1)], (1.0, 0.5))
    assert winners_of(pieces(net, Slice([scale / 3], [[scale / 7]], [[-1.0], [1.0]]))) == [((0, 1), (0,))]


@pytest.mark.parametrize("seed", range(10))
def test_full_float64_weights_and_more_units(seed):
    rng = np.random.default_rng(seed)
    widths = [3, 12, 12, 8, 2]
    weights = tuple(rng.standard_normal((o, i)) for i, o in pairwise(widths))
    small = Small(weights, tuple(rng.standard_normal(n) for n in widths[1:]), ((3, None, 4), (5, 6, 2))[seed % 2])
    check_against_oracle(small, Slice(rng.standard_normal(3), rng.standard_normal((1, 3)), [[-2.0], [2.0]]))


REFERENCE = Slice([-1.0, -0.8], [[2.0, 1.7]], [[0.0], [1.0]])
COUNTS = {"c_he": 126, "d_def": 207, "f_def_slice2d": 42}


@pytest.mark.parametrize("name", COUNTS)
def test_the_reference_networks_have_the_known_numbers_of_relu_pieces(name, case_folder):
    assert len(pieces(from_npz(case_folder / f"{name}.npz", None), REFERENCE)) == COUNTS[name]


def check_against_forward_passes(net, line: Slice, found: Pieces, seed: int, n: int = 1000) -> None:
    """At random points: the net's own pattern and value in float64 are those of the piece."""
    t = np.random.default_rng(seed).uniform(*line.domain[:, 0], n)
    t = t[np.abs(t[:, None] - found.edges).min(axis=1) > 1e-12]
    wide = net.double()
    x = patterns.winners.shaped(wide, line.points(t[:, None]), None)
    for expected, mask in zip(patterns.patterns(wide, x), found.masks(), strict=True):
        np.testing.assert_array_equal(mask[found.locate(t)], expected)
    with torch.no_grad():
        f = wide(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found.values(t), f, rtol=0, atol=1e-12 * np.abs(f).max())


@pytest.mark.parametrize("gamma", [None, 0.125, 0.5, 0.9])
@pytest.mark.parametrize("name", ["a_def", "a_he", "b_def", "c_he", "d_def", "f_def_slice2d"])
def test_random_points_of_the_reference_networks_have_the_patterns_and_values_of_their_pieces(name, gamma, case_folder):
    net = from_npz(case_folder / f"{name}.npz", gamma)
    found = pieces(net, REFERENCE)
    check_against_forward_passes(net, REFERENCE, found, seed=1)
    assert (np.diff(found.edges) > 0).all()
    assert len(np.unique(found.patterns, axis=0)) == len(found)  # cells are convex: none is met twice


@pytest.mark.parametrize(
    "spec",
    [
        CNN((1, 8, 8), channels=(4, 6), classes=3, hidden=(16,), gamma=0.2),
        CNN((1, 8, 8), channels=(4,), classes=3, gamma=None),
        MLP((20, 30, 30, 5), gamma=(0.3, None)),
    ],
)
def test_float32_networks_with_convolutions_and_mixed_layers_agree_with_forward_passes(spec):
    net = build(spec, seed=3).eval()
    n = int(np.prod(spec.input_shape))
    line = slices.random_line(np.full(n, 0.1), seed=5, radius=4.0)
    found = pieces(net, line)
    check_against_forward_passes(net, line, found, seed=2)
    assert len(found) > 5


def test_a_network_without_hidden_layers_is_one_piece():
    weight, bias = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([5.0, 6.0])
    found = pieces(from_arrays([weight], [bias], None), REFERENCE)
    np.testing.assert_allclose(found.offset, [weight @ REFERENCE.origin + bias])
    np.testing.assert_allclose(found.slope, [weight @ REFERENCE.directions[0]])
    assert found.patterns.shape == (1, 0)
    assert found.masks() == ()


@pytest.mark.parametrize("kind", small_networks.KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_the_swapped_units_and_their_value_are_what_changes_between_two_pieces(seed, kind):
    small = small_networks.random(100 + seed, kind)
    line = line_of(np.random.default_rng(seed), 2)
    found = pieces(small.net, line)
    masks = found.masks()
    for b, layer in enumerate(found.layer):
        before, after = masks[layer][b], masks[layer][b + 1]
        assert all((mask[b] == mask[b + 1]).all() for mask in masks[:layer])
        assert np.flatnonzero(before & ~after).tolist() == [u for u in [found.leaves[b]] if u >= 0]
        assert np.flatnonzero(after & ~before).tolist() == [u for u in [found.enters[b]] if u >= 0]
        assert found.n_swaps[b] == 1
        y = pre_activations(small, line, found, b)[layer]
        units = [u for u in (found.leaves[b], found.enters[b]) if u >= 0]
        np.testing.assert_allclose(y[units], found.level[b], rtol=0, atol=1e-9)
        if small.winners[layer] is None:
            assert abs(found.level[b]) < 1e-9


def pre_activations(small: Small, line: Slice, found: Pieces, border: int) -> list[np.ndarray]:
    """y of every layer at a border, with the winners of the piece before it."""
    z = line.points(found.t[border : border + 1])
    values = []
    for w, b, mask in zip(small.weights[:-1], small.biases[:-1], found.masks(), strict=True):
        values.append(w @ z + b)
        z = values[-1] * mask[border]
    return values


def test_border_points_belong_to_the_piece_that_the_tie_rule_says():
    # y = (t, −t), one winner: at t = 0 both are equal, and unit 0, which wins to the right, has the lower index.
    net = from_arrays([np.array([[1.0], [-1.0]]), np.eye(2)], [np.zeros(2), np.zeros(2)], 0.5)
    found = pieces(net, Slice([0.0], [[1.0]], [[-1.0], [1.0]]))
    assert found.belongs_after.tolist() == [True]
    turned = pieces(net, Slice([0.0], [[-1.0]], [[-1.0], [1.0]]))
    assert turned.belongs_after.tolist() == [False]
    relu = from_arrays([np.array([[1.0], [-1.0]]), np.eye(2)], [np.array([0.0, 0.5]), np.zeros(2)], None)
    on_and_off = pieces(relu, Slice([0.0], [[1.0]], [[-1.0], [1.0]]))
    assert on_and_off.enters.tolist() == [0, -1]
    assert on_and_off.belongs_after.tolist() == [False, True]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_many_functions_through_one_point_make_one_border(k):
    # y_i = i t: at 0 the order turns round at once.
    net = from_arrays([np.arange(5.0)[:, None], np.ones((1, 5))], [np.zeros(5), np.zeros(1)], Fraction(k, 5))
    found = pieces(net, Slice([0.0], [[1.0]], [[-1.0], [2.0]]))
    assert found.t.tolist() == [0.0]
    assert winners_of(found) == [(tuple(range(k)),), (tuple(range(5 - k, 5)),)]
    assert found.n_swaps.tolist() == [min(k, 5 - k)]


def test_a_constant_segment_is_one_piece_won_by_the_lowest_indices():
    # The direction lies in the kernel of the first layer.
    net = from_arrays([np.array([[1.0, 0.0]] * 4), np.ones((1, 4))], [np.zeros(4), np.zeros(1)], 0.5)
    found = pieces(net, Slice([3.0, 0.0], [[0.0, 1.0]], [[0.0], [1.0]]))
    assert winners_of(found) == [((0, 1),)]
    assert found.slope.tolist() == [[0.0]]
    assert found.offset.tolist() == [[6.0]]


def test_zero_weights_are_one_piece():
    net = from_arrays(
        [np.zeros((3, 1)), np.zeros((3, 3)), np.zeros((1, 3))], [np.zeros(3), np.zeros(3), np.ones(1)], 0.4
    )
    found = pieces(net, Slice([0.0], [[1.0]], [[0.0], [1.0]]))
    assert winners_of(found) == [((0,), (0,))]
    relu = from_arrays([np.zeros((3, 1)), np.ones((1, 3))], [np.zeros(3), np.ones(1)], None)
    assert winners_of(pieces(relu, Slice([0.0], [[1.0]], [[0.0], [1.0]]))) == [((),)]


@pytest.mark.parametrize("place", [0.0, 1.0])
@pytest.mark.parametrize("gamma", [None, 0.5])
def test_a_border_at_the_end_of_the_segment_is_none(place, gamma):
    net = from_arrays([np.array([[1.0], [-1.0]]), np.ones((1, 2))], [np.array([-place, place]), np.zeros(1)], gamma)
    assert len(pieces(net, Slice([0.0], [[1.0]], [[0.0], [1.0]]))) == 1


def test_near_pieces_are_kept_apart():
    # Two borders 1e-9 apart in a segment of length 1.
    net = from_arrays([np.ones((2, 1)), np.ones((1, 2))], [np.array([-0.5, -0.5 - 1e-9]), np.zeros(1)], None)
    found = pieces(net, Slice([0.0], [[1.0]], [[0.0], [1.0]]))
    np.testing.assert_allclose(found.t, [0.5, 0.5 + 1e-9], rtol=0, atol=1e-15)


def test_a_walk_that_is_cut_short_says_so_and_is_the_beginning_of_the_whole(case_folder):
    net = from_npz(case_folder / "c_he.npz", None)
    whole, part = pieces(net, REFERENCE), pieces(net, REFERENCE, max_pieces=40)
    assert whole.complete
    assert whole.covered == 1.0
    assert not part.complete
    assert len(part) == 40
    assert part.end == whole.t[39]
    np.testing.assert_array_equal(part.offset, whole.offset[:40])
    np.testing.assert_array_equal(part.patterns, whole.patterns[:40])
    assert np.isnan(part.values(np.array([0.99]))).all()
    assert part.locate(np.array([0.0, 0.99, -1.0])).tolist() == [0, -1, -1]
    assert pieces(net, REFERENCE, max_pieces=len(whole)).complete


def test_more_pieces_than_the_first_guess_are_all_found():
    """A tent map folded many times has 2^depth pieces from 2 units a layer."""
    fold = [np.array([[1.0], [1.0]]), np.array([0.0, -0.5])]
    again = [np.array([[2.0, -4.0], [2.0, -4.0]]), np.array([0.0, -0.5])]
    depth = 9
    weights = [fold[0], *[again[0]] * (depth - 1), np.array([[2.0, -4.0]])]
    biases = [fold[1], *[again[1]] * (depth - 1), np.zeros(1)]
    found = pieces(from_arrays(weights, biases, None), Slice([0.0], [[1.0]], [[0.0], [1.0]]))
    assert len(found) == 2**depth
    np.testing.assert_allclose(found.t, np.arange(1, 2**depth) / 2**depth, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.abs(found.slope), 2.0**depth)


def test_a_plane_or_no_pieces_are_refused():
    net = build(MLP((2, 4, 1), gamma=0.5), seed=0)
    with pytest.raises(ValueError, match="2-D slice"):
        pieces(net, slices.square(-1, 1, -1, 1))
    with pytest.raises(ValueError, match="max_pieces must be at least 1, got 0"):
        pieces(net, REFERENCE, max_pieces=0)
