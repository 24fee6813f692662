"""A(x): the winner sets of all hidden layers of a network at given inputs."""

import copy
from collections.abc import Iterator
from math import prod

import numpy as np
import torch
from jaxtyping import Bool, Float, Real
from numpy import ndarray
from torch import Tensor, nn

from kwta.networks import calls, won

BATCH = 256  # inputs per forward pass: the pre-activations of a convolutional layer take megabytes each

Patterns = tuple[Bool[ndarray, "batch _"], ...]


def patterns(net: nn.Module, x: Real[ndarray, "batch ..."] | Real[Tensor, "batch ..."], batch: int = BATCH) -> Patterns:
    """A(x), one mask [batch, n_l] per hidden layer: True at the winners of k-WTA, at y > 0 of ReLU.

    Inputs have the network's input shape; a C×H×W layer is flattened to n_l = C·H·W units. Ties are decided as in the
    network itself (lower index wins); ReLU at y = 0 is off. Always in evaluation mode: a network in training is copied
    first, so batch norm learns nothing and another thread may go on training. A module that is called several times
    gives several layers. The network's own precision decides: near a border float32 and float64 may differ.

    >>> [layer.sum(axis=1).tolist() for layer in patterns(build(MLP((2, 8, 6, 2), gamma=0.5), seed=0), np.eye(2))]
    [[4, 4], [3, 3]]

    Raises ValueError on NaN or infinite inputs, and for a network without a hidden layer.
    """
    parts = list(in_batches(net, x, batch))
    return tuple(np.concatenate(layer) for layer in zip(*parts, strict=True))


def in_batches(
    net: nn.Module, x: Real[ndarray, "batch ..."] | Real[Tensor, "batch ..."], batch: int = BATCH
) -> Iterator[Patterns]:
    """The patterns of `batch` inputs at a time, for more inputs than their masks fit in memory."""
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if len(x) == 0:
        raise ValueError(f"patterns need at least one input, got shape {tuple(x.shape)}")
    net = evaluating(net)
    for start in range(0, len(x), batch):
        yield _at(net, _fitting(net, x[start : start + batch]))


def evaluating(net: nn.Module) -> nn.Module:
    """The network itself where it is in evaluation mode, otherwise a copy that is."""
    return copy.deepcopy(net).eval() if any(module.training for module in net.modules()) else net


def shaped(net: nn.Module, x: Float[ndarray, "batch d"], shape: tuple[int, ...] | None) -> Float[ndarray, "batch ..."]:
    """Flat inputs in the network's input shape: `shape`, by default that of its spec, else as they are."""
    known: tuple[int, ...] = shape or getattr(getattr(net, "spec", None), "input_shape", x.shape[1:])
    if prod(known) != x.shape[1]:
        raise ValueError(f"inputs with {x.shape[1]} entries do not fit the network's input shape {known}")
    return x.reshape(len(x), *known)


@torch.no_grad()
def _at(net: nn.Module, x: Tensor) -> Patterns:
    layers = tuple(won(module, y).flatten(start_dim=1).cpu().numpy() for module, y in calls(net, x))
    if not layers:
        raise ValueError("the network has no hidden layer (k-WTA or ReLU), so there is no pattern")
    return layers


def _fitting(net: nn.Module, x: ndarray | Tensor) -> Tensor:
    """x on the network's device in the network's precision."""
    like = next((p for p in net.parameters() if p.is_floating_point()), torch.empty(0))
    copied = torch.tensor(x) if isinstance(x, ndarray) else x  # data sets are read-only, which torch cannot share
    inputs = copied.to(like.dtype).to(like.device)
    if not torch.isfinite(inputs).all():
        first = int((~torch.isfinite(inputs)).flatten(start_dim=1).any(dim=1).nonzero()[0])
        raise ValueError(f"inputs must be finite in {like.dtype}, got NaN or infinity in input {first} of its batch")
    return inputs
