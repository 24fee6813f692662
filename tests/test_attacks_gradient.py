"""The gradient attacks: equal to foolbox's, optimal where the optimum is known, true to what their parts promise."""

import warnings
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from attacked import accuracy, digits, generator, linear, trained
from hypothesis import given, settings
from hypothesis import strategies as st
from some_networks import cnns, inputs, unchecked
from torch import nn

from kwta.attacks import losses
from kwta.attacks.estimators import Exact, Neighbours, Smoothed
from kwta.attacks.gradient import Pgd, climb, fgsm, mim, pgd
from kwta.attacks.propose import propose
from kwta.attacks.step_size import Decreasing, Relative
from kwta.attacks.surrogates import SoftTopK, StraightThrough
from kwta.networks import build
from kwta.threats import Threat

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import foolbox

GAMMAS = (None, 0.2, 0.05)
ROUNDING = 1e-6  # a few roundings of float32 numbers up to 1, in another order


def theirs(attack, net, x, labels, threat) -> torch.Tensor:
    model = foolbox.PyTorchModel(net, bounds=(threat.low, threat.high), device="cpu")
    return attack.run(model, x, foolbox.criteria.Misclassification(labels), epsilon=threat.eps)


def ours(spec, net, x, labels, threat, start=None, seed=0) -> torch.Tensor:
    return pgd(spec, net, x, labels, threat, generator(seed), start).x


def outcome(net, x, labels, loss=losses.margin):
    with torch.no_grad():
        logits = net(x)
    return logits.argmax(dim=1) != labels, loss(logits, labels)


# foolbox, on the same network, from the same start, with the same step.


@pytest.mark.parametrize("gamma", GAMMAS)
def test_fgsm_is_foolbox_s(gamma):
    net, threat = trained(gamma), Threat(0.1)
    x, labels = digits(128)
    other = theirs(foolbox.attacks.LinfFastGradientAttack(), net, x, labels, threat)
    torch.testing.assert_close(ours(fgsm(), net, x, labels, threat), other, atol=ROUNDING, rtol=0)
    assert accuracy(net, other, labels) < accuracy(net, x, labels) - 0.1  # there was something to compare


@pytest.mark.parametrize("gamma", GAMMAS)
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_is_foolbox_s(gamma, norm):
    """In L2 foolbox shrinks to the ball, then clips to the box, which is no projection: there the box is left out."""
    net = trained(gamma)
    threat = Threat(0.1) if norm == "linf" else Threat(0.8, "l2", -9.0, 9.0)
    size = 0.013 if norm == "linf" else 0.11
    x, labels = digits(64)
    kind = foolbox.attacks.LinfPGD if norm == "linf" else foolbox.attacks.L2PGD
    other = theirs(kind(abs_stepsize=size, steps=40, random_start=False), net, x, labels, threat)
    spec = Pgd(step=size, steps=40, start="clean")
    torch.testing.assert_close(ours(spec, net, x, labels, threat), other, atol=2 * ROUNDING, rtol=0)
    assert accuracy(net, other, labels) < accuracy(net, x, labels) - 0.1


def test_pgd_from_a_given_start_is_foolbox_s_from_there():
    net, threat = trained(0.2), Threat(0.1)
    x, labels = digits(64)
    start = threat.sample(x, generator(3))

    class FromThere(foolbox.attacks.LinfPGD):
        def get_random_start(self, x0, epsilon):  # noqa: ARG002
            return type(x0)(start)

    other = theirs(FromThere(abs_stepsize=0.01, steps=20, random_start=True), net, x, labels, threat)
    found = ours(Pgd(step=0.01, steps=20), net, x, labels, threat, start)
    torch.testing.assert_close(found, other, atol=ROUNDING, rtol=0)


def test_the_momentum_method_is_its_paper_s():
    """Dong et al., 2018, equations 6 and 7, written down; foolbox 3.3.4 adds up signs instead of g/‖g‖₁."""
    net, threat = deepcopy(trained(None)).double(), Threat(0.1)
    x, labels = digits(64)
    x = x.double()
    here, velocity = x, torch.zeros_like(x)
    for _ in range(10):
        here = here.detach().requires_grad_()
        (g,) = torch.autograd.grad(nn.functional.cross_entropy(net(here), labels, reduction="sum"), here)
        velocity = 0.9 * velocity + g / g.abs().sum(dim=(1, 2, 3), keepdim=True)
        here = torch.min(torch.max(here + 0.02 * velocity.sign(), x - 0.1), x + 0.1).clamp(0, 1)
    found = ours(mim(0.02, momentum=0.9), net, x, labels, threat)
    torch.testing.assert_close(found, here.detach(), atol=1e-12, rtol=0)
    plain = ours(Pgd(step=0.02, steps=10, start="clean"), net, x, labels, threat)
    assert ((found - plain).abs() > ROUNDING).double().mean() > 1e-2


def test_the_origin_s_slip_is_a_relative_step_and_barely_moves():
    """foolbox's rel_stepsize = 0.003 makes steps of 9.3e-5 at ε = 0.031: 12 % of the ball in 40 of them."""
    net, threat = trained(None), Threat(0.031)
    x, labels = digits(128)
    slip, other = (
        Pgd(step=Relative(0.003), start="clean"),
        foolbox.attacks.LinfPGD(rel_stepsize=0.003, random_start=False),
    )
    found = ours(slip, net, x, labels, threat)
    torch.testing.assert_close(found, theirs(other, net, x, labels, threat), atol=ROUNDING, rtol=0)
    assert threat.distance(found, x).max() <= 0.12 * 0.031 + ROUNDING
    wide = Threat(0.1)
    slipped, absolute = (ours(replace(slip, step=s), net, x, labels, wide) for s in (Relative(0.003), 0.01))
    assert accuracy(net, slipped, labels) > accuracy(net, absolute, labels) + 0.2


# Optima that are known.


@pytest.mark.parametrize("loss", ["cross-entropy", "margin"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_model_the_attack_finds_the_optimum(norm, loss):
    """Of two classes that matter, the margin (w₁ − w₀)·x is largest at x + ε·(dual direction): +ε‖w₁ − w₀‖_dual."""
    source = generator(5)
    w = torch.randn(2, 12, generator=source, dtype=torch.float64)
    weight = torch.cat([w, torch.zeros(1, 12, dtype=torch.float64)])
    net = linear(weight, torch.tensor([0.0, 0.0, -50.0], dtype=torch.float64))
    x = torch.rand(32, 3, 4, generator=source, dtype=torch.float64)
    labels = torch.zeros(32, dtype=torch.int64)
    threat = Threat(0.3, norm, -5.0, 5.0)
    w = w[1] - w[0]
    best = losses.margin(net(x), labels).detach() + 0.3 * (w.abs().sum() if norm == "linf" else w.norm())
    found = ours(Pgd(step=0.05, steps=60, loss=loss), net, x, labels, threat)
    torch.testing.assert_close(outcome(net, found, labels)[1], best, atol=1e-6, rtol=0)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_on_a_linear_model_in_a_box_the_attack_finds_the_optimum(norm):
    """L∞: each entry at its own end. L2: x + clip(s·w), s such that the ball is filled; found by bisection."""
    source = generator(6)
    w = torch.randn(2, 20, generator=source, dtype=torch.float64)
    net, threat = linear(w, torch.zeros(2, dtype=torch.float64)), Threat(0.8, norm)
    x = torch.rand(16, 20, generator=source, dtype=torch.float64).round(decimals=1)
    labels, direction = torch.zeros(16, dtype=torch.int64), w[1] - w[0]
    if norm == "linf":
        best = (x + 0.8 * direction.sign()).clamp(0, 1)
    else:
        low, high = torch.zeros(16, 1, dtype=torch.float64), torch.full((16, 1), 1e3, dtype=torch.float64)
        for _ in range(80):
            best = (x + (low + high) / 2 * direction).clamp(0, 1)
            outside = (best - x).norm(dim=1, keepdim=True) > 0.8
            low, high = torch.where(outside, low, (low + high) / 2), torch.where(outside, (low + high) / 2, high)
    step = Decreasing(0.3, 1e-3)
    found = ours(Pgd(step=step, steps=200, loss="margin"), net, x, labels, threat)
    reached, top = (outcome(net, z, labels)[1] for z in (found, best))
    assert (reached <= top + 1e-9).all()
    torch.testing.assert_close(reached, top, atol=1e-3, rtol=0)


# Promises of the parts.


@st.composite
def attacks(draw: st.DrawFn) -> Pgd:
    with unchecked():
        gradients = [Exact(), Smoothed(0.1, 10), Neighbours(0.1, 4), StraightThrough(0.3), SoftTopK(0.2)]
        return Pgd(
            step=draw(st.sampled_from([0.05, Relative(0.7), Decreasing(0.5, 0.01)])),
            steps=draw(st.integers(1, 4)),
            start=draw(st.sampled_from(["clean", "random"])),
            loss=draw(st.sampled_from(["cross-entropy", "margin"])),
            gradient=draw(st.sampled_from(gradients)),
            momentum=draw(st.sampled_from([None, 0.0, 1.0])),
            restarts=draw(st.integers(1, 3)),
            keep=draw(st.sampled_from(["last", "best"])),
            until_success=draw(st.booleans()),
        )


@settings(max_examples=40)
@given(cnns().filter(lambda spec: spec.classes > 1), attacks(), st.sampled_from(["linf", "l2"]), st.floats(0, 0.8))
def test_every_proposal_lies_in_ball_and_box_and_costs_what_it_says(spec, attack, norm, eps):
    with unchecked():
        net = build(spec, seed=1).eval()
        x = inputs(spec, 4).sigmoid()
        threat = Threat(eps, norm)
    passes = []
    net.output.register_forward_hook(lambda _module, args, _out: passes.append(len(args[0])))
    proposal = propose(attack, net, x, torch.arange(4) % spec.classes, threat, generator())
    assert threat.contains(proposal.x, x).all()
    assert sum(passes) == int(proposal.queries.sum())
    assert (proposal.backwards > 0).all() == (not isinstance(attack.gradient, Smoothed))


@pytest.mark.parametrize("gradient", [Exact(), Smoothed(0.1, 20)])
@pytest.mark.parametrize("until_success", [False, True])
def test_more_restarts_never_lower_the_outcome(gradient, until_success):
    """Fooling first, then the loss; with the margin, whose sign is success, the loss itself never falls."""
    net, threat = trained(0.05), Threat(0.08)
    x, labels = digits(48)
    for loss in ("margin", "cross-entropy"):
        spec = Pgd(step=0.02, steps=5, loss=loss, gradient=gradient, until_success=until_success)
        before = None
        for restarts in (1, 2, 4):
            found = ours(replace(spec, restarts=restarts), net, x, labels, threat)
            fools, value = outcome(net, found, labels, losses.named(loss))
            if before is not None:
                assert (fools >= before[0]).all()
                same = fools == before[0]
                assert (value[same] >= before[1][same] - 1e-6).all()
                if loss == "margin" and not until_success:
                    assert (value >= before[1] - 1e-6).all()
            before = fools, value


def test_restarts_keep_the_best_and_not_the_last():
    net, threat = trained(0.05), Threat(0.08)
    x, labels = digits(64)
    spec = Pgd(step=0.02, steps=5, loss="margin", restarts=6)
    best = outcome(net, ours(spec, net, x, labels, threat), labels)[1]
    source = generator(0)
    single = replace(spec, restarts=1)
    each = [outcome(net, pgd(single, net, x, labels, threat, source).x, labels)[1] for _ in range(6)]
    torch.testing.assert_close(best, torch.stack(each).amax(dim=0), atol=1e-6, rtol=0)
    assert (best > each[-1] + 1e-3).any()


def test_the_best_place_of_a_climb_is_at_least_as_good_as_its_last_and_all_that_it_passed():
    net, threat = trained(0.05), Threat(0.1)
    x, labels = digits(64)
    spec = Pgd(step=0.03, steps=12, start="clean", loss="margin", keep="best")
    places = [place.x for place in climb(spec, net, x, labels, threat, generator())]
    highest = torch.stack([outcome(net, place, labels)[1] for place in places]).amax(dim=0)
    kept = outcome(net, ours(spec, net, x, labels, threat), labels)[1]
    torch.testing.assert_close(kept, highest, atol=1e-6, rtol=0)
    assert (kept > outcome(net, places[-1], labels)[1] + 1e-3).any()


def test_an_input_that_fools_stops_there_and_the_others_go_on_as_without_it():
    net, threat = trained(0.2), Threat(0.1)
    x, labels = digits(64)
    spec = Pgd(step=0.01, steps=20, start="clean", until_success=True)
    free = [place.x for place in climb(replace(spec, until_success=False), net, x, labels, threat, generator())]
    fooled = torch.stack([outcome(net, place, labels)[0] for place in free])
    first = torch.where(fooled.any(dim=0), fooled.int().argmax(dim=0), 20)
    proposal = pgd(spec, net, x, labels, threat, generator())
    expected = torch.stack([free[index][row] for row, index in enumerate(first.tolist())])
    torch.testing.assert_close(proposal.x, expected, atol=1e-5, rtol=0)
    assert proposal.queries.tolist() == (first + 1).tolist()
    assert 0 < int((first < 20).sum()) < 64


@pytest.mark.parametrize("spec", [Pgd(step=0.01, steps=3), Pgd(step=0.01, steps=2, gradient=SoftTopK())])
def test_the_network_is_left_as_found(spec):
    net = build(trained(0.2).spec, seed=0)
    net.load_state_dict(trained(0.2).state_dict())
    net.train()
    net[1].weight.requires_grad_(False)
    net[1].bias.grad = torch.ones_like(net[1].bias)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    x, labels = digits(8)
    before = x.clone()
    propose(spec, net, x, labels, Threat(0.1), generator())
    assert net.training
    assert [p.requires_grad for p in net.parameters()] == [False, True, True, True, True, True]
    assert [p.grad is None for p in net.parameters()] == [True, False, True, True, True, True]
    assert net[1].bias.grad.eq(1).all()
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert torch.equal(x, before)
    assert not x.requires_grad


def test_batch_norm_is_evaluated_with_its_running_statistics_and_learns_nothing():
    net = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))
    net[1].running_mean.fill_(0.3)
    x, labels = digits(16)
    found = ours(Pgd(step=0.01, steps=3, start="clean"), net, x, labels, Threat(0.1))
    assert net[1].running_mean.eq(0.3).all()
    assert net[1].num_batches_tracked == 0
    net.eval()
    assert torch.equal(found, ours(Pgd(step=0.01, steps=3, start="clean"), net, x, labels, Threat(0.1)))


def test_the_same_generator_gives_the_same_attack_and_another_seed_another():
    net, threat = trained(0.2), Threat(0.1)
    x, labels = digits(16)
    spec = Pgd(step=0.01, steps=3)
    once, again, other = (ours(spec, net, x, labels, threat, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_no_input_is_no_work_and_a_radius_of_zero_moves_nothing():
    net = trained(None)
    x, labels = digits(5)
    assert len(ours(Pgd(step=0.1), net, x[:0], labels[:0], Threat(0.1))) == 0
    torch.testing.assert_close(ours(Pgd(step=0.1), net, x, labels, Threat(0.0)), x, atol=ROUNDING, rtol=0)


def test_losses_are_their_formulas():
    logits = torch.tensor([[3.0, 1.0, 2.0, -1.0], [0.0, 0.0, 5.0, 4.0]], dtype=torch.float64)
    labels = torch.tensor([0, 3])
    assert losses.margin(logits, labels).tolist() == [-1, 1]
    assert losses.dlr(logits, labels).tolist() == pytest.approx([-1 / 2, 1 / 5])
    expected = torch.logsumexp(logits, 1) - logits[[0, 1], labels]
    torch.testing.assert_close(losses.cross_entropy(logits, labels), expected)
    torch.testing.assert_close(losses.dlr(7 * logits + 2, labels), losses.dlr(logits, labels))
    with pytest.raises(ValueError, match="at least 3 classes, got 2"):
        losses.dlr(logits[:, :2], torch.tensor([0, 1]))


def test_steps_have_the_sizes_they_say():
    assert Pgd(step=0.1, steps=3).sizes(0.5) == [0.1] * 3
    assert Pgd(step=Relative(0.5), steps=2).sizes(0.5) == [0.25] * 2
    assert Pgd(step=Decreasing(1.0, 0.01), steps=3).sizes(0.5) == pytest.approx([1, 0.1, 0.01])


def test_names_tell_attacks_apart():
    specs = [fgsm(), mim(0.1), Pgd(step=0.1), Pgd(step=Relative(0.1)), Pgd(step=0.1, loss="margin")]
    assert [spec.name for spec in specs] == ["fgsm", "mim", "pgd", "pgd-relative", "pgd-margin"]
    assert Pgd(step=0.1, gradient=SoftTopK()).name == "pgd-soft-top-k"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"step": 0.0}, "a step must be a positive finite size, got 0.0"),
        ({"step": float("inf")}, "positive finite size, got inf"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"restarts": 0}, "restarts must be at least 1, got 0"),
        ({"momentum": -1.0}, "momentum must be 0 or more, or None, got -1.0"),
        ({"start": "there"}, "start must be one of clean, random, got 'there'"),
        ({"loss": "mse"}, "loss must be one of cross-entropy, margin, dlr, got 'mse'"),
        ({"keep": "worst"}, "keep must be one of last, best, got 'worst'"),
    ],
)
def test_what_is_no_attack_is_refused(change, words):
    with unchecked(), pytest.raises(ValueError, match=words):
        replace(Pgd(step=0.1), **change)


def test_inputs_outside_the_box_are_refused():
    x, labels = digits(3)
    with pytest.raises(ValueError, match="data box"):
        ours(Pgd(step=0.1), trained(None), x + 0.5, labels, Threat(0.1))
