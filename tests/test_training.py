"""Training against closed forms, its own schedule, and the promise that a seed fixes the weights."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import perf_counter, sleep

import numpy as np
import pytest
import torch
from torch import nn

from kwta.activation import KWTA
from kwta.datasets import Digits, Points, load
from kwta.networks import CNN, MLP, activations, build
from kwta.training import ANNEALED, Annealing, Epoch, Step, Stopped, Training, evaluate, steps_per_epoch, train


@pytest.fixture(scope="module")
def moons():
    return load(Points("moons", size=200, noise=0.1, seed=0))


@pytest.fixture(scope="module")
def digits():
    return load(Digits())


def weights(net: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def run(data, spec: Training, gamma: float | None = 0.2, seed: int = 0, **more):
    net = build(MLP((2, 20, 20, 2), gamma), seed)
    return net, list(train(net, data, spec, device="cpu", **more))


def test_the_first_steps_of_an_affine_network_are_gradient_descent_by_hand(moons):
    net = build(MLP((2, 2)), seed=0)
    layer = next(m for m in net if isinstance(m, nn.Linear))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.5, -1.0], [0.25, 2.0]]))
        layer.bias.zero_()
    W, b = layer.weight.detach().double().numpy().copy(), np.zeros(2)
    spec = Training(epochs=3, batch=len(moons.x_train), learning_rate=0.5, momentum=0.9)
    steps = [r for r in train(net, moons, spec, device="cpu") if isinstance(r, Step)]
    x, one_hot = moons.x_train.astype(float), np.eye(2)[moons.labels_train]
    velocity = [np.zeros_like(W), np.zeros_like(b)]
    for step in steps:
        logits = x @ W.T + b
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert step.loss == pytest.approx(-np.log((p * one_hot).sum(axis=1)).mean(), rel=1e-5)
        gradient = [(p - one_hot).T @ x / len(x), (p - one_hot).mean(axis=0)]
        assert step.gradient_norm == pytest.approx(np.sqrt(sum((g**2).sum() for g in gradient)), rel=1e-4)
        velocity = [0.9 * v + g for v, g in zip(velocity, gradient, strict=True)]
        W, b = W - 0.5 * velocity[0], b - 0.5 * velocity[1]
    assert np.allclose(layer.weight.detach().numpy(), W, atol=1e-5)


def test_the_same_seed_gives_the_same_weights_bit_by_bit(moons):
    spec = Training(epochs=3, batch=16)
    first, second = run(moons, spec)[0], run(moons, spec)[0]
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_another_order_of_the_examples_or_another_start_gives_other_weights(moons):
    base = weights(run(moons, Training(epochs=1, batch=16))[0])
    reordered = weights(run(moons, Training(epochs=1, batch=16, seed=1))[0])
    restarted = weights(run(moons, Training(epochs=1, batch=16), seed=1)[0])
    assert not torch.equal(base[0], reordered[0])
    assert not torch.equal(base[0], restarted[0])


def test_training_in_threads_beside_others_changes_nothing(moons):
    spec = Training(epochs=2, batch=16)
    alone = weights(run(moons, spec)[0])
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: weights(run(moons, spec)[0]), range(4)))
    assert all(torch.equal(a, b) for other in together for a, b in zip(alone, other, strict=True))


def test_training_leaves_the_global_random_numbers_alone(moons):
    before = torch.get_rng_state()
    run(moons, Training(epochs=1))
    assert torch.equal(before, torch.get_rng_state())


def test_pausing_and_looking_changes_neither_weights_nor_time(moons):
    spec = Training(epochs=2, batch=16)
    straight, _ = run(moons, spec)
    net = build(MLP((2, 20, 20, 2), 0.2), 0)
    started, slept = perf_counter(), 0.0
    for record in train(net, moons, spec, device="cpu"):
        if isinstance(record, Step) and record.step % 4 == 0:
            net.eval()
            sleep(0.02)
            slept += 0.02
    assert record.seconds <= perf_counter() - started - slept
    assert all(torch.equal(a, b) for a, b in zip(weights(straight), weights(net), strict=True))


def test_records_come_in_order_and_count_every_step(moons):
    _, records = run(moons, Training(epochs=3, batch=50))
    steps = [r.step for r in records if isinstance(r, Step)]
    per_epoch = -(-len(moons.x_train) // 50)
    assert steps == list(range(1, 3 * per_epoch + 1))
    assert [r.epoch for r in records if isinstance(r, Epoch)] == [0, 1, 2, 3]
    assert isinstance(records[0], Epoch)
    assert isinstance(records[-1], Stopped)
    assert records[-1].reason == "finished"
    assert all(a.seconds <= b.seconds for a, b in pairwise(records))


def test_the_papers_annealing_goes_from_a_fifth_to_a_tenth():
    gammas = [ANNEALED.at(epoch) for epoch in range(1, 60)]
    assert gammas[:4] == [0.2, 0.2, 0.195, 0.195]
    assert gammas[39:42] == [0.105, 0.1, 0.1]
    assert gammas == sorted(gammas, reverse=True)


def test_annealing_moves_the_gamma_of_every_k_wta_layer_and_is_recorded(moons):
    schedule = Annealing(start=0.5, end=0.3, step=0.1, every=2)
    net, records = run(moons, Training(epochs=6, batch=160, gamma=schedule))
    assert [r.gammas for r in records if isinstance(r, Step)] == [(g, g) for g in (0.5, 0.5, 0.4, 0.4, 0.3, 0.3)]
    assert [m.gamma for m in net if isinstance(m, KWTA)] == [0.3, 0.3]


def test_learning_rates_change_at_the_start_of_their_epoch(moons):
    spec = Training(epochs=4, batch=160, learning_rate=1.0, rate_steps=((4, 0.01), (2, 0.1)))
    assert [spec.rate_at(epoch) for epoch in (1, 2, 3, 4)] == [1.0, 0.1, 0.1, 0.01]
    _, records = run(moons, spec)
    assert [r.learning_rate for r in records if isinstance(r, Epoch)] == [1.0, 1.0, 0.1, 0.1, 0.01]


def test_clipping_bounds_the_length_of_a_step(moons):
    spec = Training(epochs=1, batch=160, learning_rate=0.5, momentum=0, clip=1e-3)
    net = build(MLP((2, 20, 20, 2), 0.2), 0)
    before = weights(net)
    records = list(train(net, moons, spec, device="cpu"))
    moved = torch.sqrt(sum(((a - b) ** 2).sum() for a, b in zip(before, weights(net), strict=True)))
    assert next(r for r in records if isinstance(r, Step)).gradient_norm > 1e-3
    assert moved.item() == pytest.approx(0.5e-3, rel=1e-2)


def test_a_diverging_run_stops_with_finite_weights_and_says_what_happened(moons):
    net, records = run(moons, Training(epochs=20, batch=16, learning_rate=1e20), gamma=None)
    last = records[-1]
    assert isinstance(last, Stopped)
    assert last.reason == "diverged"
    assert f"step {last.step}" in last.message
    assert "learning rate 1e+20" in last.message
    assert all(w.isfinite().all() for w in weights(net))


def test_an_infinite_loss_changes_neither_weights_nor_running_statistics(moons):
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 2))
    with torch.no_grad():
        net[2].bias.copy_(torch.tensor([3e38, -3e38]))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    records = list(train(net, moons, Training(epochs=1, batch=16), device="cpu"))
    assert records[-1].reason == "diverged"
    assert records[-1].step == 1
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_training_writes_nothing_into_the_data(moons):
    before = moons.x_train.copy()
    net = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(2, 2))
    list(train(net, moons, Training(epochs=1), device="cpu"))
    assert np.array_equal(moons.x_train, before)
    assert not moons.x_train.flags.writeable


def test_evaluating_keeps_the_mode_of_every_module():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    net[1].eval()
    evaluate(net, torch.zeros(3, 2), torch.zeros(3, dtype=torch.long))
    assert [module.training for module in (net, net[0], net[1])] == [True, True, False]


def test_dead_units_follow_the_dims_of_the_layer():
    net = nn.Sequential(nn.Unflatten(1, (2, 4)), KWTA(0.5, dims=1), nn.Flatten())
    x = torch.tensor([[4.0, 3, 2, 1, -1, -2, -3, -4]])
    assert evaluate(net, x, torch.zeros(1, dtype=torch.long)).dead == (4,)
    assert evaluate(
        net, x.flip(0) + torch.tensor([0, 0, 0, 9, 0, 0, 0, 9.0]), torch.zeros(1, dtype=torch.long)
    ).dead == (4,)
    both = torch.cat([x, x.flip(1)])
    assert evaluate(net, both, torch.zeros(2, dtype=torch.long)).dead == (0,)


def test_patience_ends_a_run_that_no_longer_improves(moons):
    _, records = run(moons, Training(epochs=500, batch=160, learning_rate=1e-12, patience=3, momentum=0))
    assert records[-1].reason == "no progress"
    assert records[-1].epoch < 500


def test_an_attack_replaces_the_inputs_of_every_batch(moons):
    """With all inputs at zero the first layer's weights have no gradient, so they stay."""
    seen = []

    def blank(_net, x, _labels, randomness):
        seen.append(randomness.initial_seed())
        return torch.zeros_like(x)

    net = build(MLP((2, 20, 2), 0.2), 0)
    before = weights(net)
    list(train(net, moons, Training(epochs=1, batch=16, seed=5), attack=blank, device="cpu"))
    assert torch.equal(weights(net)[0], before[0])
    assert not torch.equal(weights(net)[-1], before[-1])
    assert seen == [5] * 10


def test_dead_units_are_those_that_win_for_no_example(moons):
    for gamma in (0.1, None):
        net = build(MLP((2, 30, 30, 2), gamma), 3)
        x, labels = torch.tensor(moons.x_train), torch.tensor(moons.labels_train)
        measured = evaluate(net, x, labels, batch=7)
        for dead, y in zip(measured.dead, activations(net, x), strict=True):
            won = [set(np.argsort(-row.detach().numpy(), kind="stable")[:3]) for row in y]
            alive = set().union(*won) if gamma else set(np.flatnonzero((y > 0).any(dim=0)))
            assert dead == 30 - len(alive)


def test_loss_and_accuracy_do_not_depend_on_the_batches_and_the_mode_is_kept(moons):
    net = build(MLP((2, 20, 2), 0.2), 0).train()
    x, labels = torch.tensor(moons.x_test), torch.tensor(moons.labels_test)
    whole, parts = evaluate(net, x, labels, 1000), evaluate(net, x, labels, 3)
    assert net.training
    assert whole.accuracy == parts.accuracy == (net(x).argmax(1) == labels).double().mean().item()
    assert whole.loss == pytest.approx(parts.loss, rel=1e-6)


def test_a_network_with_batch_norm_trains_though_one_example_is_left_over():
    data = load(Digits())
    net = build(CNN((1, 8, 8), (4,), 10, gamma=0.2), 0)
    n = len(data.x_train)
    batch = next(b for b in range(2, n) if n % b == 1)
    steps = [
        r
        for r in train(net, data, Training(epochs=1, batch=batch, learning_rate=0.01), device="cpu")
        if isinstance(r, Step)
    ]
    assert len(steps) == n // batch == steps_per_epoch(n, batch)


def test_a_k_wta_network_learns_the_digits_within_a_minute(digits):
    net = build(MLP((64, 64, 64, 10), gamma=0.2), seed=0)
    started = perf_counter()
    last = [r for r in train(net, digits, Training(epochs=20), device="cpu") if isinstance(r, Epoch)][-1]
    assert last.test_accuracy >= 0.95
    assert perf_counter() - started < 60


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch": -1}, "batch must be at least 1, got -1"),
        ({"optimiser": "lion"}, "sgd, adam, got 'lion'"),
        ({"learning_rate": 0}, "positive and finite, got 0"),
        ({"learning_rate": float("nan")}, "positive and finite, got nan"),
        ({"rate_steps": ((3, -1),)}, "got -1"),
        ({"rate_steps": ((0, 1),)}, "count epochs from 1"),
        ({"momentum": 1.0}, r"\[0, 1\), got 1.0"),
        ({"weight_decay": -1e-4}, "got -0.0001"),
        ({"clip": 0}, "clip must be positive or None, got 0"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"gamma": 1.5}, "got 1.5"),
    ],
)
def test_a_training_that_makes_no_sense_is_refused_by_value(change, said):
    with pytest.raises(ValueError, match=said):
        Training(**change)


@pytest.mark.parametrize("bad", [(0.1, 0.2, 0.01, 1), (0.2, 0.1, 0, 1), (0.2, 0.1, 0.01, 0), (1.2, 0.1, 0.01, 1)])
def test_an_annealing_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match="anneal"):
        Annealing(*bad)


def test_networks_that_do_not_fit_are_refused_before_the_first_step(moons, digits):
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        train(build(MLP((3, 4, 2)), 0), moons, Training(), device="cpu")
    with pytest.raises(ValueError, match="10 classes"):
        train(build(MLP((64, 4, 3)), 0), digits, Training(), device="cpu")
    with pytest.raises(ValueError, match="k = 0"):
        train(build(MLP((2, 20, 2), 0.2), 0), moons, Training(gamma=Annealing(0.2, 0.01, 0.1)), device="cpu")
    with pytest.raises(ValueError, match="no k-WTA layer"):
        train(build(MLP((2, 20, 2)), 0), moons, Training(gamma=0.2), device="cpu")
