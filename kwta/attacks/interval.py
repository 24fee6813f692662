"""The Wilson score interval of a share.

Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). It keeps its coverage
near 0 and 1, where robust accuracies often lie and p ± 1.96 √(p(1 − p)/n) would say ±0.
"""

from math import sqrt

Z95 = 1.959963984540054  # the normal distribution has 95 % of its mass within ±Z95


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """(p̂ + z²/2n ± z √(p̂(1 − p̂)/n + z²/4n²)) / (1 + z²/n) with p̂ = successes / n; 95 % unless z says otherwise.

    Without any trial nothing is known: (0, 1). Raises ValueError unless 0 <= successes <= n.

    >>> [round(bound, 4) for bound in wilson(0, 10)]
    [0.0, 0.2775]
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..{n}, the number of trials, got {successes}")
    if n == 0:
        return 0.0, 1.0
    share, penalty = successes / n, z**2 / n
    centre = share + penalty / 2
    reach = z * sqrt(share * (1 - share) / n + penalty / (4 * n))
    # At both ends the formula is exact, its rounding is not.
    low = 0.0 if successes == 0 else (centre - reach) / (1 + penalty)
    high = 1.0 if successes == n else (centre + reach) / (1 + penalty)
    return low, high
