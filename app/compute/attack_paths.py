"""The way of an attack through linear regions: every border on it, what they did to f, and a plane to see it on."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from torch import nn

from kwta import jumps, slices
from kwta.regions import line
from kwta.regions.stages import stages
from kwta.slices import Slice, convex
from kwta.threats import Threat

# Of the path's extent: what is shown around it. For points of a plane, of ε.
ROOM, AROUND = 0.3, 1.5
# A direction with less than this share of the path's extent is none: its rounding would be drawn.
FLAT = 1e-3
# Of a unit direction: entries below this do not change along it.
STILL = 1e-9
# Of the polygon that stands for a circle.
CORNERS = 96


@dataclass(frozen=True, eq=False)
class Paths:
    """The places of several attacks on one plane.

    plane: its domain is a square. at [2]: the clean input, in t of the plane. u: of each attack, where its places are,
    [steps, 2]; away: how far off the plane they are, in the input space [steps].
    """

    plane: Slice
    at: np.ndarray
    u: tuple[np.ndarray, ...]
    away: tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class Way:
    """The straight ways from the clean input to the first place and on from place to place, exact.

    step [borders]: the way that each border lies on, 0 for the first; share: how far along it, 0 to 1; layer: of it.
    slopes, jumps [ways, outputs]: what f gains on each way by its slopes, inside the regions, and by its jumps between
    them; together all that f changes.
    """

    step: np.ndarray
    share: np.ndarray
    layer: np.ndarray
    slopes: np.ndarray
    jumps: np.ndarray


def paths(x: np.ndarray, places: tuple[np.ndarray, ...], fitted: int | None, threat: Threat) -> Paths:
    """The plane of the data where they are 2-D. Else the one through x and the ends of the first and the last attack,
    or, fitted to attack number `fitted`, through x, its end, and where its path leads most besides (the first principal
    direction of what remains).

    Where nothing has moved: a random one through x. x [d], places [steps, d] of each attack.
    """
    plane = _around(x, threat) if x.size == 2 else _about(x, _basis(x, places, fitted), places, threat)
    return Paths(
        plane,
        plane.coordinates(x),
        tuple(plane.coordinates(way) for way in places),
        tuple(plane.distance(way) for way in places),
    )


def _around(x: np.ndarray, threat: Threat) -> Slice:
    half = AROUND * threat.eps
    return slices.square(*(float(end) for centre in x for end in (centre - half, centre + half)))


def _basis(x: np.ndarray, places: tuple[np.ndarray, ...], fitted: int | None) -> np.ndarray:
    """Two orthonormal directions [2, d]."""
    if fitted is None:
        try:
            return slices.through(x, places[0][-1], places[-1][-1]).directions
        except ValueError:  # one has not moved, or both went the same way
            fitted = 0 if (places[0] != x).any() else len(places) - 1
    moved = places[fitted] - x
    lengths = np.linalg.norm(moved, axis=1)
    if not lengths.max() > 0:
        return slices.random_plane(x, 0, 1.0).directions
    first = moved[-1] if lengths[-1] > FLAT * lengths.max() else moved[lengths.argmax()]
    first = first / np.linalg.norm(first)
    rest = moved - np.outer(moved @ first, first)
    second = np.linalg.svd(rest, full_matrices=False)[2][0]
    if np.linalg.norm(rest, axis=1).max() <= FLAT * lengths.max():  # a straight path: any direction beside it will do
        second = np.random.default_rng(0).standard_normal(x.size)
    return slices.around(x, 1.0, np.stack([first, second])).directions


def _about(x: np.ndarray, basis: np.ndarray, places: tuple[np.ndarray, ...], threat: Threat) -> Slice:
    """The square around x and all places; around the ball where nothing has moved."""
    u = np.concatenate([np.zeros((1, 2)), *((way - x) @ basis.T for way in places)])
    low, high = u.min(axis=0), u.max(axis=0)
    half = (0.5 + ROOM) * (high - low).max()
    if not half > 0:
        half = AROUND * threat.eps * (1 if threat.norm == "l2" else sqrt(x.size))
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    return Slice(x, basis, (low + high) / 2 + half * corners)


def frame(plane: Slice) -> tuple[np.ndarray, float]:
    """Centre and half side of the square."""
    low, high = plane.bounds
    return (low + high) / 2, float((high - low).max()) / 2


def outline(plane: Slice, x: np.ndarray, threat: Threat) -> np.ndarray:
    """The part of the square within the ball around x, which lies on the plane, as a polygon [v, 2] in t.

    L2: of the circle, a polygon of 96 corners. Without the data box, of which a plane may meet nothing but x.
    """
    part, centre = plane.domain, plane.coordinates(x)
    if threat.norm == "l2":
        angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
        normals = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    else:
        entries = plane.directions.T[np.abs(plane.directions).max(axis=0) > STILL]
        normals = np.concatenate([entries, -entries])
    for normal in normals:
        part = convex.cut(part, normal, float(normal @ centre) + threat.eps)
    return convex.distinct(part)


def way(net: nn.Module, shape: tuple[int, ...], x: np.ndarray, places: np.ndarray) -> Way:
    """x [d], places [steps, d]. ValueError for networks that cannot be followed exactly."""
    found = [_between(net, shape, a, b) for a, b in zip([x, *places[:-1]], places, strict=True)]
    steps = [np.full(len(t), i) for i, (t, *_) in enumerate(found)]
    shares, layers, slopes, gains = zip(*found, strict=True)
    borders = np.concatenate(steps), np.concatenate(shares), np.concatenate(layers)
    return Way(*borders, np.stack(slopes), np.stack(gains))


def _between(net: nn.Module, shape: tuple[int, ...], a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, ...]:
    """Where the borders from a to b are and in which layers, and what f gains by slopes and by jumps."""
    if (a == b).all():
        nothing = np.zeros(stages(net, slices.segment(a, a + 1), shape).bias.shape)
        return np.zeros(0), np.zeros(0, int), nothing, nothing
    between = slices.segment(a, b)
    pieces = line.of_stages(stages(net, between, shape), between)
    return pieces.t, pieces.layer, np.diff(pieces.edges) @ pieces.slope, jumps.along(pieces).jump.sum(axis=0)
