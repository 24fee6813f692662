"""The network along the segment between two inputs, for every rung of γ: exact pieces, made once for all viewers."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Literal

import numpy as np
import streamlit as st
from torch import nn

from app.compute import Unusable, data, inputs
from app.compute.trained import Snapshot, Which
from kwta import jumps, slices
from kwta.activation import winners
from kwta.jumps import Steps
from kwta.networks import from_arrays
from kwta.regions import line
from kwta.regions.line import Pieces
from kwta.regions.stages import Stages, stages

# More pieces than a screen has pixels; a walk that finds more ends there and says so.
MAX_PIECES = 20_000
# Segments whose rungs are kept, over all viewers; those of a small network take some 0.3 MB each.
KEPT = 48
STEPS_OF_GAMMA = 100
# Maps that differ by less than this part of the largest |f| on the segment, at both of its ends, are one.
EQUAL = 1e-9
# A k-WTA network along t in [0, 1], folded into the first layer.
UNIT = slices.Slice(np.zeros(1), np.ones((1, 1)), np.array([[0.0], [1.0]]))


@dataclass(frozen=True)
class Rung:
    """Values of γ, in hundredths from `low` to `high`, that give every layer the same number of winners."""

    low: float
    high: float
    winners: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a picture of f along the segment comes to, for each output and, last, in the L2 norm over all of them.

    by_jumps, by_slopes: how the total variation of f splits: Σ |jump| and Σ |slope| × length. largest: the largest
    |jump|; at: its border, −1 where f is continuous.
    """

    by_jumps: np.ndarray
    by_slopes: np.ndarray
    largest: np.ndarray
    at: np.ndarray


@dataclass(frozen=True, eq=False)
class Course:
    """f along the segment at one γ (None: ReLU): exact pieces, what f does at each border, and the sums of both.

    joined [b]: whether the pieces on both sides of a border have the same affine map.
    """

    gamma: float | None
    steps: Steps
    joined: np.ndarray
    numbers: Numbers

    @property
    def pieces(self) -> Pieces:
        """The pieces, one winner set each."""
        return self.steps.pieces

    @property
    def n_merged(self) -> int:
        """Different straight lines: pieces, where neighbours with equal maps count once."""
        return 1 + int((~self.joined).sum())

    @property
    def by_layer(self) -> list[int]:
        """Borders that arise in each hidden layer."""
        return np.bincount(self.pieces.layer, minlength=len(self.pieces.sizes)).tolist()


def rungs(sizes: tuple[int, ...]) -> tuple[Rung, ...]:
    """All different networks that the hundredths of γ make of layers of these sizes, in order; up to 100 units each k.

    >>> [(rung.low, rung.high, rung.winners) for rung in rungs((2, 3))]
    [(0.5, 0.66, (1, 1)), (0.67, 0.99, (1, 2)), (1.0, 1.0, (2, 3))]
    """
    found: list[Rung] = []
    for hundredths in range(1, STEPS_OF_GAMMA + 1):
        gamma = hundredths / STEPS_OF_GAMMA
        if min(floor(Fraction(hundredths, STEPS_OF_GAMMA) * n) for n in sizes) < 1:
            continue
        ks = tuple(winners(gamma, n) for n in sizes)
        if found and found[-1].winners == ks:
            found[-1] = Rung(found[-1].low, gamma, ks)
        else:
            found.append(Rung(gamma, gamma, ks))
    return tuple(found)


def rung_of(ladder: tuple[Rung, ...], gamma: float) -> int:
    """The rung to which γ belongs; ValueError below the lowest, where a layer would have no winner."""
    if gamma < ladder[0].low:
        raise ValueError(f"γ must be at least {ladder[0].low:g} here, so that every layer has a winner; got {gamma:g}")
    return max(i for i, rung in enumerate(ladder) if rung.low <= gamma)


def reader(sizes: tuple[int, ...], read: Callable[[str], float]) -> Callable[[str], float]:
    """A reader of γ for layers of these sizes."""

    def checked(text: str) -> float:
        gamma = read(text)
        rung_of(rungs(sizes), gamma)
        return gamma

    return checked


def joined(pieces: Pieces) -> np.ndarray:
    """Whether the maps on both sides of each border are equal, to EQUAL of the largest |f| at the segment's ends."""
    ends = pieces.within.domain[:, 0]
    at_ends = pieces.offset[:, None] + pieces.slope[:, None] * ends[:, None]
    differences = np.abs(np.diff(at_ends, axis=0)).max(axis=(1, 2), initial=0.0)
    return differences <= EQUAL * np.abs(at_ends).max()


def numbers(steps: Steps) -> Numbers:
    """Total variation by jumps and by slopes, and the largest jump."""
    lengths = np.diff(steps.pieces.edges)
    slopes, sizes = (np.concatenate([np.abs(v), np.linalg.norm(v, axis=1)[:, None]], axis=1) for v in _rates(steps))
    largest = sizes.max(axis=0, initial=0.0)
    at = sizes.argmax(axis=0) if len(sizes) else np.full(len(largest), -1)
    return Numbers(sizes.sum(axis=0), lengths @ slopes, largest, np.where(largest > 0, at, -1))


def _rates(steps: Steps) -> tuple[np.ndarray, np.ndarray]:
    return steps.pieces.slope, steps.jump


def course(network: Stages, gamma: float | None) -> Course:
    """f along the folded segment with k = ⌊γN⌋ in every layer, or with ReLU."""
    weights, biases = ([getattr(part, name) for part in (*network.hidden, network)] for name in ("weight", "bias"))
    ratio = None if gamma is None else Fraction(round(gamma * STEPS_OF_GAMMA), STEPS_OF_GAMMA)
    found = line.pieces(from_arrays(weights, biases, ratio), UNIT, MAX_PIECES)
    if not (np.isfinite(found.offset).all() and np.isfinite(found.slope).all()):
        raise Unusable("the network's values on this segment exceed the range of float64")
    steps = jumps.along(found)
    return Course(gamma, steps, joined(found), numbers(steps))


class Ladder:
    """The segment at every rung of γ, and with ReLU; each made when it is first asked for, then kept."""

    def __init__(self, net: nn.Module, twin: nn.Module, start: np.ndarray, end: np.ndarray) -> None:
        try:
            segment = slices.segment(start, end)
            shape = start.shape
            self._network, self._twin = stages(net, segment, shape), stages(twin, segment, shape)
        except ValueError as error:
            raise Unusable(str(error)) from error
        self.x = np.stack([start, end]).astype(np.float64)
        self.rungs = rungs(self._network.sizes)
        self._made: dict[int, Course] = {}
        self._lock = threading.Lock()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return self._network.sizes

    def at(self, rung: int) -> Course:
        """The course of one rung; −1 is ReLU."""
        with self._lock:
            if rung not in self._made:
                network, gamma = (self._twin, None) if rung < 0 else (self._network, self.rungs[rung].low)
                self._made[rung] = course(network, gamma)
            return self._made[rung]


def nearest(n: int, rung: int) -> list[int]:
    """All n rungs, and ReLU (−1) second, the nearest to `rung` first.

    >>> nearest(4, 2)
    [2, -1, 1, 3, 0]
    """
    order = sorted(range(n), key=lambda i: (abs(i - rung), i))
    return [order[0], -1, *order[1:]]


def ends(name: str, start: str, end: str) -> list[inputs.Input]:
    """The two inputs of these names; Unusable if they are the same."""
    known = data.data(name)
    found = [inputs.found(known, text) for text in (start, end)]
    if np.array_equal(found[0].x, found[1].x):
        raise Unusable(f"the segment's ends are the same input, {found[0].name}; choose another for one of them")
    return found


@dataclass(frozen=True)
class _Key:
    """Names the weights of both networks, by the frames of their runs, and the segment."""

    which: Which
    frames: tuple[int, int]
    start: str
    end: str
    kind: Literal["segment"] = "segment"


def usual_ends(name: str) -> tuple[str, str]:
    """Names of two inputs to begin with: corners of the data box, or test inputs of two classes.

    >>> usual_ends("digits")
    ('0', '3')
    """
    known = data.data(name)
    if inputs.is_planar(known):
        low, high = known.box
        near, far = (low + share * (high - low) for share in (0.05, 0.95))
        return inputs.point(known, f"{near},{near}").name, inputs.point(known, f"{far},{far}").name
    others = np.flatnonzero(known.labels_test != known.labels_test[0])
    return "0", str(others[0] if len(others) else 1)


def ladder(snapshot: Snapshot, twin: Snapshot, start: str, end: str) -> Ladder:
    """The segment from `start` to `end` (names of inputs) in a network and its ReLU twin; shared by all viewers."""
    return _ladder(_Key(snapshot.which, (snapshot.frames, twin.frames), start, end), snapshot.net, twin.net)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _ladder(key: _Key, _net: nn.Module, _twin: nn.Module) -> Ladder:
    first, second = ends(key.which.recipe.data, key.start, key.end)
    return Ladder(_net, _twin, first.x, second.x)


def table(found: Course) -> dict[str, np.ndarray]:
    """One row per border: where it is, which units change places at which value, and what f does there."""
    pieces = found.pieces
    jump = found.steps.jump
    columns = {
        "t": pieces.t,
        "layer": pieces.layer + 1,
        "out": pieces.leaves,
        "in": pieces.enters,
        "y": pieces.level,
        "swaps": pieces.n_swaps,
        "‖jump‖": found.steps.sizes(),
    }
    return columns | {f"jump of f{i}": jump[:, i] for i in range(jump.shape[1])}


def csv(found: Course) -> str:
    """The table as comma-separated text; floats are written so that they read back exactly."""
    columns = table(found)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows)]) + "\n"
