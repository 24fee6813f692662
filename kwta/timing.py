"""How long φ_k takes, measured here and now, against the formula that is usually written for it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from kwta.activation import kwta, winners
from kwta.devices import describe, pick

# Row lengths from a small layer to a large feature map.
SIZES = (64, 256, 1024, 4096, 16384, 65536)
# Entries per call, whatever the row length: enough that calling costs little, few enough for the cache.
ENTRIES = 1 << 18
REPEATS = 9
# A slow machine repeats less, so that a page does not wait: seconds for one row length, both ways of computing it.
SECONDS_PER_SIZE = 0.3
# Fewer would have no median worth the name.
FEWEST = 3


@dataclass(frozen=True)
class Comparison:
    """What is measured: rows of each length in `sizes`, normally distributed float32 entries, k = ⌊γN⌋."""

    gamma: float = 0.2
    sizes: tuple[int, ...] = SIZES
    entries: int = ENTRIES
    repeats: int = REPEATS
    device: str = "auto"
    seed: int = 0
    kind: Literal["comparison"] = "comparison"


@dataclass(frozen=True, eq=False)
class Timing:
    """Seconds per entry for each row length: the quartiles (25 %, 50 %, 75 %) over the repeats.

    `where` says on which device and how many threads; `repeats` how often each length was measured.
    """

    comparison: Comparison
    n: Int64[ndarray, " sizes"]
    kwta: Float64[ndarray, "sizes 3"]
    formula: Float64[ndarray, "sizes 3"]
    repeats: Int64[ndarray, " sizes"]
    where: str


def formula(y: Tensor, k: int) -> Tensor:
    """y · [y ≥ the k-th largest entry]: the usual two lines with torch.topk; it keeps more than k entries at a tie."""
    return y * (y >= torch.topk(y, k, dim=-1).values[..., -1:])


def measured(comparison: Comparison) -> Timing:
    """Time `kwta` and `formula` on the same rows, forward only, in turn, so that both meet the same disturbances.

    Raises ValueError if the device is not usable, a γ is not allowed, or a row is longer than all entries.
    """
    device = pick(comparison.device)
    generator = torch.Generator().manual_seed(comparison.seed)
    if not comparison.sizes or max(comparison.sizes) > comparison.entries:
        raise ValueError(f"sizes must be some row lengths up to {comparison.entries}, got {comparison.sizes}")
    rows = []
    for n in comparison.sizes:
        k = winners(comparison.gamma, n)
        y = torch.randn(comparison.entries // n, n, generator=generator).to(device)
        rows.append(_compared(y, k, comparison.repeats))
    return Timing(
        comparison,
        np.array(comparison.sizes, dtype=np.int64),
        np.array([_quartiles(own) for own, _ in rows]),
        np.array([_quartiles(other) for _, other in rows]),
        np.array([len(own) for own, _ in rows], dtype=np.int64),
        describe(device),
    )


def _compared(y: Tensor, k: int, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds per entry of both ways, measured in turn after one call of each that does not count."""
    own: list[float] = []
    other: list[float] = []
    _seconds(kwta, y, k)
    _seconds(formula, y, k)
    end = time.perf_counter() + SECONDS_PER_SIZE
    while len(own) < repeats and (len(own) < FEWEST or time.perf_counter() < end):
        own.append(_seconds(kwta, y, k) / y.numel())
        other.append(_seconds(formula, y, k) / y.numel())
    return own, other


def _seconds(operator: Callable[[Tensor, int], Tensor], y: Tensor, k: int) -> float:
    _wait(y)
    start = time.perf_counter()
    operator(y, k)
    _wait(y)
    return time.perf_counter() - start


def _wait(y: Tensor) -> None:
    """Accelerators compute behind the caller's back; wait until they are done."""
    if y.device.type == "cuda":
        torch.cuda.synchronize(y.device)
    elif y.device.type == "mps":
        torch.mps.synchronize()


def _quartiles(seconds: list[float]) -> list[float]:
    return np.quantile(seconds, (0.25, 0.5, 0.75)).tolist()
