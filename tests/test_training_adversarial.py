"""Adversarial training against formulas and closed forms; augmentation; and runs that go on in another process."""

import json
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from some_networks import unchecked
from torch import nn
from torch.nn import functional as F  # noqa: N812

from kwta import networks
from kwta.attacks import training as makers
from kwta.attacks.gradient import Pgd, pgd
from kwta.attacks.judge import judged
from kwta.cli.main import main
from kwta.cli.main import parser as parser_of
from kwta.cli.options import training as training_options
from kwta.datasets import Digits, NpzFile, Points, load
from kwta.networks import CNN, MLP, build
from kwta.threats import Threat
from kwta.training import (
    Adversarial,
    Annealing,
    Augmentation,
    Epoch,
    Step,
    Stopped,
    Training,
    attacked,
    augmented,
    train,
)
from kwta.training.state import from_bytes, to_bytes

KINDS = ("madry", "trades", "free")


@pytest.fixture(scope="module")
def moons():
    return load(Points("moons", size=200, noise=0.1, seed=0))


@pytest.fixture(scope="module")
def digits():
    return load(Digits())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(net: nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in net.state_dict().values()]


def same(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def hardened(data, plan: Training, gamma: float | None = 0.25, **more):
    net = build(MLP((2, 16, 16, 2), gamma), 0)
    objective = makers.objective(plan.adversarial, data.box)
    return net, list(train(net, data, plan, device="cpu", objective=objective, **more))


def batch_normed() -> nn.Sequential:
    return build(CNN((1, 4, 4), (3,), 2, pool=1, gamma=0.5), 3).train()


# What is minimised.


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_trades_loss_is_its_formula(norm):
    net, threat = build(MLP((6, 20, 3), 0.25), 1), Threat(0.3, norm)
    x, labels = torch.rand(9, 6, generator=generator()), torch.arange(9) % 3
    loss, logits = next(makers.trades(threat, 5, 0.1, beta=6.0)(net, x, labels, generator(4)))
    z = makers.farthest(net, x, labels, threat, 5, 0.1, generator(4))
    p, q = net(x).softmax(dim=1).double(), net(z).softmax(dim=1).double()
    divergence = (p * (p.log() - q.log())).sum(dim=1).mean()
    expected = -p[torch.arange(9), labels].log().mean() + 6 * divergence
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert divergence > 1e-4
    assert torch.equal(logits, net(x))


def test_the_gradient_of_trades_flows_through_both_of_its_terms():
    """Against differences of the formula, with the point that was found held fixed."""
    net = build(MLP((4, 3), None), 2).double()
    x, labels, threat = torch.rand(5, 4, generator=generator(), dtype=torch.float64), torch.arange(5) % 3, Threat(0.2)
    z = makers.farthest(net, x, labels, threat, 3, 0.1, generator(1))

    def formula() -> torch.Tensor:
        p, q = net(x).softmax(dim=1), net(z).softmax(dim=1)
        return F.cross_entropy(net(x), labels) + 2 * (p * (p / q).log()).sum(dim=1).mean()

    next(makers.trades(threat, 3, 0.1, beta=2.0)(net, x, labels, generator(1)))[0].backward()
    weight = net.output.weight
    for place in ((0, 0), (2, 3)):
        with torch.no_grad():
            weight[place] += 1e-6
            above = formula()
            weight[place] -= 2e-6
            below = formula()
            weight[place] += 1e-6
        assert weight.grad[place].item() == pytest.approx(((above - below) / 2e-6).item(), rel=1e-4)


def test_trades_has_a_gradient_where_a_probability_is_zero_in_float32():
    """Logits 200 apart: of the sum over classes only the sure one counts, log softmax(z)₀ = −log(1 + e + e²)."""
    sure, z = torch.tensor([[0.0, -200.0, -200.0]], requires_grad=True), torch.tensor([[0.0, 1.0, 2.0]])
    assert sure.softmax(dim=1)[0, 1] == 0
    found = makers.divergences(sure.log_softmax(dim=1), z)
    assert found.item() == pytest.approx(math.log(1 + math.e + math.e**2), rel=1e-6)
    (gradient,) = torch.autograd.grad(found.sum(), sure)
    torch.testing.assert_close(gradient, torch.zeros(1, 3), atol=1e-5, rtol=0)


def test_trades_searches_where_the_divergence_is_large_and_the_threat_allows():
    net, threat = build(MLP((6, 20, 3), None), 1).eval(), Threat(0.2)
    x, labels = torch.rand(50, 6, generator=generator()), torch.zeros(50, dtype=torch.long)
    z = makers.farthest(net, x, labels, threat, 10, 0.05, generator())
    log_p = net(x).log_softmax(dim=1)
    assert threat.contains(z, x).all()
    random = makers.divergences(log_p, net(threat.sample(x, generator())))
    assert (makers.divergences(log_p, net(z)) > random).double().mean() > 0.95


def test_on_a_linear_network_madry_trains_on_the_closed_form_optimum():
    """With two classes the worst point of the ball is x − ε sign(w_y − w_other), wherever the start was."""
    net, threat = build(MLP((5, 2)), 3), Threat(0.1, low=-9, high=9)
    x, labels = torch.randn(7, 5, generator=generator()), torch.arange(7) % 2
    found = makers.madry(threat, 10, 0.05)(net, x, labels, generator())
    w = net.output.weight.detach()
    expected = x - 0.1 * torch.sign(w[labels] - w[1 - labels])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_free_replays_each_batch_and_carries_the_perturbation_along():
    """With a linear network and fixed weights the perturbation is known after any number of replays."""
    net, threat = build(MLP((5, 2)), 3), Threat(0.1, low=-9, high=9)
    x, labels = torch.randn(6, 5, generator=generator()), torch.zeros(6, dtype=torch.long)
    objective = makers.free(threat, replays=3, step=0.04)
    w = net.output.weight.detach()
    away = torch.sign(w[1] - w[0])
    seen: list[torch.Tensor] = []
    net.output.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    for size in (6, 4):  # the second batch is smaller, and begins where the first has ended
        for loss, _ in objective(net, x[:size], labels[:size], generator()):
            loss.backward()
    moved = [0, 0.04, 0.08, 0.1, 0.1, 0.1]
    assert len(seen) == 6
    for inputs, times in zip(seen, moved, strict=True):
        torch.testing.assert_close(inputs, x[: len(inputs)] + times * away, atol=1e-6, rtol=0)


def test_free_stays_in_the_data_box():
    net, threat = build(MLP((5, 2)), 3), Threat(0.5)
    x, labels = torch.rand(6, 5, generator=generator()), torch.zeros(6, dtype=torch.long)
    seen: list[torch.Tensor] = []
    net.output.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    for loss, _ in makers.free(threat, 4, 0.4)(net, x, labels, generator()):
        loss.backward()
    assert all(threat.contains(inputs, x).all() for inputs in seen)
    w = net.output.weight.detach()
    torch.testing.assert_close(seen[-1], (x + 0.5 * torch.sign(w[1] - w[0])).clamp(0, 1), atol=1e-6, rtol=0)


def test_free_makes_a_step_of_the_optimiser_for_each_replay(moons):
    plan = Training(epochs=2, batch=50, adversarial=Adversarial("free", eps=0.1, replays=3))
    _, records = hardened(moons, plan)
    steps = [r.step for r in records if isinstance(r, Step)]
    assert steps == list(range(1, 2 * 4 * 3 + 1))
    assert plan.adversarial.steps_per_batch == 3
    assert Adversarial("trades", eps=0.1).steps_per_batch == 1


# The network's mode.


def test_attacks_meet_the_network_in_evaluation_mode_and_steps_are_made_in_training_mode(digits):
    modes: list[bool] = []
    trained: list[bool] = []

    def attack(net, x, _labels, _generator):
        modes.append(net.training)
        return x

    net = build(CNN((1, 8, 8), (2,), 10, gamma=0.25), 0)
    net.output.register_forward_pre_hook(lambda *_: trained.append(net.training))
    records = train(net, digits, Training(epochs=1, batch=700, learning_rate=1e-3), attack=attack, device="cpu")
    next(records)
    trained.clear()
    next(records)
    assert modes == [False]
    assert trained == [True]


@pytest.mark.parametrize(("kind", "passes"), [("madry", 1), ("trades", 2), ("free", 3)])
def test_batch_norm_learns_from_the_steps_alone_and_not_from_the_search(kind, passes):
    net = batch_normed()
    spec = Adversarial(kind, eps=0.1, steps=4, replays=3)
    x, labels = torch.rand(8, 1, 4, 4, generator=generator()), torch.arange(8) % 2
    for loss, _ in makers.objective(spec, (0.0, 1.0))(net, x, labels, generator()):
        loss.backward()
    assert net.norm1.num_batches_tracked == passes
    assert net.training


# Whole runs.


@pytest.mark.parametrize("gamma", [None, 0.25])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_weights(moons, kind, gamma):
    plan = Training(epochs=2, batch=40, adversarial=Adversarial(kind, eps=0.1, steps=3, replays=2), seed=3)
    first, second = hardened(moons, plan, gamma)[0], hardened(moons, plan, gamma)[0]
    assert same(first, second)
    assert not same(first, hardened(moons, replace(plan, adversarial=None), gamma)[0])
    if kind != "free":  # which draws nothing
        assert not same(first, hardened(moons, replace(plan, seed=4), gamma)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_gamma_is_annealed_in_adversarial_training_too(moons, kind):
    plan = Training(epochs=4, batch=160, gamma=Annealing(0.5, 0.25, 0.125, 1))
    _, records = hardened(moons, replace(plan, adversarial=Adversarial(kind, eps=0.1, steps=2, replays=2)))
    assert [r.gammas[0] for r in records if isinstance(r, Epoch)] == [0.5, 0.5, 0.375, 0.25, 0.25]
    assert records[-1].reason == "finished"


def robust_accuracy(net: nn.Module, data, threat: Threat) -> float:
    x, labels = torch.tensor(data.x_test), torch.tensor(data.labels_test)
    found = pgd(Pgd(step=0.01, steps=40), net, x, labels, threat, generator())
    return 1 - judged(net, x, labels, found.x, threat).fooled.double().mean().item()


@pytest.mark.slow
def test_hardened_relu_networks_resist_pgd_far_better_than_a_standard_one(digits):
    """Measured on 359 images: 16 % with standard training, 51 % (madry) and 60 % (trades) after ten epochs."""
    threat, robust = Threat(0.15), {}
    for kind in (None, "madry", "trades"):
        adversarial = None if kind is None else Adversarial(kind, eps=0.15, steps=5)
        net = build(MLP((64, 64, 64, 10)), 0)
        plan = Training(epochs=8, adversarial=adversarial)
        objective = makers.objective(adversarial, digits.box)
        records = list(train(net, digits, plan, device="cpu", objective=objective))
        robust[kind] = robust_accuracy(net, digits, threat)
        assert records[-2].test_accuracy > 0.75
    assert min(robust["madry"], robust["trades"]) > robust[None] + 0.2


def test_a_training_that_is_adversarial_is_never_run_as_a_standard_one(moons):
    net, plan = build(MLP((2, 8, 2)), 0), Training(adversarial=Adversarial("trades", eps=0.1))
    with pytest.raises(ValueError, match=r"adversarial \(trades\): pass the objective"):
        train(net, moons, plan, device="cpu")
    with pytest.raises(ValueError, match="an attack or an objective, not both"):
        train(net, moons, plan, attack=lambda *_: None, objective=attacked(lambda *_: None), device="cpu")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "fast"}, "one of madry, trades, free, got 'fast'"),
        ({"eps": 0.0}, "eps must be positive and finite, got 0"),
        ({"eps": float("inf")}, "eps must be positive and finite, got inf"),
        ({"norm": "l1"}, "norm must be one of linf, l2, got 'l1'"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"replays": 0}, "replays must be at least 1, got 0"),
        ({"step": -0.1}, "positive and finite, got -0.1"),
        ({"beta": -1.0}, "beta must be 0 or more, got -1"),
    ],
)
def test_an_attacker_that_makes_no_sense_is_refused_by_value(change, said):
    with unchecked(), pytest.raises(ValueError, match=said):
        Adversarial(**{"kind": "madry", "eps": 0.1, **change})


# Augmentation.


def test_every_image_is_one_of_its_shifts_and_mirror_images():
    x = torch.rand(40, 2, 5, 4, generator=generator())
    out = augmented(Augmentation(padding=2), x, -1.0, generator(1))
    seen = set()
    for image, found in zip(x, out, strict=True):
        padded = F.pad(image, [2] * 4, value=-1.0)
        shifts = product(range(5), range(5), (False, True))
        candidates = {(i, j, m): padded[:, i : i + 5, j : j + 4] for i, j, m in shifts}
        match = [key for key, c in candidates.items() if torch.equal(c.flip(2) if key[2] else c, found)]
        assert len(match) == 1
        seen |= set(match)
    assert len(seen) > 25  # of 50
    assert {m for _, _, m in seen} == {False, True}


def test_without_padding_and_flip_images_stay_and_the_seed_decides():
    x = torch.rand(8, 1, 6, 6, generator=generator())
    assert torch.equal(augmented(Augmentation(0, False), x, 0.0, generator()), x)
    assert torch.equal(*(augmented(Augmentation(), x, 0.0, generator(2)) for _ in range(2)))
    assert not torch.equal(
        augmented(Augmentation(), x, 0.0, generator(2)), augmented(Augmentation(), x, 0.0, generator())
    )


def test_augmented_training_sees_other_images_and_is_seeded(digits):
    def trained(plan: Training) -> nn.Module:
        net = build(MLP((64, 20, 10), 0.25), 0)
        list(train(net, digits, plan, device="cpu"))
        return net

    plain = Training(epochs=1, batch=100)
    shifted = replace(plain, augmentation=Augmentation(1))
    assert same(trained(shifted), trained(shifted))
    assert not same(trained(shifted), trained(plain))


def test_points_cannot_be_mirrored(moons):
    with pytest.raises(ValueError, match=r"only images .* shape \(2,\)"):
        train(build(MLP((2, 8, 2)), 0), moons, Training(augmentation=Augmentation()), device="cpu")


@pytest.mark.parametrize("wrong", [{"padding": -1}, {"padding": 1.5}, {"flip": 1}])
def test_an_augmentation_that_makes_no_sense_is_refused(wrong):
    with unchecked(), pytest.raises(ValueError, match=f"got {next(iter(wrong.values()))}"):
        Augmentation(**wrong)


# Going on in another process.

PLANS = {
    "sgd": Training(epochs=4, batch=40),
    "adam": Training(epochs=4, batch=40, optimiser="adam", learning_rate=0.01, patience=3),
    "annealed": Training(epochs=4, batch=40, gamma=Annealing(0.5, 0.25, 0.125, 1), rate_steps=((3, 0.01),)),
    "madry": Training(epochs=4, batch=40, adversarial=Adversarial("madry", eps=0.1, steps=2)),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_run_that_goes_on_ends_with_the_weights_of_an_unbroken_one(moons, name):
    plan, kept = PLANS[name], []
    whole, records = hardened(moons, plan, keep=lambda state: kept.append(to_bytes(state)))
    assert len(kept) == plan.epochs
    again = build(MLP((2, 16, 16, 2), 0.25), 9)
    rest = list(
        train(
            again,
            moons,
            plan,
            device="cpu",
            objective=makers.objective(plan.adversarial, moons.box),
            resume=from_bytes(kept[1]),
        )
    )
    assert same(whole, again)
    timeless = [replace(r, seconds=0.0) for r in records if getattr(r, "epoch", 0) >= 3]
    assert [replace(r, seconds=0.0) for r in rest] == timeless
    assert rest[0].seconds > from_bytes(kept[1]).seconds > 0


def test_a_kept_run_survives_its_bytes_and_ends_where_it_had_ended(moons):
    kept = []
    net, records = hardened(moons, PLANS["annealed"], keep=kept.append)
    back = from_bytes(to_bytes(kept[-1]))
    assert back.epochs == kept[-1].epochs == tuple(r for r in records if isinstance(r, Epoch))
    other = build(MLP((2, 16, 16, 2), 0.25), 9)
    (only,) = train(other, moons, PLANS["annealed"], device="cpu", resume=back)
    assert isinstance(only, Stopped)
    assert only.reason == "finished"
    assert networks.gammas_of(other) == networks.gammas_of(net) == (0.25, 0.25)
    assert same(net, other)


def test_a_kept_run_of_another_training_or_network_is_refused(moons):
    kept = []
    hardened(moons, PLANS["sgd"], keep=kept.append)
    with pytest.raises(ValueError, match="the run that was kept is another one"):
        train(build(MLP((2, 16, 16, 2), 0.25), 0), moons, PLANS["adam"], device="cpu", resume=kept[0])
    with pytest.raises(ValueError, match="the run that was kept has another network"):
        train(build(MLP((2, 8, 2), 0.25), 0), moons, PLANS["sgd"], device="cpu", resume=kept[0])
    elsewhere = replace(kept[0], randomness=torch.zeros(16, dtype=torch.uint8))  # as long as a GPU's state
    net = build(MLP((2, 16, 16, 2), 0.25), 1)
    before = weights(net)
    with pytest.raises(ValueError, match="the run that was kept comes from another kind of device"):
        train(net, moons, PLANS["sgd"], device="cpu", resume=elsewhere)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(net), strict=True))
    for broken in (b"", b"{", to_bytes(kept[0])[:-1], b"\x08" + bytes(7) + b"{}      "):
        with pytest.raises(ValueError, match="no training run that could go on"):
            from_bytes(broken)


# On the command line.

TRAININGS = {
    "--adversarial madry --eps 0.3": Training(adversarial=Adversarial("madry", 0.3)),
    "--adversarial trades --eps 0.1 --norm l2 --attack-steps 5 --attack-step 0.05 --beta 3": Training(
        adversarial=Adversarial("trades", 0.1, "l2", 5, 0.05, 3.0)
    ),
    "--adversarial free --eps 0.1 --replays 4 --augment": Training(
        augmentation=Augmentation(), adversarial=Adversarial("free", 0.1, replays=4)
    ),
}


@pytest.mark.parametrize("words", TRAININGS)
def test_options_have_the_meaning_of_their_fields(words):
    line = ("train", "--data", "digits", *words.split())
    assert training_options.spec(parser_of(line).parse_args(line)) == TRAININGS[words]


REFUSED = {
    "--eps 0.1": "--eps needs --adversarial",
    "--adversarial madry": "--adversarial madry needs --eps",
    "--adversarial madry --eps 0": "eps must be positive and finite, got 0.0",
    "--adversarial madry --eps 0.1 --beta 3": "--beta is for trades; --adversarial is madry",
    "--adversarial free --eps 0.1 --attack-steps 3": "--attack-steps is for madry and trades; --adversarial is free",
    "--adversarial fast --eps 0.1": "invalid choice: 'fast'",
    "--augment": "only images can be shifted and mirrored",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_does_not_go_together_is_refused_in_one_line(words, capsys):
    assert main(["train", "--data", "moons", *words.split()]) == 2
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert REFUSED[words] in shown.err


def test_the_checkpoint_says_how_it_was_hardened(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.random((60, 1, 6, 6)).astype(np.float32)
    np.savez("own.npz", x=x, labels=(x.mean(axis=(1, 2, 3)) > 0.5).astype(np.int64))
    words = "--widths 8 --gamma 0.5 --epochs 1 --adversarial madry --eps 0.05 --attack-steps 2 --augment --device cpu"
    assert main(["train", "--data", "own.npz", *words.split(), "--out", "net"]) == 0
    told = networks.load("net").record["training"]
    assert told["adversarial"] == json.loads(json.dumps(vars(Adversarial("madry", 0.05, steps=2))))
    assert told["augmentation"] == {"padding": 4, "flip": True, "kind": "augmentation"}
    net = build(MLP((36, 8, 2), 0.5), 0)
    plan = Training(epochs=1, augmentation=Augmentation(), adversarial=Adversarial("madry", 0.05, steps=2))
    data = load(NpzFile("own.npz"))
    list(train(net, data, plan, device="cpu", objective=makers.objective(plan.adversarial, data.box)))
    assert same(net, networks.load("net"))
    capsys.readouterr()
    assert main(["info", "net"]) == 0
    assert "adversarial (madry, eps 0.05, norm linf, steps 2" in capsys.readouterr().out
