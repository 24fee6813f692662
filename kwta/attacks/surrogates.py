"""The same network with another backward pass: what the gradient would be if k-WTA were less abrupt.

Forward nothing changes, bit by bit. Backward, φ_k is replaced by a function that resembles it and has a gradient where
φ_k jumps (backward pass differentiable approximation: Athalye, Carlini, Wagner, ICML 2018, section 4.1).
"""

from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from math import ceil, isfinite
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kwta.activation import KWTA, kwta


@dataclass(frozen=True)
class StraightThrough:
    """Backward pretends more winners: the gradient flows to the k + ⌈extra · N⌉ largest of a layer's N units.

    extra: a share in (0, 1] of the units; at 1 every unit passes its gradient on.
    """

    extra: float = 0.1
    kind: Literal["straight-through"] = "straight-through"

    def __post_init__(self) -> None:
        if not 0 < self.extra <= 1:
            raise ValueError(f"extra must be a share of the units in (0, 1], got {self.extra}")

    def soft(self, y: Float[Tensor, "*batch n"], k: int) -> Float[Tensor, "*batch n"]:
        """φ with more winners than k."""
        n = y.shape[-1]
        return kwta(y, min(n, k + ceil(self.extra * n)))


@dataclass(frozen=True)
class SoftTopK:
    """Backward is that of y · σ((y − τ) / T), τ midway between the k-th and the (k + 1)-th largest entry.

    τ moves with these two entries, so that the gradient knows that one unit's gain is another's loss.
    temperature: T in standard deviations of the row; towards 0 the gradient becomes that of φ_k.
    """

    temperature: float = 0.1
    kind: Literal["soft-top-k"] = "soft-top-k"

    def __post_init__(self) -> None:
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature must be a positive finite number, got {self.temperature}")

    def soft(self, y: Float[Tensor, "*batch n"], k: int) -> Float[Tensor, "*batch n"]:
        """φ with a soft threshold."""
        if k == y.shape[-1]:
            return y
        threshold = y.topk(k + 1, dim=-1).values[..., -2:].mean(dim=-1, keepdim=True)
        spread = y.detach().std(dim=-1, keepdim=True).clamp(min=torch.finfo(y.dtype).tiny)
        return y * torch.sigmoid((y - threshold) / (self.temperature * spread))


Backward = StraightThrough | SoftTopK


def with_backward(net: nn.Module, backward: Backward) -> nn.Module:
    """A copy of the network whose k-WTA layers have another backward pass; ReLU layers keep theirs."""
    copy = deepcopy(net)
    for module in copy.modules():
        if isinstance(module, KWTA):  # hooks and type stay: patterns are found in the copy as in the network
            module.forward = partial(_forward, module, backward)
    return copy


def _forward(layer: KWTA, backward: Backward, y: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    dims = layer.dims if layer.dims is not None else max(y.ndim - 1, 1)
    rows = y.flatten(start_dim=y.ndim - dims).clone()  # a layer that replaced an in-place ReLU overwrites y
    k = layer.winners(rows.shape[-1])
    soft = backward.soft(rows, k)
    return (kwta(rows.detach(), k) + (soft - soft.detach())).reshape(y.shape)
