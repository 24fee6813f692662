"""A regular grid over a slice's domain: what a sampled picture is computed on."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from kwta.slices.slice import Slice

LARGEST = 2**26  # points; 8192², half a gigabyte of coordinates per axis


@dataclass(frozen=True, eq=False)
class Grid:
    """Grid points `t` of a slice, [n, 1] or [rows, columns, 2], and whether each lies `inside` its domain.

    `axes` holds the coordinates along each axis: (t,), or (of the columns, of the rows). Row 0 is the lowest.
    """

    slice: Slice
    resolution: int
    axes: tuple[Float[ndarray, "_"], ...]
    t: Float[ndarray, "*shape m"]
    inside: Bool[ndarray, "*shape"]


def grid(within: Slice, resolution: int) -> Grid:
    """`resolution` points along the slice's longer side.

    1-D: evenly spaced, both ends included. 2-D: the centres of pixels (square in the input space) that tile the
    domain's bounding box, so that a mean over `inside` estimates an integral without bias at the rim. Ask
    `within.points(grid.t[rows])` for inputs, in batches: 512² points of 3,072 entries are 6 GB.
    """
    if resolution < 2 or resolution**within.dim > LARGEST:
        raise ValueError(
            f"a {within.dim}-D grid needs 2 to {round(LARGEST ** (1 / within.dim))} points a side, got {resolution}"
        )
    low, high = within.bounds
    if within.dim == 1:
        axes = (np.linspace(low[0], high[0], resolution),)
    else:
        axes = _pixel_centres(low, high, np.sqrt(np.diag(within.metric)), resolution)
    t = np.stack(np.meshgrid(*axes), axis=-1)
    return Grid(within, resolution, axes, t, within.contains(t))


def _pixel_centres(
    low: Float[ndarray, "2"], high: Float[ndarray, "2"], lengths: Float[ndarray, "2"], resolution: int
) -> tuple[Float[ndarray, "_"], ...]:
    sides = (high - low) * lengths
    counts = np.maximum(1, np.round(resolution * sides / sides.max())).astype(int)
    return tuple(lo + (hi - lo) * (np.arange(n) + 0.5) / n for lo, hi, n in zip(low, high, counts, strict=True))
