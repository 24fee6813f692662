"""Networks worth attacking, trained on the digits once per test run, and a network that counts what it is asked."""

from functools import cache

import torch
from torch import Tensor, nn

from kwta.datasets import Digits, load
from kwta.networks import MLP, Network, build
from kwta.training import Training, train


@cache
def trained(gamma: float | None, seed: int = 0) -> Network:
    """64–256–256–10, fifteen epochs; at γ = 0.05 its gradients mislead."""
    net = build(MLP((64, 256, 256, 10), gamma), seed)
    for _ in train(net, load(Digits()), Training(epochs=15, seed=seed), device="cpu"):
        pass
    return net.eval()


def images(n: int) -> tuple[Tensor, Tensor]:
    """The first test digits and their labels."""
    data = load(Digits())
    return torch.tensor(data.x_test[:n]), torch.tensor(data.labels_test[:n])


def right(net: nn.Module, n: int) -> tuple[Tensor, Tensor]:
    """Of the first n test digits those that the network gets right."""
    x, labels = images(n)
    chosen = net(x).argmax(dim=1) == labels
    return x[chosen], labels[chosen]


class Counting(nn.Module):
    """Passes inputs on, and counts them; `tracked` are those that a gradient was asked for."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.seen, self.tracked = net, [0], [0]  # lists, so that copies count on
        self.eval()

    def __deepcopy__(self, memo: dict) -> "Counting":
        twin = Counting(self.net)
        twin.seen, twin.tracked = self.seen, self.tracked
        return twin

    def forward(self, x: Tensor) -> Tensor:
        self.seen[0] += len(x)
        self.tracked[0] += len(x) * x.requires_grad
        return self.net(x)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
