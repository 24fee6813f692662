"""The exact cells of a plane: reference counts, closed forms, the network's own forward pass, degenerate networks."""

from fractions import Fraction
from itertools import pairwise, product
from math import comb

import numpy as np
import oracle
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kwta.activation import KWTA
from kwta.networks import CNN, MLP, build, from_arrays, from_npz
from kwta.patterns import packed, patterns
from kwta.regions.cells import Cells
from kwta.regions.locate import border_distance, locate
from kwta.regions.overlay import merged, overlaid
from kwta.regions.plane import cells
from kwta.slices import Slice, random_plane, square

SQUARE = square(-1, 1, -1, 1)
TRIANGLE = Slice([0, 0], [[1, 0], [0, 1]], [[-1, -1], [2, 0], [0, 2]])
SLANTED = Slice([0.5, -0.25], [[1, 1], [-1, 1]], [[-1, -1], [1, -1], [1, 1], [-1, 1]])

REFERENCE = {  # regions with ReLU, and with k = N/8
    "a_def": (795, 61),
    "a_he": (1026, 99),
    "b_def": (2943, 311),
    "c_he": (8161, 504),
    "d_def": (20714, 1508),
    "f_def_slice2d": (1000, 131),
}
CASES = [(name, gamma) for name in REFERENCE for gamma in (None, 0.125)]


def winner_sets(found: Cells) -> list[tuple[tuple[int, ...], ...]]:
    """The pattern of each cell in the form of the oracle."""
    layers = [found.pattern(layer) for layer in range(len(found.sizes))]
    return [tuple(tuple(np.flatnonzero(mask[r]).tolist()) for mask in layers) for r in range(len(found))]


def assert_sound(found: Cells) -> None:
    """What holds for every network: the cells cover the domain, no pattern comes twice, borders have two sides."""
    assert found.complete
    assert found.n_unsplit == 0
    assert found.covered == pytest.approx(found.plane.measure, rel=1e-9)
    assert (found.areas > 0).all()
    assert len(np.unique(found.bits, axis=0)) == len(found)
    one, other, both = overlaid(found).lengths
    assert one == pytest.approx(other, rel=1e-9, abs=1e-12)
    assert one == pytest.approx(both, rel=1e-9, abs=1e-12)


def assert_equals_forward(net: nn.Module, found: Cells, n: int = 10_000) -> None:
    """Pattern and map of the located cell are the network's own at random points, in float64."""
    net = net.double().eval()
    low, high = found.plane.bounds
    t = np.random.default_rng(1).uniform(low, high, (n, 2))
    t = t[found.plane.contains(t)]
    held = locate(found, t)
    x = found.plane.points(t).reshape(len(t), *getattr(getattr(net, "spec", None), "input_shape", (-1,)))
    assert (held >= 0).all()
    np.testing.assert_array_equal(found.bits[held], packed(patterns(net, x)))
    with torch.no_grad():
        expected = net(torch.from_numpy(x)).numpy()
    values = (found.weight[held] @ t[..., None])[..., 0] + found.bias[held]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def single(weight, bias, gamma, plane: Slice = SQUARE, outputs=None) -> Cells:
    """The cells of one hidden layer."""
    n = len(weight)
    outputs = np.ones((1, n)) if outputs is None else outputs
    net = from_arrays([np.array(weight, float), outputs], [np.array(bias, float), np.zeros(len(outputs))], gamma)
    return cells(net, plane)


# Networks counted by several independent tools.


@pytest.mark.parametrize(("name", "gamma"), CASES)
def test_reference_networks_have_exactly_the_known_regions(case_folder, name, gamma):
    net = from_npz(case_folder / f"{name}.npz", gamma)
    found = cells(net, SQUARE)
    assert len(found) == REFERENCE[name][0 if gamma is None else 1]
    assert_sound(found)
    assert_equals_forward(net, found)


# Equal pattern sets and areas as exact rational arithmetic.


@st.composite
def networks(draw, integers: bool):
    """Weights, biases and winners of a small network with k-WTA and ReLU layers, ties everywhere if of integers."""
    widths = (2, *draw(st.lists(st.integers(1, 6), min_size=1, max_size=2)), draw(st.integers(1, 2)))
    if integers:
        number = st.integers(-2, 2)
    else:
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        number = st.builds(rng.standard_normal)
    weights = [np.array([[draw(number) for _ in range(a)] for _ in range(b)]) for a, b in pairwise(widths)]
    biased = draw(st.booleans())
    biases = [np.array([draw(number) if biased else 0 for _ in range(b)]) for b in widths[1:]]
    winners = [draw(st.none() | st.integers(1, n)) for n in widths[1:-1]]
    return weights, biases, winners


def assert_equals_oracle(weights, biases, winners, plane: Slice) -> None:
    gammas = tuple(None if k is None else Fraction(k, len(b)) for k, b in zip(winners, biases, strict=False))
    found = cells(from_arrays(weights, biases, gammas), plane)
    exact = oracle.measures(
        oracle.cells(oracle.net(weights, biases, winners), plane.origin, plane.directions, plane.domain)
    )
    sets = winner_sets(found)
    assert set(sets) == set(exact)
    np.testing.assert_allclose(found.areas, [float(exact[s]) for s in sets], rtol=1e-6, atol=1e-11)
    assert_sound(found)


@settings(max_examples=150)
@given(networks(integers=True), st.sampled_from([SQUARE, TRIANGLE, SLANTED]))
def test_networks_of_small_integers_equal_exact_arithmetic(network, plane):
    assert_equals_oracle(*network, plane)


@settings(max_examples=100)
@given(networks(integers=False), st.sampled_from([SQUARE, TRIANGLE, SLANTED]))
def test_random_networks_equal_exact_arithmetic(network, plane):
    assert_equals_oracle(*network, plane)


@pytest.mark.parametrize("seed", range(12))
def test_wider_networks_of_few_integers_equal_exact_arithmetic(seed):
    rng = np.random.default_rng(seed)
    widths = (2, 10, 7, 1)
    pairs = list(pairwise(widths))
    weights = [rng.integers(-1, 2, (b, a)) for a, b in pairs]
    biases = [rng.integers(-1, 2, b) for _, b in pairs]
    assert_equals_oracle(weights, biases, [int(rng.integers(1, 10)), (None, 3)[seed % 2]], SQUARE)


# Closed forms.


@pytest.mark.parametrize("n", [1, 2, 5, 20, 100])
def test_lines_in_general_position_cut_a_large_square_into_1_n_and_n_over_2(n):
    rng = np.random.default_rng(n)
    found = single(rng.standard_normal((n, 2)), rng.standard_normal(n), None, square(-1e5, 1e5, -1e5, 1e5))
    assert len(found) == 1 + n + comb(n, 2)
    assert_sound(found)


def test_one_winner_among_three_by_hand():
    found = single([[1, 0], [0, 1], [-1, -1]], [0, 0, 0], Fraction(1, 3))
    assert len(found) == 3
    areas = {s[0][0]: area for s, area in zip(winner_sets(found), found.areas, strict=True)}
    assert areas == pytest.approx({0: 1.25, 1: 1.25, 2: 1.5})
    values = {s[0][0]: (*w[0], b[0]) for s, w, b in zip(winner_sets(found), found.weight, found.bias, strict=True)}
    assert values == {0: (1, 0, 0), 1: (0, 1, 0), 2: (-1, -1, 0)}


@pytest.mark.parametrize(("n", "k"), [(5, 1), (8, 3), (30, 11), (70, 35)])
def test_k_winners_mirror_n_minus_k_under_a_change_of_sign(n, k):
    rng = np.random.default_rng(n)
    weight, bias = rng.standard_normal((n, 2)), rng.standard_normal(n)
    found, mirrored = single(weight, bias, Fraction(k, n)), single(-weight, -bias, Fraction(n - k, n))
    complement = {tuple(sorted(set(range(n)) - set(s[0]))) for s in winner_sets(mirrored)}
    assert {s[0] for s in winner_sets(found)} == complement


def test_a_network_without_hidden_layer_has_one_cell_with_its_own_map():
    found = cells(from_arrays([np.array([[2.0, -1.0]])], [np.array([3.0])], None), TRIANGLE)
    assert len(found) == 1
    assert found.weight.tolist() == [[[2, -1]]]
    assert found.bias[0, 0] == pytest.approx(3)
    assert_sound(found)


def test_all_winners_leave_one_cell():
    assert len(single(np.random.default_rng(0).standard_normal((9, 2)), np.zeros(9), 1)) == 1


# Degenerate networks, each with what is right by hand.


def test_identical_units_count_once_and_the_lowest_indices_win():
    weight = np.array([[1, 0], [1, 0], [1, 0], [-1, 0], [-1, 0], [0, 1]])
    found = single(weight, np.zeros(6), Fraction(2, 6))
    assert set(winner_sets(found)) == {((0, 1),), ((3, 4),), ((0, 5),), ((3, 5),)}
    assert_sound(found)
    for k in range(1, 6):
        assert_equals_oracle([weight, np.ones((1, 6), int)], [np.zeros(6, int), np.zeros(1, int)], [k], SLANTED)


def test_several_units_crossing_on_one_line_change_together():
    found = single([[1, 0], [2, 0], [-1, 0], [-3, 0]], np.zeros(4), 0.5)
    assert set(winner_sets(found)) == {((0, 1),), ((2, 3),)}
    assert_sound(found)


def test_a_set_rejected_across_one_edge_may_be_right_nowhere_and_others_are_still_found():
    directions = np.array(list(product((-1, 0, 1), repeat=2)))  # ties along eight lines through the centre
    for k in range(1, 9):
        assert_equals_oracle([directions, np.ones((1, 9), int)], [np.zeros(9, int), np.zeros(1, int)], [k], SQUARE)


def test_everything_may_tie_at_the_interior_point_where_the_walk_begins():
    angles = np.linspace(0, 2 * np.pi, 7, endpoint=False)
    found = single(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.zeros(7), Fraction(3, 7))
    assert len(found) == 7
    assert_sound(found)


@pytest.mark.parametrize(("gamma", "winning"), [(None, (1, 3)), (0.5, (1, 3))])
def test_a_constant_slice_is_one_cell(gamma, winning):
    found = single(np.zeros((4, 2)), [0, 2, -1, 1], gamma)
    assert winner_sets(found) == [(winning,)]
    assert_sound(found)


def test_a_constant_slice_with_ties_keeps_the_first_units():
    assert winner_sets(single(np.zeros((4, 2)), [1, 1, 1, 1], 0.5)) == [((0, 1),)]


def test_parallel_borders_cut_strips():
    n = 9
    found = single(np.tile([1.0, 0.0], (n, 1)), -np.linspace(-0.8, 0.8, n), None)
    assert len(found) == n + 1
    assert_sound(found)
    strips = single(np.stack([np.arange(5.0), np.zeros(5)], axis=1), [0, -0.1, -0.4, -0.9, -1.6], 0.2)
    assert_sound(strips)
    assert len(strips) == 5


def test_a_border_on_the_edge_of_the_parent_does_not_cut():
    first = np.array([[1.0, 0.0], [-1.0, 0.0]])  # layer 1 switches on t₀ = 0, and so would layer 2
    for gammas in product((None, 0.5), repeat=2):
        net = from_arrays([first, np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(2), np.zeros(1)], gammas)
        found = cells(net, SQUARE)
        assert len(found) == 2
        assert_sound(found)


def test_a_border_on_the_boundary_of_the_domain_does_not_cut():
    assert len(single([[1.0, 0.0], [0.0, 1.0]], [1.0, -1.0], None)) == 1


@pytest.mark.parametrize("n", [3, 10, 40])
def test_many_borders_through_one_point(n):
    angles = np.pi * (np.arange(n) + 0.3) / n
    weight = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = single(weight, -weight @ [0.1, 0.2], None)
    assert len(found) == 2 * n
    assert_sound(found)


@pytest.mark.parametrize("size", [1e-4, 1e-7, 3e-9])
def test_a_tiny_cell_is_never_dropped(size):
    weight = np.array([[1, 0], [0, 1], [-1, -1]])
    found = single(weight, [0, 0, size], None)
    assert len(found) == 7
    assert found.areas.min() == pytest.approx(size**2 / 2, rel=1e-3)


def test_a_dead_unit_is_off():
    found = single([[0, 0], [1, 0]], [0, 0], None)
    assert set(winner_sets(found)) == {((),), ((1,),)}


def test_cells_of_many_sides():
    n = 150
    angles = 2 * np.pi * np.arange(n) / n
    weight = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = single(-weight, np.full(n, 0.5), None)
    inner = int(locate(found, np.zeros((1, 2)))[0])
    assert len(found.polygon(inner)) == n
    assert_sound(found)


def test_a_domain_far_from_zero_keeps_its_digits():
    rng = np.random.default_rng(4)
    weight, bias = rng.standard_normal((20, 2)), rng.standard_normal(20)
    far = np.array([3e6, -2e6])
    near = single(weight, bias, 0.25)
    moved = single(weight, bias - weight @ far, 0.25, Slice([0, 0], np.eye(2), SQUARE.domain + far))
    assert set(winner_sets(near)) == set(winner_sets(moved))
    assert moved.covered == pytest.approx(4)


# Networks of all kinds.


@pytest.mark.parametrize("gamma", [None, 0.2, (0.1, None, 0.5), (None, 0.3, 0.9)])
def test_mixed_layers_equal_the_forward_pass(gamma):
    net = build(MLP((6, 20, 15, 10, 3), gamma, "he"), seed=3)
    found = cells(net.double(), random_plane(np.full(6, 0.3), seed=1, radius=2.0))
    assert_sound(found)
    assert_equals_forward(net, found)


@pytest.mark.parametrize("gamma", [None, 0.1])
def test_a_convolutional_network_equals_its_forward_pass(gamma):
    net = build(CNN((1, 8, 8), (3, 4), 10, hidden=(16,), gamma=gamma), seed=0).double()
    with torch.no_grad():
        for _ in range(3):
            net.train()(torch.rand(64, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))
    found = cells(net, random_plane(np.full(64, 0.5), seed=2, radius=3.0))
    assert len(found) > 50
    assert_sound(found)
    assert_equals_forward(net, found, 2000)


def test_a_layer_wider_than_a_word_equals_the_forward_pass():
    net = build(MLP((2, 150, 40, 2), 0.3, "he"), seed=5)
    found = cells(net.double(), square(-0.4, 0.4, -0.4, 0.4))
    assert_sound(found)
    assert_equals_forward(net, found)


# What is told about edges, pieces, distances.


@pytest.mark.parametrize("gamma", [None, 0.25])
def test_edges_tell_their_layer_and_the_units_that_change(gamma):
    net = build(MLP((2, 16, 16, 1), gamma, "he"), seed=1)
    found = cells(net, SQUARE)
    borders = overlaid(found)
    layers, units = found.edge_layers, found.edge_units
    masks = [found.pattern(layer) for layer in range(2)]
    assert len(borders.edges) > 50
    for (e, f), (a, b) in zip(borders.edges, borders.cells, strict=True):
        layer = layers[e]
        assert layer == layers[f]
        assert units[e].tolist() == units[f][::-1].tolist()
        assert all((mask[a] == mask[b]).all() for mask in masks[: layer - 1])
        gone, come = (np.flatnonzero(masks[layer - 1][x] & ~masks[layer - 1][y]) for x, y in ((a, b), (b, a)))
        assert gone.tolist() == [u for u in units[e][:1] if u >= 0]
        assert come.tolist() == [u for u in units[e][1:] if u >= 0]
    outer = found.edge_lines < 0
    assert (layers[outer] == 0).all()
    assert (units[outer] == -1).all()


def test_at_a_winner_takes_all_border_two_units_are_equal():
    net = build(MLP((2, 12, 1), 0.25, "he"), seed=1).double()
    found = cells(net, SQUARE)
    weight, bias = net[1].weight.detach().numpy(), net[1].bias.detach().numpy()
    inner = found.edge_lines >= 0
    y = found.vertices[inner] @ weight.T + bias
    i, j = found.edge_units[inner].T
    rows = np.arange(len(y))
    np.testing.assert_allclose(y[rows, i], y[rows, j], atol=1e-12)


def test_cells_with_equal_maps_merge_where_they_touch():
    weight, bias = [[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0]
    quarters = single(weight, bias, None, outputs=np.array([[1.0, 0.0]]))  # the second unit is not read
    assert len(quarters) == 4
    pieces = merged(quarters)
    assert pieces.max() + 1 == 2
    assert len(set(pieces[~quarters.pattern(0)[:, 0]])) == 1
    apart = single(weight, bias, None, outputs=np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert merged(apart).max() + 1 == 4


def test_equal_maps_that_do_not_touch_stay_apart():
    strips = single([[1.0, 0.0], [-1.0, 0.0]], [-0.5, -0.5], None, outputs=np.array([[1.0, 1.0]]))
    assert merged(strips).max() + 1 == 3
    trough = single([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], [0.5, 0.0, -0.5], None, outputs=np.array([[1.0, -2.0, 1.0]]))
    assert len(trough) == 4  # f = 0 to the left and to the right of a bump
    assert merged(trough).max() + 1 == 4


def test_locate_tells_points_outside():
    found = single([[1.0, 0.0]], [0.0], None)
    t = np.array([[2.0, 0.0], [0.5, 0.5], [1.0, 1.0], [-0.5, 0.0]])
    held = locate(found, t)
    assert held[0] == -1
    assert held[1] == held[2] != held[3]


def test_border_distance_is_euclidean_in_the_input_space():
    skewed = Slice([0, 0, 0], [[3, 0, 0], [0, 0, 2]], SQUARE.domain)
    net = from_arrays([np.array([[1.0, 0.0, 1.0]]), np.ones((1, 1))], [np.zeros(1), np.zeros(1)], None)
    t = np.random.default_rng(0).uniform(-0.3, 0.3, (100, 2))
    x = skewed.points(t)
    np.testing.assert_allclose(border_distance(cells(net, skewed), t), np.abs(x[:, 0] + x[:, 2]) / np.sqrt(2))
    assert border_distance(single([[0.0, 0.0]], [1.0], None), np.zeros((1, 2))).tolist() == [np.inf]
    with pytest.raises(ValueError, match="lies in no cell"):
        border_distance(cells(net, skewed), np.array([[5.0, 0.0]]))


# Limits and refusals.


def test_a_limit_ends_the_walk_with_what_it_has():
    net = build(MLP((2, 16, 16, 1), None, "he"), seed=1)
    whole = cells(net, SQUARE)
    part = cells(net, SQUARE, max_regions=20)
    assert not part.complete
    assert len(part) == 20
    assert part.covered < 4
    assert set(winner_sets(part)) < set(winner_sets(whole))
    assert cells(net, SQUARE, max_regions=len(whole)).complete


def test_nonsense_is_refused_in_a_sentence():
    net = build(MLP((2, 4, 1)), seed=0)
    with pytest.raises(ValueError, match="max_regions must be at least 1, got 0"):
        cells(net, SQUARE, max_regions=0)
    with pytest.raises(ValueError, match="2 directions, got 1"):
        cells(net, Slice([0, 0], [[1, 0]], [[0], [1]]))
    with torch.no_grad():
        net.linear1.weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"linear1\.weight holds NaN"):
        cells(net, SQUARE)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.MaxPool2d(2), r"1 is a MaxPool2d, which is not supported"),
        (nn.Softmax(dim=1), r"1 is a Softmax, which is not supported"),
        (nn.ReLU6(), r"1 is a ReLU6, which is not supported"),
        (nn.Dropout(0.5), r"1 is a Dropout in training mode"),
        (nn.BatchNorm1d(4, track_running_stats=False), r"1 is a BatchNorm1d without running statistics"),
        (nn.Linear(3, 3), r"1: inputs of shape \(4,\) do not fit"),
    ],
)
def test_what_is_not_affine_is_refused_by_its_name(module, message):
    with pytest.raises(ValueError, match=message):
        cells(nn.Sequential(nn.Linear(2, 4), module, KWTA(0.5)), SQUARE)


def test_a_sequential_with_another_forward_is_refused():
    class Doubled(nn.Sequential):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(ValueError, match="0 is a Doubled, which is not supported"):
        cells(nn.Sequential(Doubled(nn.Linear(2, 2))), SQUARE)


def test_winners_within_parts_of_a_layer_are_refused():
    net = nn.Sequential(nn.Unflatten(1, (1, 1, 2)), nn.Conv2d(1, 3, 1), KWTA(0.5, dims=1), nn.Flatten())
    with pytest.raises(ValueError, match="2: k-WTA over the last 1 of the dimensions"):
        cells(net, SQUARE)


def test_a_layer_too_large_for_a_matrix_is_refused():
    net = nn.Sequential(nn.Linear(2, 5000), nn.ReLU(), nn.Linear(5000, 5000))
    with pytest.raises(ValueError, match="2: its matrix would have 5000 × 5000 entries"):
        cells(net, SQUARE)


def test_nested_sequentials_repeated_modules_and_inactive_dropout_are_walked():
    shared = nn.ReLU()
    net = nn.Sequential(
        nn.Sequential(nn.Linear(2, 6), shared, nn.Dropout(0.5)),
        nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), shared, nn.Identity()),
        nn.Linear(5, 2),
    )
    net = net.double().eval()
    found = cells(net, SQUARE)
    assert found.sizes == (6, 5)
    assert_sound(found)


@pytest.mark.parametrize("s", [0.1, 0.5, 0.9])
def test_functions_that_differ_by_rounding_alone_are_decided_by_index(s):
    """Both functions of the second layer are 2 everywhere, one of them by cancellation; the first must win."""
    W = [np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([[2.0, -1.0], [0.0, 0.0]]), np.ones((1, 2))]
    net = from_arrays(W, [np.array([2.0, 0.0]), np.array([-2.0, 2.0]), np.zeros(1)], (1.0, 0.5))
    domain = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    plane = Slice(np.array([s / 3, 0.0]), np.array([[s / 7, s], [-s, s / 7]]), domain)
    assert cells(net, plane).pattern(1).tolist() == [[True, False]]
