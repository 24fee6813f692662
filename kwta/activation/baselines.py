"""Activations to compare φ_k with: ReLU, local winner-take-all, max pooling."""

import torch
from jaxtyping import Float
from torch import Tensor


def relu(y: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
    """max(y, 0), entry by entry."""
    return torch.relu(y)


def _blocks(y: Tensor, size: int) -> Tensor:
    if size < 1 or y.shape[-1] % size:
        raise ValueError(f"the block size must be a divisor of the {y.shape[-1]} entries, got {size}")
    return y.unflatten(-1, (-1, size))


def local_winners(y: Float[Tensor, "*batch n"], size: int) -> Float[Tensor, "*batch n"]:
    """Local winner-take-all: in every block of `size` neighbours keep the largest entry, set the others to zero.

    The first of several equal entries wins. Source: Srivastava et al., "Compete to Compute", NIPS 2013.
    """
    blocks = _blocks(y, size)
    # argmax may return any of several equal entries; the first maximum is where the running count of maxima is one.
    largest = blocks == blocks.amax(dim=-1, keepdim=True)
    first = largest & (largest.cumsum(dim=-1) == 1)
    return torch.where(first, blocks, 0).flatten(-2)


def max_pool(y: Float[Tensor, "*batch n"], size: int) -> Float[Tensor, "*batch m"]:
    """The largest entry of every block of `size` neighbours: n/size values."""
    return _blocks(y, size).amax(dim=-1)
