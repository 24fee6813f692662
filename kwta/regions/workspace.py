"""Memory for the walk through a plane: stacks that grow when they are full, and the output."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kwta.regions import polygon_kernel as at
from kwta.regions.plane_kernel import walk
from kwta.regions.stages import Layer, Stages
from kwta.regions.winners_kernel import PENALTIES, SURE

SIDES = 32  # vertices of a polygon for which there is room at first
MOST_SIDES = 1 << 14  # more hints at numbers that are none
MAPS = 1 << 24  # entries of the maps kept at first (128 MiB of address space, used as needed)


class Workspace:
    """The arrays of `plane_kernel.walk`, for one network on one domain."""

    def __init__(self, steps: Stages, domain: Float[ndarray, "v 2"], most_sides: int) -> None:
        layers = steps.hidden
        n_layers, widest = len(layers), max((*(len(layer.bias) for layer in layers), len(steps.bias), 1))
        following = [*layers[1:], steps] if layers else []
        self.W = np.concatenate([np.empty(0), *(s.weight.T.ravel() for s in following)])
        self.B = np.concatenate([np.empty(0), *(s.bias for s in following)])
        self.L = _numbers(steps)
        self.tols = np.zeros(n_layers + 1)
        n_children = sum(n + 2 for n in steps.sizes) + 64
        n_vertices, n_maps = 2 * most_sides * n_children, min(n_children, MAPS // (3 * widest) + 4)
        self.V = np.empty(2 * n_vertices)
        self.T = np.empty(3 * n_vertices, np.int64)
        self.R = np.empty((n_children, 4), np.int64)
        self.RW = np.empty((n_children, -(-widest // 64)), np.int64)
        self.RL = np.empty((n_children, widest), np.int64)
        self.M = np.empty((n_maps, 3, widest))
        self.S = np.empty((PENALTIES + n_layers + most_sides, widest))
        for layer, k in enumerate(steps.winners):  # any k units will do as the first guess
            self.S[PENALTIES + layer] = np.where(np.arange(widest) < k, 0, at.BIG)
        self.J = np.empty((SURE + 1, widest), np.int64)
        self.G = np.empty(most_sides)
        self.U = np.empty((n_layers, widest), np.int64)
        self.PW = np.zeros(sum(-(-n // 64) for n in steps.sizes), np.int64)
        self.Z = _random_words(widest)
        self.state = np.zeros(at.NUMBERS, np.int64)
        self.state[[at.LAYERS, at.WIDE, at.SET_WORDS, at.MOST_SIDES]] = n_layers, widest, self.RW.shape[1], most_sides
        self._note_room()
        self._enter(layers[0] if layers else steps, domain)

    def _enter(self, first: Layer | Stages, domain: Float[ndarray, "v 2"]) -> None:
        """The domain is the first parent, with the map of the first layer; its edges have layer 0 and no line."""
        v, n = len(domain), len(first.bias)
        self.V[: 2 * v] = domain.ravel()
        self.T[: 3 * v] = np.tile([0, -1, 0], v)
        self.M[0, :2, :n], self.M[0, 2, :n] = first.weight.T, first.bias
        self.L[0, [at.Q, at.SIDES, at.MAP]] = 0, v, 0

    def _note_room(self) -> None:
        """Tell the walk how much memory there is; a new hash table, at most half full, in which no entry is valid."""
        self.H = np.zeros((1 << (2 * len(self.R) - 1).bit_length(), 2), np.int64)
        rooms = self.V.size // 2, len(self.R), len(self.M), len(self.H)
        self.state[[at.V_ROOM, at.R_ROOM, at.M_ROOM, at.SLOTS]] = rooms

    def walk(self, limit: int, output: "Output") -> int:
        """Go on with the walk; returns why it stopped."""
        return walk(
            limit,
            self.L,
            self.tols,
            self.state,
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
        """Twice the memory where more than half is in use or wanted."""
        tops = self.L[self.state[at.LAYER]]
        while 2 * (tops[at.V_TOP] + 2 * self.state[at.MOST_SIDES]) > self.V.size // 2:
            self.V, self.T = _doubled(self.V), _doubled(self.T)
        while 2 * (tops[at.R_TOP] + 1) > len(self.R):
            self.R, self.RW, self.RL = _doubled(self.R), _doubled(self.RW), _doubled(self.RL)
        while 2 * (tops[at.M_TOP] + 1) > len(self.M):
            self.M = _doubled(self.M)
        self._note_room()


class Output:
    """The arrays that the walk fills: points, tags, ends, maps, bits and areas of the cells."""

    def __init__(self, n_outputs: int, n_words: int) -> None:
        room = 1 << 14  # not touched until used, so it costs nothing to have much
        self.arrays = (
            np.empty((8 * room, 2)),
            np.empty((8 * room, 2), np.int64),
            np.empty(room, np.int64),
            np.empty((room, n_outputs, 3)),
            np.empty((room, n_words), np.int64),
            np.empty(room),
        )

    def grow(self) -> None:
        self.arrays = tuple(_doubled(a) for a in self.arrays)


def _doubled(array: ndarray) -> ndarray:
    larger = np.empty((2 * len(array), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger


def _random_words(n: int) -> ndarray:
    """A word for each unit: the key of a set is the exclusive or of its units' words."""
    return np.random.default_rng(0).integers(-(2**63), 2**63 - 1, n, np.int64, endpoint=True)


def _numbers(steps: Stages) -> ndarray:
    """What never changes of each hidden layer, and room for what does; a last row for the cells themselves."""
    numbers = np.zeros((len(steps.hidden) + 1, at.COLUMNS), np.int64)
    following = [*(len(layer.bias) for layer in steps.hidden[1:]), len(steps.bias)]
    weight = bias = word = 0
    for i, (layer, n_next) in enumerate(zip(steps.hidden, following, strict=False)):
        words = -(-layer.n // 64)
        numbers[i, : at.PASSED + 1] = i, layer.n, layer.k, n_next, weight, bias, word, words, layer.passed
        weight, bias, word = weight + len(layer.bias) * n_next, bias + n_next, word + words
    numbers[-1, at.INDEX] = len(steps.hidden)
    return numbers
