"""φ_k against its definition, a brute-force twin, and the laws it obeys."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kwta.activation import (
    KWTA,
    kwta,
    local_winners,
    max_pool,
    operator,
    pattern,
    relu,
    selection_torch,
    threshold,
    winners,
)

FLOATS = (torch.float32, torch.float64)
# Small integers make ties everywhere; wide floats bring infinities, both zeros and subnormals.
tied = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 70)), elements=st.integers(-3, 3).map(float))
wild = hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 70)), elements=st.floats(width=32))


def brute_force(row: np.ndarray, k: int) -> np.ndarray:
    """The winners of one row by sorting in plain Python: larger first, lower index first, NaN as +∞."""
    values = [float("inf") if np.isnan(v) else float(v) for v in row]
    won = np.zeros(len(row), bool)
    won[sorted(range(len(row)), key=lambda i: (-values[i], i))[:k]] = True
    return won


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.equal(torch.nan_to_num(a, nan=7.0), torch.nan_to_num(b, nan=7.0)) and torch.equal(a.isnan(), b.isnan())


@pytest.mark.parametrize(
    ("gamma", "n", "k"),
    [(0.29, 100, 29), (0.57, 100, 57), (1, 7, 7), (1.0, 7, 7), (0.125, 100, 12), (Fraction(1, 3), 3, 1), (0.1, 10, 1)],
)
def test_k_is_the_floor_of_gamma_n_in_decimal(gamma, n, k):
    assert winners(gamma, n) == k


def test_numpy_gammas_count_as_the_number_they_print():
    assert winners(np.float32(0.29), 100) == winners(np.float64(0.29), 100) == 29


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_percentages_are_counted_without_rounding_error(percent, n):
    if percent <= 100 and percent * n >= 100:
        assert winners(percent / 100, n) == percent * n // 100


@pytest.mark.parametrize("gamma", [0, -0.1, 1.01, float("nan"), float("inf")])
def test_a_gamma_outside_its_range_is_refused_by_value(gamma):
    with pytest.raises(ValueError, match=r"gamma must"):
        winners(gamma, 10)


def test_no_winner_is_refused_with_the_smallest_gamma_allowed():
    with pytest.raises(ValueError, match=r"gamma = 0.05 of 10 units leaves no winner.*1/10"):
        winners(0.05, 10)


@given(tied, st.data())
def test_a_tie_still_has_exactly_k_winners_and_the_lower_index_wins(y, data):
    k = data.draw(st.integers(1, y.shape[1]))
    for dtype in FLOATS:
        won = pattern(torch.tensor(y, dtype=dtype), k).numpy()
        assert (won.sum(axis=1) == k).all()
        assert (won == [brute_force(row, k) for row in y]).all()


@given(wild, st.data())
def test_winners_equal_brute_force_for_any_float(y, data):
    k = data.draw(st.integers(1, y.shape[1]))
    won = torch.tensor(np.array([brute_force(row, k) for row in y]))
    for dtype in FLOATS:
        rows = torch.tensor(y, dtype=dtype)
        assert torch.equal(pattern(rows, k), won)
        assert torch.equal(selection_torch.mask(rows, k), won)
        assert same(kwta(rows, k), torch.where(won, rows, 0))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("n", [64, 65, 1000, 4096, 65536])
@pytest.mark.parametrize(
    "kind", ["normal", "integers", "exponents", "mostly zero", "one outlier", "sorted", "constant"]
)
def test_the_kernel_equals_its_plain_twin_on_long_rows(n, kind, dtype):
    generator = torch.Generator().manual_seed(n)
    y = torch.randn(3, n, generator=generator, dtype=dtype)
    if kind == "integers":
        y = (y * 2).round()
    elif kind == "exponents":
        y = y.sign() * torch.exp(40 * y.abs() - 60)
    elif kind == "mostly zero":
        y = relu(y - 1.5)
    elif kind == "one outlier":
        y[:, n // 2] = 1e30
    elif kind == "sorted":
        y = y.sort(dim=-1).values
    elif kind == "constant":
        y = torch.full_like(y, -2.5)
    for k in (1, n // 10, n // 2, n - 1, n):
        out = kwta(y, k)
        expected, won = selection_torch.select(y, k)
        assert torch.equal(out, expected)
        assert torch.equal(pattern(y, k), won)
        assert torch.equal(threshold(y, k), selection_torch.thresholds(y, k)[:, 0])


def test_the_threshold_is_the_kth_largest_value():
    y = torch.tensor([[3.0, -1.0, 4.0, 1.0, 5.0]])
    assert [threshold(y, k).item() for k in range(1, 6)] == [5.0, 4.0, 3.0, 1.0, -1.0]


def test_rows_are_the_same_whatever_the_number_of_threads():
    y = torch.randn(64, 8192, generator=torch.Generator().manual_seed(0))
    alone = kwta(y, 819)
    torch.set_num_threads(2)
    try:
        assert torch.equal(kwta(y, 819), alone)
    finally:
        torch.set_num_threads(1)


def test_many_python_threads_may_select_at_once():
    y = torch.randn(32, 8192, generator=torch.Generator().manual_seed(0))
    expected = selection_torch.select(y, 100)[0]
    torch.set_num_threads(2)
    try:
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda _: kwta(y, 100), range(16)))
    finally:
        torch.set_num_threads(1)
    assert all(torch.equal(result, expected) for result in results)


@given(tied, st.data())
def test_adding_a_constant_moves_no_winner_and_scaling_neither(y, data):
    k = data.draw(st.integers(1, y.shape[1]))
    rows = torch.tensor(y)
    won = pattern(rows, k)
    assert torch.equal(pattern(rows + 8, k), won)
    assert torch.equal(pattern(rows * 4, k), won)


@given(tied, st.data())
def test_winners_only_grow_with_k(y, data):
    k = data.draw(st.integers(1, y.shape[1]))
    rows = torch.tensor(y)
    assert (pattern(rows, k) <= pattern(rows, min(k + 1, y.shape[1]))).all()


def test_negative_winners_pass_unchanged():
    assert kwta(torch.tensor([-3.0, -1.0, -2.0]), 2).tolist() == [0.0, -1.0, -2.0]


def test_all_winners_is_the_identity():
    y = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(kwta(y, 9), y)


def test_k_wta_is_idempotent_where_its_winners_are_positive():
    y = torch.rand(5, 50, generator=torch.Generator().manual_seed(0)) + 0.1
    assert torch.equal(kwta(kwta(y, 10), 10), kwta(y, 10))


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (0,), (2, 0, 3)])
def test_any_leading_batch_shape_is_kept(shape):
    y = torch.randn(*shape, 6, generator=torch.Generator().manual_seed(0))
    assert kwta(y, 2).shape == y.shape
    assert pattern(y, 2).sum() == 2 * y[..., 0].numel()


def test_rows_that_are_not_contiguous_are_rows_all_the_same():
    y = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).T
    assert torch.equal(kwta(y, 2), kwta(y.contiguous(), 2))


@pytest.mark.parametrize("rows", [3, operator.FUSED_FROM // 8])
def test_the_gradient_flows_to_winners_only(rows):
    y = torch.randn(rows, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    g = torch.randn(rows, 8, generator=torch.Generator().manual_seed(1))
    (kwta(y, 3) * g).sum().backward()
    assert y.grad is not None
    assert torch.equal(y.grad, torch.where(pattern(y, 3), g, 0))


@pytest.mark.parametrize("fused_from", [0, operator.FUSED_FROM])
def test_gradients_of_first_and_second_order_pass_gradcheck(fused_from, monkeypatch):
    monkeypatch.setattr(operator, "FUSED_FROM", fused_from)
    # entries 0.1 apart: no tie within the step of the finite differences
    y = (
        (torch.randperm(24, generator=torch.Generator().manual_seed(0)).double() / 10 - 1)
        .reshape(3, 8)
        .requires_grad_()
    )
    assert torch.autograd.gradcheck(lambda y: kwta(y, 3) ** 2, y)
    assert torch.autograd.gradgradcheck(lambda y: kwta(y, 3) ** 3, y)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch calls it itself
def test_torch_func_transforms_agree_with_the_plain_function():
    y = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    jacobians = torch.func.vmap(torch.func.jacrev(lambda row: kwta(row, 3)))(y)
    assert torch.equal(jacobians, torch.diag_embed(pattern(y, 3).double()))
    forward = torch.func.vmap(torch.func.jacfwd(lambda row: kwta(row, 3)))(y)
    assert torch.equal(forward, jacobians)
    assert torch.equal(torch.func.vmap(lambda column: kwta(column, 2), in_dims=1)(y), kwta(y.T, 2))


def test_an_image_is_one_vector():
    y = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(KWTA(0.1)(y), kwta(y.flatten(1), 6).reshape(y.shape))
    assert torch.equal(KWTA(0.1, dims=3)(y[0]), KWTA(0.1)(y)[0])
    assert (KWTA(0.5, dims=1)(y) != 0).sum(-1).eq(2).all()


def test_the_layer_follows_its_gamma_and_refuses_bad_ones():
    layer = KWTA(0.5)
    layer.gamma = 0.2
    assert layer.winners(10) == 2
    with pytest.raises(ValueError, match="got 2"):
        layer.gamma = 2
    assert layer.gamma == 0.2
    with pytest.raises(ValueError, match="dims"):
        KWTA(0.5, dims=0)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        KWTA(0.5, dims=2)(torch.ones(3))


@pytest.mark.parametrize("k", [0, 4, -1])
def test_an_impossible_k_is_refused_with_the_range_allowed(k):
    with pytest.raises(ValueError, match=rf"k must lie in 1\.\.3, the number of entries, got {k}"):
        kwta(torch.ones(3), k)


def test_a_single_number_is_no_vector():
    with pytest.raises(ValueError, match="single number"):
        KWTA(1)(torch.tensor(1.0))


def test_integers_are_refused_by_type():
    with pytest.raises(Exception, match=r"int64|Float"):
        kwta(torch.arange(3), 1)


def test_local_winners_keep_the_first_largest_of_every_block():
    y = torch.tensor([1.0, 3.0, 3.0, -2.0, -1.0, -5.0])
    assert local_winners(y, 3).tolist() == [0.0, 3.0, 0.0, 0.0, -1.0, 0.0]
    assert max_pool(y, 3).tolist() == [3.0, -1.0]
    assert torch.equal(local_winners(y, 6), kwta(y, 1))
    with pytest.raises(ValueError, match="divisor of the 6 entries, got 4"):
        local_winners(y, 4)


def test_half_precision_goes_through_torch():
    y = torch.randn(4, 33, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert torch.equal(pattern(y, 5), pattern(y.float(), 5))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_the_winners_on_a_gpu_are_those_on_the_cpu():
    y = torch.randint(-3, 4, (16, 1000), generator=torch.Generator().manual_seed(0)).float()
    assert torch.equal(pattern(y.cuda(), 100).cpu(), pattern(y, 100))
