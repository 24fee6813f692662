"""Convex polygons, affine maps and tags in flat arrays: what the walks through a plane share. Numba functions.

V [2 p] and T [3 p] hold the coordinates of vertex p and three tags of the edge that starts there: what made it (a layer
and two units), the line it lies on, and a number of passing use. A polygon is its first vertex q and its number of
vertices m, counter-clockwise. Map s is the rows 3s, 3s + 1, 3s + 2 of M: y = M[3s] t₀ + M[3s + 1] t₁ + M[3s + 2].
"""

import numpy as np
from numba import njit

FAST = {"nnan", "ninf", "nsz", "contract"}
BIG = 1e300  # instead of infinity, which fast arithmetic excludes
TOLERANCE = 1e-12  # of y, relative to the largest |y| on the parent
FEW = 2  # outputs: sums over units rather than columns
NEW = -2  # third tag of a vertex that a cut has made

N, K, NEXT, WEIGHT, BIAS, WORD, WORDS = range(7)  # columns of dims: of each hidden layer
# Columns of L, the state of each layer: its parent, its undecided units, its children, where their memory begins and
# ends.
Q, SIDES, MAP, UNITS, WON, COUNT, CURSOR, REFERENCE, LINE, V_FIRST, R_FIRST, M_FIRST, V_TOP, R_TOP, M_TOP = range(15)
LAYER, OPENED, CELLS, VERTICES, LINES, STAMP, UNSPLIT = range(7)  # of state
DONE, OUTPUT_FULL, MEMORY_FULL, POLYGON_FULL, LIMIT = range(5)  # what the walk returns


@njit(cache=True, nogil=True)
def bit(i):
    """The bit of unit i in its word of 64: bytes are filled from their highest bit, as np.packbits does."""
    return np.int64(1) << ((i ^ 7) & 63)


@njit(cache=True, nogil=True)
def tag(layer, entering, leaving):
    """A layer and two units (−1: none) in one number."""
    return (layer << 48) | ((entering + 1) << 24) | (leaving + 1)


@njit(cache=True, nogil=True)
def copy_vertex(V, T, p, to, tag, line):
    V[2 * to], V[2 * to + 1] = V[2 * p], V[2 * p + 1]
    T[3 * to], T[3 * to + 1], T[3 * to + 2] = tag, line, T[3 * p + 2]


@njit(cache=True, nogil=True)
def copy_polygon(V, T, q, m, to):
    for v in range(m):
        copy_vertex(V, T, q + v, to + v, T[3 * (q + v)], T[3 * (q + v) + 1])


@njit(cache=True, nogil=True)
def cross_edge(V, T, p, p_next, g, g_next, to, tag, line):
    """The point of an edge where g vanishes, from its inner end: both sides of a border compute it from their own."""
    s = g / (g - g_next)
    V[2 * to] = V[2 * p] + s * (V[2 * p_next] - V[2 * p])
    V[2 * to + 1] = V[2 * p + 1] + s * (V[2 * p_next + 1] - V[2 * p + 1])
    T[3 * to], T[3 * to + 1], T[3 * to + 2] = tag, line, NEW


@njit(cache=True, nogil=True)
def sign(g, tol):
    return 1 if g > tol else (-1 if g < -tol else 0)


@njit(cache=True, nogil=True)
def clip(V, T, G, q, m, to, tol, tag, line):
    """The part of a polygon where G, given at its vertices, is not negative, at `to`: its vertices; 0 without interior.

    The new edge gets the tag. An edge that already lies on the border keeps its own.
    """
    inner = 0
    for v in range(m):
        inner += G[v] > tol
    if inner == 0:
        return 0
    n = 0
    for v in range(m):
        p, w = q + v, (v + 1 if v + 1 < m else 0)
        here, there = sign(G[v], tol), sign(G[w], tol)
        if here >= 0:
            leaves = here == 0 and there < 0
            copy_vertex(V, T, p, to + n, tag if leaves else T[3 * p], line if leaves else T[3 * p + 1])
            n += 1
        if here * there < 0:
            if here > 0:
                cross_edge(V, T, p, q + w, G[v], G[w], to + n, tag, line)
            else:
                cross_edge(V, T, q + w, p, G[w], G[v], to + n, T[3 * p], T[3 * p + 1])
            n += 1
    return n


@njit(cache=True, nogil=True)
def halve(V, T, G, q, m, to_in, to_out, tol, tag_in, tag_out, line):
    """Both parts of a polygon that is cut where G, given at its vertices, vanishes: their numbers of vertices.

    There must be vertices on either side. The new edges get line and line + 1.
    """
    n_in = n_out = 0
    there = sign(G[0], tol)
    for v in range(m):
        here = there
        p, w = q + v, (v + 1 if v + 1 < m else 0)
        there = sign(G[w], tol)
        tag, on_line = T[3 * p], T[3 * p + 1]
        if here >= 0:
            leaves = here == 0 and there < 0
            copy_vertex(V, T, p, to_in + n_in, tag_in if leaves else tag, line if leaves else on_line)
            n_in += 1
        if here <= 0:
            leaves = here == 0 and there > 0
            copy_vertex(V, T, p, to_out + n_out, tag_out if leaves else tag, line + 1 if leaves else on_line)
            n_out += 1
        if here * there < 0:
            if here > 0:
                cross_edge(V, T, p, q + w, G[v], G[w], to_in + n_in, tag_in, line)
                copy_vertex(V, T, to_in + n_in, to_out + n_out, tag, on_line)
            else:
                cross_edge(V, T, p, q + w, G[v], G[w], to_in + n_in, tag, on_line)
                copy_vertex(V, T, to_in + n_in, to_out + n_out, tag_out, line + 1)
            n_in += 1
            n_out += 1
    return n_in, n_out


@njit(cache=True, nogil=True, fastmath=FAST)
def extremes(a, b, c, V, q, m, low, high):
    """The lowest and highest y of every unit on a polygon; returns the largest |y|. Two vertices at a time."""
    n = a.size
    for v in range(0, m, 2):
        p, r = q + v, q + min(v + 1, m - 1)
        x0, x1, z0, z1 = V[2 * p], V[2 * p + 1], V[2 * r], V[2 * r + 1]
        if v == 0:
            for i in range(n):
                y, z = a[i] * x0 + (b[i] * x1 + c[i]), a[i] * z0 + (b[i] * z1 + c[i])
                low[i] = min(y, z)
                high[i] = max(y, z)
        else:
            for i in range(n):
                y, z = a[i] * x0 + (b[i] * x1 + c[i]), a[i] * z0 + (b[i] * z1 + c[i])
                low[i] = min(low[i], min(y, z))
                high[i] = max(high[i], max(y, z))
    largest = 0.0
    for i in range(n):
        largest = max(largest, max(high[i], -low[i]))
    return largest


@njit(cache=True, nogil=True, fastmath=FAST)
def add_unit(M, target, source, s, i, W, first, n_next):
    """Map target = map source + w ⊗ y: unit i, with its y of map s, enters the next layer's map by its weights w.

    The two maps must differ: the compiler's vector code is for arrays that do not overlap.
    """
    n, w = np.uint64(n_next), np.uint64(first + i * n_next)
    for k in range(3):
        to, of, factor = np.uint64(3 * target + k), np.uint64(3 * source + k), M[3 * s + k, i]
        for o in range(n):
            M[to, o] = M[of, o] + factor * W[w + o]


@njit(cache=True, nogil=True, fastmath=FAST)
def add_units(M, target, s, units, count, sign, W, first, n_next):
    """Map target += sign · Σ w ⊗ y over the listed units: four at a time, so that the target is written less often.

    Unsigned places spare the compiler the check for negative ones, which would keep it from vector code.
    """
    n = np.uint64(n_next)
    if n_next <= FEW:
        for k in range(3):
            y = 3 * s + k
            for o in range(n_next):
                total = 0.0
                for u in range(count):
                    total += M[y, units[u]] * W[first + units[u] * n_next + o]
                M[3 * target + k, o] += sign * total
        return
    for u in range(0, count - count % 4, 4):
        i0, i1, i2, i3 = units[u], units[u + 1], units[u + 2], units[u + 3]
        w0, w1 = np.uint64(first + i0 * n_next), np.uint64(first + i1 * n_next)
        w2, w3 = np.uint64(first + i2 * n_next), np.uint64(first + i3 * n_next)
        for k in range(3):
            y, to = 3 * s + k, np.uint64(3 * target + k)
            y0, y1, y2, y3 = sign * M[y, i0], sign * M[y, i1], sign * M[y, i2], sign * M[y, i3]
            for o in range(n):
                M[to, o] += y0 * W[w0 + o] + y1 * W[w1 + o] + y2 * W[w2 + o] + y3 * W[w3 + o]
    for u in range(count - count % 4, count):
        w0 = np.uint64(first + units[u] * n_next)
        for k in range(3):
            y0, to = sign * M[3 * s + k, units[u]], np.uint64(3 * target + k)
            for o in range(n):
                M[to, o] += y0 * W[w0 + o]


@njit(cache=True, nogil=True)
def start_map(M, s, bias):
    """Map s = bias, constant."""
    n = bias.size
    M[3 * s, :n] = 0.0
    M[3 * s + 1, :n] = 0.0
    M[3 * s + 2, :n] = bias


@njit(cache=True, nogil=True)
def begin(L, layer, mv):
    """Set where a layer's children are kept: behind the domain and its map, or behind those of the layer before."""
    if layer == 0:
        L[0, V_FIRST], L[0, R_FIRST], L[0, M_FIRST] = mv, 0, 1
    else:
        for first, top in ((V_FIRST, V_TOP), (R_FIRST, R_TOP), (M_FIRST, M_TOP)):
            L[layer, first] = L[layer - 1, top]
