"""The exact linear regions of a network on a convex polygon of a plane.

With a fixed pattern every pre-activation is affine in t, so the points with one full pattern form a convex cell. Layer
by layer, the cells of one layer inside a cell of the layer before are found exactly (see `plane_kernel`), in float64.
"""

import itertools

import numpy as np
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import nn

from kwta.regions import polygon_kernel as at
from kwta.regions.cells import Cells
from kwta.regions.columns import all_finite
from kwta.regions.stages import Layer, Stages, stages
from kwta.regions.workspace import MOST_SIDES, SIDES, Output, Workspace
from kwta.slices import Slice, convex

MAX_REGIONS = 2_000_000


def cells(
    net: nn.Module, plane: Slice, max_regions: int = MAX_REGIONS, input_shape: tuple[int, ...] | None = None
) -> Cells:
    """All cells {t : A(s(t)) = A} with interior of the plane's domain, their affine maps and their edges.

    Any nn.Sequential of affine modules, k-WTA and ReLU layers, also mixed; see `stages`, which says what is refused.
    After `max_regions` cells the walk ends with what it has, `complete` is False and `covered` tells the area.

    >>> len(cells(build(MLP((2, 8, 8, 1), gamma=0.25), seed=0), slices.square(-1, 1, -1, 1)).areas)
    10

    Raises ValueError where the slice is no plane, the network is refused, or max_regions < 1.
    """
    if plane.dim != 2:
        raise ValueError(f"cells need a plane, a slice with 2 directions, got {plane.dim}; for lines see regions.line")
    return of_stages(stages(net, plane, input_shape), plane, max_regions)


def of_stages(steps: Stages, plane: Slice, max_regions: int = MAX_REGIONS) -> Cells:
    """`cells` of a network that has been folded with the plane already."""
    if max_regions < 1:
        raise ValueError(f"max_regions must be at least 1, got {max_regions}")
    centre = plane.domain.mean(axis=0)  # coordinates around it: a domain far from zero keeps its digits
    return _cells(steps, plane, centre, max_regions)


def _walked(steps: Stages, domain: Float[ndarray, "v 2"], limit: int) -> tuple[Workspace, Output, bool]:
    """The walk to its end, with more memory where it asks for it; whether it got to the end of all cells."""
    mv = max(SIDES, 2 * len(domain))
    while mv <= MOST_SIDES:
        workspace = Workspace(steps, domain, mv)
        output = Output(len(steps.bias), len(workspace.PW))
        while (status := workspace.walk(limit, output)) in (at.OUTPUT_FULL, at.MEMORY_FULL):
            if status == at.MEMORY_FULL:
                workspace.grow()
            else:
                covered = output.arrays[-1][: workspace.state[at.CELLS]].sum()
                output.grow(covered / convex.measure(domain))
        if status != at.POLYGON_FULL:
            return workspace, output, status == at.DONE
        mv *= 4
    raise ValueError(f"a cell has more than {MOST_SIDES} sides: the network's values exceed what float64 resolves")


def _cells(steps: Stages, plane: Slice, centre: Float[ndarray, "2"], limit: int) -> Cells:
    workspace, output, complete = _walked(_centred(steps, centre), plane.domain - centre, limit)
    n_cells, n_vertices = int(workspace.state[at.CELLS]), int(workspace.state[at.VERTICES])
    vertices, tags, offsets, weight, bias, words, areas = output.cut(n_cells, n_vertices)
    if not (all_finite(weight) and all_finite(bias)):
        raise ValueError("the network's values on this plane exceed the range of float64")
    if centre.any():
        vertices += centre
        bias -= weight @ centre
    return Cells(
        plane=plane,
        sizes=steps.sizes,
        winners=steps.winners,
        vertices=vertices,
        offsets=offsets,
        weight=weight,
        bias=bias,
        bits=_bits(words, steps.sizes),
        tags=tags,
        areas=areas,
        complete=complete,
        n_unsplit=int(workspace.state[at.UNSPLIT]),
    )


def _centred(steps: Stages, centre: Float[ndarray, "2"]) -> Stages:
    """The same network in the coordinates t − centre."""
    if not centre.any():
        return steps
    if not steps.hidden:
        return Stages((), steps.weight, steps.bias + steps.weight @ centre)
    first = steps.hidden[0]
    moved = Layer(first.weight, first.bias + first.weight @ centre, first.k, first.name, first.passed)
    return Stages((moved, *steps.hidden[1:]), steps.weight, steps.bias)


def _bits(words: Int64[ndarray, "regions words"], sizes: tuple[int, ...]) -> UInt8[ndarray, "regions _"]:
    """The words' bytes without those that no unit uses: each layer takes whole bytes, as `patterns.packed` does."""
    data = words.astype("<i8", copy=False).view(np.uint8)
    if not any(n % 64 for n in sizes):
        return data
    starts = itertools.accumulate((8 * -(-n // 64) for n in sizes), initial=0)
    return np.concatenate([data[:, i : i + -(-n // 8)] for i, n in zip(starts, sizes, strict=False)], axis=1)
