"""Threats: projections are nearest points, samples are uniform, steepest directions win; all within ball and box."""

import pytest
import torch
from attacked import generator
from hypothesis import given
from hypothesis import strategies as st
from some_networks import unchecked

from kwta import threats
from kwta.threats import Threat


@st.composite
def cases(draw: st.DrawFn):
    """A threat, inputs in its box (often on its border), and proposals far around."""
    with unchecked():
        threat = Threat(
            draw(st.floats(0, 3)),
            draw(st.sampled_from(["linf", "l2"])),
            *draw(st.sampled_from([(0.0, 1.0), (-0.5, 2.5)])),
        )
    shape = draw(st.sampled_from([(1,), (2,), (7,), (2, 3, 3), ()]))
    source = generator(draw(st.integers(0, 10**6)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    far = torch.randn(4, *shape, generator=source, dtype=dtype) * draw(st.sampled_from([0.1, 1.0, 10.0]))
    x = (0.5 + far.roll(1)).clamp(threat.low, threat.high)
    return threat, x, x + far, source


@given(cases())
def test_projections_and_samples_lie_in_ball_and_box(case):
    threat, x, proposed, source = case
    assert threat.contains(threat.project(proposed, x), x).all()
    assert threat.contains(threat.sample(x, source), x).all()


@given(cases())
def test_a_projection_stays_where_it_is_and_inside_nothing_moves(case):
    threat, x, proposed, _ = case
    once = threat.project(proposed, x)
    torch.testing.assert_close(threat.project(once, x), once, atol=1e-6, rtol=0)
    inside = threat.contains(proposed, x, tol=-1e-6)
    assert torch.equal(threat.project(proposed, x)[inside], proposed[inside])


@given(cases())
def test_no_other_point_of_ball_and_box_is_nearer_than_the_projection(case):
    """z is nearest in a convex set iff ⟨p − z, w − z⟩ ≤ 0 for all its points w."""
    threat, x, proposed, source = case
    z = threat.project(proposed, x)
    others = [threat.sample(x, source) for _ in range(20)]
    others += [threat.project(z + 0.1 * torch.randn(x.shape, generator=source, dtype=x.dtype), x) for _ in range(20)]
    for w in others:
        angle = ((proposed - z) * (w - z)).flatten().reshape(len(x), -1).sum(dim=1)
        assert (angle <= 1e-4 * (1 + (proposed - z).abs().max())).all()


def test_the_l2_projection_is_the_one_found_by_bisection_on_the_multiplier():
    source = generator()
    x = torch.rand(50, 64, generator=source, dtype=torch.float64).round(decimals=1)
    proposed = x + torch.randn(50, 64, generator=source, dtype=torch.float64)
    threat = Threat(0.7, "l2")
    low, high = torch.zeros(50, 1, dtype=torch.float64), torch.full((50, 1), 1e6, dtype=torch.float64)
    for _ in range(100):
        middle = (low + high) / 2
        z = ((proposed + middle * x) / (1 + middle)).clamp(0, 1)
        outside = (z - x).norm(dim=1, keepdim=True) > 0.7
        low, high = torch.where(outside, middle, low), torch.where(outside, high, middle)
    torch.testing.assert_close(threat.project(proposed, x), z, atol=1e-9, rtol=0)
    shrunk = x + (proposed - x) * (0.7 / (proposed - x).norm(dim=1, keepdim=True)).clamp(max=1)
    assert ((shrunk.clamp(0, 1) - proposed).norm(dim=1) > (z - proposed).norm(dim=1)).all()  # not nearest


@given(cases())
def test_no_direction_of_unit_norm_climbs_faster_than_the_steepest(case):
    threat, _, gradient, source = case
    best = threat.steepest(gradient)
    assert (threat.distance(best, torch.zeros_like(best)) <= 1 + 1e-6).all()
    for _ in range(20):
        u = torch.randn(gradient.shape, generator=source, dtype=gradient.dtype)
        u = u / threat.distance(u, torch.zeros_like(u)).reshape(-1, *[1] * (u.ndim - 1))
        slopes = [(d * gradient).reshape(len(u), -1).sum(dim=1) for d in (u, best)]
        assert (slopes[0] <= slopes[1] * (1 + 1e-5) + 1e-6).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_gradient_of_zero_has_no_steepest_direction_and_a_tiny_one_has(norm):
    gradient = torch.tensor([[0.0, 0.0], [3e-30, -4e-30]])
    zero, tiny = Threat(1.0, norm).steepest(gradient)
    assert zero.tolist() == [0, 0]
    assert tiny.tolist() == ([1, -1] if norm == "linf" else pytest.approx([0.6, -0.8]))


@pytest.mark.parametrize("x", [(0.5, 0.5), (0.0, 0.5), (0.0, 1.0), (0.1, 0.8), (0.02, 0.97)])
@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.3), ("l2", 0.3), ("l2", 0.9)])
def test_samples_are_uniform_in_ball_and_box(norm, eps, x):
    """Against rejection from the box, in cells of a grid: chi-square within five standard deviations of its mean."""
    centre = torch.tensor(x, dtype=torch.float64)
    n, bins = 40_000, 8
    found = Threat(eps, norm).sample(centre.expand(n, 2), generator(1))
    grid = torch.rand(1_000_000, 2, generator=generator(2), dtype=torch.float64)
    truth = grid[Threat(eps, norm).contains(grid, centre.expand(len(grid), 2))]
    cells = [torch.histogramdd(points, [bins, bins], range=[0, 1, 0, 1]).hist.flatten() for points in (found, truth)]
    share = cells[1] / cells[1].sum()
    expected = share * n
    filled = expected > 20
    noise = 1 + n / len(truth)  # the truth is sampled too
    chi = ((cells[0] - expected)[filled] ** 2 / expected[filled]).sum() / noise
    freedom = int(filled.sum())
    assert freedom > 5
    assert chi < freedom + 5 * (2 * freedom) ** 0.5


def test_nothing_contains_nan_and_the_tolerance_counts_in_both_ways():
    threat, x = Threat(0.1), torch.tensor([[0.05], [0.05], [0.05], [0.5]])
    proposed = torch.tensor([[torch.nan], [-2e-6], [-5e-7], [0.6 + 3e-6]])
    assert threat.contains(proposed, x).tolist() == [False, False, True, False]
    assert threat.contains(proposed, x, tol=1e-5).tolist() == [False, True, True, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((-0.1,), "eps must be a finite number of at least 0, got -0.1"),
        ((float("nan"),), "eps must be a finite number"),
        ((0.1, "l1"), "norm must be one of linf, l2, got 'l1'"),
        ((0.1, "l2", 1.0, 0.0), "low < high, got low 1.0 and high 0.0"),
    ],
)
def test_what_is_no_threat_is_refused(arguments, words):
    with unchecked(), pytest.raises(ValueError, match=words):
        Threat(*arguments)


def test_inputs_outside_the_box_are_refused():
    Threat(0.1).check(torch.tensor([[0.0, 1.0]]))
    for bad in (1.1, -0.1, torch.nan, torch.inf):
        with pytest.raises(ValueError, match=r"inputs must lie in the data box \[0, 1\]"):
            Threat(0.1).check(torch.tensor([[0.5, bad]]))


def test_equal_threats_are_one_key_and_the_published_radii_have_names():
    assert len({Threat(0.1), Threat(0.1), Threat(0.1, "l2")}) == 2
    assert (threats.EPS_CIFAR10, threats.EPS_SVHN, threats.EPS_MNIST) == (0.031, 0.047, 0.3)


def test_rounding_grows_with_the_box_and_whole_numbers_are_refused():
    assert Threat(0.1).rounding == Threat(0.1, low=-1).rounding == 1e-6
    assert Threat(0.1, low=-500).rounding == 5e-4
    assert Threat(0.1, low=-float("inf"), high=float("inf")).rounding == 1e-6
    Threat(8, low=0, high=255).check(torch.tensor([[255.0001]]))
    with unchecked(), pytest.raises(ValueError, match="floating-point numbers, which can move by any eps"):
        Threat(0.1).check(torch.zeros(2, 3, dtype=torch.int64))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("size", [1.0, 1e3, 1e6])
@pytest.mark.parametrize("eps", [1e-3, 0.1, 77.7, 123456.7])
@pytest.mark.parametrize("borders", [(-torch.inf, torch.inf), (0.0, torch.inf)])
def test_without_a_border_the_rounding_follows_the_inputs(norm, size, eps, borders):
    threat, source = Threat(eps, norm, *borders), generator()
    x = size * torch.rand(20, 30, generator=source)
    found = threat.project(x + (size + eps) * torch.randn(x.shape, generator=source), x)
    assert threat.contains(found, x).all()
    assert threat.contains(threat.sample(x, source), x).all()
    beyond = 3e-6 * (size + eps)  # three times what rounding may add
    outside = x + (eps + beyond) * (1 if norm == "linf" else 30**-0.5)
    assert not threat.contains(outside, x).any()


def test_a_large_input_does_not_widen_the_ball_of_a_small_one():
    threat = Threat(0.1, low=-torch.inf, high=torch.inf)
    x = torch.tensor([[0.5], [1e4]])
    assert threat.contains(x + 0.1002, x).tolist() == [False, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_numbers_too_coarse_for_a_ball_are_refused_and_what_is_allowed_is_named(dtype):
    with pytest.raises(ValueError, match=r"float32 or float64, got torch\.b?float16.*\.float\(\)"):
        Threat(0.1).check(torch.full((2, 3), 0.5, dtype=dtype))
    for fine in (torch.float32, torch.float64):
        Threat(0.1).check(torch.full((2, 3), 0.5, dtype=fine))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("eps", [1e-4, 0.031, 0.5, 3.0])
def test_in_the_unit_box_projections_of_images_keep_to_a_millionth(norm, eps):
    source = generator()
    x = torch.rand(20, 3, 32, 32, generator=source)
    found = Threat(eps, norm).project(x + torch.randn(x.shape, generator=source), x).double()
    moved = (found - x.double()).flatten(1)
    length = moved.abs().amax(dim=1) if norm == "linf" else moved.norm(dim=1)
    assert (length <= eps + 1e-6).all()
    assert 0 <= found.min() <= found.max() <= 1
