"""How much two patterns of one layer have in common: Hamming distance and Jaccard index.

For two sets of k winners each they say the same: the Hamming distance h is even, at most 2k, and J = (2k − h)/(2k + h).
"""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

Measure = Literal["hamming", "jaccard"]

EXACT = 2**24  # float32 counts exactly up to here


def hamming(a: Bool[ndarray, "*#batch n"], b: Bool[ndarray, "*#batch n"]) -> Int[ndarray, "*batch"]:
    """|A △ B|: the number of units that differ, per pair of rows (with broadcasting)."""
    _check_width(a, b)
    return np.asarray(np.count_nonzero(a != b, axis=-1))


def jaccard(a: Bool[ndarray, "*#batch n"], b: Bool[ndarray, "*#batch n"]) -> Float[ndarray, "*batch"]:
    """|A ∩ B| / |A ∪ B| per pair of rows: 1 for equal sets, 0 for disjoint ones; 1 for two empty sets by convention."""
    _check_width(a, b)
    return _ratio(np.asarray(np.count_nonzero(a & b, axis=-1)), np.asarray(np.count_nonzero(a | b, axis=-1)))


def distance(
    a: Bool[ndarray, "*#batch n"], b: Bool[ndarray, "*#batch n"], measure: Measure
) -> Float[ndarray, "*batch"]:
    """The Hamming distance |A △ B| in units, or the Jaccard distance 1 − |A ∩ B| / |A ∪ B|, per pair of rows."""
    check_measure(measure)
    return np.asarray(hamming(a, b) if measure == "hamming" else 1 - jaccard(a, b), np.float64)


def pairwise_hamming(a: Bool[ndarray, "p n"], b: Bool[ndarray, "q n"]) -> Int[ndarray, "p q"]:
    """|Aᵢ △ Bⱼ| of every row of a with every row of b: |Aᵢ| + |Bⱼ| − 2 |Aᵢ ∩ Bⱼ|, by one matrix product."""
    both = _intersections(a, b)
    return a.sum(axis=1)[:, None] + b.sum(axis=1) - 2 * both


def pairwise_jaccard(a: Bool[ndarray, "p n"], b: Bool[ndarray, "q n"]) -> Float[ndarray, "p q"]:
    """|Aᵢ ∩ Bⱼ| / |Aᵢ ∪ Bⱼ| of every row of a with every row of b, by one matrix product; 1 for two empty sets."""
    both = _intersections(a, b)
    return _ratio(both, a.sum(axis=1)[:, None] + b.sum(axis=1) - both)


def check_measure(measure: str) -> None:
    if measure not in get_args(Measure):
        raise ValueError(f"measure must be one of {', '.join(get_args(Measure))}, got {measure!r}")


def _intersections(a: Bool[ndarray, "p n"], b: Bool[ndarray, "q n"]) -> Int[ndarray, "p q"]:
    _check_width(a, b)
    exact = np.float32 if a.shape[1] < EXACT else np.float64
    return (a.astype(exact) @ b.T.astype(exact)).astype(np.int64)


def _ratio(part: Int[ndarray, "*batch"], whole: Int[ndarray, "*batch"]) -> Float[ndarray, "*batch"]:
    return np.divide(part, whole, out=np.ones(whole.shape), where=whole > 0)


def _check_width(a: ndarray, b: ndarray) -> None:
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"patterns of one layer have the same number of units, got {a.shape[-1]} and {b.shape[-1]}")
