"""Borders between cells, exact also where the two sides of a line are divided differently; pieces with one map.

The cells on the two sides of a border may belong to different parents, so their edges need not match. Both sides of
each line are sorted along it and laid over each other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from kwta.regions.cells import Cells
from kwta.regions.line import Pieces
from kwta.regions.overlay_kernel import equal, joined, overlay

SHORTEST = 1e-12  # of the domain's size: shorter stretches are one vertex computed twice
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
    """All segments along which two cells meet, each once. Their ends are vertices of the cells, bit by bit."""
    tags, n_keys = _dense(cells.tags)
    shortest = SHORTEST * float(np.ptp(cells.plane.domain, axis=0).max())
    edges, pairs, ends, lengths = overlay(cells.vertices, tags, cells.offsets, n_keys, shortest)
    one, other, both = lengths.tolist()
    return Overlay(edges, pairs, ends, (one, other, both))


def merged(found: Cells | Pieces, borders: Overlay | None = None) -> Int64[ndarray, "regions"]:
    """The number, from 0, of the maximal piece to which each cell belongs: neighbours with equal affine maps are one.

    Of the pieces of a line likewise. Maps count as equal when they differ by at most 1e-9 of the largest |f| on the
    slice, at all points of it. borders: those of the cells, where they are known already.
    """
    if isinstance(found, Pieces):
        return _merged_pieces(found)
    borders = borders or overlaid(found)
    domain = found.plane.domain
    largest = float(np.abs(found.weight @ domain.T + found.bias[..., None]).max(initial=0))
    same = equal(borders.cells, found.weight, found.bias, domain, EQUAL * largest)
    return joined(len(found), borders.cells, same)


def _merged_pieces(pieces: Pieces) -> Int64[ndarray, "pieces"]:
    ends = pieces.within.domain[:, 0]
    values = pieces.offset[..., None] + pieces.slope[..., None] * ends  # of each piece's map, [pieces, outputs, 2]
    across = np.abs(np.diff(values, axis=0)).max(axis=(1, 2), initial=0)
    return np.concatenate([[0], np.cumsum(across > EQUAL * np.abs(values).max(initial=0))])


def _dense(tags: Int64[ndarray, "edges 2"]) -> tuple[Int64[ndarray, "edges 2"], int]:
    """The tags with lines numbered with few gaps, and how many keys 2 line + side there are at most."""
    n_keys = 2 * (int(tags[:, 1].max(initial=-1)) // 2) + 2
    if n_keys <= 8 * len(tags) + 2:
        return tags, n_keys
    inside = tags[:, 1] >= 0
    distinct, number = np.unique(tags[inside, 1] >> 1, return_inverse=True)
    dense = tags.copy()
    dense[inside, 1] = 2 * number + (tags[inside, 1] & 1)
    return dense, 2 * len(distinct)
