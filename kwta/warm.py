"""Compile the library's Numba kernels before they are needed: `python -m kwta.warm`.

Numba compiles a kernel at its first call, once for every type of its arguments, and keeps the machine code on the disk:
beside the sources, or in the folder NUMBA_CACHE_DIR. Seconds the first time, a fraction of one afterwards.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from kwta import jumps, slices
from kwta.activation import operator, selection_numba
from kwta.networks import MLP, build
from kwta.regions import line, locate, overlay, plane


@dataclass(frozen=True)
class Kernels:
    """Kernels that belong together, and a call that makes Numba compile them for every type in which they are used."""

    name: str
    call: Callable[[], None]


def _operator() -> None:
    for dtype in (torch.float32, torch.float64):
        y = torch.arange(8, dtype=dtype).reshape(2, 4)
        operator.kwta(y, 2)
        operator.threshold(y, 2)
        selection_numba.keep(y, operator.pattern(y, 2))


def _regions() -> None:
    for gamma in (0.5, None):
        net = build(MLP((2, 4, 4, 1), gamma), seed=0)
        line.pieces(net, slices.segment(np.zeros(2), np.ones(2)))
        cells = plane.cells(net, slices.square(-1, 1, -1, 1))
        jumps.borders(cells)
        overlay.merged(cells)
        locate.border_distance(cells, np.zeros((1, 2)))


# Every part of the library that has kernels has a row here.
KERNELS = (
    Kernels("φ_k, its mask, threshold and gradient", _operator),
    Kernels("linear regions on lines and planes, and their borders", _regions),
)


def warm() -> Iterator[tuple[str, float]]:
    """Yield the name of each group of kernels, once it is ready, and the seconds that took."""
    for group in KERNELS:
        start = time.perf_counter()
        group.call()
        yield group.name, time.perf_counter() - start


def main() -> None:
    print("Preparing the Numba kernels (compiled once, then loaded from the disk):", flush=True)
    for name, seconds in warm():
        print(f"  {name}: {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
