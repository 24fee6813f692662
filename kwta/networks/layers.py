"""Pieces of networks as named modules, their weights not yet set. No random numbers are drawn."""

from collections.abc import Iterator
from typing import Any

from torch import nn
from torch.nn.utils import skip_init

from kwta.activation import KWTA
from kwta.networks.fields import Ratio

Named = Iterator[tuple[str, nn.Module]]


def activation(gamma: Ratio | None) -> nn.Module:
    """φ_k over everything after the batch dimension, or ReLU if γ is None."""
    return nn.ReLU() if gamma is None else KWTA(gamma)


def convolution(n_in: int, n_out: int, kernel: int, options: dict[str, Any], **sides: Any) -> nn.Module:
    """A convolution of square kernels; `sides` are stride, padding and bias."""
    return skip_init(nn.Conv2d, n_in, n_out, kernel, **sides, **options)


def dense(widths: tuple[int, ...], gammas: tuple[Ratio | None, ...], first: int, options: dict[str, Any]) -> Named:
    """Linear and activation for each hidden layer, numbered from `first`, and the affine output layer."""
    for layer, gamma in enumerate(gammas):
        yield f"linear{first + layer}", skip_init(nn.Linear, widths[layer], widths[layer + 1], **options)
        yield f"activation{first + layer}", activation(gamma)
    yield "output", skip_init(nn.Linear, widths[-2], widths[-1], **options)
