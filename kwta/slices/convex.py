"""Convex domains in slice coordinates: an interval (m = 1) or a convex polygon (m = 2), given by their vertices.

An interval is its two ends in ascending order, [[t0], [t1]]; a polygon its vertices counter-clockwise. Questions are
answered up to `TOLERANCE` of the domain's size, so that a vertex made by clipping belongs to the domain it came from.
"""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

TOLERANCE = 1e-12  # relative: some thousand roundings of float64, far below anything drawn or counted


def measure(domain: Float[ndarray, "v m"]) -> float:
    """The length t1 − t0 of an interval, or the area ½ Σ t_i × t_{i+1} of a polygon (negative when clockwise)."""
    if domain.shape[1] == 1:
        return float(domain[-1, 0] - domain[0, 0])
    spokes = domain - domain[0]  # differences first: a polygon far from zero keeps its digits
    return float(0.5 * _cross(spokes, np.roll(spokes, -1, axis=0)).sum())


def negligible(domain: Float[ndarray, "v m"]) -> float:
    """The measure below which a domain counts as having no interior: rounding of its own coordinates."""
    width = np.ptp(domain, axis=0)
    grain = TOLERANCE * width.max() + 4 * np.finfo(float).eps * np.abs(domain).max()
    return float(grain * (1.0 if domain.shape[1] == 1 else width.max()))


def contains(domain: Float[ndarray, "v m"], t: Float[ndarray, "*batch m"]) -> Bool[ndarray, "*batch"]:
    """Whether each t lies in the closed domain, its border widened by the tolerance."""
    if domain.shape[1] == 1:
        return np.asarray(np.abs(t[..., 0] - domain.mean()) <= 0.5 * measure(domain) + negligible(domain))
    inside = np.ones(t.shape[:-1], bool)
    blur = 4 * np.finfo(float).eps * np.abs(domain).max()  # rounding of a vertex: it tilts short edges
    for start, end in zip(domain, np.roll(domain, -1, axis=0), strict=True):  # over edges: t may hold a million points
        length = np.abs(end - start).max()
        slack = TOLERANCE * length * np.ptp(domain, axis=0).max() + blur * (length + np.abs(t - start).max(initial=0))
        inside &= _cross(end - start, t - start) >= -slack
    return inside


def checked(domain: Float[ndarray, "v m"]) -> Float[ndarray, "v m"]:
    """The domain; ValueError unless it is an ascending interval or a convex counter-clockwise polygon with interior."""
    if domain.shape[1] == 1:
        return _checked_interval(domain)
    return _checked_polygon(domain)


def cut(domain: Float[ndarray, "v 2"], normal: Float[ndarray, "2"], offset: float) -> Float[ndarray, "w 2"]:
    """The part of a polygon with normal · t ≤ offset (w = 0 where none is left).

    New vertices are interpolated between the ends of the edge they cut, which keeps the residual small at any angle.
    """
    excess = domain @ normal - offset
    following, beyond = np.roll(domain, -1, axis=0), np.roll(excess, -1)
    crossed = np.sign(excess) * np.sign(beyond) < 0  # a product of the values themselves may underflow
    step = np.divide(excess, excess - beyond, out=np.zeros_like(excess), where=crossed)
    crossings = domain + step[:, None] * (following - domain)
    either = np.stack([domain, crossings], axis=1).reshape(
        -1, 2
    )  # each vertex, then the crossing on the edge behind it
    return either[np.stack([excess <= 0, crossed], axis=1).ravel()]


def distinct(domain: Float[ndarray, "v 2"]) -> Float[ndarray, "w 2"]:
    """The polygon without vertices that coincide, to rounding, with the one before them."""
    if len(domain) < 2:
        return domain
    gaps = np.abs(domain - np.roll(domain, 1, axis=0)).max(axis=1)
    return domain[gaps > TOLERANCE * np.ptp(domain, axis=0).max()]


def _checked_interval(domain: Float[ndarray, "v 1"]) -> Float[ndarray, "v 1"]:
    if len(domain) != 2 or not measure(domain) > negligible(domain):
        raise ValueError(f"a 1-D domain is its two ends [[t0], [t1]] with t0 < t1, got {domain.tolist()}")
    return domain


def _checked_polygon(domain: Float[ndarray, "v 2"]) -> Float[ndarray, "v 2"]:
    if len(domain) < 3:
        raise ValueError(f"a polygon needs at least three vertices, got {len(domain)}: {domain.tolist()}")
    size, slack = measure(domain), negligible(domain)
    if abs(size) <= slack:
        raise ValueError(f"the polygon has no interior, its area is {size:.3g}: {domain.tolist()}")
    if size < 0:
        raise ValueError(f"the vertices must run counter-clockwise, got clockwise {domain.tolist()}")
    if len(distinct(domain)) < len(domain):
        raise ValueError(f"the polygon repeats a vertex: {domain.tolist()}")
    edges = np.roll(domain, -1, axis=0) - domain
    sides = _cross(edges[:, None], domain[None, :] - domain[:, None])  # every vertex must lie on the left of every edge
    if sides.min() < -slack:
        edge, vertex = np.unravel_index(sides.argmin(), sides.shape)
        raise ValueError(f"the polygon is not convex: vertex {vertex} lies outside edge {edge} of {domain.tolist()}")
    return domain


def _cross(a: Float[ndarray, "*#batch 2"], b: Float[ndarray, "*#batch 2"]) -> Float[ndarray, "*batch"]:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
