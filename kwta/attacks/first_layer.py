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
    """In two where a `Network` begins with a dense or convolutional layer; any other module is all rest.

    So is one with a forward of its own or with hooks around these layers, which may do anything.
    """
    match list(net) if type(net) is Network and _is_plain(net) else []:
        case [nn.Flatten(start_dim=1, end_dim=-1) as flat, nn.Linear() as dense, *rest] if (
            type(dense) is nn.Linear and _is_plain(flat) and _is_plain(dense)
        ):
            return Split(
                lambda x: dense(flat(x)), lambda u: functional.linear(flat(u), dense.weight), nn.Sequential(*rest)
            )
        case [nn.Conv2d() as convolution, *rest] if type(convolution) is nn.Conv2d and _is_plain(convolution):
            return Split(
                convolution, lambda u: convolution._conv_forward(u, convolution.weight, None), nn.Sequential(*rest)
            )
    return Split(_same, _same, net)


def _is_plain(module: nn.Module) -> bool:
    return not (module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module))


def _same(x: Tensor) -> Tensor:
    return x
