"""Slices of the input space: closed forms, an exact rational twin of the clipping, invariances and round trips."""

import copy
import itertools
import json
import math
import pickle
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from kwta import slices
from kwta.slices import Slice

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
seeds = st.integers(0, 2**32 - 1)


def some_polygon(rng: np.random.Generator, n: int) -> np.ndarray:
    """n points on a random ellipse, counter-clockwise: always convex."""
    angles = (np.arange(n) + rng.uniform(0, 0.9, n)) * 2 * np.pi / n
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * rng.uniform(0.1, 10, 2) + rng.normal(size=2)


def some_slice(seed: int, d: int, m: int) -> Slice:
    """A slice with directions that are neither normalised nor orthogonal."""
    rng = np.random.default_rng(seed)
    domain = np.sort(rng.normal(size=(2, 1)), axis=0) if m == 1 else some_polygon(rng, int(rng.integers(3, 9)))
    return Slice(rng.normal(size=d), rng.normal(size=(m, d)) * rng.uniform(0.1, 10, (m, 1)), domain)


def points_of(domain: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n random points of a convex domain: convex combinations of its vertices."""
    return rng.dirichlet(np.full(len(domain), 0.5), n) @ domain


def rotation(d: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def plain_area(polygon) -> float:
    """The area as a fan of triangles, in plain Python."""
    (x0, y0), *rest = polygon
    return sum(((x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)) / 2 for (x1, y1), (x2, y2) in itertools.pairwise(rest))


# --- the value


def test_slices_are_equal_and_hashed_by_content():
    one = Slice(np.zeros(2), np.eye(2), SQUARE)
    same = Slice([-0.0, 0], [[1, 0], [-0.0, 1]], SQUARE.tolist())
    assert one == same
    assert hash(one) == hash(same)
    assert len({one, same, replace(one, origin=np.ones(2))}) == 2
    assert one != replace(one, domain=SQUARE * 2)
    assert one != "slice"


def test_a_slice_of_another_shape_with_the_same_numbers_is_another_slice():
    assert slices.segment(np.zeros(2), np.ones(2)) != slices.segment(np.zeros(3), np.ones(3))


def test_a_slice_cannot_be_changed_from_outside():
    origin = np.zeros(2)
    one = Slice(origin, np.eye(2), SQUARE)
    origin[0] = 7
    assert one.origin[0] == 0
    for array in (one.origin, one.directions, one.domain):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize(
    "travel", [lambda s: Slice.from_json(s.to_json()), lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy]
)
def test_a_slice_survives_a_journey(travel, m):
    one = some_slice(3, 5, m)
    back = travel(one)
    assert back == one
    assert hash(back) == hash(one)
    assert not back.domain.flags.writeable


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "segment"},
        {"domain": [[0], [math.nan]]},
        {"colour": 1},
        {"origin": "here"},
        {"origin": [[0]]},
        {"origin": [10**400]},
    ],
)
def test_json_that_is_no_slice_is_refused(change):
    record = json.loads(some_slice(0, 3, 1).to_json())
    with pytest.raises(ValueError, match=r"slice|finite|numbers|axis"):
        Slice.from_json(json.dumps(record | change))


def test_text_that_is_no_json_is_refused():
    for text in ("", "[1, 2]", "{", '{"kind": "slice"}', "[" * 10**6):
        with pytest.raises(ValueError, match="a slice is"):
            Slice.from_json(text)


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        (SQUARE[::-1], "counter-clockwise"),
        (SQUARE[:2], "three vertices"),
        ([[0, 0], [1, 1], [2, 2]], "no interior"),
        ([[0, 0], [0, 0], [1, 0], [1, 1]], "repeats"),
        ([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], "repeats"),
        ([[0, 0], [2, 0], [2, 2], [1, 0.5], [0, 2]], "not convex: vertex"),
        ([(math.cos(a), math.sin(a)) for a in np.arange(5) * 4 * np.pi / 5], "not convex"),  # a pentagram
        ([[0, 0], [2, 0], [1, 0], [2, 2]], "not convex"),  # a spike
        ([[0, 0], [1, 0], [math.inf, 1]], "finite, got inf"),
        ([[0], [1]], r"shape \[v, 2\]"),
    ],
)
def test_a_domain_that_is_no_convex_polygon_is_refused(domain, reason):
    with pytest.raises(ValueError, match=reason):
        Slice(np.zeros(2), np.eye(2), domain)


def test_a_dent_counts_from_a_trillionth_of_the_polygon():
    def dented(depth: float) -> Slice:
        return Slice(np.zeros(2), np.eye(2), np.insert(SQUARE, 1, [0.5, depth], axis=0))

    assert dented(1e-14).measure == pytest.approx(1, rel=1e-12)
    with pytest.raises(ValueError, match="not convex: vertex"):
        dented(1e-10)


@pytest.mark.parametrize("domain", [[[1], [0]], [[1], [1]], [[0], [1], [2]], [[0]]])
def test_an_interval_has_two_ascending_ends(domain):
    with pytest.raises(ValueError, match="two ends"):
        Slice(np.zeros(2), np.eye(2)[:1], domain)


@pytest.mark.parametrize(
    ("directions", "reason"),
    [
        ([[1, 0, 0], [0, 0, 0]], "not be zero"),
        ([[1, 2, 3], [2, 4, 6]], "independent"),
        ([[1, 2, 3], [1, 2, 3 + 1e-10]], "independent"),
        (np.eye(3), r"1 or 2, 3\]"),
        ([[1, 0]], r"1 or 2, 3\]"),
        ([1, 0, 0], "2 non-empty axes"),
    ],
)
def test_directions_that_span_no_line_or_plane_are_refused(directions, reason):
    with pytest.raises(ValueError, match=reason):
        Slice(np.zeros(3), directions, SQUARE)


def test_directions_of_very_different_lengths_are_independent():
    tall = Slice(np.zeros(2), np.diag([1e-12, 1e6]), SQUARE)
    np.testing.assert_allclose(tall.coordinates(tall.points(np.array([0.25, 0.75]))), [0.25, 0.75], rtol=1e-12)


def test_a_polygon_far_from_zero_or_with_vertices_on_its_edges_is_accepted():
    assert Slice(np.zeros(2), np.eye(2), SQUARE + 1e8).measure == pytest.approx(1, rel=1e-12)
    with_midpoint = np.insert(SQUARE, 1, [0.5, 0.0], axis=0)
    assert Slice(np.zeros(2), np.eye(2), with_midpoint).measure == 1


# --- geometry


@given(seeds, st.integers(2, 40), st.sampled_from([1, 2]))
@settings(max_examples=100, deadline=None)
def test_coordinates_undo_points(seed, d, m):
    one = some_slice(seed, d, m)
    t = points_of(one.domain, 20, np.random.default_rng(seed))
    x = one.points(t)
    triangle = np.linalg.svd(one.directions, compute_uv=False)
    rounding = 1e-14 * d * triangle[0] / triangle[-1] * (1 + np.abs(x).max() / triangle[-1])
    np.testing.assert_allclose(one.coordinates(x), t, atol=rounding)
    assert one.distance(x).max() <= rounding * triangle[0]
    assert one.contains(t).all()


@given(seeds, st.integers(3, 20), st.sampled_from([1, 2]))
@settings(max_examples=50, deadline=None)
def test_coordinates_are_those_of_the_nearest_point(seed, d, m):
    rng = np.random.default_rng(seed)
    one = some_slice(seed, d, m)
    x = rng.normal(size=d)
    nearest = one.points(one.coordinates(x))
    np.testing.assert_allclose(one.directions @ (x - nearest), 0, atol=1e-8)  # the residual is orthogonal
    assert one.distance(x) == pytest.approx(np.linalg.norm(x - nearest))
    others = one.points(one.coordinates(x) + rng.normal(size=(20, m)))
    assert (np.linalg.norm(others - x, axis=1) >= one.distance(x) - 1e-9).all()


def test_points_keep_the_batch_shape():
    one = slices.random_plane(np.zeros(7), 0, 1.0)
    assert one.points(np.zeros((4, 3, 2))).shape == (4, 3, 7)
    assert one.coordinates(np.zeros((4, 3, 7))).shape == (4, 3, 2)
    assert one.contains(np.zeros((4, 3, 2))).shape == (4, 3)
    with pytest.raises(ValueError, match="2 coordinates"):
        one.points(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="7 entries"):
        one.coordinates(np.zeros((4, 3)))


@given(seeds)
@settings(max_examples=50, deadline=None)
def test_the_area_is_that_of_a_fan_of_triangles(seed):
    one = some_slice(seed, 3, 2)
    assert one.measure == pytest.approx(plain_area(one.domain.tolist()), rel=1e-12)
    stretch = np.linalg.norm(np.cross(*one.directions))  # of a unit square of t in three dimensions
    assert one.input_measure == pytest.approx(one.measure * stretch, rel=1e-9)


@given(seeds, st.sampled_from([1, 2]))
@settings(max_examples=50, deadline=None)
def test_moving_and_turning_the_input_space_keeps_sizes_and_coordinates(seed, m):
    rng = np.random.default_rng(seed)
    one, turn, shift = some_slice(seed, 6, m), rotation(6, rng), rng.normal(size=6)
    moved = Slice(one.origin @ turn + shift, one.directions @ turn, one.domain)
    assert moved.input_measure == pytest.approx(one.input_measure, rel=1e-9)
    np.testing.assert_allclose(moved.metric, one.metric, atol=1e-9 * np.abs(one.metric).max())
    x = rng.normal(size=(5, 6))
    np.testing.assert_allclose(moved.coordinates(x @ turn + shift), one.coordinates(x), rtol=1e-7, atol=1e-7)


def test_a_segment_has_the_length_of_its_ends_distance():
    a, b = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)
    one = slices.segment(a, b)
    assert one.dim == 1
    assert one.measure == 1
    assert one.input_measure == pytest.approx(np.linalg.norm(a.astype(float) - b), rel=1e-12)
    np.testing.assert_allclose(one.corners, [a.ravel(), b.ravel()], rtol=1e-12, atol=1e-15)


@given(seeds, st.integers(3, 8))
@settings(max_examples=50, deadline=None)
def test_a_point_lies_in_a_polygon_where_it_lies_left_of_every_edge(seed, n):
    rng = np.random.default_rng(seed)
    polygon = some_polygon(rng, n)
    one = Slice(np.zeros(2), np.eye(2), polygon)
    low, high = one.bounds
    t = rng.uniform(low - 0.1, high + 0.1, (200, 2))
    for point, said in zip(t, one.contains(t), strict=True):
        fans = [plain_area([point, a, b]) for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True)]
        if min(map(abs, fans)) > 1e-9:
            assert said == (min(fans) > 0)
    assert one.contains(polygon).all()  # closed


# --- constructors


@given(seeds, st.integers(2, 50))
@settings(max_examples=50, deadline=None)
def test_the_plane_through_three_inputs_shows_their_true_distances(seed, d):
    rng = np.random.default_rng(seed)
    abc = rng.normal(size=(3, d)).astype(np.float32)
    one = slices.through(*abc)
    t = one.coordinates(abc.astype(float))
    assert one.distance(abc.astype(float)).max() < 1e-9
    assert one.contains(t).all()
    np.testing.assert_allclose(t[0], 0, atol=1e-12)
    assert abs(t[1, 1]) < 1e-9
    assert t[2, 1] > 0
    for i, j in itertools.combinations(range(3), 2):
        assert np.linalg.norm(t[i] - t[j]) == pytest.approx(np.linalg.norm(abc[i].astype(float) - abc[j]), rel=1e-9)
    np.testing.assert_allclose(one.metric, np.eye(2), atol=1e-12)
    assert one.input_measure == pytest.approx(one.measure, rel=1e-12)


def test_the_margin_surrounds_the_three_inputs():
    a, b, c = np.zeros(3), np.array([4.0, 0, 0]), np.array([1.0, 2.0, 0])
    tight = slices.through(a, b, c, margin=0.0)
    assert tight.domain.tolist() == [[0, -1], [4, -1], [4, 3], [0, 3]]
    assert slices.through(a, b, c, margin=0.25).measure == pytest.approx(36)
    for margin in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"got {margin}"):
            slices.through(a, b, c, margin=margin)


def test_three_inputs_on_one_line_are_refused():
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 784)).astype(np.float32)
    for c in (a, b, (a + b) / 2, a + np.float32(3) * (b - a)):
        with pytest.raises(ValueError, match="one line"):
            slices.through(a, b, c)
    with pytest.raises(ValueError, match="one line"):
        slices.through(a, a, a)


def test_two_near_inputs_and_a_far_one_still_span_a_plane():
    far, near = np.array([1e3, 0.0, 0.0]), np.array([0.0, 0.01, 0.0])
    assert slices.through(far, np.zeros(3), near).distance(np.array([0.0, 0, 5.0])) == pytest.approx(5)


def test_entries_that_three_inputs_share_stay_exactly_shared():
    images = load_digits().data[:3] / 16
    one = slices.through(*images)
    shared = (images == images[0]).all(axis=0)
    assert shared.sum() > 5
    assert (one.directions[:, shared] == 0).all()


def test_the_square_of_a_two_dimensional_input_space_is_itself():
    one = slices.square(-1.0, 2.0, 0.0, 5.0)
    assert one.measure == 15
    t = np.random.default_rng(0).uniform(-1, 1, (9, 2))
    assert (one.points(t) == t).all()
    for wrong in ((1.0, 1.0, 0.0, 1.0), (0.0, 1.0, 2.0, 1.0), (0.0, math.nan, 0.0, 1.0)):
        with pytest.raises(ValueError, match="x0 < x1"):
            slices.square(*wrong)


def test_around_a_point_the_first_direction_keeps_its_sense():
    x = np.array([1.0, 2.0, 3.0])
    one = slices.around(x, 0.5, np.array([[0.0, -2.0, 0.0], [1.0, 1.0, 0.0]]))
    np.testing.assert_allclose(one.directions, [[0, -1, 0], [1, 0, 0]], atol=1e-15)
    assert (one.points(np.zeros(2)) == x).all()
    assert one.measure == pytest.approx(1)
    line = slices.around(x, 0.5, np.array([[0.0, 0.0, 4.0]]))
    np.testing.assert_allclose(line.corners, [[1, 2, 2.5], [1, 2, 3.5]])


def test_around_a_point_of_the_plane_is_a_square_and_elsewhere_a_random_plane():
    assert slices.around(np.array([1.0, 2.0]), 1.0) == Slice([1, 2], np.eye(2), SQUARE * 2 - 1)
    x = np.ones((1, 3, 3))
    assert slices.around(x, 2.0, seed=5) == slices.random_plane(x, 5, 2.0)


@pytest.mark.parametrize("radius", [0.0, -1.0, math.nan, math.inf])
def test_a_radius_is_positive_and_finite(radius):
    for make in (slices.random_line, slices.random_plane):
        with pytest.raises(ValueError, match=f"radius.*got {radius}"):
            make(np.zeros(4), 0, radius)


def test_constructors_refuse_inputs_that_do_not_fit():
    x = np.zeros(3)
    with pytest.raises(ValueError, match="same number of entries, got"):
        slices.segment(x, np.zeros(4))
    with pytest.raises(ValueError, match="must differ"):
        slices.segment(x, x)
    with pytest.raises(ValueError, match="finite, got nan"):
        slices.segment(x, np.array([0, np.nan, 1]))
    with pytest.raises(ValueError, match="at least 2 entries, got 1"):
        slices.random_plane(np.zeros(1), 0, 1.0)
    with pytest.raises(ValueError, match=r"shape \[1 or 2, 3\], got"):
        slices.around(x, 1.0, np.eye(4)[:2])
    with pytest.raises(ValueError, match="independent"):
        slices.around(x, 1.0, np.ones((2, 3)))


@pytest.mark.parametrize("make", [slices.random_line, slices.random_plane])
def test_random_slices_are_orthonormal_and_follow_their_seed(make):
    x = np.random.default_rng(0).random(20)
    one = make(x, 3, 0.5)
    assert one == make(x, 3, 0.5)
    assert one != make(x, 4, 0.5)
    np.testing.assert_allclose(one.metric, np.eye(one.dim), atol=1e-14)
    assert (one.points(np.zeros(one.dim)) == x).all()


@pytest.mark.parametrize(("make", "m"), [(slices.random_line, 1), (slices.random_plane, 2)])
def test_random_slices_favour_no_direction(make, m):
    """E[DᵀD] = (m/d) I, E[D] = 0 and E[D₁₁⁴] = 3/(d(d + 2)) under the uniform distribution."""
    d, n = 3, 2000
    drawn = np.stack([make(np.zeros(d), seed, 1.0).directions for seed in range(n)])
    projections = np.einsum("nmi,nmj->ij", drawn, drawn) / n
    np.testing.assert_allclose(projections, np.eye(d) * m / d, atol=5 * math.sqrt(m / d / n))
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=5 * math.sqrt(1 / d / n))
    fourth = (drawn**4).mean()  # over n m d entries, more alike than independent: n counts
    assert fourth == pytest.approx(3 / (d * (d + 2)), abs=4 * (drawn**4).mean(axis=(1, 2)).std() / math.sqrt(n))


# --- gradient directions


def linear(weight: np.ndarray, bias: np.ndarray) -> torch.nn.Module:
    layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": torch.tensor(weight).float(), "bias": torch.tensor(bias).float()})
    return torch.nn.Sequential(torch.nn.Flatten(), layer)


@given(seeds, st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_the_gradient_of_a_softmax_regression_is_its_closed_form(seed, label):
    rng = np.random.default_rng(seed)
    W, b = rng.normal(size=(4, 6)).astype(np.float32).astype(float), np.zeros(4)
    x = rng.normal(size=(2, 3)).astype(np.float32)
    logits = W @ x.ravel()
    p = np.exp(logits - logits.max())
    expected = W.T @ (p / p.sum() - np.eye(4)[label])
    np.testing.assert_allclose(slices.loss_gradient(linear(W, b), x, label), expected, atol=1e-12)
    plane = slices.gradient_plane(linear(W, b), x, label, seed=seed, radius=0.5)
    np.testing.assert_allclose(plane.directions[0], expected / np.linalg.norm(expected), atol=1e-9)
    np.testing.assert_allclose(plane.metric, np.eye(2), atol=1e-12)
    assert slices.gradient_line(linear(W, b), x, label, 0.5).directions[0] == pytest.approx(plane.directions[0])


@pytest.mark.parametrize("gap", [20.0, 150.0, 1e4])
def test_a_confident_network_still_shows_the_true_direction(gap):
    """∇loss ∝ Σ_{j ≠ label} exp(f_j) (W_j − W_label), also where p_label rounds to one."""
    W, b = np.array([[3.0, 1.0], [0.0, 2.0], [-1.0, 0.0]]), np.array([gap, 0.0, 0.0])
    x = np.array([0.5, 0.25], np.float32)
    others = np.exp(W[1:] @ x) @ (W[1:] - W[0])
    line = slices.gradient_line(linear(W, b), x, 0, 1.0)
    np.testing.assert_allclose(line.directions[0], others / np.linalg.norm(others), rtol=1e-12)


def test_a_gradient_needs_logits():
    with pytest.raises(ValueError, match=r"two logits or more.*\(1,\)"):
        slices.loss_gradient(linear(np.ones((1, 4)), np.zeros(1)), np.ones(4, np.float32), 0)


def test_a_zero_gradient_is_said_not_drawn():
    with pytest.raises(ValueError, match=r"no direction, its largest entry is 0\.0"):
        slices.gradient_plane(linear(np.zeros((3, 4)), np.zeros(3)), np.ones(4, np.float32), 1, 0, 1.0)


def test_a_label_the_network_does_not_know_is_refused():
    net = linear(np.ones((3, 4)), np.zeros(3))
    for label in (-1, 3):
        with pytest.raises(ValueError, match=rf"label must lie in \[0, 3\), got {label}"):
            slices.loss_gradient(net, np.ones(4, np.float32), label)


def test_the_gradient_leaves_a_training_network_as_it_was():
    torch_rng = torch.random.get_rng_state()
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3), torch.nn.BatchNorm2d(3), torch.nn.Flatten(), torch.nn.Linear(12, 2)
    )
    before = copy.deepcopy(net.state_dict())
    x = np.random.default_rng(0).random((1, 4, 4)).astype(np.float32)
    gradient = slices.loss_gradient(net.train(), x, 1)
    assert net.training
    assert all((before[name] == value).all() for name, value in net.state_dict().items())
    assert all(p.grad is None and p.dtype == torch.float32 and p.requires_grad for p in net.parameters())
    np.testing.assert_array_equal(gradient, slices.loss_gradient(net.eval(), x, 1))  # always evaluation mode
    torch.random.set_rng_state(torch_rng)


# --- clipping to the data box


def exact_clip(origin, directions, polygon, low, high) -> list[tuple[Fraction, Fraction]]:
    """Sutherland and Hodgman in rational numbers, one constraint after the other."""
    polygon = [tuple(map(Fraction, map(int, vertex))) for vertex in polygon]
    for o, d1, d2 in zip(origin, *directions, strict=True):
        for a1, a2, c in ((d1, d2, high - o), (-d1, -d2, o - low)):
            excess = [int(a1) * p + int(a2) * q - int(c) for p, q in polygon]
            out = []
            for i, (p, q) in enumerate(polygon):
                j = (i + 1) % len(polygon)
                if excess[i] <= 0:
                    out.append((p, q))
                if excess[i] * excess[j] < 0:
                    f = excess[i] / (excess[i] - excess[j])
                    out.append((p + f * (polygon[j][0] - p), q + f * (polygon[j][1] - q)))
            polygon = [p for i, p in enumerate(out) if p != out[i - 1]] if len(set(out)) > 1 else out
    return polygon


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_clipping_agrees_with_rational_arithmetic(data):
    """Small integers: constraints that coincide, touch a vertex, run along an edge or leave nothing are common."""
    d = data.draw(st.integers(2, 6))
    small = st.integers(-3, 3)
    rows = data.draw(st.lists(st.tuples(small, small, small), min_size=d, max_size=d))
    origin, *directions = np.array(rows).T
    assume(np.linalg.matrix_rank(np.array(directions)) == 2)
    low, high = -data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4))
    one = Slice(origin, np.array(directions), SQUARE * 4 - 2)
    exact = exact_clip(origin, directions, one.domain, low, high)
    area = plain_area(exact) if len(exact) > 2 else 0
    if area == 0:
        with pytest.raises(ValueError, match="nothing with interior"):
            slices.clipped(one, low, high)
        return
    clip = slices.clipped(one, low, high)
    assert clip.measure == pytest.approx(float(area), rel=1e-12)
    for vertex in clip.domain:
        assert min(math.dist(vertex, (float(p), float(q))) for p, q in exact) < 1e-12
    for p, q in exact:
        assert np.abs(clip.domain - [float(p), float(q)]).max(axis=1).min() < 1e-12


@given(seeds, st.integers(2, 30), st.sampled_from([1, 2]))
@settings(max_examples=200, deadline=None)
def test_a_point_of_the_slice_is_kept_exactly_where_it_lies_in_the_box(seed, d, m):
    rng = np.random.default_rng(seed)
    one = some_slice(seed, d, m)
    inner = one.points(points_of(one.domain, 1, rng)[0])  # keeps the intersection from being empty
    low = inner - rng.exponential(3.0, d)
    high = inner + rng.exponential(3.0, d)
    clip = slices.clipped(one, low, high)
    sizes = 1 + np.abs(one.corners).max()
    assert (clip.corners >= low - 1e-11 * sizes).all()
    assert (clip.corners <= high + 1e-11 * sizes).all()
    assert one.contains(clip.domain).all()
    t = points_of(one.domain, 300, rng)
    x = one.points(t)
    slack = np.minimum(x - low, high - x).min(axis=1)  # positive inside
    clear = np.abs(slack) > 1e-9 * sizes
    assert (clip.contains(t) == (slack > 0))[clear].all()
    assert clip.measure <= one.measure * (1 + 1e-12)


def test_a_corner_cut_off_a_square():
    """x = (t₁, t₂, t₁ + t₂) with x₃ ≤ 3/2 cuts a triangle of area 1/8 off the unit square."""
    one = Slice(np.zeros(3), np.array([[1.0, 0, 1], [0, 1.0, 1]]), SQUARE)
    clip = slices.clipped(one, 0, np.array([1, 1, 1.5]))
    assert clip.measure == 0.875
    assert clip.domain.tolist() == [[0, 0], [1, 0], [1, 0.5], [0.5, 1], [0, 1]]
    assert (clip.origin == one.origin).all()
    assert (clip.directions == one.directions).all()


@pytest.mark.parametrize("angle", [0.0, 0.1, math.pi / 4, 1.0, 3.0])
@pytest.mark.parametrize("radius", [3.0, 1e3, 1e6])
def test_a_large_turned_square_is_clipped_to_the_whole_box(angle, radius):
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    clip = slices.clipped(slices.around(np.array([0.1, -0.2]), radius, turn), -1, 1)
    assert clip.measure == pytest.approx(4, rel=1e-15 * radius + 1e-12)
    assert sorted(map(tuple, np.round(clip.corners, 6))) == [(-1, -1), (-1, 1), (1, -1), (1, 1)]


def test_the_diagonal_plane_of_a_cube_is_a_regular_hexagon():
    """The plane through the centre of [−1, 1]³ orthogonal to (1, 1, 1) meets it in a hexagon of side √2, area 3√3."""
    clip = slices.clipped(slices.around(np.zeros(3), 10.0, np.array([[1.0, -1, 0], [1, 1, -2]])), -1, 1)
    assert clip.measure == pytest.approx(3 * math.sqrt(3), rel=1e-12)
    sides = np.linalg.norm(np.diff(clip.corners, axis=0, append=clip.corners[:1]), axis=1)
    np.testing.assert_allclose(sides, math.sqrt(2), rtol=1e-12)


@given(seeds, st.sampled_from([1, 2]))
@settings(max_examples=50, deadline=None)
def test_clipping_twice_is_clipping_once(seed, m):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.2, 0.8, 50)
    make = slices.random_line if m == 1 else slices.random_plane
    once = slices.clipped(make(x, seed, 5.0), 0, 1)
    assert slices.clipped(once, 0, 1) == once


def test_a_slice_within_the_box_is_left_alone():
    one = slices.random_plane(np.full(30, 0.5), 0, 0.01)
    assert slices.clipped(one, 0, 1) == one
    assert slices.clipped(one, -math.inf, math.inf) == one
    assert slices.clipped(one, -math.inf, 1) == one


def test_a_line_is_clipped_where_it_leaves_the_box():
    one = slices.around(np.array([0.25, 0.5]), 9.0, np.array([[1.0, 2.0]]))
    np.testing.assert_allclose(slices.clipped(one, 0, 1).corners, [[0, 0], [0.5, 1]], atol=1e-15)


def test_the_triangle_of_three_images_survives_clipping_to_their_box():
    images = load_digits().data[[0, 11, 42]] / 16
    whole = slices.through(*images)
    clip = slices.clipped(whole, 0, 1)
    assert clip.measure < whole.measure
    assert clip.contains(clip.coordinates(images)).all()
    assert clip.measure >= plain_area(clip.coordinates(images)) * (1 - 1e-12)
    assert clip.corners.min() >= -1e-15
    assert clip.corners.max() <= 1 + 1e-15


@pytest.mark.parametrize("make", [slices.random_line, slices.random_plane])
def test_an_image_on_the_border_of_its_box_leaves_no_room_for_a_random_slice(make):
    for seed, image in enumerate(load_digits().data[:20] / 16):
        with pytest.raises(ValueError, match=r"nothing with interior.*\[0, 1\]"):
            slices.clipped(make(image, seed, 3.0), 0, 1)


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [
        (1, 2, "nothing with interior"),  # touches along an edge
        (np.array([1, 1]), np.array([2, 2]), "nothing with interior"),  # touches in a corner
        (5, 6, "nothing with interior"),
        (0.5, 0.5, "nothing with interior"),
        (2, 1, "box is empty, low to high is 2.0 to 1.0 at entry 0"),
        (math.inf, math.inf, "box is empty"),
        (-math.inf, -math.inf, "box is empty"),
        (math.nan, 1, "low must be a number"),
        (np.zeros(3), 1, "hold 2 numbers"),
    ],
)
def test_a_box_that_leaves_nothing_is_refused(low, high, reason):
    for one in (slices.square(0.0, 1.0, 0.0, 1.0), slices.segment(np.zeros(2), np.ones(2))):
        with pytest.raises(ValueError, match=reason):
            slices.clipped(one, low, high)


def test_a_flat_box_keeps_a_slice_that_lies_in_it():
    one = Slice(np.array([0, 0, 7.0]), np.eye(3)[:2], SQUARE)
    assert slices.clipped(one, np.array([0, 0, 7.0]), np.array([0.5, 1, 7.0])).measure == 0.5
    with pytest.raises(ValueError, match="nothing with interior"):
        slices.clipped(one, np.array([0, 0, 7.1]), np.array([1, 1, 8.0]))
    line = Slice(np.array([0.5, 7.0]), np.eye(2)[:1], [[0], [1]])
    assert slices.clipped(line, np.array([0, 7.0]), np.array([1, 7.0])).measure == 0.5
    with pytest.raises(ValueError, match="nothing with interior"):
        slices.clipped(line, 0, 1)


# --- grids


def test_a_grid_on_a_line_includes_both_ends():
    line = slices.segment(np.zeros(3), np.ones(3))
    grid = slices.grid(line, 5)
    assert grid.t.shape == (5, 1)
    assert grid.t.ravel().tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert grid.inside.all()


def test_the_pixels_of_a_grid_are_square_in_the_input_space():
    wide = Slice(np.zeros(2), np.diag([3.0, 1.0]), SQUARE)  # 3 wide, 1 high
    grid = slices.grid(wide, 60)
    assert grid.t.shape == (20, 60, 2)
    x = wide.points(grid.t)
    assert x[0, 1, 0] - x[0, 0, 0] == pytest.approx(x[1, 0, 1] - x[0, 0, 1])
    assert x[0, 0].tolist() == pytest.approx([0.025, 0.025])  # a centre, not a corner
    assert [len(axis) for axis in grid.axes] == [60, 20]


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_the_share_of_pixels_inside_measures_the_domain(seed):
    one = Slice(np.zeros(2), np.eye(2), some_polygon(np.random.default_rng(seed), 6))
    grid = slices.grid(one, 200)
    low, high = one.bounds
    assert grid.inside.mean() * np.prod(high - low) == pytest.approx(one.measure, rel=0.05)


@pytest.mark.parametrize("resolution", [1, 0, -3, 10**5])
def test_a_grid_without_points_or_with_too_many_is_refused(resolution):
    with pytest.raises(ValueError, match=f"2 to 8192 points a side, got {resolution}"):
        slices.grid(slices.square(0.0, 1.0, 0.0, 1.0), resolution)
