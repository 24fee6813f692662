"""How much f varies on the plane: what a jump is large or small against."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kwta.jumps.sizes import Norm, sizes
from kwta.regions.cells import Cells


def deviations(cells: Cells) -> Float[ndarray, "outputs"]:
    """The standard deviation of each output of f over the area of the cells: √(∫ (f − mean)² dt / area), exact.

    f is affine on each cell. Its cell is a fan of triangles, on which ∫ f = area (a + b + c) / 3 and
    ∫ f² = area (a² + b² + c² + ab + bc + ca) / 6 with the values a, b, c at the corners.
    """
    at, b, c = _triangles(cells)
    corners = np.stack([cells.vertices[i] for i in (at, b, c)])
    (x1, y1), (x2, y2) = (corners[1] - corners[0]).T, (corners[2] - corners[0]).T
    area = (x1 * y2 - x2 * y1) / 2
    owner = cells.edge_cells[at]
    f = np.einsum("ctd,tod->cto", corners, cells.weight[owner]) + cells.bias[owner]
    total = area.sum()
    f = f - area @ f.mean(axis=0) / total  # first, so that a large mean costs no digits
    square = ((f**2).sum(axis=0) + f.sum(axis=0) ** 2) / 12
    return np.sqrt(np.maximum(area @ square / total, 0.0))


def spread(cells: Cells, norm: Norm = "l2", logit: int | None = None) -> float:
    """The size, in a norm over the outputs or of one logit, of the standard deviations of f over the plane.

    In l2 that is √(mean ‖f − mean‖²). Raises ValueError on another norm or a logit that does not exist.
    """
    return float(sizes(deviations(cells)[None], norm, logit)[0])


def _triangles(cells: Cells) -> tuple[ndarray, ndarray, ndarray]:
    """Places in `vertices` of the corners of all triangles of all cells, each cell a fan around its first vertex."""
    first = cells.offsets[:-1][cells.edge_cells]
    following = np.arange(len(cells.vertices)) + 1
    inside = np.ones(len(cells.vertices), bool)
    inside[cells.offsets[:-1]] = inside[cells.offsets[1:] - 1] = False
    return first[inside], np.flatnonzero(inside), following[inside]
