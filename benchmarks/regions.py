"""The exact cells of the reference networks on [−1, 1]²: the whole call, and the walk alone.

An entry is a region: 1,000 ns per region are one million regions per second. Each case names its number of regions and
two limits in ns: what must be kept (it beats the fastest public tool on every ReLU row), and what is aimed at.
"""

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.harness import Timing, threads, timing
from benchmarks.reference import network
from benchmarks.report import Section
from kwta import slices
from kwta.regions import overlay, plane
from kwta.regions.stages import stages

PLANE = slices.square(-1, 1, -1, 1)
RUNGS = 0.125

# Name, γ, and millions of regions a second: at least, aim.
CASES = (
    ("a_def", None, 0.6, 5.0),
    ("c_he", None, 0.4, 2.5),
    ("d_def", None, 0.25, 1.2),
    ("f_def_slice2d", None, 0.3, 2.0),
    ("a_he", RUNGS, 0.2, 1.0),
    ("c_he", RUNGS, 0.15, 1.0),
    ("d_def", RUNGS, 0.1, 0.5),
)


def _timings(way: Callable[[str, float | None], tuple[Callable[[], object], int]]) -> Iterator[Timing]:
    with threads(1):
        for name, gamma, least, aim in CASES:
            call, n = way(name, gamma)
            kind = "ReLU" if gamma is None else "k = N/8"
            yield timing(f"{name} {kind}: {n} (≤ {1e3 / least:,.0f}, aim {1e3 / aim:,.0f})", call, n)


def _whole_call(name: str, gamma: float | None) -> tuple[Callable[[], object], int]:
    net = network(name, gamma)
    return partial(plane.cells, net, PLANE), len(plane.cells(net, PLANE))


def _walk(name: str, gamma: float | None) -> tuple[Callable[[], object], int]:
    folded = stages(network(name, gamma), PLANE)
    return partial(plane.of_stages, folded, PLANE), len(plane.of_stages(folded, PLANE))


def _borders(name: str, gamma: float | None) -> tuple[Callable[[], object], int]:
    found = plane.cells(network(name, gamma), PLANE)
    return partial(overlay.overlaid, found), len(found)


def sections() -> Iterator[Section]:
    yield Section("Regions of a plane", "cells(net, plane): from the network to all arrays.", _timings(_whole_call))
    yield Section(
        "The walk alone", "Of a network that has been folded with the plane, as a slider does.", _timings(_walk)
    )
    yield Section("Borders", "Both sides of every line laid over each other; an entry is a region.", _timings(_borders))
