"""Which examples train and which test, class by class."""

import numpy as np
from jaxtyping import Int
from numpy import ndarray

TEST_SHARE = 0.2


def ranks(labels: Int[ndarray, " n"], order: Int[ndarray, " n"]) -> Int[ndarray, " n"]:
    """r[i] = how many examples of the class of i come before i in `order`, a permutation of all examples."""
    by_class = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    first = np.cumsum(counts) - counts
    rank = np.empty(len(labels), dtype=np.int64)
    rank[by_class] = np.arange(len(labels)) - first[labels[by_class]]
    return rank


def stratified(
    labels: Int[ndarray, " n"], rng: np.random.Generator
) -> tuple[Int[ndarray, " train"], Int[ndarray, " test"]]:
    """(train, test): all indices once, in random order; of a class of m examples, 0.2 m rounded go to the test.

    A class of two or more has at least one test example; a class of one has none. Labels are non-negative.
    """
    order = rng.permutation(len(labels))
    counts = np.bincount(labels)
    n_test = np.maximum(np.rint(TEST_SHARE * counts).astype(np.int64), counts >= 2)
    is_test = ranks(labels, order) < n_test[labels]
    return order[~is_test[order]], order[is_test[order]]


def balanced(labels: Int[ndarray, " n"], size: int, rng: np.random.Generator) -> Int[ndarray, " size"]:
    """Indices, ascending, of `size` examples drawn at random with class counts as equal as the classes allow.

    Classes are dealt out in rounds of one example each, so a class that runs out leaves its share to the others, and
    with the same generator state a smaller selection is part of a larger one.
    """
    if not 1 <= size <= len(labels):
        raise ValueError(f"a selection must have from 1 to {len(labels)} examples, got {size}")
    order = rng.permutation(len(labels))
    place = np.argsort(order)
    dealt = np.lexsort((place, ranks(labels, order)))
    return np.sort(dealt[:size])
