"""How large jumps are: in a norm or of one logit, and their distribution over borders."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

Norm = Literal["l1", "l2", "linf"]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NEGLIGIBLE = 1e-12  # of the terms that f is summed from: a smaller jump is rounding, and counts as none


def sizes(
    jumps: Float[ndarray, "*borders outputs"], norm: Norm = "l2", logit: int | None = None
) -> Float[ndarray, "*borders"]:
    """‖jump‖ over the outputs in the norm, or |jump| of one logit if its number is given.

    >>> sizes(np.array([[3.0, -4.0]])), sizes(np.array([[3.0, -4.0]]), logit=1)
    (array([5.]), array([4.]))

    Raises ValueError on another norm or a logit that does not exist.
    """
    if logit is not None:
        n = jumps.shape[-1]
        if not 0 <= logit < n:
            raise ValueError(f"logit must lie in 0..{n - 1}, got {logit}")
        return np.abs(jumps[..., logit])
    if norm not in get_args(Norm):
        raise ValueError(f"norm must be one of {', '.join(get_args(Norm))}, got {norm!r}")
    order = {"l1": 1, "l2": 2, "linf": np.inf}[norm]
    return np.asarray(np.linalg.norm(jumps, ord=order, axis=-1))


@dataclass(frozen=True, eq=False)
class Summary:
    """The distribution of jump sizes over borders, each weighted by its length (on a line: each border once).

    n: borders; length: their total length (on a line their number); continuous: the part of that without a jump.
    quantiles: at QUANTILES, of all borders, those without a jump included; mean; largest: anywhere on a border.
    """

    n: int
    length: float
    continuous: float
    quantiles: Float[ndarray, "quantiles"]
    mean: float
    largest: float


def summary(
    size: Float[ndarray, "borders"], weight: Float[ndarray, "borders"], largest: Float[ndarray, "borders"]
) -> Summary:
    """Of borders with the given typical sizes, lengths and greatest sizes. Of no borders all sizes are NaN."""
    total = float(weight.sum())
    if not len(size) or not total:
        nothing = float("nan")
        return Summary(len(size), total, nothing, np.full(len(QUANTILES), nothing), nothing, nothing)
    return Summary(
        n=len(size),
        length=total,
        continuous=float(weight[largest == 0].sum()) / total,
        quantiles=weighted_quantiles(size, weight, np.array(QUANTILES)),
        mean=float(size @ weight) / total,
        largest=float(largest.max()),
    )


def by_layer(
    size: Float[ndarray, "borders"],
    weight: Float[ndarray, "borders"],
    largest: Float[ndarray, "borders"],
    layer: Int[ndarray, "borders"],
    n_layers: int,
) -> tuple[Summary, ...]:
    """`summary` of the borders of each hidden layer."""
    return tuple(summary(size[layer == i], weight[layer == i], largest[layer == i]) for i in range(n_layers))


def weighted_quantiles(
    values: Float[ndarray, "n"], weights: Float[ndarray, "n"], shares: Float[ndarray, "quantiles"]
) -> Float[ndarray, "quantiles"]:
    """For each share the smallest value such that values up to it have at least this share of the total weight."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, shares * reached[-1] * (1 - 4 * np.finfo(float).eps))
    return values[order][np.minimum(places, len(values) - 1)]
