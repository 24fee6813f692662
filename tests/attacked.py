"""What the attack tests attack: digits with small networks trained on them, and linear models with known optima."""

from functools import cache

import torch
from torch import Generator, Tensor, nn

from kwta.datasets import Data, Digits, load
from kwta.networks import MLP, Network, build
from kwta.training import Training, train


def generator(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@cache
def data() -> Data:
    return load(Digits())


def digits(n: int) -> tuple[Tensor, Tensor]:
    """The first n test images and their labels."""
    return torch.tensor(data().x_test[:n]), torch.tensor(data().labels_test[:n])


@cache
def trained(gamma: float | None, widths: tuple[int, ...] = (64, 64), epochs: int = 12) -> Network:
    """A network that knows the digits, in evaluation mode."""
    net = build(MLP((64, *widths, 10), gamma=gamma), seed=0)
    for _ in train(net, data(), Training(epochs=epochs), device="cpu"):
        pass
    return net.eval()


def linear(weight: Tensor, bias: Tensor) -> nn.Module:
    """z = W x + b on flattened inputs."""
    layer = nn.Linear(weight.shape[1], weight.shape[0]).to(weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return nn.Sequential(nn.Flatten(), layer).eval()


def accuracy(net: nn.Module, x: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((net(x).argmax(dim=1) == labels).double().mean())
