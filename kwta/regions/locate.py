"""Which cell a point lies in, and how far it is from the nearest border."""

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from kwta.regions.cells import Cells
from kwta.regions.locate_kernel import border_distances, holders

SLACK = 1e-12  # of the domain's width: a point on a border or on the boundary still lies in a cell
MOST_BUCKETS = 1 << 10  # per side


def locate(cells: Cells, t: Float[ndarray, "points 2"]) -> Int64[ndarray, "points"]:
    """The cell that holds each point t of the plane; −1 outside of all cells. On a border, one of those that meet."""
    low, width = _box(cells)
    n = min(max(int(np.sqrt(len(cells))), 1), MOST_BUCKETS)
    scale = n / width
    points = np.ascontiguousarray(t, np.float64)
    return holders(cells.vertices, cells.offsets, low, scale, n, points, SLACK * float(width.max()))


def border_distance(cells: Cells, t: Float[ndarray, "points 2"]) -> Float[ndarray, "points"]:
    """The distance, in the input space, of each point s(t) from the nearest border on the plane; inf without any.

    Exact: whoever walks from a point to a border first meets one of the point's own convex cell. The domain's boundary
    is no border.

    Raises ValueError for points outside of all cells.
    """
    held = locate(cells, t)
    if (held < 0).any():
        raise ValueError(f"t = {t[held < 0][0].tolist()} lies in no cell; distances are to borders within the plane")
    lengths = np.linalg.qr(cells.plane.directions.T).R.T  # |t @ lengths| is the length of D t
    vertices, points = np.ascontiguousarray(cells.vertices @ lengths), np.ascontiguousarray(t @ lengths)
    return border_distances(vertices, cells.offsets, cells.tags, held, points)


def _box(cells: Cells) -> tuple[Float[ndarray, "2"], Float[ndarray, "2"]]:
    low, high = cells.plane.bounds
    return low, high - low
