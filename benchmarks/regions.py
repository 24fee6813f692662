"""The exact cells of the reference networks on [−1, 1]²: the whole call, and the walk alone.

An entry is a region: 1,000 ns per region are one million regions per second. Each case names its number of regions and
two limits in ns: what must be kept (it beats the fastest public tool on every ReLU row), and what is aimed at.
"""

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.harness import Comparison, Timing, compare, threads, timing
from benchmarks.reference import network
from benchmarks.report import Section
from kwta import slices
from kwta.jumps import borders
from kwta.regions import plane
from kwta.regions.stages import stages

PLANE = slices.square(-1, 1, -1, 1)
RUNGS = 0.125
ON_TOP, ON_TOP_AIM = 0.4, 0.15  # of the time for the cells: what borders may cost, at most and at best

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


def _kind(gamma: float | None) -> str:
    return "ReLU" if gamma is None else "k = N/8"


def _timings(way: Callable[[str, float | None], tuple[Callable[[], object], int]]) -> Iterator[Timing]:
    with threads(1):
        for name, gamma, least, aim in CASES:
            call, n = way(name, gamma)
            yield timing(f"{name} {_kind(gamma)}: {n} (≤ {1e3 / least:,.0f}, aim {1e3 / aim:,.0f})", call, n)


def _whole_call(name: str, gamma: float | None) -> tuple[Callable[[], object], int]:
    net = network(name, gamma)
    return partial(plane.cells, net, PLANE), len(plane.cells(net, PLANE))


def _walk(name: str, gamma: float | None) -> tuple[Callable[[], object], int]:
    folded = stages(network(name, gamma), PLANE)
    return partial(plane.of_stages, folded, PLANE), len(plane.of_stages(folded, PLANE))


def _last_cell() -> Iterator[Comparison]:
    with threads(2):  # so that time is that on the wall
        for name, gamma, *_ in CASES:
            net = network(name, gamma)
            case = f"{name} {_kind(gamma)}: {len(plane.cells(net, PLANE))}"
            yield compare(case, partial(plane.cells, net, PLANE, threads=2), partial(plane.cells, net, PLANE))


def _borders() -> Iterator[Comparison]:
    with threads(1):
        for name, gamma, *_ in CASES:
            net = network(name, gamma)
            found = plane.cells(net, PLANE)
            case = f"{name} {_kind(gamma)}: {len(borders(found))}"
            yield compare(case, partial(borders, found), partial(plane.cells, net, PLANE), target=1 / ON_TOP)


def sections() -> Iterator[Section]:
    yield Section("Regions of a plane", "cells(net, plane): from the network to all arrays.", _timings(_whole_call))
    yield Section(
        "The walk alone", "Of a network that has been folded with the plane, as a slider does.", _timings(_walk)
    )
    yield Section(
        "Time to the last cell, two threads against one",
        "cells(net, plane, threads=2) on the wall, and how many times as fast as with one thread; walks of less than "
        "some 6 ms take one anyway.",
        _last_cell(),
    )
    yield Section(
        "Borders with jumps, beside the cells themselves",
        f"borders(cells) against cells(net, plane); each case with its number of borders. At most {ON_TOP:.0%} on top "
        f"is a ratio of {1 / ON_TOP:g}; the aim is {ON_TOP_AIM:.0%}, {1 / ON_TOP_AIM:.1f}.",
        _borders(),
    )
