"""Small networks as the oracle and the library see them, random or from hypothesis: k-WTA, ReLU and mixed layers."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import oracle
from hypothesis import strategies as st
from numpy import ndarray

from kwta.networks import Network, from_arrays

GRAIN = 2**10  # Gaussian weights are rounded to its inverse: in general position, yet short fractions
KINDS = ("k-WTA", "ReLU", "mixed")


@dataclass(frozen=True)
class Small:
    """Weights and biases of all layers, and the winners of each hidden layer: k, or None for ReLU."""

    weights: tuple[ndarray, ...]
    biases: tuple[ndarray, ...]
    winners: tuple[int | None, ...]

    @property
    def exact(self) -> oracle.Net:
        return oracle.net(self.weights, self.biases, self.winners)

    @property
    def net(self) -> Network:
        sizes = [len(b) for b in self.biases[:-1]]
        gammas = [None if k is None else Fraction(k, n) for k, n in zip(self.winners, sizes, strict=True)]
        return from_arrays(self.weights, self.biases, tuple(gammas))


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> ndarray:
    return np.round(rng.standard_normal(shape) * GRAIN) / GRAIN


def integers(rng: np.random.Generator, shape: tuple[int, ...]) -> ndarray:
    """From −2 to 2: ties everywhere, dead units, equal rows."""
    return rng.integers(-2, 3, shape).astype(float)


def random(seed: int, kind: str, draw=gaussian, inputs: int = 2, deepest: int = 3) -> Small:
    """2 to 6 units in each of 1 to `deepest` hidden layers, one or two outputs."""
    rng = np.random.default_rng(seed)
    hidden = rng.integers(2, 7, rng.integers(1, deepest + 1)).tolist()
    widths = [inputs, *hidden, int(rng.integers(1, 3))]
    weights = tuple(draw(rng, (o, i)) for i, o in pairwise(widths))
    biases = tuple(draw(rng, (n,)) for n in widths[1:])
    relu = {"k-WTA": 0.0, "ReLU": 1.0, "mixed": 0.5}[kind]
    winners = tuple(None if rng.random() < relu else int(rng.integers(1, n + 1)) for n in hidden)
    return Small(weights, biases, winners)


@st.composite
def degenerate(draw: st.DrawFn, inputs: int = 2, deepest: int = 3, widest: int = 5) -> Small:
    """Weights from a grid of small integers, often with biases of zero, so that many functions meet in one point."""
    hidden = draw(st.lists(st.integers(1, widest), min_size=1, max_size=deepest))
    widths = [inputs, *hidden, 1]
    entry = st.integers(-2, 2)
    flat = draw(st.booleans())

    def array(*shape: int) -> ndarray:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(entry, min_size=size, max_size=size)), float).reshape(shape)

    weights = tuple(array(o, i) for i, o in pairwise(widths))
    biases = tuple(np.zeros(n) if flat else array(n) for n in widths[1:])
    winners = tuple(draw(st.none() | st.integers(1, n)) for n in hidden)
    return Small(weights, biases, winners)
