"""The exact cells of a small network on a segment or a polygon, in rational arithmetic: slow, simple, without rounding.

It shares no idea with the library: no traversal, no tolerance. Inside a polygon on which the earlier layers are affine,
take the set S that wins at an interior point; if some winner lies below some loser at a vertex, split the polygon
where the two are equal and look at both halves; otherwise S wins in the whole interior. Halves with the same pattern
are put together at the end.

Numbers are Fractions (or integers, or floats, which are taken as the binary fractions that they are). A function on the
slice is a tuple (constant, coefficient of t_1, ..., coefficient of t_m); a point is a tuple of m numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

Point = tuple[Fraction, ...]
Function = tuple[Fraction, ...]
Pattern = tuple[tuple[int, ...], ...]  # the winners of each hidden layer, ascending
ZERO = Fraction(0)


@dataclass(frozen=True)
class Net:
    """Weights [out][in] and biases [out] of every layer; `winners` of the hidden ones: k, or None for ReLU."""

    weights: tuple[tuple[tuple[Fraction, ...], ...], ...]
    biases: tuple[tuple[Fraction, ...], ...]
    winners: tuple[int | None, ...]


@dataclass(frozen=True)
class Cell:
    """A convex part of the slice with one pattern: its vertices, and the outputs as functions on it."""

    vertices: tuple[Point, ...]
    pattern: Pattern
    outputs: tuple[Function, ...]


def net(weights, biases, winners) -> Net:
    """The network of given nested sequences or arrays of numbers."""
    return Net(
        tuple(tuple(tuple(Fraction(x) for x in _plain(row)) for row in _plain(w)) for w in weights),
        tuple(tuple(Fraction(x) for x in _plain(b)) for b in biases),
        tuple(winners),
    )


def cells(network: Net, origin, directions, domain) -> list[Cell]:
    """Convex parts of the slice, each with one pattern; several parts may have the same.

    domain: the two ends of an interval (m = 1), or the vertices of a convex polygon in order (m = 2).
    """
    start, along = _numbers(origin), [_numbers(d) for d in _plain(directions)]
    inputs = [(start[i], *(d[i] for d in along)) for i in range(len(start))]
    return list(_cells(network, 0, inputs, tuple(_numbers(v) for v in _plain(domain)), ()))


def measures(parts: list[Cell]) -> dict[Pattern, Fraction]:
    """The exact area (length) of each full pattern that has an interior."""
    total: dict[Pattern, Fraction] = {}
    for part in parts:
        total[part.pattern] = total.get(part.pattern, ZERO) + measure(part.vertices)
    return total


def pieces(network: Net, origin, direction, low, high) -> list[Cell]:
    """The cells of a segment in order, each pattern once."""
    parts = sorted(cells(network, origin, [direction], [[low], [high]]), key=lambda part: part.vertices)
    joined = parts[:1]
    for before, part in pairwise(parts):
        if part.pattern == before.pattern:
            joined[-1] = Cell((joined[-1].vertices[0], part.vertices[1]), part.pattern, part.outputs)
        else:
            joined.append(part)
    return joined


def measure(vertices: tuple[Point, ...]) -> Fraction:
    """Length of an interval, area of a polygon by the shoelace formula."""
    if len(vertices[0]) == 1:
        return vertices[1][0] - vertices[0][0]
    ring = zip(vertices, vertices[1:] + vertices[:1], strict=True)
    return abs(sum((a[0] * b[1] - a[1] * b[0] for a, b in ring), ZERO)) / 2


def value(function: Function, point: Point) -> Fraction:
    return function[0] + sum((c * t for c, t in zip(function[1:], point, strict=True)), ZERO)


def pattern_at(network: Net, x) -> Pattern:
    """A(x) by a forward pass: ties to the lower index, ReLU off at zero."""
    z, found = _numbers(x), []
    for layer, k in enumerate(network.winners):
        y = [sum((w * v for w, v in zip(row, z, strict=True)), b) for row, b in _rows(network, layer)]
        won = _winning(y, k)
        z = tuple(v if i in won else ZERO for i, v in enumerate(y))
        found.append(tuple(sorted(won)))
    return tuple(found)


def _cells(network: Net, layer: int, z: list[Function], domain: tuple[Point, ...], found: Pattern) -> Iterator[Cell]:
    y = [_combined(row, b, z) for row, b in _rows(network, layer)]
    if layer == len(network.winners):
        yield Cell(domain, found, tuple(y))
        return
    off = (ZERO,) * len(z[0])
    for part, won in _split(y, network.winners[layer], domain):
        kept = [function if i in won else off for i, function in enumerate(y)]
        yield from _cells(network, layer + 1, kept, part, (*found, tuple(sorted(won))))


def _split(y: list[Function], k: int | None, domain: tuple[Point, ...]) -> Iterator[tuple[tuple[Point, ...], set[int]]]:
    """Parts of the domain and the set that wins in the interior of each."""
    inside = tuple(sum(axis, ZERO) / len(domain) for axis in zip(*domain, strict=True))
    won = _winning([value(function, inside) for function in y], k)
    violated = _violated(y, k, won, domain)
    if violated is None:
        yield domain, won
        return
    for side in (violated, tuple(-c for c in violated)):
        yield from _split(y, k, _kept(domain, side))


def _winning(y: list[Fraction], k: int | None) -> set[int]:
    if k is None:
        return {i for i, v in enumerate(y) if v > 0}
    return set(sorted(range(len(y)), key=lambda i: (-y[i], i))[:k])


def _violated(y: list[Function], k: int | None, won: set[int], domain: tuple[Point, ...]) -> Function | None:
    """A condition of the set that fails at some vertex, as a function that should not be negative."""
    if k is None:
        conditions = (f if i in won else tuple(-c for c in f) for i, f in enumerate(y))
    else:
        rest = [i for i in range(len(y)) if i not in won]
        conditions = (tuple(a - b for a, b in zip(y[i], y[j], strict=True)) for i in won for j in rest)
    return next((c for c in conditions if any(value(c, vertex) < 0 for vertex in domain)), None)


def _kept(domain: tuple[Point, ...], condition: Function) -> tuple[Point, ...]:
    """The part of the domain where the condition is at least zero; the condition has both signs on it."""
    values = [value(condition, vertex) for vertex in domain]
    if len(domain[0]) == 1:
        middle = domain[0][0] + (domain[1][0] - domain[0][0]) * values[0] / (values[0] - values[1])
        return (domain[0], (middle,)) if values[0] > 0 else ((middle,), domain[1])
    kept: list[Point] = []
    for i, (vertex, v) in enumerate(zip(domain, values, strict=True)):
        after, w = domain[(i + 1) % len(domain)], values[(i + 1) % len(domain)]
        if v >= 0:
            kept.append(vertex)
        if v * w < 0:
            kept.append(tuple(a + (b - a) * v / (v - w) for a, b in zip(vertex, after, strict=True)))
    return tuple(kept)


def _combined(row: tuple[Fraction, ...], bias: Fraction, z: list[Function]) -> Function:
    """The function bias + Σ row_i z_i."""
    terms = [(w, function) for w, function in zip(row, z, strict=True) if w]
    constant, *slopes = (sum((w * f[axis] for w, f in terms), ZERO) for axis in range(len(z[0])))
    return (constant + bias, *slopes)


def _rows(network: Net, layer: int) -> Iterator[tuple[tuple[Fraction, ...], Fraction]]:
    return zip(network.weights[layer], network.biases[layer], strict=True)


def _plain(array):
    """Nested lists of Python numbers, of an array or of nested sequences."""
    return array.tolist() if hasattr(array, "tolist") else array


def _numbers(values) -> Point:
    return tuple(Fraction(v) for v in _plain(values))
