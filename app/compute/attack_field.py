"""The gradient on a coarse grid of a plane: exact in each cell, and averaged over a Gaussian as the attack does."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor, nn

from kwta.attacks.losses import margin
from kwta.slices import Slice

# Arrows along a side, and Gaussian draws for each smoothed one; the same draws at all points, so that arrows differ by
# what the network does and not by chance.
SIDE, DRAWS = 11, 400
BATCH = 20  # draws at a time


@dataclass(frozen=True, eq=False)
class Field:
    """Gradients of the margin at the points of a grid.

    t [n, 2]: the points. arrows [n, 2]: the gradients' parts along the plane. sigma: 0 for the exact gradient.
    """

    t: np.ndarray
    arrows: np.ndarray
    sigma: float


def field(net: nn.Module, plane: Slice, shape: tuple[int, ...], label: int, sigma: float, seed: int) -> Field:
    """The field of ∇margin; with sigma > 0 of the margin averaged over a Gaussian of that width."""
    low, high = plane.bounds
    places = low + (high - low) * ((np.arange(SIDE) + 0.5) / SIDE)[:, None]
    t = np.stack(np.meshgrid(places[:, 0], places[:, 1], indexing="xy"), axis=-1).reshape(-1, 2)
    x = torch.tensor(plane.points(t), dtype=next(net.parameters()).dtype).reshape(-1, *shape)
    gradients = _averaged(net, x, label, sigma, seed) if sigma else _exact(net, x, label)
    return Field(t, gradients.flatten(start_dim=1).double().numpy() @ plane.directions.T, sigma)


def _exact(net: nn.Module, x: Tensor, label: int) -> Tensor:
    x = x.requires_grad_()
    return torch.autograd.grad(_margin(net, x, label).sum(), x)[0]


@torch.no_grad()
def _averaged(net: nn.Module, x: Tensor, label: int, sigma: float, seed: int) -> Tensor:
    """Σ (L(x + σu) − L(x − σu)) u / (2σ · draws), as `attacks.estimators.Smoothed`."""
    generator = Generator().manual_seed(seed)
    total = torch.zeros_like(x)
    for _ in range(DRAWS // BATCH):
        u = torch.randn((BATCH, *x.shape[1:]), generator=generator)
        up, down = (
            _margin(net, (x[None] + sign * sigma * u[:, None]).flatten(end_dim=1), label).reshape(BATCH, len(x))
            for sign in (1, -1)
        )
        total += torch.einsum("un,u...->n...", up - down, u)
    return total / (2 * sigma * DRAWS)


def _margin(net: nn.Module, x: Tensor, label: int) -> Tensor:
    return margin(net(x), torch.full((len(x),), label))


def apart(one: Field, other: Field) -> float:
    """The mean angle in degrees between the arrows of two fields, where both have a direction; NaN if none has."""
    lengths = np.linalg.norm(one.arrows, axis=1) * np.linalg.norm(other.arrows, axis=1)
    known = lengths > 0
    cosines = (one.arrows * other.arrows).sum(axis=1)[known] / lengths[known]
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean()) if known.any() else float("nan")
