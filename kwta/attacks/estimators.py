"""Where an attack's gradient comes from: back-propagation, or averages that see past the jumps of k-WTA.

An estimator looks at inputs and says loss, logits and gradient there. Loss and logits are always those of the real
network; the gradient is an estimate.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.averages import differences, mean_gradient
from kwta.attacks.losses import Loss
from kwta.attacks.surrogates import Backward, SoftTopK, StraightThrough, with_backward

Schedule = tuple[tuple[int, int], ...]  # (steps, samples): so many samples during so many steps, then the next pair


@dataclass(frozen=True)
class Exact:
    """∇ₓ L by back-propagation."""

    kind: Literal["exact"] = "exact"


@dataclass(frozen=True)
class Smoothed:
    """Σ (L(x + σu) − L(x − σu)) u / (2σ · pairs), u Gaussian: the gradient of L averaged over a Gaussian of width σ.

    Forward passes alone, so jumps count for what they do to the loss (Tramèr, Carlini, Brendel, Madry, 2020, section
    5). samples: forward passes per step, an even number, two for each u; a schedule lets them grow. Perturbed points
    are not clipped to the data box, as in the original.
    """

    sigma: float
    samples: int | Schedule = 100
    kind: Literal["smoothed"] = "smoothed"

    def __post_init__(self) -> None:
        _check_width(self.sigma)
        parts = self.samples if isinstance(self.samples, tuple) else ((1, self.samples),)
        if not parts or any(steps < 1 or samples < 2 or samples % 2 for steps, samples in parts):
            raise ValueError(f"samples must be an even number of at least 2, after at least 1 step, got {self.samples}")

    def pairs(self, step: int) -> int:
        """Gaussian draws at a step, from 0; after the end of the schedule its last number holds."""
        parts = self.samples if isinstance(self.samples, tuple) else ((1, self.samples),)
        for steps, samples in parts:
            if step < steps:
                return samples // 2
            step -= steps
        return parts[-1][1] // 2


@dataclass(frozen=True)
class Neighbours:
    """The mean of ∇L(x ± σu) over `samples` points, u Gaussian in antithetic pairs: gradients of neighbouring cells.

    An expectation over transformations (Athalye, Carlini, Wagner, ICML 2018). Without `backward` it averages what is
    within the cells and misses the jumps between them; a backward surrogate adds these.
    """

    sigma: float
    samples: int = 20
    backward: Backward | None = None
    kind: Literal["neighbours"] = "neighbours"

    def __post_init__(self) -> None:
        _check_width(self.sigma)
        if self.samples < 2 or self.samples % 2:
            raise ValueError(f"samples must be an even number of at least 2, got {self.samples}")


Gradient = Exact | Smoothed | Neighbours | StraightThrough | SoftTopK


@dataclass(frozen=True, eq=False)
class Estimate:
    """What was seen at some inputs, and the forward and backward passes that each of them took."""

    gradient: Float[Tensor, "batch *shape"]
    loss: Float[Tensor, "batch"]
    logits: Float[Tensor, "batch classes"]
    queries: Int64[Tensor, "batch"]
    backwards: Int64[Tensor, "batch"]


# (inputs, labels, step from 0, spare): `spare` leaves the gradient zero where the input is misclassified already.
Estimator = Callable[[Tensor, Tensor, int, bool], Estimate]
Average = Callable[[Tensor, Tensor, int], Tensor]  # (inputs, labels, pairs of points) -> gradients


def estimator(spec: Gradient, net: nn.Module, loss: Loss, generator: Generator) -> Estimator:
    """The estimator of a spec for a network in evaluation mode; its random numbers come from the generator."""
    match spec:
        case Exact():
            return partial(_exact, net, loss)
        case StraightThrough() | SoftTopK():
            return partial(_exact, with_backward(net, spec), loss)
        case Smoothed(sigma=sigma):
            return partial(_averaged, net, loss, partial(differences, net, loss, sigma, generator), spec.pairs, False)
        case Neighbours(sigma=sigma, backward=backward):
            source = net if backward is None else with_backward(net, backward)
            average = partial(mean_gradient, source, loss, sigma, generator)
            return partial(_averaged, net, loss, average, lambda _: spec.samples // 2, True)


def glance(net: nn.Module, loss: Loss, x: Tensor, labels: Tensor) -> Estimate:
    """Loss and logits at x in one forward pass; the gradient is left zero."""
    with torch.no_grad():
        logits = net(x)
        return Estimate(
            torch.zeros_like(x), loss(logits, labels), logits, torch.ones_like(labels), torch.zeros_like(labels)
        )


def _exact(net: nn.Module, loss: Loss, x: Tensor, labels: Tensor, _step: int, _spare: bool) -> Estimate:
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        logits = net(x)
        value = loss(logits, labels)
        (gradient,) = torch.autograd.grad(value.sum(), x)
    once = torch.ones_like(labels)
    return Estimate(gradient, value.detach(), logits.detach(), once, once)


def _averaged(
    net: nn.Module,
    loss: Loss,
    average: Average,
    pairs: Callable[[int], int],
    is_backward: bool,
    x: Tensor,
    labels: Tensor,
    step: int,
    spare: bool,
) -> Estimate:
    """A glance at x, and the average around those inputs that need it."""
    seen = glance(net, loss, x, labels)
    wanted = seen.logits.argmax(dim=1) == labels if spare else torch.ones_like(labels, dtype=torch.bool)
    gradient = seen.gradient
    if wanted.any():
        gradient[wanted] = average(x[wanted], labels[wanted], pairs(step))
    points = 2 * pairs(step) * wanted.long()
    return replace(seen, queries=1 + points, backwards=points if is_backward else torch.zeros_like(points))


def _check_width(sigma: float) -> None:
    if not (isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be a positive finite number, got {sigma}")
