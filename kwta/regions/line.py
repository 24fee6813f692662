"""The exact pieces of a network on a segment: where f(s(t)) breaks or jumps, and what it is in between."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from torch import nn

from kwta.regions.line_kernel import walk
from kwta.regions.stages import Stages, stages
from kwta.slices import Slice

MAX_PIECES = 1_000_000
FIRST_ROOM = 4  # pieces per hidden unit for which room is made at once; more than this means another, larger, attempt
NOTHING = np.empty(0)  # what a list of arrays starts with, lest it be empty


@dataclass(frozen=True, eq=False)
class Pieces:
    """The network on a segment, in order of t: f(s(t)) = offset[p] + slope[p] t on piece p, between two borders.

    t [b]: the b = n − 1 borders inside the segment, ascending; piece p lies between t[p − 1] and t[p].
    offset, slope [n, outputs]: in the coordinate t of `within`.
    patterns [n, bytes]: winner sets as packed bits, each layer filled up to whole bytes (as `patterns.packed`).
    layer [b]: the hidden layer, from 0, in which the border arose. leaves, enters [b]: the unit of that layer that
    stops and the one that starts to win (for ReLU one of them is −1). level [b]: the value y at which the two meet, 0
    for ReLU. n_swaps [b]: how many units leave or enter at once; more than 1 where several functions cross in one
    point, and then `leaves` and `enters` are the lowest of each.
    sizes, winners: n and k of each hidden layer, k = 0 for ReLU.
    complete: False where `max_pieces` ended the walk, at `end`; the pieces then cover the segment up to there.
    """

    within: Slice
    t: Float[ndarray, "b"]
    offset: Float[ndarray, "n outputs"]
    slope: Float[ndarray, "n outputs"]
    patterns: UInt8[ndarray, "n bytes"]
    layer: Int[ndarray, "b"]
    leaves: Int[ndarray, "b"]
    enters: Int[ndarray, "b"]
    level: Float[ndarray, "b"]
    n_swaps: Int[ndarray, "b"]
    sizes: tuple[int, ...]
    winners: tuple[int, ...]
    complete: bool
    end: float

    def __len__(self) -> int:
        """The number of pieces, n."""
        return len(self.offset)

    @property
    def edges(self) -> Float[ndarray, "n_plus_1"]:
        """Where the pieces begin and end: the start of the segment, the borders, the end of the walk."""
        return np.concatenate([self.within.domain[0], self.t, [self.end]])

    @property
    def covered(self) -> float:
        """The length in t that the pieces cover."""
        return self.end - float(self.within.domain[0, 0])

    @property
    def belongs_after(self) -> Bool[ndarray, "b"]:
        """Whether the border point itself belongs to the piece after it: ties go to the lower index, ReLU is off at 0.

        Exact in the border's own layer, where one pair meets.
        """
        return np.where(self.enters < 0, self.leaves >= 0, (self.leaves >= 0) & (self.enters < self.leaves))

    def masks(self) -> tuple[Bool[ndarray, "n _"], ...]:
        """A(x) on each piece, one mask per hidden layer, as `patterns.patterns` gives it."""
        ends = np.cumsum([_bytes(n) for n in self.sizes], dtype=int)[:-1]
        parts = np.split(self.patterns, ends, axis=1) if self.sizes else []
        return tuple(
            np.unpackbits(bits, axis=1, count=n).astype(bool) for bits, n in zip(parts, self.sizes, strict=True)
        )

    def locate(self, t: Float[ndarray, "*points"]) -> Int[ndarray, "*points"]:
        """The piece in which each t lies; a border point belongs to the piece before it. −1 outside."""
        inside = (t >= self.within.domain[0, 0]) & (t <= self.end)
        return np.where(inside, np.searchsorted(self.t, t, side="left"), -1)

    def values(self, t: Float[ndarray, "*points"]) -> Float[ndarray, "*points outputs"]:
        """f(s(t)) from the pieces; NaN outside."""
        piece = self.locate(t)
        found = self.offset[piece] + self.slope[piece] * t[..., None]
        return np.where((piece >= 0)[..., None], found, np.nan)


def pieces(
    net: nn.Module, line: Slice, max_pieces: int = MAX_PIECES, input_shape: tuple[int, ...] | None = None
) -> Pieces:
    """All pieces of the segment s(t) = o + D t on which every hidden layer has one winner set, exact in float64.

    net: a network as `regions.stages.stages` takes it, with k-WTA and ReLU in any mixture; input_shape likewise.
    Cost: O(n) per border for its layer of n units, and one matrix-vector product per piece of the layer before.

    Raises ValueError if `line` is not 1-D, if max_pieces < 1, or if the network cannot be followed exactly.

    >>> net = from_arrays([np.array([[1.0], [-1.0]]), np.array([[1.0, 1.0]])], [np.zeros(2), np.zeros(1)], gamma=0.5)
    >>> found = pieces(net, slices.segment(np.array([-1.0]), np.array([1.0])))
    >>> found.t.tolist(), found.slope.tolist(), [mask.tolist() for mask in found.masks()]
    ([0.5], [[-2.0], [2.0]], [[[False, True], [True, False]]])
    """
    if line.dim != 1:
        raise ValueError(f"pieces lie on a line, got a {line.dim}-D slice")
    return of_stages(stages(net, line, input_shape), line, max_pieces)


def of_stages(network: Stages, line: Slice, max_pieces: int = MAX_PIECES) -> Pieces:
    """`pieces` of a network that has been folded with the line already."""
    if max_pieces < 1:
        raise ValueError(f"max_pieces must be at least 1, got {max_pieces}")
    sizes, n_outputs = network.sizes, len(network.bias)
    matrices = [*network.hidden, network]
    ks, units = np.array(network.winners, np.int64), np.array([*sizes, n_outputs], np.int64)
    rows = np.array([len(part.bias) for part in matrices], np.int64)
    weights = np.concatenate([NOTHING, *(part.weight.T.ravel() for part in matrices[1:])])
    biases = np.concatenate([NOTHING, *(part.bias for part in matrices[1:])])
    constants, slopes = matrices[0].bias, np.ascontiguousarray(matrices[0].weight[:, 0])
    low, high = line.domain[:, 0].tolist()
    room = min(max_pieces, 16 + FIRST_ROOM * sum(sizes))
    while True:
        places, levels = np.empty(room), np.empty(room)
        events, maps = np.empty((room, 4), np.int64), np.empty((room, 2, n_outputs))
        bits = np.empty((room, sum(map(_bytes, sizes))), np.uint8)
        output = places, events, levels, maps, bits
        n, end = walk(ks, units, rows, weights, biases, constants, slopes, low, high, *output)
        if end == high or room == max_pieces:
            break
        room = min(max_pieces, 4 * room)
    layer, leaves, enters, n_swaps = np.ascontiguousarray(events[: n - 1].T)
    return Pieces(
        within=line,
        t=places[: n - 1].copy(),
        offset=maps[:n, 0].copy(),
        slope=maps[:n, 1].copy(),
        patterns=bits[:n].copy(),
        layer=layer,
        leaves=leaves,
        enters=enters,
        level=levels[: n - 1].copy(),
        n_swaps=n_swaps,
        sizes=sizes,
        winners=network.winners,
        complete=end == high,
        end=end,
    )


def _bytes(n: int) -> int:
    return (n + 7) // 8
