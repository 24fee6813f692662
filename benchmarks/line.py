"""The exact pieces of the reference networks on a segment: the whole call, and the walk alone.

Aims for the whole call, from network to arrays: 0.4 ms for c_he with ReLU, 0.2 ms for f_def_slice2d; at best 0.05 ms.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.harness import Comparison, Timing, compare, threads, timing
from benchmarks.reference import network
from benchmarks.report import Section
from kwta import slices
from kwta.jumps import along
from kwta.regions import grid, line
from kwta.regions.stages import stages

NAMES = ("a_he", "c_he", "d_def", "f_def_slice2d")
GAMMAS = (None, 0.125, 0.5)
SAMPLES = 10_000
SEGMENT = slices.segment(np.array([-1.0, -0.8]), np.array([1.0, 0.9]))


def _case(name: str, gamma: float | None, n: int) -> str:
    return f"{name} {'ReLU' if gamma is None else f'γ = {gamma}'}: {n}"


def _whole_call() -> Iterator[Comparison]:
    with threads(1):
        for name in NAMES:
            for gamma in GAMMAS:
                net = network(name, gamma)
                exact = partial(line.pieces, net, SEGMENT)
                sampled = partial(grid.counts, net, SEGMENT, SAMPLES, "cpu")
                yield compare(_case(name, gamma, len(exact())), exact, sampled)


def _walk() -> Iterator[Timing]:
    with threads(1):
        for name in NAMES:
            for gamma in GAMMAS:
                folded = stages(network(name, gamma), SEGMENT)
                walk = partial(line.of_stages, folded, SEGMENT)
                n = len(walk())
                yield timing(_case(name, gamma, n), walk, n)


def _jumps() -> Iterator[Timing]:
    with threads(1):
        for name in NAMES:
            found = line.pieces(network(name, 0.125), SEGMENT)
            yield timing(_case(name, 0.125, len(found)), partial(along, found), len(found))


def sections() -> Iterator[Section]:
    yield Section(
        "Pieces on a segment, exact and sampled",
        f"pieces(net, line) against the patterns of {SAMPLES:,} samples, which miss some. Each case with its number of "
        "pieces.",
        _whole_call(),
    )
    yield Section(
        "The walk alone", "Of a network that has been folded with the line; an entry is a piece found.", _walk()
    )
    yield Section("Jumps along the segment", "along(pieces); an entry is a piece.", _jumps())
