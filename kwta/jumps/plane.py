"""The borders between the cells of a plane, and how far f jumps at each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from kwta.jumps.difference_kernel import differences, swaps
from kwta.jumps.sizes import NEGLIGIBLE, Norm, Summary, by_layer, sizes, summary
from kwta.regions.cells import Cells
from kwta.regions.overlay import overlaid


@dataclass(frozen=True, eq=False)
class Borders:
    """Every stretch along which two cells meet: border r lies between cells[r, 0] and cells[r, 1].

    ends [n, 2, 2]: its two end points in t, vertices of the cells. layer [n]: the hidden layer, from 0, in which it
    arose. leaves, enters [n]: the unit that stops and the one that starts to win from the first cell to the second (−1
    for none, as in ReLU layers). jumps [n, 2, outputs]: f in the second cell − f in the first, at both ends; it is
    affine in between, so its norm is greatest at an end. 0.0 where it is only rounding.
    unmatched: the length in t of edges inside the domain that have no cell on their other side; rounding unless the
    cells are incomplete.
    """

    of: Cells
    cells: Int64[ndarray, "n 2"]
    ends: Float[ndarray, "n 2 2"]
    layer: Int64[ndarray, "n"]
    leaves: Int64[ndarray, "n"]
    enters: Int64[ndarray, "n"]
    jumps: Float[ndarray, "n 2 outputs"]
    unmatched: float

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def lengths(self) -> Float[ndarray, "n"]:
        """The length of each border in the input space (in t, where t is isometric)."""
        across = self.ends[:, 1] - self.ends[:, 0]
        return np.sqrt(np.einsum("ni,ij,nj->n", across, self.of.plane.metric, across))

    def sizes(self, norm: Norm = "l2", logit: int | None = None) -> Float[ndarray, "n 2"]:
        """The size of the jump at both ends, in a norm over the outputs or of one logit."""
        return sizes(self.jumps, norm, logit)

    def middle_sizes(self, norm: Norm = "l2", logit: int | None = None) -> Float[ndarray, "n"]:
        """The size of the jump in the middle of each border."""
        return sizes(self.jumps.mean(axis=1), norm, logit)

    def summary(self, norm: Norm = "l2", logit: int | None = None) -> Summary:
        """Distribution of the sizes in the middles of the borders, each weighted by its length."""
        return summary(self.middle_sizes(norm, logit), self.lengths, self.sizes(norm, logit).max(axis=1))

    def by_layer(self, norm: Norm = "l2", logit: int | None = None) -> tuple[Summary, ...]:
        """The same for the borders of each hidden layer."""
        largest = self.sizes(norm, logit).max(axis=1)
        return by_layer(self.middle_sizes(norm, logit), self.lengths, largest, self.layer, len(self.of.sizes))


def borders(cells: Cells) -> Borders:
    """All borders inside the domain, with the jump of f across each.

    The two sides of a line are overlaid, for cells of different parents meet in T-junctions: a border ends wherever a
    cell on either side ends. A jump below 1e-12 of the terms |bias| + |weight t| of f on both sides is rounding and
    becomes 0.0; so a ReLU network has no jumps.
    """
    found = overlaid(cells)
    jumps = np.empty((len(found.cells), 2, cells.bias.shape[1]))
    differences(found.ends, found.cells, cells.weight, cells.bias, NEGLIGIBLE, jumps)
    layer, leaves, enters = swaps(found.edges, cells.tags)
    one, other, both = found.lengths
    return Borders(
        of=cells,
        cells=found.cells,
        ends=found.ends,
        layer=layer,
        leaves=leaves,
        enters=enters,
        jumps=jumps,
        unmatched=one + other - 2 * both,
    )
