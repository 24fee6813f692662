"""Selection in plain torch operations: every device, every floating type; the twin the kernels are tested against."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def _without_nan(y: Tensor) -> Tensor:
    return torch.where(torch.isnan(y), torch.inf, y)


def thresholds(y: Float[Tensor, "rows n"], k: int) -> Float[Tensor, "rows 1"]:
    """The k-th largest entry of each row; NaN counts as +∞."""
    return torch.topk(_without_nan(y), k, dim=-1, sorted=True).values[:, -1:]


def mask(y: Float[Tensor, "rows n"], k: int) -> Bool[Tensor, "rows n"]:
    """The k winners of each row: all above the k-th largest value, then the first of those equal to it."""
    y = _without_nan(y)
    threshold = thresholds(y, k)
    above, equal = y > threshold, y == threshold
    places = k - above.sum(dim=-1, keepdim=True)
    return above | (equal & (equal.cumsum(dim=-1) <= places))


def select(y: Float[Tensor, "rows n"], k: int) -> tuple[Float[Tensor, "rows n"], Bool[Tensor, "rows n"]]:
    """φ_k(y) and the mask of its winners."""
    won = mask(y, k)
    return torch.where(won, y, 0), won


def keep(y: Float[Tensor, "rows n"], won: Bool[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
    """y where `won`, zero elsewhere."""
    return torch.where(won, y, 0)
