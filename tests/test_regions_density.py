"""Densities and sizes of cells and pieces, merged pieces of a line, memory, and the limit inside one layer."""

import time
from dataclasses import fields

import numpy as np
import pytest
from numpy import ndarray

from kwta.networks import MLP, build, from_arrays, from_npz
from kwta.regions import walks
from kwta.regions.density import QUANTILES, density, measures
from kwta.regions.line import pieces
from kwta.regions.overlay import merged
from kwta.regions.plane import cells
from kwta.slices import Slice, segment, square

SQUARE = square(-1, 1, -1, 1)
LINE = segment(np.array([-1.0]), np.array([1.0]))


def kinks(places: list[float], outputs: list[float]):
    """A ReLU network on a line with one unit per place, on to the right of it."""
    n = len(places)
    return from_arrays([np.ones((n, 1)), np.array([outputs])], [-np.array(places), np.zeros(1)], None)


def test_sizes_of_strips_are_their_widths_in_the_input_space():
    stretched = Slice([0, 0], [[3, 0], [0, 2]], [[-1, -1], [1, -1], [1, 1], [-1, 1]])
    net = from_arrays([np.array([[1.0, 0.0]] * 2), np.ones((1, 2))], [np.array([1.5, -1.5]), np.zeros(1)], None)
    found = density(cells(net, stretched))  # cut at x = ±1.5 of a rectangle of 6 × 4
    assert found.n == 3
    assert found.covered == pytest.approx(24)
    assert found.per_unit == pytest.approx(3 / 24)
    assert found.mean == pytest.approx(8)
    assert (found.smallest, found.largest) == pytest.approx((6, 12))
    np.testing.assert_allclose(found.quantiles, np.quantile([6, 6, 12], QUANTILES))
    assert found.complete


def test_sizes_of_pieces_are_lengths_in_the_input_space():
    stretched = Slice([0.0], [[4.0]], [[-1.0], [1.0]])
    found = pieces(kinks([-2.0, 1.0], [1.0, 1.0]), stretched)
    np.testing.assert_allclose(measures(found), [2, 3, 3])
    told = density(found)
    assert told.n == 3
    assert told.per_unit == pytest.approx(3 / 8)
    assert told.quantiles[2] == pytest.approx(3)


def test_an_incomplete_search_tells_the_density_of_what_it_found():
    whole, part = (cells(build(MLP((2, 20, 20, 1), 0.2, "he"), seed=0), SQUARE, most) for most in (10**6, 5))
    assert density(whole).covered == pytest.approx(4)
    told = density(part)
    assert not told.complete
    assert told.n == 5
    assert told.covered == pytest.approx(part.covered)


def test_pieces_of_a_line_with_equal_maps_merge_where_they_touch():
    found = pieces(kinks([-0.5, 0.0, 0.5], [1.0, 0.0, 2.0]), LINE)  # nobody reads the second unit
    assert merged(found).tolist() == [0, 1, 1, 2]


def test_pieces_with_equal_maps_that_do_not_touch_stay_apart():
    bump = pieces(kinks([-0.5, 0.0, 0.5], [1.0, -2.0, 1.0]), LINE)  # f = 0 to the left and to the right
    np.testing.assert_allclose(bump.slope[[0, 3]], 0, atol=1e-12)
    assert merged(bump).tolist() == [0, 1, 2, 3]


def test_a_line_without_borders_is_one_piece():
    assert merged(pieces(kinks([3.0], [1.0]), LINE)).tolist() == [0]


@pytest.mark.parametrize("gamma", [None, 0.25])
def test_cells_take_at_most_300_bytes_per_region_and_output_beside_the_vertices(case_folder, gamma):
    found = cells(from_npz(case_folder / "d_def.npz", gamma), SQUARE)
    arrays = {f.name: getattr(found, f.name) for f in fields(found)}
    held = {name: a if a.base is None else a.base for name, a in arrays.items() if isinstance(a, ndarray)}
    beside = sum(a.nbytes for name, a in held.items() if name != "vertices")
    assert len(found) > 1000
    assert beside <= 300 * len(found) * found.bias.shape[1]


def test_the_limit_holds_inside_one_wide_layer():
    net = build(MLP((2, 1500, 1), 0.1, "he"), seed=0)
    start = time.perf_counter()
    part = cells(net, SQUARE, max_regions=20)
    seconds = time.perf_counter() - start
    assert len(part) == 20
    assert not part.complete
    assert 0 < part.covered < 4
    assert seconds < 2  # all its cells, tens of thousands, take minutes


def test_cells_up_to_a_limit_are_the_first_ones_of_all():
    net = build(MLP((2, 40, 1), 0.25, "he"), seed=1)
    whole = cells(net, SQUARE)
    for most in (1, 7, len(whole) - 1, len(whole), len(whole) + 1):
        part = cells(net, SQUARE, max_regions=most)
        assert part.complete == (most >= len(whole))
        np.testing.assert_array_equal(part.bits, whole.bits[:most])
        np.testing.assert_array_equal(part.areas, whole.areas[:most])


@pytest.mark.parametrize("gamma", [None, 0.1])
@pytest.mark.parametrize("threads", [2, 3])
def test_the_cells_and_their_order_do_not_depend_on_the_number_of_threads(threads, gamma, monkeypatch):
    monkeypatch.setattr(walks, "WORTH", 0)  # a small network will do
    net = build(MLP((2, 24, 24, 24, 3), gamma, "he"), seed=0)
    one, several = cells(net, SQUARE), cells(net, SQUARE, threads=threads)
    assert several.complete
    for name in ("vertices", "offsets", "bits", "areas", "tags"):
        np.testing.assert_array_equal(getattr(several, name), getattr(one, name), name)
    for name in ("weight", "bias"):
        np.testing.assert_allclose(getattr(several, name), getattr(one, name), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(merged(several), merged(one))
    for most in (1, len(one) // 3, len(one) - 2, len(one)):
        part = cells(net, SQUARE, most, threads=threads)
        assert part.complete == (most == len(one))
        np.testing.assert_array_equal(part.areas, one.areas[:most])
        np.testing.assert_array_equal(part.tags[:, 0], one.tags[: part.offsets[-1], 0])


def test_threads_are_at_least_one():
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        cells(build(MLP((2, 4, 1)), seed=0), SQUARE, threads=0)
