"""Slices along the loss gradient of a network at an input.

With the log-odds against the label, u = log Σ_{j ≠ label} exp(f_j − f_label), the cross-entropy is log(1 + eᵘ) and its
gradient σ(u) ∇u. Its direction is that of ∇u, which does not vanish however sure the network is; the usual p − onehot
rounds to zero, or to a wrong direction, as soon as p_label rounds to one.
"""

import copy

import numpy as np
import torch
from jaxtyping import Float, Real
from numpy import ndarray
from torch import nn

from kwta.slices.choose import around
from kwta.slices.slice import Slice


def loss_gradient(net: nn.Module, x: Real[ndarray, "..."], label: int) -> Float[ndarray, "d"]:
    """∇ₓ of the cross-entropy −log softmax(f(x))[label] at one input x, flattened.

    x has the network's input shape, without a batch axis. Computed in float64 on a copy of the network in evaluation
    mode: the network itself may be training in another thread.
    """
    odds, gradient = _log_odds(net, x, label)
    return gradient * float(torch.sigmoid(torch.tensor(odds, dtype=torch.float64)))


def gradient_line(net: nn.Module, x: Real[ndarray, "..."], label: int, radius: float) -> Slice:
    """x + t g/‖g‖, |t| ≤ radius, g the gradient of the loss of `label` at x: the loss grows with t near 0.

    ValueError where the gradient is zero or not finite.
    """
    return around(x, radius, _steepest(net, x, label)[None])


def gradient_plane(net: nn.Module, x: Real[ndarray, "..."], label: int, seed: int, radius: float) -> Slice:
    """The square |t_i| ≤ radius around x along g/‖g‖, the loss gradient, and a random direction orthogonal to it."""
    if x.size < 2:
        raise ValueError(f"a plane needs inputs with at least 2 entries, got {x.size}")
    random = np.random.default_rng(seed).standard_normal(x.size)
    return around(x, radius, np.stack([_steepest(net, x, label), random]))


def _steepest(net: nn.Module, x: Real[ndarray, "..."], label: int) -> Float[ndarray, "d"]:
    _, gradient = _log_odds(net, x, label)
    largest = np.abs(gradient).max()
    if not (np.isfinite(largest) and largest > 0):
        raise ValueError(
            f"the loss gradient at this input has no direction, its largest entry is {largest}: "
            "choose another input, label or kind of slice"
        )
    return gradient / largest  # before any norm: squares of 1e-200 underflow


def _log_odds(net: nn.Module, x: Real[ndarray, "..."], label: int) -> tuple[float, Float[ndarray, "d"]]:
    """u and ∇ₓu, see the head of this file."""
    twin = copy.deepcopy(net).to("cpu", torch.float64).eval().requires_grad_(False)
    point = torch.tensor(x, dtype=torch.float64).requires_grad_(True)
    logits = twin(point[None])[0]
    if logits.ndim != 1 or len(logits) < 2:
        raise ValueError(f"a loss gradient needs two logits or more for an input, got the shape {tuple(logits.shape)}")
    if not 0 <= label < len(logits):
        raise ValueError(f"label must lie in [0, {len(logits)}), got {label}")
    others = torch.arange(len(logits)) != label
    odds = torch.logsumexp(logits[others] - logits[label], dim=0)
    (gradient,) = torch.autograd.grad(odds, point)
    return odds.item(), gradient.numpy().ravel()
