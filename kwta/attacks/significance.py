"""Exact tests of counts: no normal approximation, so that small numbers of images are not over-read."""

from math import exp, fsum, lgamma, log

from jaxtyping import Bool
from numpy import ndarray


def binomial_tail(successes: int, n: int, p: float) -> float:
    """P(X ≥ successes) for X ~ Binomial(n, p), 0 < p < 1.

    >>> round(binomial_tail(9, 10, 0.5), 6)
    0.010742
    """
    if successes <= 0:
        return 1.0
    scale = lgamma(n + 1)
    terms = (
        exp(scale - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))
        for k in range(successes, n + 1)
    )
    return min(1.0, fsum(terms))


def mcnemar(first: Bool[ndarray, " n"], second: Bool[ndarray, " n"]) -> float:
    """How likely `first` is true where `second` is not so much more often than the reverse, if both are equally good.

    The exact one-sided test of McNemar (Psychometrika 12, 1947): of the n that differ, each side is a fair coin.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return binomial_tail(only_first, only_first + only_second, 0.5)
