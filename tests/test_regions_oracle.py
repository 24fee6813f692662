"""The cells of a network on a plane against the exact oracle: equal pattern sets, equal areas, equal affine maps."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import oracle
import pytest
import small_networks
from hypothesis import given
from hypothesis import strategies as st
from small_networks import Small, degenerate, gaussian, integers

from kwta import slices
from kwta.regions.cells import Cells
from kwta.regions.plane import cells
from kwta.slices import Slice

SEEDS = range(40)  # for each kind of network and of weights
SQUARE = slices.square(-1, 1, -1, 1)
TRIANGLE = [[-2, -1], [1, -1.5], [0.5, 2]]
PENTAGON = [[-1, -1], [1, -1], [1.5, 0.25], [0, 1.5], [-1.25, 0.5]]


def plane_of(seed: int, inputs: int, draw=gaussian) -> Slice:
    """The square of a 2-D input space, or a plane through random points of the grid of the weights."""
    if inputs == 2 and seed % 2:
        return SQUARE
    rng = np.random.default_rng(1000 + seed)
    while True:
        directions = draw(rng, (2, inputs))
        if np.linalg.matrix_rank(directions) == 2:
            domain = (SQUARE.domain, TRIANGLE, PENTAGON)[seed % 3]
            return Slice(draw(rng, (inputs,)), directions, domain)


def patterns_of(found: Cells) -> list[oracle.Pattern]:
    layers = [found.pattern(layer) for layer in range(len(found.sizes))]
    return [tuple(tuple(np.flatnonzero(layer[r]).tolist()) for layer in layers) for r in range(len(found))]


def check_against_oracle(small: Small, plane: Slice) -> None:
    exact = oracle.cells(small.exact, plane.origin, plane.directions, plane.domain)
    check_against(cells(small.net, plane), exact)


def check_against(found: Cells, parts: list[oracle.Cell]) -> None:
    """Every pattern once, none more and none less; areas, and outputs as functions of t."""
    areas = oracle.measures(parts)
    met = patterns_of(found)
    assert len(set(met)) == len(met)
    assert set(met) == set(areas)
    np.testing.assert_allclose(found.areas, [float(areas[pattern]) for pattern in met], rtol=0, atol=1e-9)
    outputs = {part.pattern: [[float(c) for c in output] for output in part.outputs] for part in parts}
    expected = np.array([outputs[pattern] for pattern in met])
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found.bias, expected[:, :, 0], rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(found.weight, expected[:, :, 1:], rtol=0, atol=1e-12 * scale)
    assert found.complete
    assert found.n_unsplit == 0


@pytest.mark.parametrize("draw", [gaussian, integers])
@pytest.mark.parametrize("kind", small_networks.KINDS)
@pytest.mark.parametrize("seed", SEEDS)
def test_cells_are_those_of_the_oracle(seed, kind, draw):
    inputs = 2 + seed % 2
    check_against_oracle(small_networks.random(seed, kind, draw, inputs), plane_of(seed, inputs, draw))


@given(degenerate(widest=4))
def test_cells_are_those_of_the_oracle_where_everything_ties(small):
    check_against_oracle(small, SQUARE)


@given(degenerate(widest=4, inputs=3), st.integers(0, 8))
def test_cells_are_those_of_the_oracle_on_other_polygons_and_planes(small, seed):
    check_against_oracle(small, plane_of(2 * seed, 3, integers))


TENTHS = [[Fraction(x, 10) for x in row] for row in ([-13, -11], [17, -11], [17, 23], [-13, 23])]


@given(degenerate(widest=4))
def test_ties_of_the_ideal_plane_are_found_on_the_rounded_one(small):
    """Tenths are no binary fractions, so values that are equal on the plane that is meant differ by rounding here."""
    origin, directions = [Fraction(1, 10), Fraction(-3, 10)], [[Fraction(7, 10), 0], [0, Fraction(7, 10)]]
    plane = Slice(*(np.array(part, float) for part in (origin, directions, TENTHS)))
    check_against(cells(small.net, plane), oracle.cells(small.exact, origin, directions, TENTHS))


@pytest.mark.parametrize("seed", range(6))
def test_full_float64_weights_and_more_units(seed):
    rng = np.random.default_rng(seed)
    widths = [3, 8, 7, 2]
    weights = tuple(rng.standard_normal((o, i)) for i, o in pairwise(widths))
    small = Small(
        weights, tuple(rng.standard_normal(n) for n in widths[1:]), ((3, None), (2, 3), (None, None))[seed % 3]
    )
    check_against_oracle(small, Slice(rng.standard_normal(3), rng.standard_normal((2, 3)), SQUARE.domain))
