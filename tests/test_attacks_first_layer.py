"""What passes through the first layer once instead of for every point gives the same averages."""

import pytest
import torch
from attacked import generator
from torch import nn

from kwta.attacks import averages
from kwta.attacks.first_layer import Split, split
from kwta.attacks.losses import margin
from kwta.networks import CNN, MLP, AlexNet, Network, ResNet18, Spec, build

SPECS: list[Spec] = [
    MLP((12, 9, 7, 3), gamma=0.4),
    MLP((12, 9, 3)),
    MLP((12, 3)),
    CNN((1, 6, 8), (4, 5), 3, gamma=0.3, hidden=(6,)),
    CNN((2, 8, 8), (4,), 3, batch_norm=True),
    ResNet18(gamma=0.1, width=4),
    AlexNet(gamma=0.1, width=8),
]


class Multiplied(torch.overrides.TorchFunctionMode):
    """How many rows each product with a dense layer's weight, or with this weight alone, has."""

    def __init__(self, weight: torch.Tensor | None = None) -> None:
        super().__init__()
        self.weight, self.rows = weight, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is nn.functional.linear and (self.weight is None or self.weight is args[1]):
            self.rows.append(len(args[0]))
        return func(*args, **(kwargs or {}))


def network(spec: Spec) -> Network:
    return build(spec, seed=0).double().eval()


def inputs(net: Network, n: int) -> torch.Tensor:
    first = next(layer for layer in net if isinstance(layer, nn.Linear | nn.Conv2d))
    shape = (2, first.in_features // 2) if isinstance(first, nn.Linear) else getattr(net.spec, "image", (3, 32, 32))
    return torch.rand(n, *shape, generator=generator(5), dtype=torch.float64)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_split_network_is_the_network_and_its_first_layer_is_affine(spec):
    net = network(spec)
    cut, x = split(net), inputs(net, 4)
    assert len(list(cut.rest.children())) < len(list(net.children()))
    torch.testing.assert_close(cut.rest(cut.affine(x)), net(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(cut.affine(x[:2]) + cut.linear(x[2:]), cut.affine(x[:2] + x[2:]), rtol=1e-12, atol=1e-12)
    weights = torch.randn(cut.affine(x).shape, generator=generator(1), dtype=torch.float64)
    pulled = cut.pull(x, weights)
    torch.testing.assert_close((pulled * x).sum(), (weights * cut.linear(x)).sum(), rtol=1e-9, atol=1e-9)  # ⟨Wᵀg, x⟩


@pytest.mark.parametrize("average", [averages.differences, averages.mean_gradient])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_averages_are_those_of_the_whole_network(monkeypatch, spec, average):
    net = network(spec)
    x, labels = inputs(net, 3), torch.tensor([0, 1, 2])
    if isinstance(spec, ResNet18 | AlexNet):
        x, labels = x[:1], labels[:1]
    found = average(net, margin, 0.05, generator(2), x, labels, 9)
    monkeypatch.setattr(averages, "split", lambda net: Split(lambda x: x, lambda u: u, net))
    expected = average(net, margin, 0.05, generator(2), x, labels, 9)
    size = expected.abs().max()
    torch.testing.assert_close(found / size, expected / size, rtol=1e-8, atol=1e-8)


def test_only_half_of_the_points_pass_the_first_layer():
    net = network(SPECS[0])
    x, labels = inputs(net, 2), torch.tensor([0, 1])
    with Multiplied(net[1].weight) as first:
        averages.differences(net, margin, 0.1, generator(), x, labels, 50)
    assert sum(first.rows) == 2 * 50 + 2


class Mirrored(Network):
    """A forward of its own around the layers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(1 - x)


def hooked(index: int | None, before: bool) -> Network:
    """A network with a hook on itself or one of its layers that mirrors what passes."""
    net = Network(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    module = net if index is None else net[index]
    if before:
        module.register_forward_pre_hook(lambda _module, given: (1 - given[0],))
    else:
        module.register_forward_hook(lambda _module, _given, found: 1 - found)
    return net


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(4, 2)),
        Network(nn.Flatten(), nn.ReLU(), nn.Linear(4, 2)),
        Network(nn.ReLU(), nn.Flatten(), nn.Linear(4, 2)),
        Network(nn.Flatten(2), nn.Linear(4, 2)),
        Network(nn.Flatten(), nn.utils.parametrizations.weight_norm(nn.Linear(4, 2))),
        Mirrored(nn.Flatten(), nn.Linear(4, 2)),
        *(hooked(index, before) for index in (None, 0, 1) for before in (False, True)),
    ],
    ids=lambda net: type(net).__name__,
)
def test_what_begins_otherwise_is_left_whole(net):
    cut = split(net)
    x = torch.rand(3, 4)
    assert cut.rest is net
    assert cut.affine(x) is x
    assert cut.linear(x) is x
    assert torch.equal(cut.pull(x, 2 * x), 2 * x)


@pytest.mark.parametrize("average", [averages.differences, averages.mean_gradient])
def test_a_hook_on_the_network_is_part_of_what_is_attacked(average):
    net = Network(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)).double().eval()
    x, labels = torch.rand(3, 4, dtype=torch.float64, generator=generator(3)), torch.tensor([0, 1, 1])
    plain = average(net, margin, 0.01, generator(), 1 - x, labels, 400)
    net.register_forward_pre_hook(lambda _module, given: (1 - given[0],))
    mirrored = average(net, margin, 0.01, generator(), x, labels, 400)
    torch.testing.assert_close(mirrored, -plain, rtol=0.1, atol=0.02)


@pytest.mark.parametrize("average", [averages.differences, averages.mean_gradient])
def test_a_layer_behind_the_first_may_write_into_its_input(average):
    nets = [
        Network(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(inplace=inplace), nn.Linear(5, 2)).double().eval()
        for inplace in (False, True)
    ]
    nets[1].load_state_dict(nets[0].state_dict())
    x, labels = torch.rand(3, 4, dtype=torch.float64, generator=generator(3)), torch.tensor([0, 1, 1])
    found = [average(net, margin, 0.1, generator(), x, labels, 30) for net in nets]
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("average", [averages.differences, averages.mean_gradient])
def test_no_pass_through_any_layer_is_larger_than_allowed_however_many_inputs_there_are(monkeypatch, average):
    """A first layer of many outputs would take far more memory than all the inputs."""
    net = network(MLP((4, 50, 3)))
    monkeypatch.setattr(averages, "ENTRIES_CPU", 20 * 50)
    with Multiplied() as every:
        average(net, margin, 0.1, generator(), torch.rand(90, 2, 2, dtype=torch.float64), torch.zeros(90).long(), 3)
    assert max(every.rows) <= 20
