"""Memory for the walk through a plane: stacks that grow when they are full, and the output."""

import itertools
from functools import lru_cache
from math import prod

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kwta.regions import polygon_kernel as at
from kwta.regions.plane_kernel import walk
from kwta.regions.sets_kernel import SEEDS
from kwta.regions.stages import Layer, Stages
from kwta.regions.vector_kernel import LANES
from kwta.regions.winners_kernel import CORNERS, SURE

SIDES = 32  # vertices of a polygon for which there is room at first
MOST_SIDES = 1 << 14  # more hints at numbers that are none
# Room at first, small enough for memory that the process has at hand: a small network takes a tenth of a millisecond.
POLYGONS = 80
CHILDREN = 128
MAPS = 1 << 14  # entries of the maps
CELLS = 1 << 10  # of the output
VERTICES = 8  # of a cell, for which there is room
SLACK = 8  # bytes or rows behind the patterns, for the last one is written in whole words, too
LARGE = 1 << 25  # bytes of the output, beyond which the C library gives memory back at once
TYPES = (float, np.int64, np.int64, float, float, float, np.uint8)  # of the output
GROWTH, MOST_GROWTH = 2, 64
MARGIN = 2.5  # times the output that is expected by area: room that is not used costs nothing
MAX_WORD = (1 << 64) - 1
MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Workspace:
    """The arrays of `plane_kernel.walk`, for one network on one domain, inside a part of the first layer's cells."""

    def __init__(
        self, steps: Stages, domain: Float[ndarray, "v 2"], most_sides: int, part: tuple[float, float]
    ) -> None:
        layers = steps.hidden
        n_layers, widest = (
            len(layers),
            _whole(max((*(len(layer.bias) for layer in layers), len(steps.bias), at.FEW + 1))),
        )
        self.W, self.B = _matrices(steps)
        self.L = _numbers(steps)
        self.tols = np.zeros(n_layers + 1)
        n_vertices, n_maps = most_sides * POLYGONS, MAPS // (3 * widest) + 4
        self.V = np.empty(2 * n_vertices)
        self.T = np.empty(3 * n_vertices, np.int64)
        self.R = np.empty((CHILDREN, 4), np.int64)
        self.RW = np.empty((CHILDREN, -(-widest // 64)), np.int64)
        self.RL = np.empty(self.RW.shape, np.int64)
        self.M = np.empty((n_maps, 3, widest))
        self.S = np.empty((CORNERS + most_sides, widest))
        self.J = np.empty((SURE + 1, widest), np.int64)
        self.G = np.empty(most_sides)
        self.U = np.empty((n_layers, widest), np.int64)
        self.PW = _first_units(steps)
        self.Z = _random_words(widest)
        self.part = np.array([0.0, *part])
        self.state = np.zeros(at.NUMBERS, np.int64)
        for number, value in (
            (at.LAYERS, n_layers),
            (at.WIDE, widest),
            (at.SET_WORDS, self.RW.shape[1]),
            (at.MOST_SIDES, most_sides),
        ):
            self.state[number] = value
        self._note_room()
        self._enter(layers[0] if layers else steps, domain)

    def _enter(self, first: Layer | Stages, domain: Float[ndarray, "v 2"]) -> None:
        """The domain is the first parent, with the map of the first layer; its edges have layer 0 and no line."""
        v, n = len(domain), len(first.bias)
        self.V[: 2 * v] = domain.reshape(-1)
        self.T[: 3 * v] = 0
        self.T[1 : 3 * v : 3] = -1
        self.M[0, :2, :n], self.M[0, 2, :n] = first.weight.T, first.bias
        self.L[0, at.SIDES] = v

    def _note_room(self) -> None:
        """Tell the walk how much memory there is; a new hash table, at most half full, in which no entry is valid."""
        self.H = np.zeros((1 << (2 * len(self.R) - 1).bit_length(), 2), np.int64)
        rooms = self.V.size // 2, len(self.R), len(self.M), len(self.H)
        self.state[at.V_ROOM : at.SLOTS + 1] = rooms

    def walk(self, limit: int, output: "Output") -> int:
        """Go on with the walk; returns why it stopped."""
        return walk(
            limit,
            self.L,
            self.tols,
            self.state,
            self.part,
            self.V,
            self.T,
            self.R,
            self.RW,
            self.RL,
            self.M,
            self.S,
            self.J,
            self.G,
            self.U,
            self.W,
            self.B,
            self.PW,
            self.Z,
            self.H,
            *output.arrays,
        )

    def grow(self) -> None:
        """More memory where more than half is in use or wanted."""
        tops = self.L[self.state[at.LAYER]]
        while 2 * (tops[at.V_TOP] + 6 * self.state[at.MOST_SIDES]) > self.V.size // 2:
            self.V, self.T = _grown(self.V), _grown(self.T)
        while 2 * (tops[at.R_TOP] + SEEDS) > len(self.R):
            self.R, self.RW, self.RL = _grown(self.R), _grown(self.RW), _grown(self.RL)
        while 2 * (tops[at.M_TOP] + 1) > len(self.M):
            self.M = _grown(self.M)
        self._note_room()


class Output:
    """The arrays that the walk fills: points, tags, ends, weights, biases, areas and bits of the cells.

    Up to LARGE bytes they share one block, of which the cells are copied: when it is freed, the C library learns to
    keep as much memory for the next walk, which the system would otherwise have to clear again, page by page, for a
    quarter of the walk's time. Larger ones, which it never keeps, stand alone and are shortened where they are.
    """

    def __init__(self, n_outputs: int, n_bytes: int) -> None:
        self.columns = (2,), (2,), (), (n_outputs, 2), (n_outputs,), (), (n_bytes,)
        self.arrays = self._arrays(CELLS)
        self.arrays[2][0] = 0

    def _arrays(self, n: int) -> tuple[ndarray, ...]:
        """Room for n cells."""
        lengths = VERTICES * n, VERTICES * n, n + 1, n, n, n, n
        shapes = [(length, *columns) for length, columns in zip(lengths, self.columns, strict=True)]
        starts = list(itertools.accumulate([8 * prod(shape) for shape in shapes[:-1]], initial=0))
        size = starts[-1] + prod(shapes[-1]) + SLACK
        if size > LARGE:
            shapes[-1] = (n + SLACK, *self.columns[-1])
            return tuple([np.empty(shape, kind) for shape, kind in zip(shapes, TYPES, strict=True)])
        block = np.empty(size, np.uint8)
        rows = zip(shapes, TYPES, starts, strict=True)
        return tuple([np.ndarray(shape, kind, block, start) for shape, kind, start in rows])

    def grow(self, share: float) -> None:
        """Room for the rest, of which we know only what share of the area the cells so far cover."""
        factor = min(max(MARGIN / share if share > 0 else MOST_GROWTH, GROWTH), MOST_GROWTH)
        before, self.arrays = list(self.arrays), self._arrays(int(factor * len(self.arrays[-2])))
        for i, array in enumerate(self.arrays):
            array[: len(before[i])] = before[i]
            before[i] = array  # the old one is given back

    def cut(self, n_cells: int, n_vertices: int) -> tuple[ndarray, ...]:
        """The arrays without the room that was not needed; the last call."""
        lengths = n_vertices, n_vertices, n_cells + 1, n_cells, n_cells, n_cells, n_cells
        return tuple([_cut(array, length) for array, length in zip(self.arrays, lengths, strict=True)])


def _cut(array: ndarray, length: int) -> ndarray:
    if array.base is not None:  # it lies in a block
        return array[:length].copy()
    array.resize((length, *array.shape[1:]), refcheck=False)
    return array


def _grown(array: ndarray) -> ndarray:
    larger = np.empty((4 * len(array), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger


@lru_cache(maxsize=8)
def _random_words(n: int) -> ndarray:
    """A word for each unit: the key of a set is the exclusive or of its units' words. SplitMix64 of 1, 2, …"""
    z = np.arange(1, n + 1, dtype=np.uint64) * MIX[0]
    for shift, factor in ((30, MIX[1]), (27, MIX[2])):
        z = (z ^ (z >> np.uint64(shift))) * factor
    return (z ^ (z >> np.uint64(31))).view(np.int64)


def _first_units(steps: Stages) -> ndarray:
    """A pattern in which the first k units of every layer win: any will do as the first guess."""
    layers = zip(steps.sizes, steps.winners, strict=True)
    words = [((1 << k) - 1) >> 64 * w & MAX_WORD for n, k in layers for w in range(-(-n // 64))]
    return np.array(words, np.uint64).view(np.int64)


def _whole(n: int) -> int:
    """n columns, filled up to whole vectors where they are more than a few."""
    return n if n <= at.FEW else -(-n // LANES) * LANES


def _matrices(steps: Stages) -> tuple[ndarray, ndarray]:
    """The transposed matrices behind the hidden layers, one after the other, and their biases, in whole vectors."""
    following = (*steps.hidden[1:], steps) if steps.hidden else ()
    columns = [_whole(len(s.bias)) for s in following]
    weights = np.zeros(sum(n * s.weight.shape[1] for n, s in zip(columns, following, strict=True)))
    biases = np.zeros(sum(columns))
    start = bias = 0
    for n, s in zip(columns, following, strict=True):
        used, rows = s.weight.shape
        weights[start : start + n * rows].reshape(rows, n)[:, :used] = s.weight.T
        biases[bias : bias + used] = s.bias
        start, bias = start + n * rows, bias + n
    return weights, biases


def _numbers(steps: Stages) -> ndarray:
    """What never changes of each hidden layer, and room for what does; a last row for the cells themselves."""
    numbers = np.zeros((len(steps.hidden) + 1, at.COLUMNS), np.int64)
    following = [*(len(layer.bias) for layer in steps.hidden[1:]), len(steps.bias)]
    weight = bias = word = 0
    for i, (layer, n_next) in enumerate(zip(steps.hidden, map(_whole, following), strict=False)):
        words = -(-layer.n // 64)
        numbers[i, : at.PASSED + 1] = i, layer.n, layer.k, n_next, weight, bias, word, words, layer.passed
        weight, bias, word = weight + len(layer.bias) * n_next, bias + n_next, word + words
    numbers[-1, at.INDEX] = len(steps.hidden)
    return numbers
