"""Looking into networks and moving γ."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from some_networks import inputs, specs, unchecked
from torch import nn

from kwta.activation import KWTA, kwta
from kwta.networks import (
    CNN,
    MLP,
    activations,
    build,
    calls,
    gammas_of,
    hidden,
    set_gamma,
    winners_of,
    with_kwta,
)

MIXED = MLP((3, 10, 8, 6, 2), gamma=(0.5, None, 0.5))


def n_hooks(net: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules())


@settings(max_examples=40)
@given(specs)
def test_the_walk_through_the_layers_meets_the_same_activations(spec):
    net, x = build(spec, seed=1).eval(), inputs(spec)
    seen, modules = [], []
    for layer in net:
        if isinstance(layer, KWTA | nn.ReLU):
            seen.append(x)
            modules.append(layer)
        x = layer(x)
    found = activations(net, inputs(spec))
    assert len(found) == len(seen) == len(hidden(net))
    assert all(torch.equal(a, b) for a, b in zip(found, seen, strict=True))
    assert [module for module, _ in calls(net, inputs(spec))] == modules


def test_hidden_is_in_forward_order():
    net = build(CNN((1, 8, 8), (2, 3), 2, hidden=(5,), gamma=(0.5, None, 1.0)), seed=0)
    assert [name for name, _ in hidden(net)] == ["activation1", "activation2", "activation3"]
    assert [type(module) for _, module in hidden(net)] == [KWTA, nn.ReLU, KWTA]
    assert hidden(nn.Linear(2, 2)) == []


def test_a_module_used_three_times_gives_three_entries():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Linear(2, 4), relu, nn.Linear(4, 6), relu, relu)
    assert [y.shape[1] for y in activations(net, torch.ones(1, 2))] == [4, 6, 6]
    assert [name for name, _ in hidden(net)] == ["1", "3", "4"]


def test_an_in_place_activation_does_not_overwrite_what_was_seen():
    net = nn.Sequential(nn.Linear(2, 9), nn.ReLU(inplace=True))
    y = activations(net, torch.ones(1, 2))[0]
    assert torch.equal(y, net[0](torch.ones(1, 2)))
    assert (y < 0).any()


def test_gradients_reach_the_inputs_unless_they_are_off():
    net = build(MIXED, seed=0)
    x = inputs(MIXED).requires_grad_()
    assert torch.autograd.grad(activations(net, x)[2].sum(), x)[0].abs().sum() > 0
    with torch.no_grad():
        assert not any(y.requires_grad for y in activations(net, x))


def test_hooks_are_removed_even_after_an_error():
    net = build(MIXED, seed=0)
    activations(net, inputs(MIXED))
    assert n_hooks(net) == 0
    with pytest.raises(RuntimeError):
        activations(net, torch.zeros(1, 4))
    assert n_hooks(net) == 0


def test_threads_that_look_into_one_network_see_their_own_inputs():
    net = build(MLP((3, 40, 40, 2), gamma=0.25), seed=0)
    points = [torch.full((2, 3), float(i)) for i in range(4)]
    expected = [activations(net, x) for x in points]

    def look(i: int) -> bool:
        found = (activations(net, points[i]) for _ in range(60))
        return all(len(ys) == 2 and all(map(torch.equal, ys, expected[i])) for ys in found)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(look, range(4)))
    assert n_hooks(net) == 0


def test_winners_of_follows_gamma_and_the_units_met():
    net = build(MIXED, seed=0)
    assert winners_of(net) == winners_of(net, inputs(MIXED)) == MIXED.winners == (5, None, 3)
    set_gamma(net, (0.29, None, 1.0))
    assert winners_of(net) == winners_of(net, inputs(MIXED)) == (2, None, 6)
    bare = with_kwta(nn.Sequential(nn.Linear(3, 10), nn.ReLU()), 0.3)
    assert winners_of(bare, torch.zeros(1, 3)) == (3,)
    rows = nn.Sequential(nn.Linear(3, 10), KWTA(0.3, dims=1))
    assert winners_of(rows, torch.zeros(2, 7, 3)) == (3,)
    with pytest.raises(ValueError, match=r"no spec .* pass inputs x"):
        winners_of(bare)


def test_set_gamma_changes_what_is_computed():
    net = build(MLP((3, 10, 2), gamma=0.5), seed=0)
    set_gamma(net, 0.2)
    y = net.get_submodule("linear1")(inputs(net.spec))
    assert torch.equal(net(inputs(net.spec)), net.get_submodule("output")(kwta(y, 2)))
    set_gamma(net, Fraction(1, 3))
    assert winners_of(net) == (3,)
    assert net.spec == MLP((3, 10, 2), gamma=0.5)


def test_one_gamma_is_for_all_k_wta_layers_and_relu_stays():
    net = build(MIXED, seed=0)
    set_gamma(net, 0.25)
    assert gammas_of(net) == (0.25, None, 0.25)
    set_gamma(net, gammas_of(build(MIXED, seed=1)))
    assert gammas_of(net) == (0.5, None, 0.5)
    narrow_relu = build(MLP((3, 10, 2, 2), gamma=(0.5, None)), seed=0)
    set_gamma(narrow_relu, 0.2)
    assert winners_of(narrow_relu) == (2, None)


@pytest.mark.parametrize(
    ("gamma", "match"),
    [
        (0.15, "hidden layer 3: gamma = 0.15 of 6 units leaves no winner"),
        (0.0, "gamma must lie in"),
        (1.5, "gamma must lie in .* got 1.5"),
        (None, "gamma must be a number .* got None"),
        (True, "gamma must be a number .* got True"),
        ("0.5", "gamma must be a number .* got '0.5'"),
        ((0.5, 0.5), "one entry per hidden layer, 3, got 2"),
        ((0.5, 0.5, 0.5), "hidden layer 2 is ReLU: its gamma must be None, got 0.5"),
        ((0.5, None, None), "hidden layer 3 is k-WTA: its gamma must be a number, got None"),
        ((0.4, None, 0.1), "hidden layer 3: gamma = 0.1 of 6 units"),
        ((0.4, None, [1]), "gamma must be a number"),
    ],
)
def test_a_gamma_that_is_refused_changes_nothing(gamma, match):
    net = build(MIXED, seed=0)
    with unchecked(), pytest.raises(ValueError, match=match):
        set_gamma(net, gamma)
    assert gammas_of(net) == (0.5, None, 0.5)


def test_set_gamma_refuses_networks_without_k_wta_and_shared_layers_with_two_values():
    with pytest.raises(ValueError, match="no k-WTA layer"):
        set_gamma(build(MLP((2, 3, 2)), seed=0), 0.5)
    shared = KWTA(0.5)
    net = nn.Sequential(nn.Linear(2, 4), shared, nn.Linear(4, 4), shared)
    with pytest.raises(ValueError, match="appears in several places"):
        set_gamma(net, (0.5, 0.25))
    set_gamma(net, (0.25, 0.25))
    assert shared.gamma == 0.25
    with pytest.raises(ValueError, match=r"gamma must lie in .* got 2"):
        set_gamma(net, 2.0)
