"""Distances between the patterns of inputs of one class and of different classes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from kwta.patterns.overlap import Measure, check_measure, distance
from kwta.patterns.winners import Patterns

CHUNK = 2**25  # mask entries compared at once: 32 MB, whatever the width of a layer

Pairs = Int[ndarray, "_ 2"]


@dataclass(frozen=True, eq=False)
class Distances:
    """Pattern distances per hidden layer, ready for histograms: `within[l]` [p] and `between[l]` [q].

    `pairs_within` [p, 2] and `pairs_between` [q, 2] say between which inputs (rows of the patterns). `all_within` and
    `all_between`: whether these are all such pairs, or `n_pairs` drawn with replacement from `seed`. Hamming distances
    are numbers of units, out of `widths[l]`; Jaccard distances are 1 − J.
    """

    within: tuple[Float[ndarray, "p"], ...]
    between: tuple[Float[ndarray, "q"], ...]
    pairs_within: Int[ndarray, "p 2"]
    pairs_between: Int[ndarray, "q 2"]
    all_within: bool
    all_between: bool
    widths: tuple[int, ...]
    measure: Measure
    n_pairs: int
    seed: int


def distances(
    patterns: Patterns, labels: Int[ndarray, "batch"], n_pairs: int = 2000, seed: int = 0, measure: Measure = "hamming"
) -> Distances:
    """Distances of `n_pairs` pairs of inputs of one class and as many of two classes, each uniform over all such pairs.

    Where there are no more than n_pairs, all are taken, once. The two inputs of a pair are never the same one.

    Raises ValueError where no class has two inputs, or all inputs are of one class.
    """
    check_measure(measure)
    if n_pairs < 1:
        raise ValueError(f"n_pairs must be at least 1, got {n_pairs}")
    if any(len(layer) != len(labels) for layer in patterns):
        raise ValueError(f"each pattern needs a label, got {len(patterns[0])} patterns and {len(labels)} labels")
    classes = _Classes.of(labels)
    rng = np.random.default_rng(seed)
    within, all_within = _some_or_all(classes.n_within, classes.every_within, classes.some_within, n_pairs, rng)
    between, all_between = _some_or_all(classes.n_between, classes.every_between, classes.some_between, n_pairs, rng)
    return Distances(
        within=tuple(_along_pairs(layer, within, measure) for layer in patterns),
        between=tuple(_along_pairs(layer, between, measure) for layer in patterns),
        pairs_within=within,
        pairs_between=between,
        all_within=all_within,
        all_between=all_between,
        widths=tuple(layer.shape[1] for layer in patterns),
        measure=measure,
        n_pairs=n_pairs,
        seed=seed,
    )


@dataclass(frozen=True, eq=False)
class _Classes:
    """Inputs sorted by label: `order` [n] holds their rows, class c is order[start[c] : start[c] + size[c]]."""

    order: Int[ndarray, "n"]
    start: Int[ndarray, "c"]
    size: Int[ndarray, "c"]

    @classmethod
    def of(cls, labels: Int[ndarray, "n"]) -> "_Classes":
        _, size = np.unique(labels, return_counts=True)
        if len(size) < 2:
            raise ValueError(f"distances between classes need two classes, got the labels {np.unique(labels).tolist()}")
        if size.max() < 2:
            raise ValueError(f"distances within classes need a class with two inputs, got {len(size)} classes of one")
        return cls(np.argsort(labels, kind="stable"), np.cumsum(size) - size, size)

    @property
    def n_within(self) -> int:
        return int((self.size * (self.size - 1) // 2).sum())

    @property
    def n_between(self) -> int:
        n = len(self.order)
        return n * (n - 1) // 2 - self.n_within

    def every_within(self) -> Pairs:
        upper = [
            np.stack(np.triu_indices(size, 1), axis=1) + start
            for start, size in zip(self.start, self.size, strict=True)
        ]
        return self.order[np.concatenate(upper)]

    def every_between(self) -> Pairs:
        n, ends = len(self.order), self.start + self.size
        blocks = [np.mgrid[start:end, end:n].reshape(2, -1).T for start, end in zip(self.start, ends, strict=True)]
        return self.order[np.concatenate(blocks)]

    def some_within(self, n_pairs: int, rng: np.random.Generator) -> Pairs:
        weight = self.size * (self.size - 1.0)
        chosen = rng.choice(len(self.size), n_pairs, p=weight / weight.sum())
        first = rng.integers(self.size[chosen])
        second = rng.integers(self.size[chosen] - 1)
        second += second >= first  # skips the first itself
        return self.order[self.start[chosen, None] + np.stack([first, second], axis=1)]

    def some_between(self, n_pairs: int, rng: np.random.Generator) -> Pairs:
        n = len(self.order)
        weight = self.size * (n - self.size * 1.0)
        chosen = rng.choice(len(self.size), n_pairs, p=weight / weight.sum())
        first = self.start[chosen] + rng.integers(self.size[chosen])
        second = rng.integers(n - self.size[chosen])
        second += np.where(second >= self.start[chosen], self.size[chosen], 0)  # skips the whole class
        return self.order[np.stack([first, second], axis=1)]


def _some_or_all(
    available: int,
    every: Callable[[], Pairs],
    some: Callable[[int, np.random.Generator], Pairs],
    n_pairs: int,
    rng: np.random.Generator,
) -> tuple[Pairs, bool]:
    return (every(), True) if available <= n_pairs else (some(n_pairs, rng), False)


def _along_pairs(layer: ndarray, pairs: Pairs, measure: Measure) -> Float[ndarray, "p"]:
    step = max(1, CHUNK // layer.shape[1])
    chunks = [pairs[start : start + step] for start in range(0, len(pairs), step)]
    return np.concatenate([distance(layer[chunk[:, 0]], layer[chunk[:, 1]], measure) for chunk in chunks])
