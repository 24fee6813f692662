"""Building: seeds, initialisations, the layers and what they compute."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from some_networks import inputs, specs
from torch import nn
from torch.nn import functional as F  # noqa: N812

from kwta.activation import KWTA
from kwta.networks import CNN, MLP, Network, activations, build, hidden

IMAGE_NET = CNN((2, 9, 8), channels=(3, 4), classes=5, hidden=(16,), gamma=0.25)


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    """Equal state to the last bit."""
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[name], y[name]) for name in x)


def test_the_default_initialisation_is_that_of_pytorch():
    with torch.random.fork_rng():
        torch.manual_seed(11)
        twin = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(3 * 9 * 8, 16), nn.Linear(16, 5))
    net = build(CNN((2, 9, 8), (3,), 5, pool=1, batch_norm=False, hidden=(16,)), seed=11)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))


def test_he_weights_have_variance_two_over_fan_in():
    net = build(CNN((3, 16, 16), (64,), 300, pool=4, batch_norm=False, hidden=(500,), init="he"), seed=2)
    fans = {"conv1": 3 * 9, "linear2": 64 * 16, "output": 500}
    for name, fan_in in fans.items():
        layer = net.get_submodule(name)
        for values, std in ((layer.weight, sqrt(2 / fan_in)), (layer.bias, 0.5)):
            n = values.numel()
            assert abs(values.mean()) < 5 * std / sqrt(n)
            assert abs(values.std() - std) < 5 * std / sqrt(2 * n)


@settings(max_examples=40)
@given(specs, st.integers(0, 2**63 - 1))
def test_the_seed_alone_decides_the_weights(spec, seed):
    net = build(spec, seed)
    assert net.spec == spec
    assert net.seed == seed
    assert same_weights(net, build(spec, seed))
    assert same_weights(net, build(replace(spec, gamma=None), seed))
    assert same_weights(net, build(replace(spec, gamma=1.0), seed)) if spec.sizes else True
    assert not same_weights(net, build(spec, (seed + 1) % 2**63))


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(ValueError, match=rf"seed must be a whole number in .* got {seed}"):
        build(MLP((2, 3)), seed)


def test_pytorchs_own_generator_is_neither_read_nor_changed():
    with torch.random.fork_rng():
        before = torch.get_rng_state()
        first = build(IMAGE_NET, seed=3)
        assert torch.equal(before, torch.get_rng_state())
        torch.manual_seed(99)
        assert same_weights(first, build(IMAGE_NET, seed=3))


def test_threads_that_build_do_not_disturb_each_other():
    expected = build(IMAGE_NET, seed=3)

    def building(_: int) -> bool:
        return all(same_weights(expected, build(IMAGE_NET, seed=3)) for _ in range(10))

    def drawing(_: int) -> bool:
        return all(torch.randn(50).numel() for _ in range(200))

    with ThreadPoolExecutor(8) as pool:
        results = [*pool.map(building, range(4)), *pool.map(drawing, range(4))]
    assert all(results)


def test_the_network_is_float32_whatever_the_default():
    torch.set_default_dtype(torch.float64)
    try:
        net = build(IMAGE_NET, seed=0)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {values.dtype for values in net.parameters()} == {torch.float32}
    assert net.get_buffer("norm1.running_var").dtype == torch.float32


@settings(max_examples=40)
@given(specs)
def test_exactly_k_units_win_in_each_layer(spec):
    net = build(spec, seed=5).double().eval()
    x = inputs(spec, dtype=torch.float64)
    for y, k, (_, module) in zip(activations(net, x), spec.winners, hidden(net), strict=True):
        assert isinstance(module, nn.ReLU if k is None else KWTA)
        for row, kept in zip(y.flatten(1), module(y).flatten(1), strict=True):
            if k is not None and (row != 0).all():  # otherwise a winner cannot be told from a loser
                assert (kept != 0).sum() == k
                assert row.masked_fill(kept == 0, torch.inf).min() >= row.masked_fill(kept != 0, -torch.inf).max()
                assert torch.equal(kept[kept != 0], row[kept != 0])


def test_with_gamma_one_the_network_is_affine():
    net = build(MLP((3, 20, 30, 2), gamma=1.0), seed=1).double()
    x = inputs(net.spec, 10, torch.float64)
    W, b = torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for layer in (layer for layer in net if isinstance(layer, nn.Linear)):
        W, b = layer.weight @ W, layer.weight @ b + layer.bias
    torch.testing.assert_close(net(x), x @ W.T + b, rtol=1e-12, atol=1e-13)


def test_images_may_be_flat_or_not():
    net = build(MLP((64, 20, 10), gamma=0.2), seed=0)
    x = torch.rand(4, 64)
    assert torch.equal(net(x), net(x.reshape(4, 1, 8, 8)))


def test_a_cnn_is_convolution_norm_winners_pool_and_then_dense():
    net = build(replace(IMAGE_NET, gamma=(0.25, None, 0.5)), seed=4).double().eval()
    for n in (1, 2):  # statistics that a forgotten or misplaced batch norm would not survive
        net.get_buffer(f"norm{n}.running_mean").uniform_(-1, 1, generator=torch.Generator().manual_seed(n))
        net.get_buffer(f"norm{n}.running_var").uniform_(0.5, 2, generator=torch.Generator().manual_seed(n))
    p = net.state_dict()
    x = inputs(IMAGE_NET, dtype=torch.float64)

    def conv(x, n):
        y = F.conv2d(x, p[f"conv{n}.weight"], padding=1)
        mean, var = p[f"norm{n}.running_mean"], p[f"norm{n}.running_var"]
        return F.batch_norm(y, mean, var, p[f"norm{n}.weight"], p[f"norm{n}.bias"])

    def keep(y, k):
        flat = y.flatten(1)
        top = flat.topk(k).indices
        return torch.zeros_like(flat).scatter(1, top, flat.gather(1, top)).reshape(y.shape)

    x = F.avg_pool2d(keep(conv(x, 1), 3 * 9 * 8 // 4), 2)
    x = F.avg_pool2d(conv(x, 2).clamp(min=0), 2)
    x = keep(F.linear(x.flatten(1), p["linear3.weight"], p["linear3.bias"]), 8)
    expected = F.linear(x, p["output.weight"], p["output.bias"])
    torch.testing.assert_close(net(inputs(IMAGE_NET, dtype=torch.float64)), expected, rtol=1e-12, atol=1e-12)


def test_only_layers_that_exact_methods_can_walk_through():
    allowed = (nn.Flatten, nn.Linear, nn.Conv2d, nn.BatchNorm2d, nn.AvgPool2d, KWTA, nn.ReLU)
    for spec in (IMAGE_NET, MLP((2, 8, 8, 2), gamma=(0.5, None))):
        net = build(spec, seed=0)
        assert isinstance(net, nn.Sequential)
        assert all(type(layer) in allowed for layer in net)
        x = inputs(spec)
        walked = x
        for layer in net.eval():
            walked = layer(walked)
        assert torch.equal(walked, net(x))


def test_a_slice_of_a_network_is_one_without_spec():
    part = build(MLP((2, 8, 8, 2)), seed=0)[:3]
    assert isinstance(part, Network)
    assert part.spec is None
