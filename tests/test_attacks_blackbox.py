"""Black-box attacks ask what they may, count it, and stay within the threat."""

import math

import pytest
import torch
from attacked_networks import Counting, generator, images, right, trained
from some_networks import unchecked
from torch import nn

from kwta.attacks.gradient import Pgd
from kwta.attacks.judge import judged
from kwta.attacks.noise import Noise
from kwta.attacks.oracle import Oracle
from kwta.attacks.propose import propose
from kwta.attacks.search import HALVINGS, RandomSearch, scattered, share
from kwta.attacks.square import Square, _bump, _squares, _windows
from kwta.threats import Threat

SEARCHES = (Square(30), RandomSearch(30), Noise(10), Noise(10, "gaussian"))
THREATS = (Threat(0.1), Threat(1.0, "l2"), Threat(0.0), Threat(3.0), Threat(50.0, "l2"), Threat(0.3, "l2", -1.0, 2.0))


def test_the_oracle_counts_every_question_for_the_input_it_belongs_to():
    oracle = Oracle(nn.Linear(2, 3), n=4)
    oracle.scores(torch.zeros(3, 2), torch.tensor([0, 3, 3]))
    oracle.decisions(torch.zeros(1, 2), torch.tensor([1]))
    assert oracle.queries.tolist() == [1, 1, 0, 2]


def test_the_oracle_shows_decisions_only_where_the_threat_does():
    oracle = Oracle(nn.Linear(2, 3), n=2, sees="decisions")
    assert oracle.decisions(torch.zeros(2, 2), torch.arange(2)).dtype == torch.int64
    with pytest.raises(ValueError, match="shows decisions only"):
        oracle.scores(torch.zeros(2, 2), torch.arange(2))
    assert oracle.queries.tolist() == [1, 1]


def test_the_oracle_gives_no_gradients():
    oracle = Oracle(nn.Linear(2, 3), n=2)
    with pytest.raises(ValueError, match="gives no gradients"):
        oracle.scores(torch.zeros(2, 2, requires_grad=True), torch.arange(2))
    answer = oracle.scores(torch.zeros(2, 2), torch.arange(2))
    assert not answer.requires_grad
    assert answer.grad_fn is None


def test_a_question_beyond_the_budget_is_refused_and_not_asked():
    net = Counting(nn.Linear(2, 3))
    oracle = Oracle(net, n=2, budget=2)
    oracle.scores(torch.zeros(3, 2), torch.tensor([0, 0, 1]))
    with pytest.raises(ValueError, match="input 0 has a budget of 2 queries, number 3"):
        oracle.scores(torch.zeros(1, 2), torch.tensor([0]))
    assert net.seen[0] == 3
    assert oracle.queries.tolist() == [2, 1]


@pytest.mark.parametrize(("sees", "budget"), [("weights", None), ("scores", 0)])
def test_the_oracle_refuses_what_it_cannot_be(sees, budget):
    with unchecked(), pytest.raises(ValueError, match=r"weights|0"):
        Oracle(nn.Linear(2, 3), 1, sees, budget)


@pytest.mark.parametrize("spec", SEARCHES, ids=lambda s: s.name)
@pytest.mark.parametrize("threat", THREATS, ids=str)
@pytest.mark.parametrize("flat", [False, True], ids=["image", "flat"])
def test_proposals_lie_in_ball_and_box_and_queries_are_exact(spec, threat, flat):
    net = Counting(trained(0.05))
    x, labels = images(20)
    x = x.reshape(20, 64) if flat else x
    proposal = propose(spec, net, x, labels, threat, generator())
    assert threat.contains(proposal.x, x, 1e-6).all()
    assert int(proposal.queries.sum()) == net.seen[0]
    most = getattr(spec, "queries", None) or spec.samples
    assert 1 <= int(proposal.queries.min()) <= int(proposal.queries.max()) <= most
    assert net.tracked[0] == int(proposal.backwards.sum()) == 0


@pytest.mark.parametrize("spec", SEARCHES, ids=lambda s: s.name)
def test_a_seed_fixes_what_is_proposed_and_another_changes_it(spec):
    net, (x, labels) = trained(None), images(20)
    first, same, other = (propose(spec, net, x, labels, Threat(0.1), generator(s)) for s in (0, 0, 1))
    assert torch.equal(first.x, same.x)
    assert torch.equal(first.queries, same.queries)
    assert not torch.equal(first.x, other.x)


@pytest.mark.parametrize("spec", [Square(100), RandomSearch(100)], ids=lambda s: s.name)
@pytest.mark.parametrize("threat", [Threat(0.1), Threat(0.8, "l2")], ids=lambda t: t.norm)
def test_more_queries_break_no_fewer_images_and_inputs_that_are_fooled_ask_no_more(spec, threat):
    net = trained(0.05)
    x, labels = right(net, 100)
    proposal = propose(spec, net, x, labels, threat, generator())
    fooled = judged(net, x, labels, proposal.x, threat).fooled
    assert (proposal.queries[~fooled] == 100).all()
    assert (proposal.queries[fooled] <= 100).all()
    assert 0 < fooled.sum() < len(x)
    noisy = judged(net, x, labels, propose(Noise(1), net, x, labels, threat, generator()).x, threat).fooled
    assert fooled.sum() > 2 * noisy.sum()


@pytest.mark.parametrize("threat", [Threat(0.1), Threat(0.8, "l2")], ids=lambda t: t.norm)
def test_on_relu_without_gradients_no_more_is_found_than_with(threat):
    net = trained(None)
    x, labels = right(net, 100)
    climb = Pgd(step=threat.eps / 10, steps=40, restarts=3, until_success=True)
    found = [
        judged(net, x, labels, propose(spec, net, x, labels, threat, generator()).x, threat).fooled
        for spec in (climb, Square(300), RandomSearch(300))
    ]
    for without in found[1:]:
        assert (without & ~found[0]).sum() <= 3  # 3 %


def test_a_linear_network_is_fooled_wherever_a_corner_of_the_ball_fools_it():
    """In L∞ ‖w‖₁ ε is the most that a margin of w·x can fall, and flat Square's draws reach such corners."""
    net = nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.0, 0.0]]))
    x = torch.tensor([[0.5, 0.2, 0.5], [0.9, 0.1, 0.5]])  # margins 0.35 and 0.95, and the most is 0.35 + 0.01
    labels = torch.zeros(2, dtype=torch.int64)
    proposal = propose(Square(400), net.eval(), x, labels, Threat(0.36 / 3.5), generator())
    assert (net(proposal.x).argmax(dim=1) != labels).tolist() == [True, False]


def test_the_share_that_changes_halves_after_each_mark():
    assert [share(0.8, n, 10_000) for n in (0, 10, 11, 51)] == [0.8, 0.8, 0.4, 0.2]
    assert share(0.8, 9999, 10_000) == 0.8 / 2 ** len(HALVINGS)
    assert share(0.8, 26, 5000) == share(0.8, 52, 10_000)


def test_a_square_changes_one_square_of_each_image_by_one_sign_per_channel():
    x = torch.full((50, 2, 9, 7), 0.5)
    moved = _squares(x, x, 9 / 63, Threat(0.1), generator()) - x
    assert ((moved.abs() - 0.1).abs() < 1e-6).sum() == 50 * 2 * 9
    for image in moved:
        rows, columns = (image[0] != 0).nonzero(as_tuple=True)
        assert rows.max() - rows.min() == columns.max() - columns.min() == 2
        assert all(len(channel[channel != 0].unique()) == 1 for channel in image)
    reached = (moved[:, 0] != 0).any(dim=0)
    assert reached[0].any()
    assert reached[-1].any()
    assert reached[:, -1].any()


def test_windows_keep_the_length_of_the_perturbation():
    threat, x = Threat(0.5, "l2"), torch.full((20, 3, 8, 8), 0.5)
    best = x + 0.3 * torch.nn.functional.normalize(torch.randn(20, 192, generator=generator())).reshape(x.shape)
    moved = _windows(best, x, 0.2, threat, generator())
    assert torch.allclose(threat.distance(moved, x), torch.full((20,), 0.5), atol=1e-5)
    assert ((moved - x).abs() > 1e-7).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("side", [1, 2, 3, 8])
def test_a_bump_is_a_hill_above_a_valley_of_unit_length(side):
    bump = _bump(side)
    assert math.isclose(float(bump.norm()), 1, rel_tol=1e-6)
    assert (bump[: side // 2] > 0).all()
    assert (bump[side // 2 :] < 0).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_scattered_share_of_the_entries_is_drawn_anew(norm):
    threat, x = Threat(0.2, norm), torch.full((30, 40), 0.5)
    start = scattered(x, x, 1.0, threat, generator())
    after = scattered(start, x, 0.1, threat, generator(1))
    assert ((after != start).sum(dim=1) <= 4 + 2 * (norm == "l2")).float().mean() > 0.9
    assert (after != start).any(dim=1).all()


@pytest.mark.parametrize("d", [2, 20])
@pytest.mark.parametrize("spec", [RandomSearch(2000), Square(2000)], ids=lambda s: s.name)
def test_in_l2_the_search_goes_on_until_a_linear_margin_has_risen_by_almost_its_most(spec, d):
    """Within ‖δ‖ ≤ 1 the most that −w·x can rise is ‖w‖, at −w/‖w‖."""
    net, w = nn.Linear(d, 2), torch.randn(d, generator=generator(1))
    with torch.no_grad():
        net.weight.copy_(torch.stack([-w, torch.zeros(d)]))
        net.bias.copy_(torch.tensor([1000.0, 0.0]))  # never fooled
    x, threat = torch.zeros(10, d), Threat(1.0, "l2", -2.0, 2.0)
    proposal = propose(spec, net.eval(), x, torch.zeros(10, dtype=torch.int64), threat, generator())
    assert ((proposal.x @ w) / w.norm() > 0.98).all()


class Ring(nn.Module):
    """Class 1 where 0.2 < ‖x‖ < 0.5, and scores that do not say where that is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        length = x.flatten(start_dim=1).norm(dim=1)
        inside = ((length > 0.2) & (length < 0.5)).to(x.dtype)
        return torch.stack([1 - inside, inside], dim=1)


@pytest.mark.parametrize("d", [1, 2])
def test_in_few_dimensions_the_l2_search_finds_what_lies_inside_the_ball(d):
    """Uniform points of the ball meet the ring with a probability of 0.3 on a line, 0.21 in the plane."""
    x, labels, threat = torch.zeros(30, d), torch.zeros(30, dtype=torch.int64), Threat(1.0, "l2", -1.0, 1.0)
    for spec in (Noise(300), RandomSearch(300), Square(300)):
        proposal = propose(spec, Ring(), x, labels, threat, generator())
        assert judged(Ring(), x, labels, proposal.x, threat).fooled.all()


def test_in_l2_the_smallest_change_turns_two_entries_and_a_single_one_can_shrink():
    threat, x = Threat(0.2, "l2"), torch.full((300, 40), 0.5)
    start = scattered(x, x, 1.0, threat, generator())
    turned = scattered(start, x, 0.0, threat, generator(1))
    changed = (turned - start).abs() > 1e-6
    assert (changed.sum(dim=1) <= 2).float().mean() > 0.9  # rounding may move the others where the length is reached
    moved = (turned - x)[changed].abs() - (start - x)[changed].abs()
    assert (moved.abs() > 1e-5).float().mean() > 0.9  # not the sign alone
    line = torch.full((300, 1), 0.5)
    assert len((scattered(line, line, 1.0, threat, generator()) - line).abs().unique()) > 100


@pytest.mark.parametrize(
    "make",
    [
        lambda: Square(0),
        lambda: Square(5, 0.0),
        lambda: RandomSearch(-1),
        lambda: RandomSearch(5, 1.5),
        lambda: Noise(0),
        lambda: Noise(3, "laplace"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make):
    with unchecked(), pytest.raises(ValueError, match=r"0|-1|1\.5|laplace"):
        make()


def test_a_network_in_training_keeps_its_mode_and_its_statistics():
    net = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(64, 10)).train()
    before = net[0].running_mean.clone()
    x, labels = images(5)
    for spec in SEARCHES:
        propose(spec, net, x, labels, Threat(0.1), generator())
    assert net.training
    assert torch.equal(net[0].running_mean, before)
