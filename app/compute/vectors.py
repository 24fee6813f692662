"""The vectors of pre-activations that the Operator view starts from: named ones, and a person's own."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.compute import Unusable

# Every k in 1..N can be had by a γ in hundredths as long as N <= 100; the slider moves in fours, so that blocks fit.
FEWEST, MOST, STEP = 2, 96, 4
# Beyond this the picture has one bar and dust.
LARGEST = 1_000_000
# Enough to tell Gaussian entries apart, few enough to read.
DECIMALS = 4
OWN = "own"
PRESETS = {
    "gaussian": "Gaussian",
    "ties": "Ties",
    "negative": "All negative",
    "outlier": "One outlier",
    "equal": "All equal",
    OWN: "Your own",
}
DEFAULT_VALUES = (0.5, 1.5, -0.4, 1.5, 2, -1, 0.1, 1.5)


@dataclass(frozen=True)
class Vector:
    """N pre-activations: the first N of a list that preset and seed fix, a person's own values first if there are."""

    preset: str = "gaussian"
    seed: int = 0
    n: int = 32
    values: tuple[float, ...] = ()
    kind: Literal["vector"] = "vector"


def pool(vector: Vector) -> np.ndarray:
    """All MOST entries, so that N can grow: float64 of shape [MOST]."""
    z = np.random.default_rng((vector.seed, 0)).standard_normal(MOST)
    made = {
        "gaussian": z,
        "ties": np.round(2 * z) / 2,
        "negative": -np.abs(z) - 0.05,
        "outlier": np.where(np.arange(MOST) == 5, 6.0, 0.6 * z),
        "equal": np.ones(MOST),
        OWN: z,
    }[vector.preset]
    made = np.round(made, DECIMALS) + 0.0
    if vector.preset == OWN:
        made[: len(vector.values)] = vector.values
    return made


def partner(vector: Vector) -> np.ndarray:
    """A second Gaussian list, towards which the entries drift: y cos θ + z sin θ stays Gaussian if y is."""
    return np.round(np.random.default_rng((vector.seed, 1)).standard_normal(MOST), DECIMALS)


def parsed(text: str) -> tuple[float, ...]:
    """The numbers in a text, separated by commas, semicolons or spaces; − may be a real minus sign.

    Raises Unusable, naming the word and its place, unless there are FEWEST to MOST numbers of size up to LARGEST.

    >>> parsed("0.5, −1; 2")
    (0.5, -1.0, 2.0)
    """
    words = [word for word in re.split(r"[\s,;]+", text.strip(" \t\n,;[]()")) if word]
    if not FEWEST <= len(words) <= MOST:
        raise Unusable(f"type {FEWEST} to {MOST} numbers, such as 0.5, −1, 2; got {len(words)}")
    return tuple(_number(word, place) for place, word in enumerate(words))


def _number(word: str, place: int) -> float:
    try:
        value = float(word.replace("−", "-"))
    except ValueError:
        value = float("nan")
    if not abs(value) <= LARGEST:  # also refuses NaN
        shown = word if len(word) <= 20 else f"{word[:20]}…"
        raise Unusable(f"entry {place} must be a number between −{LARGEST:,} and {LARGEST:,}, got {shown!r}")
    return value + 0.0


def written(values: tuple[float, ...]) -> str:
    """The numbers as a text that `parsed` reads back.

    >>> written((0.5, -1.0))
    '0.5, -1'
    """
    return ", ".join(f"{value:.12g}" for value in values)
