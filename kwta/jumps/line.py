"""The jumps of f along a line."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kwta.jumps.sizes import NEGLIGIBLE, Norm, Summary, by_layer, sizes, summary
from kwta.regions.line import Pieces


@dataclass(frozen=True, eq=False)
class Steps:
    """What f does at each border of the pieces: jump = f behind it − f before it, 0.0 where it is only rounding.

    Layer, units and level of each border are those of `pieces`.
    """

    pieces: Pieces
    jump: Float[ndarray, "b outputs"]

    def sizes(self, norm: Norm = "l2", logit: int | None = None) -> Float[ndarray, "b"]:
        """The size of each jump, in a norm over the outputs or of one logit."""
        return sizes(self.jump, norm, logit)

    def summary(self, norm: Norm = "l2", logit: int | None = None) -> Summary:
        """Distribution of the sizes, every border counting once."""
        size = self.sizes(norm, logit)
        return summary(size, np.ones(len(size)), size)

    def by_layer(self, norm: Norm = "l2", logit: int | None = None) -> tuple[Summary, ...]:
        """The same for the borders of each hidden layer."""
        size = self.sizes(norm, logit)
        return by_layer(size, np.ones(len(size)), size, self.pieces.layer, len(self.pieces.sizes))


def along(pieces: Pieces) -> Steps:
    """f(t+) − f(t−) at every border of the segment.

    A jump below 1e-12 of the terms |offset| + |slope t| of f on both sides is rounding and becomes 0.0; so a ReLU
    network has no jumps.

    >>> net = from_arrays([np.array([[1.0], [-1.0]]), np.array([[1.0, 3.0]])], [np.ones(2), np.zeros(1)], gamma=0.5)
    >>> along(regions.line.pieces(net, slices.segment(np.array([-1.0]), np.array([1.0])))).jump.tolist()
    [[-2.0]]
    """
    t = pieces.t[:, None]
    sides = [(pieces.offset[:-1], pieces.slope[:-1] * t), (pieces.offset[1:], pieces.slope[1:] * t)]
    before, after = (constant + linear for constant, linear in sides)
    jump = after - before
    terms = np.maximum(*(np.abs(constant) + np.abs(linear) for constant, linear in sides))
    jump[np.abs(jump).max(axis=1, initial=0.0) <= NEGLIGIBLE * terms.max(axis=1, initial=0.0)] = 0.0
    return Steps(pieces, jump)
