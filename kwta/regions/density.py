"""How many cells there are per unit of area or length, and how large they are, in the input space."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kwta.regions.cells import Cells
from kwta.regions.line import Pieces

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class Density:
    """Of n cells that cover an area (pieces: a length) in the input space: how many there are on one unit of it.

    quantiles: of the cells' areas or lengths, at QUANTILES, every cell counting once; mean, smallest and largest.
    complete: False where a limit ended the search; all numbers are those of the cells found.
    """

    n: int
    covered: float
    quantiles: Float[ndarray, "quantiles"]
    smallest: float
    largest: float
    complete: bool

    @property
    def per_unit(self) -> float:
        """Cells per unit area, pieces per unit length."""
        return self.n / self.covered

    @property
    def mean(self) -> float:
        """The mean area or length of a cell."""
        return self.covered / self.n


def measures(found: Cells | Pieces) -> Float[ndarray, "n"]:
    """The area of each cell, or the length of each piece, in the input space (in t, where t is isometric)."""
    if isinstance(found, Pieces):
        return np.diff(found.edges) * float(np.linalg.norm(found.within.directions))
    return found.areas * (found.plane.input_measure / found.plane.measure)


def density(found: Cells | Pieces) -> Density:
    """The number of cells per unit area or pieces per unit length, and the distribution of their sizes.

    >>> net = from_arrays([np.array([[1.0, 0], [0, 1]]), np.ones((1, 2))], [np.zeros(2), np.zeros(1)], gamma=None)
    >>> found = density(regions.plane.cells(net, slices.square(-1, 1, -1, 1)))
    >>> found.n, found.per_unit, found.quantiles.tolist()
    (4, 1.0, [1.0, 1.0, 1.0, 1.0, 1.0])
    """
    size = measures(found)
    return Density(
        n=len(size),
        covered=float(size.sum()),
        quantiles=np.quantile(size, QUANTILES),
        smallest=float(size.min()),
        largest=float(size.max()),
        complete=found.complete,
    )
