"""Memory for the walk through a plane: stacks that grow when they are full, and the output."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from kwta.regions import polygon_kernel as at
from kwta.regions.kwta_kernel import PENALTIES, SURE
from kwta.regions.plane_kernel import walk
from kwta.regions.stages import Layer, Stages

SIDES = 32  # vertices of a polygon for which there is room at first
MOST_SIDES = 1 << 14  # more hints at numbers that are none
MAPS = 1 << 24  # entries of the maps kept at first (128 MiB of address space, used as needed)


class Workspace:
    """The arrays of `plane_kernel.walk`, for one network on one domain."""

    def __init__(self, steps: Stages, domain: Float[ndarray, "v 2"], mv: int) -> None:
        layers = steps.hidden
        self.mv = mv
        self.dims = _dims(steps)
        n_layers, widest = len(layers), max((*steps.sizes, len(steps.bias), 1))
        following = [*layers[1:], steps]
        self.W = np.concatenate(
            [np.ascontiguousarray(s.weight.T).ravel() for s in following] if layers else [np.empty(0)]
        )
        self.B = np.concatenate([s.bias for s in following] if layers else [np.empty(0)])
        self.L = np.zeros((n_layers + 1, 15), np.int64)
        self.tols = np.zeros(n_layers + 1)
        self.state = np.zeros(7, np.int64)
        n_children = sum(n + 2 for n in steps.sizes) + 64
        self.V = np.empty(2 * (2 * mv * n_children))
        self.T = np.empty(3 * (2 * mv * n_children), np.int64)
        self.R = np.empty((n_children, 4), np.int64)
        self.RW = np.empty((n_children, -(-widest // 64)), np.int64)
        self.RL = np.empty((n_children, widest), np.int64)
        self.M = np.empty((3 * min(n_children, MAPS // (3 * widest) + 4), widest))
        self.S = np.empty((PENALTIES + n_layers + mv, widest))
        for layer, k in enumerate(steps.winners):  # any k units will do as the first guess
            self.S[PENALTIES + layer] = np.where(np.arange(widest) < k, 0, at.BIG)
        self.J = np.empty((SURE + 1, widest), np.int64)
        self.G = np.empty(mv)
        self.U = np.empty((n_layers, widest), np.int64)
        self.PW = np.zeros(int(self.dims[:, at.WORDS].sum()), np.int64)
        self.Z = _random_words(widest)
        self.H = _table(n_children)
        self._enter(layers[0] if layers else steps, domain)

    def _enter(self, first: Layer | Stages, domain: Float[ndarray, "v 2"]) -> None:
        """The domain is the first parent, with the map of the first layer; its edges have layer 0 and no line."""
        v = len(domain)
        self.V[: 2 * v] = domain.ravel()
        self.T[: 3 * v] = np.tile([0, -1, 0], v)
        n = len(first.bias)
        self.M[0, :n], self.M[1, :n], self.M[2, :n] = first.weight[:, 0], first.weight[:, 1], first.bias
        self.L[0, [at.Q, at.SIDES, at.MAP]] = 0, v, 0

    def walk(self, limit: int, output: "Output") -> int:
        """Go on with the walk; returns why it stopped."""
        return walk(
            limit,
            self.dims,
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
            self.mv,
            *output.arrays,
        )

    def grow(self) -> None:
        """Twice the memory where more than half is in use or wanted."""
        tops = self.L[self.state[at.LAYER]]
        while 2 * (tops[at.V_TOP] + 2 * self.mv) > self.V.size // 2:
            self.V, self.T = _doubled(self.V), _doubled(self.T)
        while 2 * (tops[at.R_TOP] + 1) > len(self.R):
            self.R, self.RW, self.RL = _doubled(self.R), _doubled(self.RW), _doubled(self.RL)
        while 2 * (tops[at.M_TOP] + 1) > len(self.M) // 3:
            self.M = _doubled(self.M)
        self.H = _table(len(self.R))


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


def _table(n_records: int) -> ndarray:
    """A hash table that stays at most half full; no entry has the stamp 0."""
    return np.zeros((1 << (2 * n_records - 1).bit_length(), 2), np.int64)


def _random_words(n: int) -> ndarray:
    """A word for each unit: the key of a set is the exclusive or of its units' words."""
    return np.random.default_rng(0).integers(-(2**63), 2**63 - 1, n, np.int64, endpoint=True)


def _dims(steps: Stages) -> ndarray:
    """For each hidden layer: n, k, n of the next, where its weights and biases start, its first word and its words."""
    dims = np.zeros((len(steps.hidden), 7), np.int64)
    following = [*steps.sizes[1:], len(steps.bias)]
    weight = bias = word = 0
    for layer, (n, k, n_next) in enumerate(zip(steps.sizes, steps.winners, following, strict=False)):
        dims[layer] = n, k, n_next, weight, bias, word, -(-n // 64)
        weight, bias, word = weight + n * n_next, bias + n_next, word + -(-n // 64)
    return dims
