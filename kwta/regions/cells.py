"""The cells of a network on a plane, as arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int, Int64, UInt8
from numpy import ndarray

from kwta.slices import Slice

UNIT_BITS = 24  # of each of the two units in a tag
UNIT_MASK = (1 << UNIT_BITS) - 1


def unpacked(tags: Int64[ndarray, "n"]) -> tuple[Int64[ndarray, "n"], Int64[ndarray, "n"], Int64[ndarray, "n"]]:
    """The layer, from 1, and the two units (−1: none) of tags, the first column of `Cells.tags`."""
    return tags >> (2 * UNIT_BITS), ((tags >> UNIT_BITS) & UNIT_MASK) - 1, (tags & UNIT_MASK) - 1


@dataclass(frozen=True, eq=False)
class Cells:
    """All cells of one full pattern with interior, on the plane's domain.

    Cell r has the vertices offsets[r] .. offsets[r + 1] of `vertices`, counter-clockwise in t, and the edge at the
    place of vertex v leads to the next vertex of its cell. On it f(s(t)) = weight[r] t + bias[r].

    sizes, winners: n and k of each hidden layer, k = 0 for ReLU.
    bits: the packed pattern, rows as of `patterns.packed`.
    tags: of each edge, see `edge_layers`, `edge_units`, `edge_lines`.
    complete: False where a limit ended the walk; then `covered` is less than the domain's area.
    n_unsplit: parents in which no interior point showed a cell; 0 unless numbers are beyond float64.
    """

    plane: Slice
    sizes: tuple[int, ...]
    winners: tuple[int, ...]
    vertices: Float[ndarray, "vertices 2"]
    offsets: Int64[ndarray, "ends"]
    weight: Float[ndarray, "regions outputs 2"]
    bias: Float[ndarray, "regions outputs"]
    bits: UInt8[ndarray, "regions _"]
    tags: Int64[ndarray, "vertices 2"]
    areas: Float[ndarray, "regions"]
    complete: bool
    n_unsplit: int = 0

    def __len__(self) -> int:
        return len(self.areas)

    @property
    def covered(self) -> float:
        """The sum of the cells' areas, in t."""
        return float(self.areas.sum())

    @property
    def edge_layers(self) -> Int64[ndarray, "vertices"]:
        """The layer, from 1, in which each edge arose; 0 on the domain's boundary."""
        return unpacked(self.tags[:, 0])[0]

    @property
    def edge_units(self) -> Int64[ndarray, "vertices 2"]:
        """(i, j) of each edge: y_i ≥ y_j in the cell, winner i and loser j; beyond it j wins instead of i.

        ReLU: (i, −1) where unit i is on in the cell, (−1, i) where it is off. (−1, −1) on the domain's boundary. Where
        several functions meet along an edge, more units may change than this pair.
        """
        return np.stack(unpacked(self.tags[:, 0])[1:], axis=1)

    @property
    def edge_lines(self) -> Int64[ndarray, "vertices"]:
        """2 line + side for each edge, −1 on the domain's boundary.

        Edges of one line lie on one straight line inside one parent; those with side 0 lie on its one side, those with
        side 1 on the other, and together both sides cover the same points. Numbers may be missing.
        """
        return self.tags[:, 1]

    def polygon(self, cell: int) -> Float[ndarray, "sides 2"]:
        """The vertices of one cell."""
        return self.vertices[self.offsets[cell] : self.offsets[cell + 1]]

    def pattern(self, layer: int) -> Bool[ndarray, "regions n"]:
        """The winners of one hidden layer, from 0, in every cell."""
        start = sum(-(-n // 8) for n in self.sizes[:layer])
        n = self.sizes[layer]
        return np.unpackbits(self.bits[:, start : start + -(-n // 8)], axis=1, count=n).astype(bool)

    @cached_property
    def edge_cells(self) -> Int[ndarray, "vertices"]:
        """The cell to which each edge belongs."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))
