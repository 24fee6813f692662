"""Gradients for discontinuous networks: what they estimate, what they cost, and that they break what PGD does not."""

import math
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from attacked import accuracy, digits, generator, trained
from some_networks import unchecked
from torch import Tensor, nn

from kwta.activation import KWTA, kwta
from kwta.attacks import averages
from kwta.attacks.adaptive import QUICK, SCHEDULE, Adaptive
from kwta.attacks.averages import differences, mean_gradient
from kwta.attacks.estimators import Exact, Neighbours, Smoothed, estimator
from kwta.attacks.gradient import Pgd, pgd
from kwta.attacks.losses import margin
from kwta.attacks.propose import propose
from kwta.attacks.surrogates import SoftTopK, StraightThrough, with_backward
from kwta.networks import CNN, ResNet18, build, from_arrays, hidden, with_kwta
from kwta.networks.network import unfilled
from kwta.threats import Threat

PAIRS = 20_000


class Scalar(nn.Module):
    """Logits (0, q(x)): with label 0 the margin is q."""

    def __init__(self, q) -> None:
        super().__init__()
        self.q = q

    def forward(self, x: Tensor) -> Tensor:
        value = self.q(x.flatten(start_dim=1))
        return torch.stack([torch.zeros_like(value), value], dim=1)


def smoothed(net: nn.Module, x: Tensor, sigma: float, pairs: int = PAIRS, seed: int = 0) -> Tensor:
    return differences(net.eval(), margin, sigma, generator(seed), x, torch.zeros(len(x), dtype=torch.int64), pairs)


def exact(net: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    return estimator(Exact(), net, margin, generator())(x, labels, 0, False).gradient


# What is estimated.


@pytest.mark.parametrize("pairs", [56, PAIRS])
@pytest.mark.parametrize(("d", "block"), [(23, 1), (22, 2), (20, 4), (24, 8)])
def test_smoothing_is_unbiased_for_a_linear_function_with_the_variance_of_theory(pairs, d, block):
    """Pairs give (w·u) u, of mean w; in orthogonal blocks the squared error is (d + 2 − block)‖w‖²/pairs.

    A block has the mean block · w and, as its u are orthogonal, E|Σ (w·u) u|² = block · (d + 2)‖w‖².
    """
    w = torch.randn(d, generator=generator(1), dtype=torch.float64)
    x = torch.rand(400 if pairs == 56 else 32, d, generator=generator(2), dtype=torch.float64)
    found = smoothed(Scalar(lambda x: x @ w), x, 0.1, pairs)
    errors = (found - w).square().sum(dim=1) * pairs / w.square().sum()
    deviation = d * math.sqrt(3 / d / len(x))
    assert float(errors.mean()) == pytest.approx(d + 2 - block, abs=4 * deviation)
    bound = 5 * ((w.square() + w.square().sum()) / (pairs * len(x))).sqrt()  # variance of entry i: at most ‖w‖² + wᵢ²
    assert ((found.mean(dim=0) - w).abs() < bound).all()


@pytest.mark.parametrize("block", [2, 4, 8])
@pytest.mark.parametrize(("rows", "pairs"), [(1, 8), (1, 18), (3, 9), (2, 40_000)])
def test_gaussians_come_in_orthogonal_blocks_of_equal_length_and_each_is_gaussian(rows, pairs, block):
    gaussians = averages._Gaussians(rows, pairs, 16, torch.float64, generator(), block)
    u = gaussians.of(rows, pairs)()
    assert u.shape == (rows, pairs, 16)
    blocks = u[:, : pairs // block * block].reshape(rows, -1, block, 16)
    products = blocks @ blocks.mT
    lengths = products.diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(products, torch.diag_embed(lengths[..., :1].expand_as(lengths)), atol=1e-12, rtol=0)
    again = gaussians.of(rows, pairs - 1)()
    assert again.shape == (rows, pairs - 1, 16)
    if pairs < 1000:
        return
    normal = torch.distributions.Normal(0.0, 1.0)
    for unit in range(block):  # Kolmogorov and Smirnov, at a level of 1e-4; blocks themselves are independent
        values = blocks[:, :, unit].flatten().sort().values
        steps = torch.arange(1, len(values) + 1) / len(values)
        assert (normal.cdf(values) - steps).abs().max() < 2.23 / math.sqrt(len(values))
        covariance = blocks[:, :, unit].flatten(end_dim=1).T.cov()
        assert (covariance - torch.eye(16)).abs().max() < 0.07


def test_gaussians_follow_from_the_generator_and_go_on():
    for block in (1, 2, 4, 8):
        first, second = (averages._Gaussians(1, 8, 8, torch.float32, generator(3), block) for _ in range(2))
        draw = first.of(1, 8)().clone()
        assert torch.equal(draw, second.of(1, 8)())
        assert not torch.equal(draw, first.of(1, 8)())


@pytest.mark.parametrize(
    ("d", "room", "pairs", "vectors"),
    [
        (8, 100, 40, 5),  # random vectors for each input: an eighth of its pairs
        (8, 11, 40, 5),  # passes of 11 pairs take 8
        (8, 11, 11, 2),  # the last block is not whole
        (8, 11, 20, 3),
        (8, 7, 40, 10),  # no eight fits
        (8, 3, 40, 20),
        (8, 1, 40, 40),
        (8, 100, 7, 2),
        (12, 100, 40, 10),  # no octonions
        (6, 100, 40, 20),
        (7, 100, 40, 40),
    ],
)
def test_blocks_share_their_random_numbers_and_are_as_large_as_fits(monkeypatch, d, room, pairs, vectors):
    """room: pairs that fit one pass. Gradients of neighbours always draw one vector for each pair."""
    drawn: list[int] = []
    normal = Tensor.normal_

    def counted(tensor: Tensor, *args, **kwargs) -> Tensor:
        drawn.append(tensor.numel())
        return normal(tensor, *args, **kwargs)

    net = Scalar(lambda x: x.sum(dim=1)).eval()
    x, labels = torch.zeros(3, d, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    monkeypatch.setattr(averages, "ENTRIES_CPU", 2 * room * d)
    monkeypatch.setattr(Tensor, "normal_", counted)
    differences(net, margin, 0.1, generator(), x, labels, pairs)
    assert sum(drawn) == len(x) * vectors * d
    drawn.clear()
    mean_gradient(net, margin, 0.1, generator(), x, labels, pairs)
    assert sum(drawn) == len(x) * pairs * d


def test_smoothing_is_unbiased_for_a_quadratic_function_whatever_its_width():
    """Antithetic pairs cancel what is even: xᵀAx gives 2Ax, however large σ is."""
    a = torch.randn(6, 6, generator=generator(1), dtype=torch.float64)
    a = a + a.T
    x = torch.rand(3, 6, generator=generator(2), dtype=torch.float64)
    for sigma in (0.01, 10.0):
        found = smoothed(Scalar(lambda x: ((x @ a) * x).sum(dim=1)), x, sigma)
        gradient = 2 * x @ a
        bound = 5 * gradient.norm(dim=1, keepdim=True) * math.sqrt(2 / PAIRS)
        assert ((found - gradient).abs() < bound).all()


def jumping() -> nn.Module:
    """One input, two units y = (x + 1, 1 − x), one winner: f = 5x + 5 for x ≥ 0, 1 − x below: a jump of 4 at 0."""
    net = from_arrays(
        [np.array([[1.0], [-1.0]]), np.array([[0.0, 0.0], [5.0, 1.0]])], [np.ones(2), np.zeros(2)], gamma=Fraction(1, 2)
    )
    return net.eval()


def test_smoothing_sees_a_jump_of_k_wta_that_back_propagation_does_not():
    """The Gaussian average of f has the slope E f′ + jump · density at the jump: at 0, (5 − 1)/2 + 4 / (σ √2π)."""
    x, labels, sigma = torch.zeros(1, 1, dtype=torch.float64), torch.tensor([0]), 0.2
    truth = 2 + 4 / (sigma * math.sqrt(2 * math.pi))
    assert smoothed(jumping(), x, sigma).item() == pytest.approx(truth, rel=0.05)
    assert exact(jumping(), x + 1e-3, labels).item() == pytest.approx(5)
    assert exact(jumping(), x - 1e-3, labels).item() == pytest.approx(-1)
    neighbours = mean_gradient(jumping(), margin, sigma, generator(), x, labels, PAIRS).item()
    assert neighbours == pytest.approx(2, abs=5 * 3 / math.sqrt(PAIRS) + 1e-9)
    soft = Neighbours(sigma, 2_000, SoftTopK(0.3))
    assert estimator(soft, jumping(), margin, generator())(x, labels, 0, False).gradient.item() > 2 + 0.3 * (truth - 2)


def test_neighbours_of_a_linear_function_all_agree():
    w = torch.randn(5, generator=generator(1), dtype=torch.float64)
    x, labels = torch.rand(7, 5, dtype=torch.float64, generator=generator()), torch.zeros(7, dtype=torch.int64)
    found = mean_gradient(Scalar(lambda x: x @ w).eval(), margin, 0.3, generator(), x, labels, 11)
    torch.testing.assert_close(found, w.expand(7, 5))


@pytest.mark.parametrize("d", [15, 16])
def test_the_squared_error_of_neighbours_is_that_of_independent_draws(d):
    """L = (c·x)|x|², |c| = 1, at 0: ∇L(u) = c|u|² + 2(c·u)u has mean (d + 2)c and variance 6(d + 2).

    E|∇L|² = E|u|⁴ + 8 E(c·u)²|u|² = d(d + 2) + 8(d + 2) = (d + 2)(d + 8), less (d + 2)² for the mean. A pair has one
    gradient twice.
    """
    c = torch.full((d,), d**-0.5, dtype=torch.float64)
    x, labels, pairs = torch.zeros(4_000, d, dtype=torch.float64), torch.zeros(4_000, dtype=torch.int64), 8
    net = Scalar(lambda x: (x @ c) * x.square().sum(dim=1)).eval()
    found = mean_gradient(net, margin, 1.0, generator(), x, labels, pairs)
    error = (found - (d + 2) * c).square().sum(dim=1).mean()
    assert float(error) == pytest.approx(6 * (d + 2) / pairs, rel=0.1)  # blocks of one length: far more


# How it is computed.


@pytest.mark.parametrize(("batch", "pairs"), [(1, 1), (1, 333), (3, 7), (40, 7)])
def test_parts_of_any_size_cover_every_pair_of_every_input_and_no_pass_is_larger(monkeypatch, batch, pairs):
    w = torch.randn(4, generator=generator(1), dtype=torch.float64)
    net = Scalar(lambda x: x @ w).eval()
    x = torch.rand(batch, 4, generator=generator(2), dtype=torch.float64)
    seen: list[Tensor] = []
    net.register_forward_hook(lambda _module, args, _out: seen.append(args[0].clone()))
    for entries in (1, 100, 2**19):
        monkeypatch.setattr(averages, "ENTRIES_CPU", entries)
        seen.clear()
        found = smoothed(net, x, 0.1, pairs)
        drawn = [part for part in seen if part.any()]  # zeros only measure the layers
        assert sum(len(part) for part in drawn) == 2 * batch * pairs
        assert max(len(part) for part in drawn) <= max(entries // 4, 2)
        assert found.shape == x.shape
        bound = 8 * w.norm() * math.sqrt(2 / pairs)
        assert ((found - w).abs() < bound).all()


def test_every_input_has_draws_of_its_own_and_its_points_are_antithetic():
    net = Scalar(lambda x: x[:, 0]).eval()
    points: list[Tensor] = []
    net.register_forward_hook(lambda _module, args, _out: points.append(args[0].clone()))
    x = torch.tensor([[0.2, 0.4], [0.7, 0.1]], dtype=torch.float64)
    smoothed(net, x, 0.5, pairs=50)
    drawn = torch.cat([part for part in points if part.any()]).reshape(2, 2, 50, 2)
    torch.testing.assert_close((drawn[0] + drawn[1]) / 2, x[:, None].expand(2, 50, 2))
    u = (drawn[0] - x[:, None]) / 0.5
    assert (u[0] - u[1]).abs().min() > 1e-9
    assert u.std().item() == pytest.approx(1, abs=0.2)


def test_few_queries_go_with_momentum_and_the_original_without():
    spec = Adaptive.frugal(eps=0.5, width=0.125, schedule=((3, 10),))
    assert spec == Adaptive(sigma=0.0625, step=0.1, schedule=((3, 10),), momentum=0.9)
    assert spec.climb.momentum == 0.9
    assert Adaptive().climb.momentum is None


def test_momentum_finds_more_with_few_queries_than_sign_steps_of_each_gradient():
    """A linear margin, 200 dimensions: 10 pairs have a cosine of 0.2 with its gradient, 30 such steps together more."""
    w = torch.randn(200, generator=generator(1))
    x = torch.full((40, 200), 0.5)
    net = Scalar(lambda x: x @ w - 0.5 * w.sum() - 1e3).eval()
    values = []
    for momentum in (None, 0.9):
        spec = Adaptive(0.05, 0.02, ((30, 20),), momentum)
        labels = torch.zeros(40, dtype=torch.int64)
        found = propose(spec, net, x, labels, Threat(0.1), generator(2)).x
        values.append(((found - x) @ w / (0.1 * w.abs().sum())).mean().item())
    assert values[0] + 0.05 < values[1] <= 1


def test_a_schedule_grows_with_the_steps_and_its_end_holds():
    spec = Smoothed(0.1, ((2, 10), (3, 40)))
    assert [spec.pairs(step) for step in range(7)] == [5, 5, 20, 20, 20, 20, 20]
    assert Smoothed(0.1, 8).pairs(99) == 4


# Backward surrogates.


def networks() -> list[nn.Module]:
    in_place = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.ReLU(inplace=True), nn.Linear(30, 10))
    several = nn.Sequential(nn.Flatten(), nn.Linear(64, 30), nn.Unflatten(1, (5, 6)), KWTA(0.5, dims=1), nn.Flatten())
    cnn = build(CNN((1, 8, 8), (4,), 10, gamma=0.2, hidden=(12,)), seed=0)
    return [trained(0.2), cnn.eval(), with_kwta(in_place, 0.2).eval(), several.eval()]


@pytest.mark.parametrize("backward", [StraightThrough(0.2), SoftTopK(0.2)])
@pytest.mark.parametrize("index", range(4))
def test_a_surrogate_s_forward_is_the_network_s_and_the_network_is_untouched(backward, index):
    net = networks()[index]
    x, labels = digits(16)
    before, gradient = net(x).detach(), exact(net, x, labels)
    other = with_backward(net, backward)
    assert torch.equal(other(x), before)
    assert not torch.equal(exact(other, x, labels), gradient)
    assert torch.equal(exact(net, x, labels), gradient)
    assert len(hidden(other)) == len(hidden(net))


def test_straight_through_s_gradient_is_that_of_more_winners():
    """For one hidden layer it is W₂ (A′ ∘ W₁) with A′ the k + ⌈0.25 · 8⌉ winners; with all of them, W₂ W₁."""
    w1, w2 = (torch.randn(*s, generator=generator(3), dtype=torch.float64) for s in ((8, 5), (2, 8)))
    net = from_arrays([w1.numpy(), w2.numpy()], [np.zeros(8), np.zeros(2)], gamma=0.25).eval()
    x, labels = torch.rand(6, 5, generator=generator(4), dtype=torch.float64), torch.zeros(6, dtype=torch.int64)
    row = w2[1] - w2[0]
    more = kwta(x @ w1.T, 4) != 0
    found = exact(with_backward(net, StraightThrough(0.25)), x, labels)
    torch.testing.assert_close(found, (more * row) @ w1)
    found = exact(with_backward(net, StraightThrough(1.0)), x, labels)
    torch.testing.assert_close(found, (row @ w1).expand(6, 5))


def test_soft_top_k_s_gradient_is_its_formula_s_by_finite_differences():
    y = torch.randn(3, 9, generator=generator(5), dtype=torch.float64)
    spread = y.std(dim=1, keepdim=True)

    def soft(y: Tensor) -> Tensor:
        top = y.sort(dim=1, descending=True).values
        return y * torch.sigmoid((y - (top[:, 2:3] + top[:, 3:4]) / 2) / (0.3 * spread))

    leaf = y.clone().requires_grad_()
    weights = torch.randn(3, 9, generator=generator(6), dtype=torch.float64)
    (found,) = torch.autograd.grad((SoftTopK(0.3).soft(leaf, 3) * weights).sum(), leaf)
    steps = 1e-6 * torch.eye(9, dtype=torch.float64)
    truth = torch.stack([((soft(y + s) - soft(y - s)) * weights).sum(dim=1) / 2e-6 for s in steps], dim=1)
    torch.testing.assert_close(found, truth, atol=1e-6, rtol=1e-5)


def test_a_cold_soft_top_k_has_the_gradient_of_k_wta_and_all_winners_have_the_identity_s():
    net = deepcopy(trained(0.2)).double()
    x, labels = digits(8)
    found = exact(with_backward(net, SoftTopK(1e-6)), x.double(), labels)
    torch.testing.assert_close(found, exact(net, x.double(), labels))
    y = torch.randn(2, 4)
    assert SoftTopK(0.1).soft(y, 4) is y


# The attack.


def test_the_preset_has_the_published_numbers_and_scales_with_the_radius():
    assert (Adaptive().sigma, Adaptive().step) == (8 / 255, 0.01)
    assert SCHEDULE == ((20, 100), (20, 1_000), (60, 20_000))
    assert Adaptive().climb.steps == 100
    assert Adaptive().climb.loss == "margin"
    assert Adaptive.scaled(0.031).sigma == pytest.approx(8 / 255)
    assert Adaptive.scaled(0.31).step == pytest.approx(0.1)
    assert Adaptive().name == "adaptive"


def test_only_images_that_resist_are_asked_about_and_none_is_back_propagated():
    net, threat = trained(0.2), Threat(0.1)
    x, labels = digits(48)
    spec = Adaptive.scaled(0.1, ((3, 20), (5, 60)))
    proposal = propose(spec, net, x, labels, threat, generator())
    wrong = net(x).argmax(dim=1) != labels
    assert (proposal.queries[wrong] == 1).all()
    assert torch.equal(proposal.x[wrong], x[wrong])
    costs = {1 + i * 21 if i < 4 else 1 + 3 * 21 + (i - 3) * 61 for i in range(9)}
    assert set(proposal.queries.tolist()) <= costs
    assert proposal.queries.max() == 3 * 21 + 5 * 61 + 1
    resists = net(proposal.x).argmax(dim=1) == labels
    assert (proposal.queries[resists] == proposal.queries.max()).all()
    assert (proposal.backwards == 0).all()


def test_on_a_relu_network_it_does_not_beat_pgd_by_more_than_noise():
    net, threat = trained(None), Threat(0.08)
    x, labels = digits(100)
    white = pgd(Pgd(step=0.01, loss="margin", restarts=3, keep="best"), net, x, labels, threat, generator()).x
    free = propose(Adaptive.scaled(0.08, ((15, 100), (15, 300))), net, x, labels, threat, generator()).x
    assert accuracy(net, white, labels) < accuracy(net, x, labels) - 0.1
    assert accuracy(net, free, labels) > accuracy(net, white, labels) - 0.04


def test_on_a_k_wta_network_it_beats_pgd():
    net, threat = trained(0.05, (128, 128)), Threat(0.1)
    x, labels = digits(100)
    white = pgd(Pgd(step=0.01), net, x, labels, threat, generator()).x
    free = propose(Adaptive.scaled(0.1, ((15, 100), (15, 400))), net, x, labels, threat, generator()).x
    assert accuracy(net, x, labels) > 0.85
    assert accuracy(net, free, labels) < accuracy(net, white, labels) - 0.08


@pytest.mark.slow
def test_on_a_wide_k_wta_network_it_beats_the_strongest_white_box_clearly():
    """γ 0.05, 200 images: against PGD with five restarts, the margin, and the best place of every climb."""
    net, threat = trained(0.05, (256, 256), 20), Threat(0.1)
    x, labels = digits(200)
    strongest = Pgd(step=0.01, loss="margin", restarts=5, keep="best")
    white = [pgd(spec, net, x, labels, threat, generator()).x for spec in (Pgd(step=0.01), strongest)]
    free = propose(Adaptive.scaled(0.1, QUICK), net, x, labels, threat, generator()).x
    plain, strong = (accuracy(net, found, labels) for found in white)
    assert accuracy(net, free, labels) < strong - 0.05
    assert accuracy(net, free, labels) < plain - 0.12


def test_threads_that_share_a_network_do_not_disturb_each_other():
    net, threat = trained(0.2), Threat(0.1)
    x, labels = digits(16)
    specs = [
        Pgd(step=0.01, steps=5),
        Pgd(step=0.01, steps=5, gradient=StraightThrough(0.3)),
        Pgd(step=0.01, steps=3, gradient=Neighbours(0.1, 6, SoftTopK(0.2))),
        Adaptive.scaled(0.1, ((4, 50),)),
    ]

    def run(index: int) -> Tensor:
        return propose(specs[index % 4], net, x, labels, threat, generator(7)).x

    alone = [run(index) for index in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(run, range(16)))
    assert all(torch.equal(found, alone[index % 4]) for index, found in enumerate(together))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Smoothed(0.0), "sigma must be a positive finite number, got 0.0"),
        (lambda: Smoothed(0.1, 7), "an even number of at least 2"),
        (lambda: Smoothed(0.1, ()), r"after at least 1 step, got \(\)"),
        (lambda: Smoothed(0.1, ((0, 10),)), "at least 1 step"),
        (lambda: Neighbours(0.1, 3), "samples must be an even number of at least 2, got 3"),
        (lambda: StraightThrough(0.0), r"share of the units in \(0, 1\], got 0.0"),
        (lambda: SoftTopK(0.0), "temperature must be a positive finite number, got 0.0"),
        (lambda: Adaptive.scaled(0.0), "eps must be positive to scale the attack to it, got 0.0"),
        (lambda: replace(Adaptive(), step=-1.0), "a step must be a positive finite size, got -1.0"),
        (lambda: Adaptive(schedule=()), r"after at least 1 step, got \(\)"),
    ],
)
def test_what_makes_no_sense_is_refused(make, words):
    with unchecked(), pytest.raises(ValueError, match=words):
        make()


def test_on_a_gpu_a_backward_pass_takes_fewer_points_than_a_forward_pass():
    """Tensors on "meta" have no memory, and are no CPU's: what is counted is the widest layer, 64 × 32 × 32."""
    net, x = unfilled(ResNet18(), device="meta"), torch.empty(3, 3, 32, 32, device="meta")
    assert averages._points(net, x, held=1) == 2**27 // 2**16
    assert averages._points(net, x, averages.HELD) == 2**27 // 2**16 // averages.HELD
    assert averages._points(build(ResNet18(), 0), torch.empty(3, 3, 32, 32), averages.HELD) == 4
