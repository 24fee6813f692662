"""Affine slices s(t) = o + D t of the input space: lines and planes to look at a network on.

>>> from kwta import slices
>>> slices.clipped(slices.square(-2, 2, -1, 1), 0, 1).domain.tolist()
[[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.0, 0.0]]
"""

from kwta.slices.box import clipped
from kwta.slices.choose import around, random_line, random_plane, segment, square, through
from kwta.slices.gradient import gradient_line, gradient_plane, loss_gradient
from kwta.slices.grid import Grid, grid
from kwta.slices.slice import Slice

__all__ = [
    "Grid",
    "Slice",
    "around",
    "clipped",
    "gradient_line",
    "gradient_plane",
    "grid",
    "loss_gradient",
    "random_line",
    "random_plane",
    "segment",
    "square",
    "through",
]
