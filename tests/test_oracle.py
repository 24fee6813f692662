"""The oracle itself, against closed forms and hand-solved networks: it must be right where nothing else checks it."""

from fractions import Fraction
from math import comb

import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

SQUARE = [[-1, -1], [1, -1], [1, 1], [-1, 1]]
PLANE = ([0, 0], [[1, 0], [0, 1]])
FAR = [[c * 1000 for c in vertex] for vertex in SQUARE]

# The directions and offsets of lines in general position: no two parallel, no three through a point.
LINES = [(1, 0, 0), (0, 1, 0), (1, 1, 1), (1, -1, 2), (2, 1, 5), (1, 3, -7)]


@pytest.mark.parametrize("n", range(1, len(LINES) + 1))
def test_n_lines_in_general_position_cut_the_plane_into_1_plus_n_plus_n_over_2_cells(n):
    weights = [[line[:2] for line in LINES[:n]], [[1] * n]]
    network = oracle.net(weights, [[line[2] for line in LINES[:n]], [0]], [None])
    areas = oracle.measures(oracle.cells(network, *PLANE, FAR))
    assert len(areas) == 1 + n + comb(n, 2)
    assert sum(areas.values()) == 2000**2


def test_one_winner_of_the_four_half_axes_cuts_the_square_along_its_diagonals():
    network = oracle.net([[[1, 0], [0, 1], [-1, 0], [0, -1]], [[1, 1, 1, 1]]], [[0] * 4, [0]], [1])
    assert oracle.measures(oracle.cells(network, *PLANE, SQUARE)) == {((i,),): 1 for i in range(4)}


def test_one_winner_among_moved_functions_has_the_areas_found_by_hand():
    # y = (x, 1/2, 1/4 - x): the first wins where x > 1/2, the last where x < -1/4, the second in between.
    network = oracle.net([[[1, 0], [0, 0], [-1, 0]], [[1, 1, 1]]], [[0, Fraction(1, 2), Fraction(1, 4)], [0]], [1])
    areas = oracle.measures(oracle.cells(network, *PLANE, SQUARE))
    assert areas == {((0,),): 1, ((1,),): Fraction(3, 2), ((2,),): Fraction(3, 2)}


def test_a_second_layer_is_solved_inside_each_cell_of_the_first():
    # |x| by two ReLUs, then |x| - 1/2 through a third: breakpoints at -1/2, 0 and 1/2.
    network = oracle.net([[[1], [-1]], [[1, 1]], [[1]]], [[0, 0], [Fraction(-1, 2)], [0]], [None, None])
    found = oracle.pieces(network, [0], [1], -1, 1)
    assert [piece.vertices[0][0] for piece in found] == [-1, Fraction(-1, 2), 0, Fraction(1, 2)]
    assert [piece.pattern for piece in found] == [((1,), (0,)), ((1,), ()), ((0,), ()), ((0,), (0,))]
    assert [piece.outputs[0] for piece in found] == [(Fraction(-1, 2), -1), (0, 0), (0, 0), (Fraction(-1, 2), 1)]


def test_equal_functions_are_decided_by_the_lower_index():
    network = oracle.net([[[1], [1], [-1]], [[1, 1, 1]]], [[0, 0, 0], [0]], [1])
    found = oracle.pieces(network, [0], [1], -1, 1)
    assert [piece.pattern for piece in found] == [((2,),), ((0,),)]


def test_all_winning_is_one_cell():
    network = oracle.net([[[1, 2], [3, 4]], [[1, 1]]], [[0, 0], [0]], [2])
    assert oracle.measures(oracle.cells(network, *PLANE, SQUARE)) == {((0, 1),): 4}


weight = st.integers(-2, 2)


@st.composite
def small(draw):
    """A network of two hidden layers with weights from a small grid, so that ties are everywhere."""
    widths = [2, draw(st.integers(1, 4)), draw(st.integers(1, 3)), 1]
    sizes = list(zip(widths[1:], widths[:-1], strict=True))
    weights = [draw(st.lists(st.lists(weight, min_size=i, max_size=i), min_size=o, max_size=o)) for o, i in sizes]
    biases = [draw(st.lists(weight, min_size=o, max_size=o)) for o, _ in sizes]
    return oracle.net(weights, biases, [draw(st.none() | st.integers(1, n)) for n in widths[1:-1]])


@given(small())
def test_the_areas_add_up_exactly_and_every_inner_point_has_the_pattern_of_its_cell(network):
    parts = oracle.cells(network, *PLANE, SQUARE)
    assert sum(oracle.measures(parts).values()) == 4
    for part in parts:
        assert oracle.measure(part.vertices) > 0
        # An odd mean of the vertices: a point inside, hardly ever on a line that crosses the cell.
        weights = [Fraction(1, 7 + i) for i in range(len(part.vertices))]
        inside = [
            sum(w * v[axis] for w, v in zip(weights, part.vertices, strict=True)) / sum(weights) for axis in (0, 1)
        ]
        assert oracle.pattern_at(network, inside) == part.pattern


@given(small())
def test_the_pieces_of_a_segment_fill_it_and_inner_points_have_their_patterns(network):
    start, step = [Fraction(-1), Fraction(-2, 3)], [Fraction(2), Fraction(5, 3)]
    along = oracle.pieces(network, start, step, 0, 1)
    assert sum(oracle.measures(along).values()) == 1
    assert len({piece.pattern for piece in along}) == len(along)  # cells are convex: none is met twice
    for piece in along:
        t = (5 * piece.vertices[0][0] + 2 * piece.vertices[1][0]) / 7
        x = [a + t * b for a, b in zip(start, step, strict=True)]
        assert oracle.pattern_at(network, x) == piece.pattern
