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
from kwta.networks import MLP, Network, build
from kwta.regions import line, locate, overlay, plane


@dataclass(frozen=True)
class Kernels:
    """Kernels that belong together, and a call that makes Numba compile them for every type in which they are used."""

    name: str
    call: Callable[[], None]

    def prepare(self) -> float:
        """Make them ready; the seconds that took."""
        start = time.perf_counter()
        self.call()
        return time.perf_counter() - start


def _operator() -> None:
    for dtype in (torch.float32, torch.float64):
        y = torch.arange(8, dtype=dtype).reshape(2, 4)
        operator.kwta(y, 2)
        operator.threshold(y, 2)
        selection_numba.keep(y, operator.pattern(y, 2))


def _networks() -> list[Network]:
    return [build(MLP((2, 4, 4, 1), gamma), seed=0) for gamma in (0.5, None)]


def _lines() -> None:
    for net in _networks():
        line.pieces(net, slices.segment(np.zeros(2), np.ones(2)))


def _planes() -> None:
    for net in _networks():
        cells = plane.cells(net, slices.square(-1, 1, -1, 1))
        jumps.borders(cells)
        overlay.merged(cells)
        locate.border_distance(cells, np.zeros((1, 2)))


# Every part of the library that has kernels has a row here.
KERNELS = (
    Kernels("φ_k, its mask, threshold and gradient", _operator),
    Kernels("linear regions on lines", _lines),
    Kernels("linear regions on planes, their borders and jumps", _planes),
)


def warm() -> Iterator[tuple[str, float]]:
    """Yield the name of each group of kernels, once it is ready, and the seconds that took."""
    for group in KERNELS:
        yield group.name, group.prepare()


def main() -> None:
    print("Preparing the Numba kernels (compiled once, then loaded from the disk):")
    for group in KERNELS:
        print(f"  {group.name} …", end=" ", flush=True)
        print(f"{group.prepare():.1f} s", flush=True)


if __name__ == "__main__":
    main()
