"""The part of a slice that lies in the data box low ≤ x ≤ high."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Real
from numpy import ndarray

from kwta.slices import convex
from kwta.slices.slice import Slice

Bound = float | int | Real[ndarray, "..."]

HARDLY = 1e3  # a constraint that changes by less than this many roundings over the slice cannot show an interior


def clipped(whole: Slice, low: Bound, high: Bound) -> Slice:
    """The slice with its domain cut to {t : low ≤ s(t) ≤ high}; vertices lie in the box to 1e-12 of the sizes involved.

    `low` and `high` are numbers or arrays with one entry per input entry; infinite ones do not bind. Origin and
    directions stay, so t keeps its meaning. ValueError where nothing with interior is left: a random plane around an
    MNIST image is an example, because hundreds of its pixels sit on the box's border.
    """
    planes = _half_planes(whole, _bound(whole, low, "low"), _bound(whole, high, "high"))
    domain = (_interval if whole.dim == 1 else _polygon)(whole.domain, planes)
    if not _has_interior(domain, planes):
        raise ValueError(f"nothing with interior is left of the slice within the box [{_brief(low)}, {_brief(high)}]")
    return replace(whole, domain=domain)


@dataclass(frozen=True, eq=False)
class _HalfPlanes:
    """Constraints normals · t ≤ offsets, c ≤ 2d; `slack`: rounding allowed, `range`: their change over the domain."""

    normals: Float[ndarray, "c m"]
    offsets: Float[ndarray, "c"]
    slack: Float[ndarray, "c"]
    range: Float[ndarray, "c"]

    def at(self, rows: Bool[ndarray, "c"]) -> "_HalfPlanes":
        return _HalfPlanes(self.normals[rows], self.offsets[rows], self.slack[rows], self.range[rows])


def _half_planes(whole: Slice, low: Float[ndarray, "d"], high: Float[ndarray, "d"]) -> _HalfPlanes:
    empty = (low > high) | (low == np.inf) | (high == -np.inf)
    if empty.any():
        worst = int(np.argmax(empty))
        raise ValueError(f"the box is empty, low to high is {low[worst]} to {high[worst]} at entry {worst}")
    normals = np.concatenate([whole.directions.T, -whole.directions.T])
    offsets = np.concatenate([high - whole.origin, whole.origin - low])
    values = normals @ whole.domain.T
    sizes = np.tile(np.abs(whole.origin), 2) + np.abs(np.concatenate([high, low])) + np.abs(values).max(axis=1)
    return _HalfPlanes(normals, offsets, convex.TOLERANCE * sizes, np.ptp(values, axis=1))


def _polygon(domain: Float[ndarray, "v 2"], planes: _HalfPlanes) -> Float[ndarray, "w 2"]:
    """Cut by the most violated constraint until none is; what all vertices meet is met for good, so cuts are few."""
    while len(domain):
        excess = (planes.normals @ domain.T).max(axis=1) - planes.offsets
        violated = excess > planes.slack
        if not violated.any():
            break
        worst = int(np.argmax(excess))
        domain = convex.distinct(convex.cut(domain, planes.normals[worst], planes.offsets[worst]))
        violated[worst] = False  # done with: its own rounding must not bring it back
        planes = planes.at(violated)
    return domain


def _interval(domain: Float[ndarray, "2 1"], planes: _HalfPlanes) -> Float[ndarray, "w 1"]:
    """The ends moved in to the tightest crossing; w = 0 where a constraint fails along the whole interval."""
    violated = planes.normals @ domain.T - planes.offsets[:, None] > planes.slack[:, None]
    if violated.all(axis=1).any():
        return domain[:0]
    active = violated.any(axis=1)
    crossings = planes.offsets[active] / planes.normals[active, 0]
    falls, rises = violated[active].T
    low = np.max(crossings[falls], initial=domain[0, 0])
    high = np.min(crossings[rises], initial=domain[1, 0])
    return np.array([[low], [high]])


def _has_interior(domain: Float[ndarray, "w m"], planes: _HalfPlanes) -> bool:
    """Whether the mean vertex meets every constraint that varies over the slice by more than rounding."""
    if len(domain) <= planes.normals.shape[1] or convex.measure(domain) <= convex.negligible(domain):
        return False
    margin = planes.offsets - planes.normals @ domain.mean(axis=0)
    return bool((margin > planes.slack)[planes.range > HARDLY * planes.slack].all())


def _bound(whole: Slice, value: Bound, name: str) -> Float[ndarray, "d"]:
    bound = np.asarray(value, np.float64).ravel()
    if bound.size not in (1, len(whole.origin)) or np.isnan(bound).any():
        raise ValueError(f"{name} must be a number or hold {len(whole.origin)} numbers, got {value!r:.80}")
    return np.broadcast_to(bound, whole.origin.shape)


def _brief(value: Bound) -> str:
    bound = np.asarray(value, float)
    return f"{bound.min():g}" if bound.min() == bound.max() else f"{bound.min():g} to {bound.max():g}"
