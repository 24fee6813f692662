"""How far the pattern moves when the input does: A(x) against A(x + δ) for random δ in a ball."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Real
from numpy import ndarray
from torch import nn

from kwta.patterns.overlap import Measure, check_measure, distance
from kwta.patterns.winners import BATCH, evaluating, patterns

Norm = Literal["l2", "linf"]


@dataclass(frozen=True, eq=False)
class Perturbed:
    """Distances between A(x) and A(x + δ) per hidden layer: `distances[l]` [inputs, n], one column per δ.

    Hamming distances are numbers of units, out of `widths[l]`; Jaccard distances are 1 − J.
    """

    distances: tuple[Float[ndarray, "inputs n"], ...]
    widths: tuple[int, ...]
    radius: float
    norm: Norm
    n: int
    seed: int
    box: tuple[float, float] | None
    measure: Measure


def under_perturbation(
    net: nn.Module,
    x: Real[ndarray, "inputs ..."],
    radius: float,
    norm: Norm = "linf",
    n: int = 100,
    seed: int = 0,
    box: tuple[float, float] | None = None,
    measure: Measure = "hamming",
) -> Perturbed:
    """Distances between A(x) and A(x + δ) for n random δ, uniform in the ball of `radius`, per input and layer.

    The δ of input i come from (seed, i): more inputs leave the earlier ones as they are. See `perturbed` for the ball,
    the box and what is refused.
    """
    check_measure(measure)
    if len(x) == 0:
        raise ValueError(f"perturbations need at least one input, got shape {x.shape}")
    net = evaluating(net)
    rows = []
    for i, point in enumerate(x):
        moved = perturbed(point, radius, norm, n, np.random.default_rng((seed, i)), box)
        masks = patterns(net, np.concatenate([point[None], moved]), BATCH)
        rows.append([distance(layer[:1], layer[1:], measure) for layer in masks])
        widths = tuple(layer.shape[1] for layer in masks)
    found = tuple(np.stack(layer) for layer in zip(*rows, strict=True))
    return Perturbed(found, widths, float(radius), norm, n, seed, box, measure)


def perturbed(
    x: Real[ndarray, "*shape"],
    radius: float,
    norm: Norm,
    n: int,
    rng: np.random.Generator,
    box: tuple[float, float] | None = None,
) -> Float[ndarray, "n *shape"]:
    """n inputs x + δ in float64, δ uniform in the ball ‖δ‖₂ ≤ radius ("l2") or ‖δ‖∞ ≤ radius ("linf").

    The norms run over all entries of x. With a box = (low, high) the inputs are then clipped to it, entry by entry: x
    lies in the box, so they stay in the ball.

    Raises ValueError for a negative radius, n < 1, an unknown norm, or an x outside its box.
    """
    if not (np.isfinite(radius) and radius >= 0):
        raise ValueError(f"radius must be a finite number of at least 0, got {radius}")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if norm not in get_args(Norm):
        raise ValueError(f"norm must be one of {', '.join(get_args(Norm))}, got {norm!r}")
    if box is not None and not (box[0] <= x.min() and x.max() <= box[1]):
        raise ValueError(f"x must lie in the box [{box[0]:g}, {box[1]:g}], got entries from {x.min():g} to {x.max():g}")
    unit = _unit_l2(n, x.size, rng) if norm == "l2" else rng.uniform(-1, 1, (n, x.size))
    moved = x.astype(np.float64) + radius * unit.reshape(n, *x.shape)
    return moved if box is None else moved.clip(*box)


def _unit_l2(n: int, d: int, rng: np.random.Generator) -> Float[ndarray, "n d"]:
    """Uniform in the unit ball: a direction from a Gaussian, and the radius U^(1/d)."""
    gaussian = rng.standard_normal((n, d))
    directions = gaussian / np.linalg.norm(gaussian, axis=1, keepdims=True)
    return directions * rng.uniform(size=(n, 1)) ** (1 / d)
