"""The walk through a plane in one thread or several, to its end or a limit, with memory as it is needed.

Threads share out the first layer's cells, in order, by area: each finds these by itself, up to the end of its part, and
walks inside its part of them. So the cells come in the same order however many threads there are.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import numpy as np
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray

from kwta.regions import polygon_kernel as at
from kwta.regions.stages import Layer, Stages
from kwta.regions.workspace import MOST_SIDES, SIDES, Output, Workspace
from kwta.slices import convex

ALL = (0.0, inf)  # of the first layer's cells
SHARE = 0.4
WORTH = 4e7  # entries of matrices times cells of the first layer: some 6 ms, below which a thread is not worth a start


@dataclass(frozen=True, eq=False)
class Walked:
    """What a walk has written; `lines` are the numbers of lines in use, those of the first layer, and all."""

    vertices: Float[ndarray, "vertices 2"]
    tags: Int64[ndarray, "vertices 2"]
    offsets: Int64[ndarray, "ends"]
    weight: Float[ndarray, "regions outputs 2"]
    bias: Float[ndarray, "regions outputs"]
    areas: Float[ndarray, "regions"]
    bits: UInt8[ndarray, "regions _"]
    complete: bool
    n_unsplit: int
    lines: tuple[int, int]

    def __len__(self) -> int:
        return len(self.areas)


def walked(steps: Stages, domain: Float[ndarray, "v 2"], limit: int, threads: int) -> Walked:
    """All cells of the domain, or the first `limit` of them."""
    parts = _parts(steps, domain, threads)
    if len(parts) == 1:
        return _walked(steps, domain, limit, parts[0])
    with ThreadPoolExecutor(len(parts)) as pool:
        found = list(pool.map(lambda part: _walked(steps, domain, limit, part), parts))
    return _joined(found, limit)


def _parts(steps: Stages, domain: Float[ndarray, "v 2"], threads: int) -> list[tuple[float, float]]:
    """Ranges of the area that the first layer's cells cover in order; one range where more are not worth it."""
    if threads == 1 or len(steps.hidden) < 2:
        return [ALL]
    entries = sum(layer.weight.size for layer in steps.hidden[1:])
    if entries * _about(steps.hidden[0], domain) < WORTH:
        return [ALL]
    ends = (convex.measure(domain) * np.arange(1, threads) / threads).tolist()
    return list(pairwise([0.0, *ends, inf]))


def _about(layer: Layer, domain: Float[ndarray, "v 2"]) -> float:
    """About how many cells a layer has: as a rule `SHARE` of the most that its n undecided units allow.

    That is k (n − k) for k-WTA, where k of them win, and 1 + n + C(n, 2) for ReLU.
    """
    y = domain @ layer.weight[: layer.n].T + layer.bias[: layer.n]
    low, high = y.min(axis=0), y.max(axis=0)
    if not layer.k:
        n = int(np.count_nonzero((low < 0) & (high > 0)))
        return SHARE * (1 + n + n * (n - 1) / 2)
    if layer.k == layer.n:
        return 1.0
    sure = low > np.partition(high, -layer.k - 1)[-layer.k - 1]
    n = int(np.count_nonzero(~sure & (high >= np.partition(low, -layer.k)[-layer.k])))
    k = layer.k - int(np.count_nonzero(sure))
    return SHARE * max(k * (n - k), 1)


def _walked(steps: Stages, domain: Float[ndarray, "v 2"], limit: int, part: tuple[float, float]) -> Walked:
    """The walk to its end, with more memory where it asks for it."""
    mv = max(SIDES, 2 * len(domain))
    while mv <= MOST_SIDES:
        workspace = Workspace(steps, domain, mv, part)
        output = Output(len(steps.bias), sum(-(-n // 8) for n in steps.sizes))
        while (status := workspace.walk(limit, output)) in (at.OUTPUT_FULL, at.MEMORY_FULL):
            if status == at.MEMORY_FULL:
                workspace.grow()
            else:
                covered = output.arrays[-2][: workspace.state[at.CELLS]].sum()
                output.grow(covered / convex.measure(domain))
        if status != at.POLYGON_FULL:
            n_cells, n_vertices, n_lines, n_first, n_unsplit = (
                int(workspace.state[i]) for i in (at.CELLS, at.VERTICES, at.LINES, at.FIRST_LINES, at.UNSPLIT)
            )
            vertices, tags, offsets, weight, bias, areas, bits = output.cut(n_cells, n_vertices)
            end = status == at.DONE, n_unsplit, (n_first, n_lines)
            return Walked(vertices, tags, offsets, weight, bias, areas, bits, *end)
        mv *= 4
    raise ValueError(f"a cell has more than {MOST_SIDES} sides: the network's values exceed what float64 resolves")


def _joined(found: list[Walked], limit: int) -> Walked:
    """The parts one after the other, up to the limit; lines behind the first layer get numbers of their own."""
    n = [min(len(f), limit - sum(map(len, found[:i]))) for i, f in enumerate(found)]
    used = [f for f, cells in zip(found, n, strict=True) if cells > 0]
    n = [cells for cells in n if cells > 0]
    ends = [int(f.offsets[cells]) for f, cells in zip(used, n, strict=True)]
    n_first, lines = found[0].lines
    for f, end in zip(used[1:], ends[1:], strict=True):
        deeper = f.tags[:end, 1] >= 2 * n_first
        f.tags[:end, 1][deeper] += 2 * (lines - n_first)
        lines += f.lines[1] - n_first
    starts = np.cumsum([0, *ends]).tolist()
    return Walked(
        vertices=np.concatenate([f.vertices[:end] for f, end in zip(used, ends, strict=True)]),
        tags=np.concatenate([f.tags[:end] for f, end in zip(used, ends, strict=True)]),
        offsets=np.concatenate(
            [[0], *(f.offsets[1 : cells + 1] + start for f, cells, start in zip(used, n, starts, strict=False))]
        ),
        weight=np.concatenate([f.weight[:cells] for f, cells in zip(used, n, strict=True)]),
        bias=np.concatenate([f.bias[:cells] for f, cells in zip(used, n, strict=True)]),
        areas=np.concatenate([f.areas[:cells] for f, cells in zip(used, n, strict=True)]),
        bits=np.concatenate([f.bits[:cells] for f, cells in zip(used, n, strict=True)]),
        complete=all(f.complete for f in found) and sum(n) == sum(map(len, found)),
        n_unsplit=sum(f.n_unsplit for f in found),
        lines=(n_first, lines),
    )
