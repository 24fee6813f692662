"""Sampled counts: the patterns are those of forward passes, the count is a lower bound, every device gives the same."""

import numpy as np
import oracle
import pytest
import small_networks
import torch
from small_networks import random

from kwta import patterns, slices
from kwta.networks import CNN, MLP, build, from_arrays, from_npz
from kwta.regions import grid as sampled
from kwta.regions.line import pieces
from kwta.slices import Slice

SQUARE = slices.square(-1, 1, -1, 1)
# Regions of the reference networks, exactly: ReLU, and k-WTA at k = N/8.
EXACT = {"a_def": (795, 61), "a_he": (1026, 99), "b_def": (2943, 311), "c_he": (8161, 504)}


@pytest.mark.parametrize("gamma", [None, 0.125])
@pytest.mark.parametrize("name", EXACT)
def test_the_count_is_a_lower_bound_that_comes_close(name, gamma, case_folder):
    net = from_npz(case_folder / f"{name}.npz", gamma)
    exact = EXACT[name][0 if gamma is None else 1]
    found = sampled.counts(net, SQUARE, 400, device="cpu").n_patterns
    assert 0.6 * exact < found <= exact
    assert found >= sampled.counts(net, SQUARE, 200, device="cpu").n_patterns * 0.95


@pytest.mark.parametrize(
    "spec",
    [
        MLP((20, 70, 9, 3), gamma=(0.2, None)),
        MLP((20, 3)),
        CNN((1, 6, 6), channels=(3,), classes=2, gamma=0.25, hidden=(5,)),
    ],
)
def test_the_keys_are_those_of_forward_passes(spec):
    net = build(spec, seed=4).double().eval()
    plane = slices.random_plane(np.zeros(np.prod(spec.input_shape)), seed=1, radius=3.0)
    found = sampled.counts(net, plane, 60, device="cpu")
    if not spec.sizes:
        assert found.n_patterns == 1
        return
    expected = patterns.ids_on(net, plane, found.grid.t)
    assert (found.keys[found.ids] == expected).mean() > 0.999  # a point on a border may round to the other side
    assert found.n_patterns == len(np.unique(found.keys))


def test_ids_are_numbered_in_the_order_in_which_they_are_met():
    # Two lines cut the square into four: y = (x, y), ReLU.
    net = from_arrays([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)], None)
    found = sampled.counts(net, SQUARE, 4, device="cpu")
    assert found.ids.tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert found.points.tolist() == [4, 4, 4, 4]
    assert found.shares.tolist() == [0.25] * 4
    assert found.ids.dtype == np.int32
    assert not found.exact


def test_points_outside_the_domain_have_no_id():
    triangle = Slice([0, 0], np.eye(2), [[-1, -1], [1, -1], [-1, 1]])
    net = from_arrays([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)], 0.5)
    found = sampled.counts(net, triangle, 50, device="cpu")
    np.testing.assert_array_equal(found.ids == sampled.OUTSIDE, ~found.grid.inside)
    assert found.points.sum() == found.grid.inside.sum()


@pytest.mark.parametrize("kind", small_networks.KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_every_sampled_pattern_is_one_of_the_oracle_s_and_shares_are_its_areas(seed, kind):
    small = random(seed, kind)
    areas = oracle.measures(oracle.cells(small.exact, [0, 0], np.eye(2), SQUARE.domain))
    keys = {oracle_key(small, pattern): float(area) / 4 for pattern, area in areas.items()}
    found = sampled.counts(small.net, SQUARE, 150, device="cpu")
    assert set(found.keys.tolist()) <= set(keys)
    missed = 1 - sum(keys[key] for key in found.keys.tolist())
    assert missed < 0.01
    np.testing.assert_allclose(found.shares, [keys[key] for key in found.keys.tolist()], atol=0.02)


def oracle_key(small: small_networks.Small, pattern: oracle.Pattern) -> int:
    layers = zip(small.biases[:-1], pattern, strict=True)
    masks = tuple(np.isin(np.arange(len(bias)), won)[None] for bias, won in layers)
    return int(patterns.ids(masks)[0])


def test_a_line_is_sampled_too(case_folder):
    net = from_npz(case_folder / "c_he.npz", None)
    line = Slice([-1.0, -0.8], [[2.0, 1.7]], [[0.0], [1.0]])
    exact, found = pieces(net, line), sampled.counts(net, line, 3001, device="cpu")
    assert found.ids.shape == (3001,)
    assert 0.9 * len(exact) < found.n_patterns <= len(exact)
    expected = patterns.ids(exact.masks())[exact.locate(found.grid.t[:, 0])]
    assert (found.keys[found.ids] == expected).mean() > 0.999


@pytest.mark.parametrize("sizes", [(1,), (8, 8), (64,), (65, 3), (7, 70, 129)])
def test_the_hash_for_other_devices_is_the_hash_of_the_patterns(sizes):
    generator = torch.Generator().manual_seed(0)
    masks = [torch.rand(50, n, generator=generator) < 0.4 for n in sizes]
    expected = patterns.ids(tuple(mask.numpy() for mask in masks))
    np.testing.assert_array_equal(sampled.hashed(masks).numpy().view(np.uint64), expected)


def test_single_precision_meets_nearly_the_same_patterns(case_folder):
    net = from_npz(case_folder / "a_he.npz", 0.125)
    wide, narrow = (sampled.counts(net, SQUARE, 100, "cpu", dtype=d) for d in (torch.float64, torch.float32))
    assert (wide.dtype, narrow.dtype) == ("float64", "float32")
    assert (wide.keys[wide.ids] == narrow.keys[narrow.ids]).mean() > 0.999


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="float16"):
        sampled.counts(build(MLP((2, 4, 1)), seed=0), SQUARE, 10, "cpu", dtype=torch.float16)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("gamma", [None, 0.125])
def test_cuda_gives_the_same_raster(gamma, case_folder):
    net = from_npz(case_folder / "b_def.npz", gamma)
    here, there = (sampled.counts(net, SQUARE, 300, device) for device in ("cpu", "cuda"))
    assert (here.keys[here.ids] == there.keys[there.ids]).mean() > 0.9999
