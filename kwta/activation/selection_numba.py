"""Selection on the CPU in O(N): our kernel, parallel over rows with the GIL released."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kwta.activation.kernel import keep_rows, select_rows

# Entries per thread below which handing rows to another thread costs more than it saves (about 0.1 ms of work).
ENTRIES_PER_THREAD = 1 << 16


# What a kernel that is not to write an output gets in its place.
_NOTHING = {torch.float32: np.empty((0, 0), np.float32), torch.float64: np.empty((0, 0), np.float64)}


@cache
def _pool() -> ThreadPoolExecutor:
    """The threads of this process that help with large inputs; they are made when first needed."""
    return ThreadPoolExecutor(max(os.cpu_count() or 1, 2) - 1, thread_name_prefix="kwta-selection")


def _over_rows(kernel, entries: int, rows: int, *arguments) -> None:
    """Run the kernel over chunks of rows, on torch's number of threads where there is work enough."""
    parts = min(rows, entries // ENTRIES_PER_THREAD)
    if parts > 1:
        parts = min(parts, torch.get_num_threads())
    if parts <= 1:
        kernel(*arguments)
        return
    edges = [rows * i // parts for i in range(parts + 1)]
    chunks = [
        [a[start:end] if isinstance(a, np.ndarray) and len(a) else a for a in arguments]
        for start, end in pairwise(edges)
    ]
    others = [_pool().submit(kernel, *chunk) for chunk in chunks[1:]]
    kernel(*chunks[0])
    for other in others:
        other.result()


def _run(y: Tensor, k: int, out: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    array = y.detach().numpy()
    won = np.empty(array.shape, np.bool_)
    if array.size:
        bits = array.view(np.int32 if array.dtype == np.float32 else np.int64)
        quantile, slope = _expected(k, array.shape[1])
        _over_rows(select_rows, array.size, len(array), array, bits, k, quantile, slope, won, out, thresholds)
    return won


@lru_cache(maxsize=1024)
def _expected(k: int, n: int) -> tuple[float, float]:
    """Where the k-th largest of n normally distributed entries lies, and how many entries lie in a unit around it."""
    normal = NormalDist()
    quantile = normal.inv_cdf(1 - (k - 0.25) / (n + 0.5))
    return quantile, n * normal.pdf(quantile)


def _nothing(y: Tensor) -> np.ndarray:
    return _NOTHING[y.dtype]


def select(y: Float[Tensor, "rows n"], k: int) -> tuple[Float[Tensor, "rows n"], Bool[Tensor, "rows n"]]:
    """φ_k(y) and the mask of its winners."""
    out = torch.empty_like(y, requires_grad=False)
    won = _run(y, k, out.numpy(), _nothing(y))
    return out, torch.from_numpy(won)


def mask(y: Float[Tensor, "rows n"], k: int) -> Bool[Tensor, "rows n"]:
    """The k winners of each row."""
    return torch.from_numpy(_run(y, k, _nothing(y), _nothing(y)))


def thresholds(y: Float[Tensor, "rows n"], k: int) -> Float[Tensor, "rows 1"]:
    """The k-th largest entry of each row; NaN counts as +∞."""
    values = torch.empty((len(y), 1), dtype=y.dtype)
    _run(y, k, _nothing(y), values.numpy())
    return values


def keep(y: Float[Tensor, "rows n"], won: Bool[Tensor, "rows n"]) -> Float[Tensor, "rows n"]:
    """y where `won`, zero elsewhere."""
    out = torch.empty_like(y, requires_grad=False)
    if y.numel():
        _over_rows(keep_rows, y.numel(), len(y), y.detach().numpy(), won.numpy(), out.numpy())
    return out
