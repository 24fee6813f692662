"""A trace says what the network says at every step, goes where the attack goes, and costs nothing while nobody asks."""

import time
from dataclasses import fields

import numpy as np
import pytest
import torch
from attacked import digits, generator, trained
from torch import nn

from kwta import patterns, slices
from kwta.attacks import losses, trace
from kwta.attacks.adaptive import Adaptive
from kwta.attacks.borders import Crossings
from kwta.attacks.estimators import Smoothed
from kwta.attacks.gradient import Pgd, climb, fgsm
from kwta.attacks.propose import propose
from kwta.networks import CNN, build, from_arrays
from kwta.regions import line
from kwta.threats import Threat

THREAT = Threat(0.1)
SPECS = [
    Pgd(step=0.02, steps=6),
    Pgd(step=0.02, steps=6, start="clean", momentum=1.0, until_success=True),
    Adaptive.scaled(0.1, ((3, 20), (2, 40))),
    fgsm(),
]


def traced(spec, net=None, n=6, **options) -> trace.Trace:
    x, labels = digits(n)
    return trace.traced(spec, trained(0.2) if net is None else net, x, labels, THREAT, generator(), **options)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_trace_goes_where_the_attack_goes(spec):
    x, labels = digits(6)
    found = traced(spec)
    end = propose(spec, trained(0.2), x, labels, THREAT, generator())
    places = torch.tensor(found.x)
    if isinstance(spec, Adaptive):  # which keeps the best place it passed
        assert all(any(torch.equal(place, end.x[i]) for place in places[:, i]) for i in range(6))
    else:
        assert torch.equal(places[-1], end.x)
    assert found.queries[-1].tolist() == end.queries.tolist()
    assert all(THREAT.contains(place, x).all() for place in places)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_number_is_what_the_network_says_there(spec):
    net, found = trained(0.2), traced(spec)
    _, labels = digits(6)
    climbed = losses.cross_entropy if isinstance(spec, Pgd) else losses.margin
    for index in range(len(found)):
        logits = net(torch.tensor(found.x[index])).detach()
        np.testing.assert_allclose(found.logits[index], logits, atol=1e-5)
        np.testing.assert_allclose(found.margin[index], losses.margin(logits, labels), atol=1e-5)
        np.testing.assert_allclose(found.loss[index], climbed(logits, labels), atol=1e-5)
        assert found.prediction[index].tolist() == logits.argmax(dim=1).tolist()
    assert (found.fooled == (found.margin > 0)).all()


def test_pattern_changes_are_the_hamming_distances_between_neighbouring_places():
    net, found = trained(0.2), traced(SPECS[0])
    masks = [patterns.patterns(net, place) for place in found.x]
    assert (found.changes[0] == 0).all()
    for index in range(1, len(found)):
        for layer in range(2):
            expected = patterns.hamming(masks[index][layer], masks[index - 1][layer])
            assert found.changes[index, :, layer].tolist() == expected.tolist()
    assert found.changes.sum() > 0


@pytest.mark.parametrize("gamma", [None, 0.2])
def test_borders_are_those_of_the_exact_pieces_on_the_way(gamma):
    net = trained(gamma)
    found = traced(SPECS[0], net)
    assert found.refusal == ""
    assert (found.borders[0] == 0).all()
    for index in range(1, len(found)):
        for row in range(6):
            start, end = found.x[index - 1, row], found.x[index, row]
            expected = 0 if (start == end).all() else len(line.pieces(net, slices.segment(start, end))) - 1
            assert found.borders[index, row] == expected
    assert found.borders.sum() > 10


def test_borders_of_a_convolutional_network_are_counted_too():
    net = build(CNN((1, 8, 8), (3,), 10, gamma=0.2, hidden=(12,)), seed=0).eval()
    found = traced(SPECS[0], net, n=2)
    start, end = found.x[0, 0], found.x[1, 0]
    assert found.borders[1, 0] == len(line.pieces(net, slices.segment(start, end))) - 1 > 0


def test_one_border_is_crossed_once_and_standing_still_crosses_none():
    """One input, y = (x, −x), one winner: the only border is at 0."""
    net = from_arrays([np.array([[1.0], [-1.0]]), np.eye(2)], [np.zeros(2), np.zeros(2)], gamma=0.5)
    crossings = Crossings(net, (1,))
    start, end = np.array([[-1.0], [-1.0], [0.3], [0.5]]), np.array([[1.0], [-0.5], [0.3], [-0.1]])
    assert crossings.between(start, end).tolist() == [1, 0, 0, 1]


def test_a_network_that_cannot_be_followed_is_traced_without_borders_and_says_why():
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 9), nn.Softplus(), nn.ReLU(), nn.Linear(9, 10)).eval()
    found = traced(SPECS[0], net)
    assert found.borders is None
    assert "Softplus, which is not supported" in found.refusal
    assert found.changes.shape == (7, 6, 1)
    assert traced(SPECS[0], borders=False).borders is None
    with pytest.raises(ValueError, match="not supported"):
        Crossings(net, (1, 8, 8)).between(found.x[0], found.x[1])


def test_norms_and_angles_are_those_of_the_gradients():
    found = traced(SPECS[0])
    x, labels = digits(6)
    places = list(climb(SPECS[0], trained(0.2), x, labels, THREAT, generator()))
    gradients = [place.seen.gradient.flatten(start_dim=1).double().numpy() for place in places]
    for index in range(len(found) - 1):
        norms = np.linalg.norm(gradients[index], axis=1)
        np.testing.assert_allclose(found.gradient_norm[index], norms, rtol=1e-6)
        if index:
            cosine = (gradients[index] * gradients[index - 1]).sum(axis=1) / norms / found.gradient_norm[index - 1]
            np.testing.assert_allclose(np.cos(np.radians(found.turn[index])), cosine, atol=1e-6)
    assert np.isnan(found.gradient_norm[-1]).all()
    assert np.isnan(found.turn[[0, -1]]).all()


def test_an_input_that_has_stopped_stays_and_follows_no_gradient():
    found = traced(Pgd(step=0.03, steps=12, start="clean", until_success=True), n=40)
    fooled = found.fooled.argmax(axis=0)
    early = np.flatnonzero(found.fooled.any(axis=0) & (fooled > 0) & (fooled < len(found) - 2))
    assert len(early)
    for row in early:
        after = slice(fooled[row] + 1, None)
        assert (found.x[after, row] == found.x[fooled[row], row]).all()
        assert np.isnan(found.gradient_norm[fooled[row] :, row]).all()  # where it fools, nothing is followed either
        assert (found.borders[after, row] == 0).all()
        assert (found.queries[after, row] == fooled[row] + 1).all()


def test_a_step_is_made_when_it_is_asked_for():
    net = build(trained(0.2).spec, seed=0).eval()
    passes: list[int] = []
    net.output.register_forward_hook(lambda _module, args, _out: passes.append(len(args[0])))
    x, labels = digits(1)
    steps = trace.steps(Pgd(step=0.01, gradient=Smoothed(0.1, 50)), net, x, labels, THREAT, generator())
    assert not passes
    for index in range(4):
        assert next(steps).index == index
        assert sum(passes) == (index + 1) * (1 + 50 + 1)  # a look, the gradient, and the pattern


@pytest.mark.parametrize("spec", [Pgd(step=0.01), Adaptive.scaled(0.1)], ids=lambda spec: spec.name)
def test_the_first_perturbation_of_a_digit_takes_less_than_150_ms(spec):
    """Of this thread's own time, after the kernels are there: with all that is traced, borders included."""
    net = trained(0.2, (256, 256), 1)
    x, labels = digits(1)
    taken = []
    for _ in range(3):
        start = time.thread_time()
        steps = trace.steps(spec, net, x, labels, THREAT, generator(), crossings=Crossings(net, (1, 8, 8)))
        next(steps), next(steps)
        taken.append(time.thread_time() - start)
    assert min(taken) < 0.15


def test_a_trace_holds_every_field_of_its_steps_as_an_array():
    found = traced(SPECS[0], n=3)
    assert {field.name for field in fields(trace.Step)} - {field.name for field in fields(trace.Trace)} == {"index"}
    assert found.x.shape == (7, 3, 1, 8, 8)
    assert (found.logits.shape, found.borders.shape, found.changes.shape) == ((7, 3, 10), (7, 3), (7, 3, 2))
    assert (found.spec, found.threat, found.labels.tolist()) == (SPECS[0], THREAT, digits(3)[1].tolist())


def test_a_trace_of_a_network_in_training_leaves_it_so():
    net = build(trained(0.2).spec, seed=0).train()
    traced(SPECS[0], net, n=2)
    assert net.training
