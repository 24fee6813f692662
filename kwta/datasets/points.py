"""2-D sets with known formulas, labels drawn first so that the classes are balanced.

The shapes follow scikit-learn (moons, circles: Pedregosa et al., "Scikit-learn: Machine Learning in Python", JMLR 12,
2011) and TensorFlow Playground (spirals, xor), rescaled so that without noise each fits [−1, 1]².
"""

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from kwta.datasets.data import Data, divided
from kwta.datasets.specs import Points

CUT = 3.0  # normal draws lie within this many standard deviations, which bounds the data box
INNER_RADIUS = 0.5  # of the inner circle
SPIRAL_TURNS = 1.25  # of an arm around the centre, from radius SPIRAL_START to 1
SPIRAL_START = 0.1
CLOUD_RADIUS = 0.5  # of the circle of the clouds' centres
CLOUD_SPREAD = CLOUD_RADIUS / CUT  # standard deviation of a cloud: cut off, it ends at the edge of [−1, 1]²
FINE = 2**20  # positions in a cell of a board

Coordinates = Float64[ndarray, "n 2"]
Labels = Int64[ndarray, " n"]


def data(spec: Points) -> Data:
    """The set of `spec`: its shape plus noise, split 80/20 within each class, in the box [−1 − 3 noise, 1 + 3 noise]².

    With the same seed, size and classes the points move continuously with the noise and keep their labels.
    """
    rng = np.random.default_rng(spec.seed)
    labels = rng.permutation(np.arange(spec.size, dtype=np.int64) % spec.classes)
    x = clean(spec, labels, rng)
    x = x + spec.noise * normal(x.shape, rng)
    reach = 1 + CUT * spec.noise
    return divided(spec, x, labels, class_names(spec), (-reach, reach))


def clean(spec: Points, labels: Labels, rng: np.random.Generator) -> Coordinates:
    """The points of `spec` without noise, one for each label."""
    match spec.shape:
        case "moons":
            return moons(labels, rng)
        case "circles":
            return circles(labels, rng)
        case "spirals":
            return spirals(labels, spec.classes, rng)
        case "checkerboard":
            return checkerboard(labels, rng)
        case "gaussians":
            return gaussians(labels, spec.classes, rng)
        case "xor":
            return xor(labels, rng)


def normal(shape: tuple[int, ...], rng: np.random.Generator) -> Float64[ndarray, "..."]:
    """Standard normal draws conditioned on |z| ≤ 3: those outside are drawn again."""
    z = rng.standard_normal(shape)
    while (outside := np.abs(z) > CUT).any():
        z[outside] = rng.standard_normal(int(outside.sum()))
    return z


def moons(labels: Labels, rng: np.random.Generator) -> Coordinates:
    """Two half circles of radius 2/3: the upper about (−1/3, −1/6), the lower about (1/3, 1/6)."""
    angle = rng.uniform(0, np.pi, len(labels))
    sign = 1 - 2 * labels  # 1 upper, −1 lower
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return sign[:, None] * (unit * 2 / 3 - np.array([1 / 3, 1 / 6]))


def circles(labels: Labels, rng: np.random.Generator) -> Coordinates:
    """Two circles about the origin, the outer of radius 1, the inner of radius 1/2."""
    return np.where(labels == 0, 1.0, INNER_RADIUS)[:, None] * _unit(rng.uniform(0, 2 * np.pi, len(labels)))


def spirals(labels: Labels, classes: int, rng: np.random.Generator) -> Coordinates:
    """Arms r(cos φ, sin φ) with φ = 2π(1.25 r + label/classes) and r from 0.1 to 1, evenly dense along the arm."""
    r = np.sqrt(rng.uniform(SPIRAL_START**2, 1, len(labels)))
    return r[:, None] * _unit(2 * np.pi * (SPIRAL_TURNS * r + labels / classes))


def gaussians(labels: Labels, classes: int, rng: np.random.Generator) -> Coordinates:
    """Normal clouds, standard deviation 1/6 cut off at 1/2, about centres evenly spaced on the circle of radius 1/2."""
    centres = CLOUD_RADIUS * _unit(2 * np.pi * labels / classes)
    return centres + CLOUD_SPREAD * normal((len(labels), 2), rng)


def checkerboard(labels: Labels, rng: np.random.Generator) -> Coordinates:
    """Uniform on the 4×4 board over [−1, 1]²; the label is the parity of column plus row."""
    return _board(labels, 4, rng)


def xor(labels: Labels, rng: np.random.Generator) -> Coordinates:
    """Uniform on [−1, 1]²; the label is 0 where the coordinates' signs are equal and 1 where they differ."""
    return _board(labels, 2, rng)


def _board(labels: Labels, cells: int, rng: np.random.Generator) -> Coordinates:
    column = rng.integers(cells, size=len(labels))
    row = 2 * rng.integers(cells // 2, size=len(labels)) + (column + labels) % 2
    # Multiples of 2⁻²¹ between a cell's edges are exact in float32: no rounding carries a point to the next cell.
    within = (rng.integers(FINE, size=(len(labels), 2)) + 0.5) / FINE
    return (np.stack([column, row], axis=1) + within) * 2 / cells - 1


def _unit(angle: Float64[ndarray, " n"]) -> Coordinates:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def class_names(spec: Points) -> tuple[str, ...]:
    """The names of the classes, in the order of their labels."""
    if spec.shape in NAMES:
        return NAMES[spec.shape]
    noun = {"spirals": "arm", "gaussians": "cloud"}[spec.shape]
    return tuple(f"{noun} {number + 1}" for number in range(spec.classes))


NAMES = {
    "moons": ("upper", "lower"),
    "circles": ("outer", "inner"),
    "checkerboard": ("even", "odd"),
    "xor": ("equal signs", "different signs"),
}
