"""Slices along the loss gradient of a network at an input."""

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
    mode: a confident float32 network rounds the gradient to zero, and the network may be training in another thread.
    """
    twin = copy.deepcopy(net).to("cpu", torch.float64).eval().requires_grad_(False)
    point = torch.tensor(x, dtype=torch.float64).requires_grad_(True)
    logits = twin(point[None])
    if logits.ndim != 2 or not 0 <= label < logits.shape[1]:
        raise ValueError(f"label must lie in [0, {logits.shape[-1]}), got {label}")
    loss = nn.functional.cross_entropy(logits, torch.tensor([label]))
    (gradient,) = torch.autograd.grad(loss, point)
    return gradient.numpy().ravel()


def gradient_line(net: nn.Module, x: Real[ndarray, "..."], label: int, radius: float) -> Slice:
    """x + t g/‖g‖, |t| ≤ radius, g the gradient of the loss of `label` at x: the loss grows with t near 0.

    ValueError where the gradient is zero or not finite.
    """
    return around(x, radius, _steepest(net, x, label)[None])


def gradient_plane(net: nn.Module, x: Real[ndarray, "..."], label: int, seed: int, radius: float) -> Slice:
    """The square |t_i| ≤ radius around x along g/‖g‖, the loss gradient, and a random direction orthogonal to it."""
    random = np.random.default_rng(seed).standard_normal(x.size)
    return around(x, radius, np.stack([_steepest(net, x, label), random]))


def _steepest(net: nn.Module, x: Real[ndarray, "..."], label: int) -> Float[ndarray, "d"]:
    gradient = loss_gradient(net, x, label)
    largest = np.abs(gradient).max()
    if not (np.isfinite(largest) and largest > 0):
        raise ValueError(
            f"the loss gradient at this input has no direction, its largest entry is {largest}: "
            "choose another input, label or kind of slice"
        )
    return gradient / largest  # before any norm: squares of 1e-200 underflow
