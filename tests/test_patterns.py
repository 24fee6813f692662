"""Patterns: twins in plain Python, closed forms for winner sets, distributions with fixed seeds, reference networks."""

import copy
import itertools
import math

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kwta import patterns as pt
from kwta import slices
from kwta.activation import KWTA
from kwta.networks import CNN, MLP, build, from_arrays, from_npz, with_kwta

seeds = st.integers(0, 2**32 - 1)
MIXED = MLP((6, 20, 15, 12, 3), gamma=(0.25, None, 0.5))
SMALL_CNN = CNN((2, 8, 8), channels=(3, 4), classes=5, hidden=(20,), gamma=(0.1, None, 0.3))


def masks(seed: int, *shape: int, share: float = 0.4) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def winner_sets(seed: int, rows: int, n: int, k: int) -> np.ndarray:
    """Independent uniform sets of k of n units."""
    order = np.random.default_rng(seed).random((rows, n)).argsort(axis=1).argsort(axis=1)
    return order < k


def members(mask: np.ndarray) -> set[int]:
    return {i for i, won in enumerate(mask.tolist()) if won}


def plain_winners(y: list[float], k: int) -> set[int]:
    return set(sorted(range(len(y)), key=lambda i: (-y[i], i))[:k])


def wide(net: nn.Module) -> nn.Module:
    """In float64 and evaluation mode, so that batches of different sizes round alike."""
    return net.double().eval()


@pytest.fixture
def unchecked():
    """Without the checker of signatures, as the library runs for its users."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


# --- A(x)


def plain_patterns(net, x: list[float]) -> list[set[int]]:
    """A(x) of an MLP in plain Python, from its weights."""
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    found = []
    for layer, k in zip(linear[:-1], net.spec.winners, strict=True):
        W, b = layer.weight.tolist(), layer.bias.tolist()
        y = [math.fsum([w * v for w, v in zip(row, x, strict=True)] + [c]) for row, c in zip(W, b, strict=True)]
        won = {i for i, v in enumerate(y) if v > 0} if k is None else plain_winners(y, k)
        found.append(won)
        x = [v if i in won else 0.0 for i, v in enumerate(y)]
    return found


@given(seeds)
@settings(max_examples=20)
def test_patterns_of_a_mixed_network_agree_with_plain_python(seed):
    net = wide(build(MIXED, seed))
    x = np.random.default_rng(seed).normal(size=(4, 6))
    found = pt.patterns(net, x)
    for row, point in enumerate(x.tolist()):
        assert [members(layer[row]) for layer in found] == plain_patterns(net, point)


def test_every_layer_has_exactly_its_k_winners():
    x = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    found = pt.patterns(build(MIXED, 3), x)
    assert [layer.shape for layer in found] == [(300, 20), (300, 15), (300, 12)]
    assert (found[0].sum(axis=1) == 5).all()
    assert (found[2].sum(axis=1) == 6).all()
    assert len(set(found[1].sum(axis=1).tolist())) > 3  # ReLU keeps as many as are positive


def test_patterns_of_a_convolutional_network_are_flat_vectors_of_c_h_w():
    net = wide(build(SMALL_CNN, 1))
    x = np.random.default_rng(0).random((7, 2, 8, 8))
    found = pt.patterns(net, x)
    assert [layer.shape for layer in found] == [(7, 192), (7, 64), (7, 20)]
    with torch.no_grad():
        y = net[:2](torch.tensor(x)).reshape(7, -1).tolist()  # convolution and batch norm
    for row, values in enumerate(y):
        assert members(found[0][row]) == plain_winners(values, 19)
    assert (found[2].sum(axis=1) == 6).all()


def test_ties_go_to_the_lower_index_and_relu_at_zero_is_off():
    zeros = [np.zeros((4, 2)), np.zeros((4, 4)), np.zeros((1, 4))], [np.zeros(4), np.zeros(4), np.zeros(1)]
    kwta_layer, relu_layer = pt.patterns(from_arrays(*zeros, gamma=(0.5, None)), np.ones((1, 2)))
    assert kwta_layer.tolist() == [[True, True, False, False]]
    assert not relu_layer.any()


def test_negative_pre_activations_may_win():
    net = from_arrays([-np.eye(3), np.ones((1, 3))], [np.array([-1.0, -2.0, -3.0]), np.zeros(1)], gamma=0.67)
    (found,) = pt.patterns(net, np.zeros((1, 3)))
    assert found.tolist() == [[True, True, False]]


@given(seeds, st.integers(1, 30))
@settings(max_examples=20)
def test_the_batch_size_makes_no_difference(seed, batch):
    net = wide(build(MIXED, seed))
    x = np.random.default_rng(seed).normal(size=(23, 6))
    whole = pt.patterns(net, x)
    for one, other in zip(whole, pt.patterns(net, x, batch=batch), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(whole, pt.patterns(net, torch.tensor(x)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_read_only_inputs_are_welcome():
    x = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    x.setflags(write=False)
    net = build(MIXED, 0)
    pt.under_perturbation(net, x, 0.1, n=3)
    pt.along(net, slices.gradient_line(net, x[0], 1, 1.0), n=5)
    assert len(pt.patterns(net, x)) == 3


@given(seeds)
@settings(max_examples=20)
def test_renaming_the_units_of_a_layer_renames_them_in_its_pattern(seed):
    rng = np.random.default_rng(seed)
    sizes = [(10, 4), (8, 10), (2, 8)]
    W, b = [rng.normal(size=s) for s in sizes], [rng.normal(size=s[0]) for s in sizes]
    order, x = rng.permutation(10), rng.normal(size=(20, 4))
    first, second = pt.patterns(from_arrays(W, b, 0.3), x)
    renamed = from_arrays([W[0][order], W[1][:, order], W[2]], [b[0][order], *b[1:]], 0.3)
    first_renamed, second_renamed = pt.patterns(renamed, x)
    np.testing.assert_array_equal(first_renamed, first[:, order])
    np.testing.assert_array_equal(second_renamed, second)


def test_scaling_the_pre_activations_of_a_layer_keeps_its_winners():
    rng = np.random.default_rng(5)
    W, b, x = rng.normal(size=(30, 4)), rng.normal(size=30), rng.normal(size=(50, 4))
    head = [rng.normal(size=(2, 30))], [np.zeros(2)]
    for factor in (0.125, 64.0):
        one = pt.patterns(from_arrays([W, *head[0]], [b, *head[1]], 0.2), x)
        other = pt.patterns(from_arrays([W * factor, *head[0]], [b * factor, *head[1]], 0.2), x)
        np.testing.assert_array_equal(one, other)


def test_a_network_in_training_is_left_as_it_was_and_seen_in_evaluation_mode():
    net = build(SMALL_CNN, 0).train()
    before = copy.deepcopy(net.state_dict())
    x = np.random.default_rng(0).random((9, 2, 8, 8)).astype(np.float32) * 5
    while_training = pt.patterns(net, x)
    assert net.training
    assert all((before[name] == value).all() for name, value in net.state_dict().items())
    for one, other in zip(while_training, pt.patterns(net.eval(), x), strict=True):
        np.testing.assert_array_equal(one, other)


class Twice(nn.Module):
    """One activation module, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.activation = KWTA(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(-self.activation(x))


def test_a_module_called_twice_gives_two_layers():
    first, second = pt.patterns(Twice(), np.array([[3.0, 1.0, 2.0, 4.0]], np.float32))
    assert first.tolist() == [[True, False, False, True]]
    assert second.tolist() == [[False, True, True, False]]  # of (−3, 0, 0, −4)


class Residual(nn.Module):
    """As in a ResNet block: one ReLU, used twice, as a function and as a module, around a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.first(x))
        return torch.relu(self.relu(self.second(y) + y) - 1)


def test_a_converted_network_shows_every_call():
    block = with_kwta(Residual(), 0.25).eval()
    found = pt.patterns(block, np.random.default_rng(0).random((5, 1, 4, 4)).astype(np.float32))
    assert [layer.shape for layer in found] == [(5, 32)] * 3
    assert [set(layer.sum(axis=1).tolist()) for layer in found] == [{8}] * 3


def test_winners_over_some_dimensions_are_chosen_there():
    x = np.random.default_rng(0).normal(size=(5, 3, 8)).astype(np.float32)
    (found,) = pt.patterns(nn.Sequential(KWTA(0.25, dims=1)), x)
    assert found.shape == (5, 24)
    assert (found.reshape(5, 3, 8).sum(axis=2) == 2).all()
    (whole,) = pt.patterns(nn.Sequential(KWTA(0.25)), x)
    assert (whole.sum(axis=1) == 6).all()


def test_inputs_and_networks_without_a_pattern_are_refused():
    net = build(MIXED, 0)
    with pytest.raises(ValueError, match="no hidden layer"):
        pt.patterns(nn.Linear(6, 2), np.ones((1, 6), np.float32))
    x = np.ones((5, 6), np.float32)
    x[3, 2] = np.nan
    with pytest.raises(ValueError, match="infinity in input 3"):
        pt.patterns(net, x)
    with pytest.raises(ValueError, match=r"finite in torch\.float32"):
        pt.patterns(net, np.full((1, 6), 1e300))
    with pytest.raises(ValueError, match=r"at least one input, got shape \(0, 6\)"):
        pt.patterns(net, np.ones((0, 6), np.float32))
    with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
        pt.patterns(net, np.ones((1, 6), np.float32), batch=0)


# --- overlap


@given(seeds, st.integers(1, 40), st.floats(0, 1))
def test_hamming_and_jaccard_are_those_of_sets(seed, n, share):
    a, b = masks(seed, 2, 6, n, share=share)
    for h, j, one, other in zip(pt.hamming(a, b), pt.jaccard(a, b), map(members, a), map(members, b), strict=True):
        assert h == len(one ^ other)
        assert j == (len(one & other) / len(one | other) if one | other else 1)


@given(seeds, st.integers(1, 30), st.integers(1, 30))
def test_for_winner_sets_hamming_is_even_and_determines_jaccard(seed, k, losers):
    a, b = winner_sets(seed, 10, k + losers, k), winner_sets(seed + 1, 10, k + losers, k)
    h = pt.hamming(a, b)
    assert (h % 2 == 0).all()
    assert h.max() <= 2 * min(k, losers)
    np.testing.assert_allclose(pt.jaccard(a, b), (2 * k - h) / (2 * k + h), rtol=1e-15)


def test_independent_winner_sets_share_k_squared_over_n_units():
    """|A ∩ B| is hypergeometric: mean k²/n, variance k² (n − k)² / (n² (n − 1))."""
    n, k, rows = 100, 20, 20_000
    shared = k - pt.hamming(winner_sets(1, rows, n, k), winner_sets(2, rows, n, k)) / 2
    variance = k**2 * (n - k) ** 2 / (n**2 * (n - 1))
    assert shared.mean() == pytest.approx(k**2 / n, abs=4 * math.sqrt(variance / rows))
    assert shared.var() == pytest.approx(variance, rel=0.05)


@given(seeds, st.integers(1, 12), st.sampled_from(["hamming", "jaccard"]))
def test_both_distances_are_metrics(seed, n, measure):
    a, b, c = masks(seed, 3, 8, n)
    ab, bc, ac = (pt.distance(p, q, measure) for p, q in ((a, b), (b, c), (a, c)))
    assert (ac <= ab + bc + 1e-12).all()
    np.testing.assert_array_equal(ab, pt.distance(b, a, measure))
    np.testing.assert_array_equal(ab == 0, (a == b).all(axis=1))
    order = np.random.default_rng(seed).permutation(n)
    np.testing.assert_array_equal(ab, pt.distance(a[:, order], b[:, order], measure))


def test_two_empty_sets_are_equal_by_convention():
    none = np.zeros((1, 5), bool)
    assert pt.jaccard(none, none).tolist() == [1.0]
    assert pt.pairwise_jaccard(none, none).tolist() == [[1.0]]
    assert pt.distance(none, none, "jaccard").tolist() == [0.0]
    assert pt.jaccard(none, ~none).tolist() == [0.0]


@given(seeds, st.integers(1, 9), st.integers(1, 9), st.integers(1, 70))
def test_pairwise_is_every_row_with_every_row(seed, p, q, n):
    a, b = masks(seed, p, n), masks(seed + 1, q, n, share=0.1)
    np.testing.assert_array_equal(pt.pairwise_hamming(a, b), [[pt.hamming(r, s) for s in b] for r in a])
    np.testing.assert_array_equal(pt.pairwise_jaccard(a, b), [[pt.jaccard(r, s) for s in b] for r in a])


def test_one_pattern_is_compared_with_many():
    many = masks(0, 6, 9)
    np.testing.assert_array_equal(pt.hamming(many[2], many), pt.pairwise_hamming(many, many)[2])
    np.testing.assert_array_equal(pt.jaccard(many[2:3], many), pt.pairwise_jaccard(many, many)[2])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("compare", [pt.hamming, pt.jaccard, pt.pairwise_hamming, pt.pairwise_jaccard])
def test_patterns_of_different_layers_are_not_compared(compare):
    with pytest.raises(ValueError, match="number of units, got 4 and 1"):
        compare(masks(0, 3, 4), masks(0, 3, 1))


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_measure_is_refused():
    with pytest.raises(ValueError, match="hamming, jaccard, got 'euclid'"):
        pt.distance(masks(0, 1, 4), masks(1, 1, 4), "euclid")


# --- keys


def splitmix(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def plain_id(layers: list[list[bool]]) -> int:
    """The documented formula in Python's whole numbers."""
    data = b"".join(
        bytes(
            sum(bit << (7 - place) for place, bit in enumerate(layer[start : start + 8]))
            for start in range(0, len(layer), 8)
        )
        for layer in layers
    )
    data += bytes(-len(data) % 8)
    words = [int.from_bytes(data[start : start + 8], "little") for start in range(0, len(data), 8)]
    keys = [splitmix(i * 0x9E3779B97F4A7C15 % 2**64) for i in range(1, len(words) + 1)]
    return splitmix(sum(splitmix(word ^ key) for word, key in zip(words, keys, strict=True)) % 2**64)


@given(seeds, st.lists(st.integers(1, 90), min_size=1, max_size=3))
def test_ids_follow_their_formula(seed, widths):
    layers = tuple(masks(seed + i, 4, n) for i, n in enumerate(widths))
    assert pt.ids(layers).tolist() == [plain_id([layer[row].tolist() for layer in layers]) for row in range(4)]


def test_different_patterns_have_different_ids_and_equal_ones_the_same():
    """All 2¹² masks of 12 units in two layers, and every single flip of a wide one."""
    every = np.array(list(itertools.product([False, True], repeat=12)))
    found = pt.ids((every[:, :5], every[:, 5:]))
    assert len(set(found.tolist())) == 2**12
    np.testing.assert_array_equal(found, pt.ids((every[:, :5].copy(order="F"), every[:, 5:].copy())))
    flips = masks(0, 1, 3000) ^ np.vstack([np.eye(3000, dtype=bool), np.zeros((1, 3000), bool)])
    assert len(set(pt.ids((flips,)).tolist())) == 3001


def test_half_of_all_bits_differ_between_ids():
    """A unit that flips changes each bit of the id with probability 1/2: ids modulo a palette are good colours."""
    flips = masks(1, 1, 2000) ^ np.vstack([np.zeros((1, 2000), bool), np.eye(2000, dtype=bool)])
    found = pt.ids((flips,))
    bits = np.unpackbits((found[1:] ^ found[0]).view(np.uint8).reshape(-1, 8), axis=1)
    np.testing.assert_allclose(bits.mean(axis=0), 0.5, atol=5 * 0.5 / math.sqrt(2000))


def test_packed_masks_can_be_unpacked():
    layers = masks(0, 5, 13), masks(1, 5, 8)
    bits = pt.packed(layers)
    assert bits.shape == (5, 3)
    np.testing.assert_array_equal(np.unpackbits(bits[:, :2], axis=1, count=13).astype(bool), layers[0])
    np.testing.assert_array_equal(np.unpackbits(bits[:, 2:], axis=1).astype(bool), layers[1])


def test_ids_on_a_slice_are_those_of_its_points():
    net = wide(build(SMALL_CNN, 0))
    plane = slices.random_plane(np.full((2, 8, 8), 0.5), 0, 1.0)
    t = slices.grid(plane, 12).t
    x = plane.points(t).reshape(-1, 2, 8, 8)
    whole = pt.patterns(net, x)
    np.testing.assert_array_equal(pt.ids_on(net, plane, t, batch=50).ravel(), pt.ids(whole))
    np.testing.assert_array_equal(pt.ids_on(net, plane, t, layers=1).ravel(), pt.ids(whole[:1]))
    with pytest.raises(ValueError, match="layers must be at least 1 or None, got 0"):
        pt.ids_on(net, plane, t, layers=0)


@pytest.mark.parametrize(
    ("case", "gamma", "n_regions"), [("a_def", 1 / 8, 61), ("a_he", 1 / 8, 99), ("a_he", None, 1026)]
)
def test_the_ids_of_a_grid_count_regions_from_below(case_folder, case, gamma, n_regions):
    """Exact numbers of regions of reference networks: a grid misses the small ones and never counts one too many."""
    net = from_npz(case_folder / f"{case}.npz", gamma)
    square = slices.square(-1, 1, -1, 1)
    seen = len(np.unique(pt.ids_on(net, square, slices.grid(square, 300).t, batch=30_000)))
    assert 0.85 * n_regions < seen <= n_regions


# --- distances within and between classes


def test_all_pairs_are_taken_once_where_there_are_few():
    labels = np.array([2, 0, 2, 5, 0, 2, 7])
    layers = masks(0, 7, 30), masks(1, 7, 9)
    found = pt.distances(layers, labels, n_pairs=17)  # as many as there are between classes
    pairs = list(itertools.combinations(range(7), 2))
    assert found.all_within
    assert found.all_between
    for same, got in ((True, found.pairs_within), (False, found.pairs_between)):
        expected = {frozenset(pair) for pair in pairs if (labels[pair[0]] == labels[pair[1]]) == same}
        assert {frozenset(pair) for pair in got.tolist()} == expected
        assert len(got) == len(expected)


@pytest.mark.parametrize("measure", ["hamming", "jaccard"])
def test_distances_are_those_of_their_pairs(measure, monkeypatch):
    labels = np.random.default_rng(0).integers(0, 4, 200)
    layers = masks(0, 200, 30), masks(1, 200, 9)
    found = pt.distances(layers, labels, n_pairs=301, seed=7, measure=measure)
    assert not found.all_within
    assert not found.all_between
    assert (labels[found.pairs_within[:, 0]] == labels[found.pairs_within[:, 1]]).all()
    assert (found.pairs_within[:, 0] != found.pairs_within[:, 1]).all()
    assert (labels[found.pairs_between[:, 0]] != labels[found.pairs_between[:, 1]]).all()
    for layer, within, between in zip(layers, found.within, found.between, strict=True):
        for pairs, values in ((found.pairs_within, within), (found.pairs_between, between)):
            assert len(values) == 301
            expected = [pt.distance(layer[i], layer[j], measure).item() for i, j in pairs]
            np.testing.assert_array_equal(values, expected)
    assert (found.widths, found.measure, found.n_pairs, found.seed) == ((30, 9), measure, 301, 7)
    monkeypatch.setattr("kwta.patterns.classes.CHUNK", 100)
    again = pt.distances(layers, labels, n_pairs=301, seed=7, measure=measure)
    np.testing.assert_array_equal(again.within, found.within)
    other = pt.distances(layers, labels, n_pairs=301, seed=8, measure=measure)
    assert (other.pairs_within != found.pairs_within).any()


def test_every_pair_is_drawn_equally_often():
    """Pearson's statistic over all unordered pairs has mean m − 1 and standard deviation √(2(m − 1))."""
    labels = np.array([0] * 2 + [1] * 7 + [2] * 5)
    np.random.default_rng(1).shuffle(labels)
    layers = (masks(0, 14, 3),)
    drawn = [pt.distances(layers, labels, n_pairs=30, seed=seed) for seed in range(400)]
    for name, m in (("pairs_within", 1 + 21 + 10), ("pairs_between", 14 + 10 + 35)):
        pairs = np.sort(np.concatenate([getattr(found, name) for found in drawn]), axis=1)
        _, counts = np.unique(pairs, axis=0, return_counts=True)
        expected = len(pairs) / m
        statistic = ((counts - expected) ** 2).sum() / expected
        assert len(counts) == m
        assert abs(statistic - (m - 1)) < 4 * math.sqrt(2 * (m - 1))


def test_classes_with_their_own_winners_are_farther_apart_than_within():
    labels = np.repeat([0, 1, 2], 50)
    own = np.zeros((150, 60), bool)
    own[np.arange(150), labels * 20 + np.arange(150) % 20] = True  # one winner, out of 20 of the class
    found = pt.distances((own,), labels, n_pairs=10_000)
    assert found.within[0].max() == 2
    assert (found.between[0] == 2).all()
    assert found.within[0].mean() < 2


def test_labels_that_form_no_pairs_are_refused():
    layers = (masks(0, 4, 9),)
    with pytest.raises(ValueError, match=r"two classes, got the labels \[3\]"):
        pt.distances(layers, np.full(4, 3))
    with pytest.raises(ValueError, match="4 classes of one"):
        pt.distances(layers, np.arange(4))
    with pytest.raises(ValueError, match="n_pairs must be at least 1, got 0"):
        pt.distances(layers, np.array([0, 0, 1, 1]), n_pairs=0)


@pytest.mark.usefixtures("unchecked")
def test_as_many_labels_as_patterns_are_needed():
    with pytest.raises(ValueError, match="4 patterns and 3 labels"):
        pt.distances((masks(0, 4, 9),), np.array([0, 0, 1]))


# --- under perturbation


@given(seeds, st.integers(1, 50), st.floats(0, 2), st.sampled_from(["l2", "linf"]), st.booleans())
def test_perturbed_inputs_lie_in_the_ball_and_in_the_box(seed, d, radius, norm, boxed):
    rng = np.random.default_rng(seed)
    x = rng.random((1, d)).astype(np.float32)
    moved = pt.perturbed(x, radius, norm, 20, rng, box=(0.0, 1.0) if boxed else None)
    assert moved.shape == (20, 1, d)
    delta = moved - x
    size = np.abs(delta).max(axis=(1, 2)) if norm == "linf" else np.linalg.norm(delta, axis=(1, 2))
    assert (size <= radius * (1 + 1e-12) + 1e-15).all()
    if boxed:
        assert moved.min() >= 0
        assert moved.max() <= 1


@pytest.mark.parametrize("d", [1, 3, 40])
def test_perturbations_fill_the_l2_ball_evenly(d):
    """(‖δ‖/r)ᵈ is uniform on [0, 1], E δδᵀ = r² / (d + 2) I, E δ = 0."""
    n = 20_000
    delta = pt.perturbed(np.zeros(d), 2.0, "l2", n, np.random.default_rng(0)) / 2
    share = np.sort(np.linalg.norm(delta, axis=1) ** d)
    assert np.abs(share - (np.arange(n) + 0.5) / n).max() < 1.95 / math.sqrt(n)  # Kolmogorov-Smirnov at 0.1 %
    np.testing.assert_allclose(delta.mean(axis=0), 0, atol=5 / math.sqrt(n * d))
    np.testing.assert_allclose(delta.T @ delta / n, np.eye(d) / (d + 2), atol=6 / (d + 2) / math.sqrt(n) + 2e-3)


def test_perturbations_fill_the_l_infinity_ball_evenly():
    n = 20_000
    delta = pt.perturbed(np.zeros(5), 0.5, "linf", n, np.random.default_rng(0)) / 0.5
    quantiles = np.sort((delta + 1) / 2, axis=0) - ((np.arange(n) + 0.5) / n)[:, None]
    assert np.abs(quantiles).max() < 1.95 / math.sqrt(n)
    np.testing.assert_allclose(np.corrcoef(delta.T), np.eye(5), atol=5 / math.sqrt(n))


def test_distances_under_perturbation_are_those_of_the_perturbed_inputs():
    net = wide(build(MIXED, 0))
    x = np.random.default_rng(0).normal(size=(3, 6))
    found = pt.under_perturbation(net, x, 0.5, norm="l2", n=40, seed=9)
    for i, point in enumerate(x):
        moved = pt.perturbed(point, 0.5, "l2", 40, np.random.default_rng((9, i)))
        for layer, values in enumerate(found.distances):
            here, there = pt.patterns(net, x)[layer][i], pt.patterns(net, moved)[layer]
            np.testing.assert_array_equal(values[i], pt.hamming(here, there))
    assert [values.shape for values in found.distances] == [(3, 40)] * 3
    assert (found.widths, found.radius, found.norm, found.n, found.seed) == ((20, 15, 12), 0.5, "l2", 40, 9)
    fewer = pt.under_perturbation(net, x[:2], 0.5, norm="l2", n=40, seed=9)
    np.testing.assert_array_equal(fewer.distances[0], found.distances[0][:2])
    jaccard = pt.under_perturbation(net, x, 0.5, norm="l2", n=40, seed=9, measure="jaccard")
    np.testing.assert_allclose(
        jaccard.distances[0], 1 - (10 - found.distances[0]) / (10 + found.distances[0]), atol=1e-15
    )


def test_the_pattern_moves_more_the_larger_the_radius_and_not_at_all_at_zero():
    net = wide(build(SMALL_CNN, 0))
    x = np.random.default_rng(0).random((3, 2, 8, 8))
    means = [
        [layer.mean() for layer in pt.under_perturbation(net, x, radius, n=30, box=(0.0, 1.0)).distances]
        for radius in (0.0, 0.01, 0.1, 0.5)
    ]
    assert means[0] == [0, 0, 0]
    assert (np.diff(means, axis=0)[:, :2] > 0).all()
    assert (np.diff(means, axis=0)[:, 2] >= 0).all()  # an untrained head hardly sees the input


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"radius": -0.1}, "radius .* got -0.1"),
        ({"radius": math.nan}, "radius .* got nan"),
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"box": (0.0, 0.5)}, r"box \[0, 0.5\], got entries from 0 to 1"),
        ({"norm": "l1"}, "l2, linf, got 'l1'"),
        ({"measure": "cosine"}, "hamming, jaccard, got 'cosine'"),
        ({"x": np.ones((0, 6))}, "at least one input"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_perturbations_that_make_no_sense_are_refused(change, reason):
    arguments = {"x": np.eye(6), "radius": 0.1, "n": 5} | change
    with pytest.raises(ValueError, match=reason):
        pt.under_perturbation(build(MIXED, 0), **arguments)


# --- along a segment


def test_the_winner_follows_the_upper_envelope_of_lines():
    """k = 1 over tangents y = a t − a²/2 of a parabola: they win one after the other and meet at t = (aᵢ + aⱼ)/2."""
    slopes = np.array([-1.0, -0.4, 0.2, 0.8])
    net = from_arrays([slopes[:, None], np.ones((1, 4))], [-(slopes**2) / 2, np.zeros(1)], gamma=0.25)
    line = slices.around(np.zeros(1), 1.0, np.ones((1, 1)))
    found = pt.along(net, line, n=1000)
    assert found.n_patterns == 4
    assert found.unit[~found.enters].tolist() == [0, 1, 2]
    assert found.unit[found.enters].tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.places[found.enters], [-0.7, -0.1, 0.5], atol=1.01e-3)
    assert not found.exact
    assert found.counts.sum() == 6


@pytest.mark.parametrize("batch", [2, 7, 64, 500])
def test_changes_lead_from_the_first_pattern_to_every_other(batch):
    net = wide(build(MIXED, 4))
    rng = np.random.default_rng(0)
    line = slices.segment(*rng.normal(size=(2, 6)))
    found = pt.along(net, line, n=150, batch=batch)
    truth = pt.patterns(net, line.points(found.t[:, None]))
    state = [layer[0].copy() for layer in truth]
    for i in range(149):
        for layer, unit, enters in zip(
            *(a[found.interval == i] for a in (found.layer, found.unit, found.enters)), strict=True
        ):
            assert state[layer][unit] != enters
            state[layer][unit] = enters
        for mask, layer in zip(state, truth, strict=True):
            np.testing.assert_array_equal(mask, layer[i + 1])
    steps = [pt.hamming(layer[1:], layer[:-1]) for layer in truth]
    np.testing.assert_array_equal(found.counts, steps)
    assert (np.diff(found.interval) >= 0).all()
    assert found.n_patterns == len(np.unique(pt.ids(truth)))
    assert found.widths == (20, 15, 12)


def test_winners_come_and_go_in_pairs():
    net = wide(build(MLP((6, 40, 30, 2), gamma=0.2), 1))
    found = pt.along(net, slices.segment(*np.random.default_rng(3).normal(size=(2, 6))), n=400)
    assert len(found.unit) > 20
    balance = np.zeros((2, 399), int)
    np.add.at(balance, (found.layer, found.interval), np.where(found.enters, 1, -1))
    assert not balance.any()


def test_walking_back_swaps_the_same_units_the_other_way():
    net = wide(build(MIXED, 2))
    a, b = np.random.default_rng(1).integers(-8, 8, (2, 6)) / 4.0  # quarters: both walks meet the very same points
    there, back = (pt.along(net, slices.segment(*ends), n=129) for ends in ((a, b), (b, a)))
    forth = {
        *zip(there.interval.tolist(), there.layer.tolist(), there.unit.tolist(), there.enters.tolist(), strict=True)
    }
    reverse = zip(
        (127 - back.interval).tolist(), back.layer.tolist(), back.unit.tolist(), (~back.enters).tolist(), strict=True
    )
    assert forth == set(reverse)
    assert len(forth) > 10


def test_finer_sampling_never_sees_fewer_patterns():
    net = wide(build(MIXED, 5))
    line = slices.segment(*np.random.default_rng(5).normal(size=(2, 6)) * 3)
    seen = [pt.along(net, line, n=2**level + 1).n_patterns for level in range(2, 10)]
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]


@pytest.mark.parametrize(("case", "n_pieces"), [("c_he", 126), ("d_def", 207)])
def test_sampling_counts_the_pieces_of_reference_networks_from_below(case_folder, case, n_pieces):
    """Exact numbers of ReLU pieces from (−1, −0.8) to (1, 0.9)."""
    net = from_npz(case_folder / f"{case}.npz", None)
    line = slices.segment(np.array([-1.0, -0.8]), np.array([1.0, 0.9]))
    assert 0.95 * n_pieces < pt.along(net, line, n=20_000, batch=5000).n_patterns <= n_pieces


def test_images_along_a_segment_take_the_shape_of_the_spec_or_the_one_given():
    a, b = np.random.default_rng(0).random((2, 2, 8, 8))
    net, line = wide(build(SMALL_CNN, 0)), slices.segment(a, b)
    found = pt.along(net, line, n=50)
    unnamed = nn.Sequential(*net)  # the same layers without a spec
    np.testing.assert_array_equal(pt.along(unnamed, line, n=50, shape=(2, 8, 8)).unit, found.unit)
    with pytest.raises(ValueError, match=r"128 entries do not fit .* \(3, 8, 8\)"):
        pt.along(net, line, n=50, shape=(3, 8, 8))


def test_changes_need_a_line_and_two_samples():
    net = build(MLP((2, 8, 2), gamma=0.5), 0)
    with pytest.raises(ValueError, match="got a 2-D slice"):
        pt.along(net, slices.square(0, 1, 0, 1))
    with pytest.raises(ValueError, match="at least 2 samples, got 1"):
        pt.along(net, slices.segment(np.zeros(2), np.ones(2)), n=1)


# --- usage of units


def test_usage_counts_wins():
    layers = (np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]], bool),)
    found = pt.usage(layers)
    np.testing.assert_allclose(found.frequency[0], [1, 2 / 3, 1 / 3, 0])
    assert found.dead[0].tolist() == [3]
    assert found.constant[0].tolist() == [0]
    assert found.n_inputs == 3


def test_usage_of_a_layer_with_k_winners_sums_to_k():
    x = np.random.default_rng(0).normal(size=(500, 6)).astype(np.float32)
    found = pt.usage(pt.patterns(build(MIXED, 0), x))
    assert found.frequency[0].sum() == pytest.approx(5)
    assert found.frequency[2].sum() == pytest.approx(6)


def test_randomness_is_an_argument():
    """Nothing here reads or moves a global generator."""

    def states() -> list:
        return [np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()]  # noqa: NPY002

    before = states()
    net, x = build(MIXED, 0), np.eye(6, dtype=np.float32)
    pt.under_perturbation(net, x, 0.1)
    pt.distances(pt.patterns(net, x), np.array([0, 0, 1, 1, 2, 2]), n_pairs=2)
    slices.random_plane(x[0], 0, 1.0)
    slices.gradient_plane(net, x[0], 0, 0, 1.0)
    assert states() == before
