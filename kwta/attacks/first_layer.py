"""The affine layer that a network begins with, apart from the rest: what is linear needs no repetition.

Points x ± σu need W u once for both signs and W x + b once for all u, a sum of gradients needs Wᵀ once.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from kwta.networks import Network

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Split:
    """net(x) = rest(affine(x)), and affine(x + u) = affine(x) + linear(u)."""

    affine: Map
    linear: Map
    rest: Map

    def pull(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The gradient at x from the one at affine(x)."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(self.affine(x), x, gradient)[0]


def split(net: nn.Module) -> Split:
    """In two where a `Network` begins with a dense or convolutional layer; any other module is all rest."""
    layers = list(net) if isinstance(net, Network) else []
    match layers:
        case [nn.Flatten(), nn.Linear() as dense, *rest] if type(dense) is nn.Linear:
            return Split(
                lambda x: dense(x.flatten(start_dim=1)),
                lambda u: functional.linear(u.flatten(start_dim=1), dense.weight),
                nn.Sequential(*rest),
            )
        case [nn.Conv2d() as convolution, *rest] if type(convolution) is nn.Conv2d:
            return Split(
                convolution, lambda u: convolution._conv_forward(u, convolution.weight, None), nn.Sequential(*rest)
            )
    return Split(_same, _same, net)


def _same(x: Tensor) -> Tensor:
    return x
