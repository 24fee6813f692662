"""Slices a person asks for: between inputs, through inputs, around an input, at random.

Directions around a point are orthonormal, so that lengths and angles on the screen are those of the input space.
Inputs may have any shape (an image C×H×W): they are flattened.
"""

import numpy as np
from jaxtyping import Float, Real
from numpy import ndarray

from kwta.slices.slice import Slice, check_independent

COLLINEAR = 1e-6  # height of a triangle over its longest side; below it float32 inputs only draw their own rounding


def segment(a: Real[ndarray, "..."], b: Real[ndarray, "..."]) -> Slice:
    """s(t) = a + t (b − a), t in [0, 1]: from input a to input b."""
    a, b = _flat(a), _flat(b)
    _check_same_size(a, b)
    if (a == b).all():
        raise ValueError("the two ends of a segment must differ, got the same input twice")
    return Slice(a, (b - a)[None], _interval(0.0, 1.0))


def through(a: Real[ndarray, "..."], b: Real[ndarray, "..."], c: Real[ndarray, "..."], margin: float = 0.2) -> Slice:
    """The plane through three inputs: a at t = (0, 0), b at (‖b − a‖, 0), c above the first axis.

    The domain is the square around the three, centred on their bounding box, with `margin` times its longer side added
    on every side. Where the three lie: `.coordinates(np.stack([a, b, c]))`. Refuses inputs on one line.
    """
    a, b, c = _flat(a), _flat(b), _flat(c)
    _check_same_size(a, b, c)
    if not margin >= 0 or not np.isfinite(margin):
        raise ValueError(f"margin must be a finite number of at least 0, got {margin}")
    _check_spread(a, b, c)
    directions = _orthonormal(np.stack([b - a, c - a]))
    corners = np.stack([np.zeros(2), directions @ (b - a), directions @ (c - a)])
    low, high = corners.min(axis=0), corners.max(axis=0)
    half = (0.5 + margin) * (high - low).max()
    return Slice(a, directions, _square((low + high) / 2, half))


def square(x0: float, x1: float, y0: float, y1: float) -> Slice:
    """The rectangle [x0, x1] × [y0, y1] of a 2-D input space itself: s(t) = t."""
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"a plane needs x0 < x1 and y0 < y1, got x0={x0}, x1={x1}, y0={y0}, y1={y1}")
    return Slice(np.zeros(2), np.eye(2), np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float))


def around(
    x: Real[ndarray, "..."], radius: float, directions: Real[ndarray, "_ _"] | None = None, seed: int = 0
) -> Slice:
    """x + t D, |t_i| ≤ radius, D an orthonormal basis of the directions [m, d]: a segment or a square centred on x.

    The first basis vector is the first direction, normalised. Without directions: the input plane itself where x has
    two entries, otherwise a random plane drawn from `seed`.
    """
    x = _flat(x)
    if directions is None:
        return around(x, radius, np.eye(2)) if x.size == 2 else random_plane(x, seed, radius)
    if not (np.isfinite(radius) and radius > 0):
        raise ValueError(f"radius must be a positive finite number, got {radius}")
    directions = np.asarray(directions, np.float64)
    if len(directions) not in (1, 2) or directions.shape[1] != x.size:
        raise ValueError(f"directions must have shape [1 or 2, {x.size}], got {directions.shape}")
    basis = _orthonormal(directions)
    return Slice(x, basis, _interval(-radius, radius) if len(basis) == 1 else _square(np.zeros(2), radius))


def random_line(x: Real[ndarray, "..."], seed: int, radius: float) -> Slice:
    """x + t u, |t| ≤ radius, with u uniform on the unit sphere (a normalised Gaussian)."""
    return around(x, radius, _gaussian(x.size, 1, seed))


def random_plane(x: Real[ndarray, "..."], seed: int, radius: float) -> Slice:
    """x + t D, |t_i| ≤ radius, with D orthonormal, its plane uniform on the Grassmannian (from a Gaussian matrix)."""
    if x.size < 2:
        raise ValueError(f"a plane needs inputs with at least 2 entries, got {x.size}")
    return around(x, radius, _gaussian(x.size, 2, seed))


def _gaussian(size: int, rows: int, seed: int) -> Float[ndarray, "rows size"]:
    return np.random.default_rng(seed).standard_normal((rows, size))


def _orthonormal(directions: Float[ndarray, "m d"]) -> Float[ndarray, "m d"]:
    """Gram-Schmidt, each projection taken off twice; entries that are zero in every direction stay exactly zero."""
    check_independent(directions)
    basis: list[ndarray] = []
    for direction in directions / np.linalg.norm(directions, axis=1, keepdims=True):
        for earlier in basis * 2:
            direction = direction - (direction @ earlier) * earlier
        basis.append(direction / np.linalg.norm(direction))
    return np.stack(basis)


def _flat(x: Real[ndarray, "..."]) -> Float[ndarray, "_"]:
    flat = np.asarray(x, np.float64).ravel()
    if not np.isfinite(flat).all():
        raise ValueError(f"an input must be finite, got {flat[~np.isfinite(flat)][0]} among its entries")
    return flat


def _check_same_size(*inputs: Float[ndarray, "_"]) -> None:
    sizes = [x.size for x in inputs]
    if len(set(sizes)) > 1:
        raise ValueError(f"inputs must have the same number of entries, got {sizes}")


def _check_spread(a: Float[ndarray, "d"], b: Float[ndarray, "d"], c: Float[ndarray, "d"]) -> None:
    sides = np.stack([b - a, c - b, a - c])
    lengths = np.linalg.norm(sides, axis=1)
    longest = lengths.argmax()
    base, other = sides[longest], sides[(longest + 1) % 3]
    height = np.linalg.norm(other - base * (other @ base) / max(lengths[longest] ** 2, np.finfo(float).tiny))
    if height <= COLLINEAR * lengths[longest]:
        raise ValueError(
            f"three inputs on one line span no plane: sides {lengths.tolist()}, the triangle's height is {height:.3g}"
        )


def _interval(low: float, high: float) -> Float[ndarray, "2 1"]:
    return np.array([[low], [high]], float)


def _square(centre: Float[ndarray, "2"], half: float) -> Float[ndarray, "4 2"]:
    return centre + half * np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
