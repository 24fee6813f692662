"""Borders between cells, exact also where the two sides of a line are divided differently; pieces with one map.

The cells on the two sides of a border may belong to different parents, so their edges need not match. Both sides of
each line are sorted along it and laid over each other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from kwta.regions.cells import Cells
from kwta.regions.overlay_kernel import joined, overlay

SHORTEST = 1e-12  # of the domain's width: shorter overlaps are rounding of vertices
EQUAL = 1e-9  # of the largest value on the plane: maps that differ less over a border are one


@dataclass(frozen=True, eq=False)
class Overlay:
    """Segments of borders, each between two cells.

    edges: the edge (its place in `vertices`) on either side; cells: the two cells; ends: where it begins and ends in t.
    lengths: of all edges on sides 0 and on sides 1, and of the segments: all equal up to rounding.
    """

    edges: Int64[ndarray, "borders 2"]
    cells: Int64[ndarray, "borders 2"]
    ends: Float[ndarray, "borders 2 2"]
    lengths: tuple[float, float, float]


def overlaid(cells: Cells) -> Overlay:
    """All segments along which two cells meet, each once."""
    edges, ends, lengths = overlay(cells.vertices, cells.offsets, cells.tags, SHORTEST * _width(cells))
    total = float(np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1]).sum())
    both = cells.edge_cells[edges]
    return Overlay(edges, both, ends.reshape(-1, 2, 2), (float(lengths[0]), float(lengths[1]), total))


def merged(cells: Cells, borders: Overlay | None = None) -> Int64[ndarray, "regions"]:
    """The number, from 0, of the maximal piece to which each cell belongs: neighbours with equal affine maps are one.

    Maps count as equal when they differ by less than 1e-9 of the largest |f| on the plane, at all points of it.
    """
    borders = borders or overlaid(cells)
    domain = cells.plane.domain
    outputs = np.abs(cells.weight @ domain.T + cells.bias[..., None])
    a, b = borders.cells.T
    weight, bias = cells.weight[a] - cells.weight[b], cells.bias[a] - cells.bias[b]
    difference = np.abs(weight @ domain.T + bias[..., None]).max(axis=(1, 2), initial=0)
    return joined(len(cells), borders.cells, difference <= EQUAL * outputs.max())


def _width(cells: Cells) -> float:
    return float(np.ptp(cells.plane.domain, axis=0).max())
