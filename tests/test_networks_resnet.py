"""ResNet-18 and AlexNet for small images: their published sizes, and what they compute, stated again in functions."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from some_networks import inputs, unchecked
from torch import nn
from torch.nn import functional as F  # noqa: N812

from kwta.activation import KWTA
from kwta.networks import (
    AlexNet,
    Network,
    Residual,
    ResNet18,
    activations,
    build,
    from_bytes,
    from_json,
    gammas_of,
    hidden,
    set_gamma,
    to_bytes,
    to_json,
    winners_of,
    won,
)

RESNET = ResNet18(classes=5, image=(2, 9, 12), width=4)
ALEXNET = AlexNet(classes=5, image=(2, 19, 16), width=3)
SMALL = (RESNET, ALEXNET, replace(ALEXNET, batch_norm=True))


def lively(spec, seed: int = 0) -> Network:
    """In float64 and evaluation mode, with running statistics that a misplaced batch norm would not survive."""
    net, generator = build(spec, seed).double().eval(), torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, (low, high) in (
                (module.running_mean, (-1, 1)),
                (module.running_var, (0.5, 2)),
                (module.weight, (0.5, 2)),
                (module.bias, (-1, 1)),
            ):
                values.detach().uniform_(low, high, generator=generator)
    return net


def winners(y: torch.Tensor, gamma: float) -> torch.Tensor:
    """φ_k over all of C×H×W by sorting, where no entries tie."""
    flat = y.flatten(1)
    top = flat.argsort(dim=1, descending=True)[:, : int(gamma * flat.shape[1])]
    return torch.zeros_like(flat).scatter(1, top, flat.gather(1, top)).reshape(y.shape)


def resnet(p: dict[str, torch.Tensor], x: torch.Tensor, act) -> torch.Tensor:
    """He et al., figure 2 and section 4.2, in functions on the weights p."""

    def conv_norm(x, conv, norm, stride, padding):
        y = F.conv2d(x, p[f"{conv}.weight"], stride=stride, padding=padding)
        mean, var = p[f"{norm}.running_mean"], p[f"{norm}.running_var"]
        return F.batch_norm(y, mean, var, p[f"{norm}.weight"], p[f"{norm}.bias"])

    x = act(conv_norm(x, "conv1", "norm1", 1, 1))
    for block in range(1, 9):
        stride = 2 if block in (3, 5, 7) else 1
        body, first, second = f"block{block}.body", 2 * block, 2 * block + 1
        y = act(conv_norm(x, f"{body}.conv{first}", f"{body}.norm{first}", stride, 1))
        y = conv_norm(y, f"{body}.conv{second}", f"{body}.norm{second}", 1, 1)
        side = f"block{block}.shortcut"
        x = act(y + (conv_norm(x, f"{side}.conv", f"{side}.norm", stride, 0) if stride == 2 else x))
    return F.linear(x.mean(dim=(2, 3)), p["output.weight"], p["output.bias"])


def alexnet(p: dict[str, torch.Tensor], x: torch.Tensor, act) -> torch.Tensor:
    for layer in range(1, 6):
        x = F.conv2d(x, p[f"conv{layer}.weight"], p[f"conv{layer}.bias"], stride=2 if layer == 1 else 1, padding=1)
        x = F.max_pool2d(act(x), 2) if layer in (1, 2, 5) else act(x)
    x = x.flatten(1)
    for layer in (6, 7):
        x = act(F.linear(x, p[f"linear{layer}.weight"], p[f"linear{layer}.bias"]))
    return F.linear(x, p["output.weight"], p["output.bias"])


@pytest.mark.parametrize("gamma", [None, 0.25])
@pytest.mark.parametrize(("spec", "stated"), [(RESNET, resnet), (ALEXNET, alexnet)], ids=["resnet", "alexnet"])
def test_the_network_is_what_the_paper_says_in_functions(spec, stated, gamma):
    net = lively(replace(spec, gamma=gamma))
    x = inputs(spec, dtype=torch.float64)
    expected = stated(net.state_dict(), x, F.relu if gamma is None else lambda y: winners(y, gamma))
    torch.testing.assert_close(net(x), expected, rtol=1e-10, atol=1e-10)


def test_the_sizes_are_the_published_ones():
    """11.17 M is the ResNet-18 of the field for 10 classes of 32×32; 23.27 M the AlexNet with 3×3 kernels."""
    assert ResNet18().n_parameters == 11_173_962
    assert AlexNet().n_parameters == 23_272_266
    assert sum(v.numel() for v in build(ResNet18(), 0).parameters()) == 11_173_962
    assert ResNet18(gamma=0.1).sizes == (65536,) * 5 + (32768,) * 4 + (16384,) * 4 + (8192,) * 4
    assert ResNet18(gamma=0.1).winners == (6553,) * 5 + (3276,) * 4 + (1638,) * 4 + (819,) * 4
    assert AlexNet().sizes == (64 * 16 * 16, 192 * 8 * 8, 384 * 4 * 4, 256 * 4 * 4, 256 * 4 * 4, 4096, 4096)


@pytest.mark.parametrize("spec", [*SMALL, ResNet18(3, (1, 1, 1), width=2), AlexNet(2, (1, 15, 33), width=1)], ids=repr)
def test_a_spec_counts_the_units_and_parameters_that_its_network_has(spec):
    net = build(spec, seed=0).eval()
    x = inputs(spec, 3)
    assert tuple(y[0].numel() for y in activations(net, x)) == spec.sizes
    assert sum(values.numel() for values in net.parameters()) == spec.n_parameters
    assert net(x).shape == (3, spec.outputs)
    assert len(hidden(net)) == len(spec.sizes)


@pytest.mark.parametrize("spec", SMALL, ids=repr)
def test_the_seed_alone_decides_the_weights_with_relu_and_with_k_wta(spec):
    relu, mixed = build(spec, 3), build(replace(spec, gamma=(0.25, None) * 8 + (0.5,)) if spec is RESNET else spec, 3)
    sparse, other = build(replace(spec, gamma=0.25), 3), build(spec, 4)
    for twin in (mixed, sparse):
        assert all(torch.equal(a, b) for a, b in zip(relu.parameters(), twin.parameters(), strict=True))
    drawn = [name for name, values in relu.named_parameters() if values.ndim > 1]
    assert all(not torch.equal(relu.get_parameter(name), other.get_parameter(name)) for name in drawn)
    assert all(module.weight.std() > 0 for module in relu.modules() if isinstance(module, nn.Conv2d))


def test_the_initialisation_is_that_of_pytorch():
    net = build(RESNET, seed=5)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                twin = type(module)
                shape = {"bias": module.bias is not None}
                fresh = (
                    twin(module.in_channels, module.out_channels, module.kernel_size, **shape)
                    if isinstance(module, nn.Conv2d)
                    else twin(module.in_features, module.out_features)
                )
                assert torch.equal(module.weight, fresh.weight)


@pytest.mark.parametrize("spec", SMALL, ids=repr)
def test_a_whole_feature_map_is_one_vector_with_exactly_k_winners(spec):
    spec = replace(spec, gamma=0.2)
    net = lively(spec)
    x = inputs(spec, dtype=torch.float64)
    for (_, module), y, k in zip(hidden(net), activations(net, x), spec.winners, strict=True):
        assert isinstance(module, KWTA)
        assert (won(module, y).flatten(1).sum(dim=1) == k).all()
    assert winners_of(net) == winners_of(net, x) == spec.winners


def test_in_a_block_winners_are_chosen_after_the_norm_and_after_the_sum():
    net = lively(replace(RESNET, gamma=0.2))
    names = [name for name, _ in net.named_modules()]
    for block in range(1, 9):
        inside = f"block{block}.body.activation{2 * block}"
        assert names[names.index(inside) - 1] == f"block{block}.body.norm{2 * block}"
        assert names.index(inside) < names.index(f"activation{2 * block + 1}")
    x = net[:3](inputs(RESNET, dtype=torch.float64))
    block = net.get_submodule("block1")
    assert isinstance(block, Residual)
    assert torch.equal(block(x), block.body(x) + x)


@pytest.mark.parametrize("spec", SMALL, ids=repr)
def test_json_and_checkpoints_bring_it_back(spec):
    spec = replace(spec, gamma=Fraction(1, 4))
    assert from_json(to_json(spec)) == spec
    net = build(spec, seed=1)
    net(inputs(spec))  # in training mode: batch norm has statistics to keep
    set_gamma(net, 0.5)
    back = from_bytes(to_bytes(net, {"note": 1}))
    assert (back.spec, back.seed, back.record, gammas_of(back)) == (spec, 1, {"note": 1}, (0.5,) * len(spec.sizes))
    assert torch.equal(back(inputs(spec)), net.eval()(inputs(spec)))


def test_gamma_may_differ_from_layer_to_layer():
    spec = replace(ALEXNET, gamma=(0.1, None, 0.5, 1.0, None, 0.25, 0.5))
    net = build(spec, 0)
    assert gammas_of(net) == spec.gamma
    with pytest.raises(ValueError, match="hidden layer 2 is ReLU"):
        set_gamma(net, (0.1,) * 7)
    with pytest.raises(ValueError, match="one entry per hidden layer, 17, got 2"):
        replace(RESNET, gamma=(0.1, 0.2))


@pytest.mark.parametrize("spec", SMALL, ids=repr)
def test_the_gradient_reaches_every_weight(spec):
    net = build(replace(spec, gamma=0.3), seed=2)
    net(inputs(spec, 8)).logsumexp(dim=1).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda: ResNet18(image=(32, 32)), r"image must be \(channels, height, width\), got \(32, 32\)"),
        (lambda: ResNet18(classes=0), "classes must be made of positive"),
        (lambda: ResNet18(width=2.5), "width must be made of positive whole numbers"),
        (lambda: ResNet18(gamma=1e-4), "hidden layer 14: gamma = 0.0001 of 8192 units leaves no winner"),
        (lambda: ResNet18(init="xavier"), "init must be one of default, he, got 'xavier'"),
        (lambda: ResNet18(kind="cnn"), "the kind of ResNet18 is 'resnet18', got 'cnn'"),
        (lambda: AlexNet(image=(3, 14, 32)), r"images of at least 15×15, got \(3, 14, 32\)"),
        (lambda: AlexNet(batch_norm=1), "batch_norm must be True or False, got 1"),
        (lambda: AlexNet(kind="mlp"), "the kind of AlexNet is 'alexnet', got 'mlp'"),
    ],
)
def test_what_is_not_allowed_is_named(wrong, match):
    with unchecked(), pytest.raises(ValueError, match=match):
        wrong()
