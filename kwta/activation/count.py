"""How many units win: k = ⌊γN⌋, in the decimal sense in which people write γ."""

from decimal import Decimal
from fractions import Fraction
from math import floor

import numpy as np

# γ as people pass it; a Fraction for ratios without a finite decimal, such as 1/3.
Ratio = float | int | Fraction


def exact(gamma: Ratio | np.floating) -> Fraction:
    """γ as the number a person wrote: 0.29 is 29/100, not the binary number nearest to it.

    Raises ValueError unless γ is a finite number in (0, 1].
    """
    try:
        # str() of a float (also of NumPy's) is the shortest decimal that reads back as the same number.
        value = gamma if isinstance(gamma, Fraction) else Fraction(Decimal(str(gamma)))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise ValueError(f"gamma must be a number in (0, 1], got {gamma!r}") from error
    if not 0 < value <= 1:
        raise ValueError(f"gamma must lie in (0, 1], got {gamma}")
    return value


def winners(gamma: Ratio | np.floating, n: int) -> int:
    """k = ⌊γN⌋, the number of winners among N = `n` units.

    γN is evaluated exactly in decimal, so 0.29 of 100 is 29 (binary floating point gives 28). Pass a `Fraction` for
    ratios that have no finite decimal, such as 1/3.

    >>> winners(0.29, 100), winners(0.2, 64), winners(1, 10)
    (29, 12, 10)

    Raises ValueError if γ is outside (0, 1], if n < 1, or if no unit would win (k = 0).
    """
    if n < 1:
        raise ValueError(f"a layer needs at least 1 unit, got n = {n}")
    k = floor(exact(gamma) * n)
    if k == 0:
        raise ValueError(
            f"gamma = {gamma} of {n} units leaves no winner (k = 0); gamma must be at least 1/{n} = {1 / n:.3g}"
        )
    return k
