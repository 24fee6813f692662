"""Convex polygons, affine maps and tags in flat memory: what the walks through a plane share. Numba functions.

All arrays are pointers (see `pointer_kernel`). V [2 p] and T [3 p] hold the coordinates of vertex p and three tags of
the edge that starts there: what made it (a layer and two units), the line it lies on, and a number of passing use. A
polygon is its first vertex q and its number of vertices m, counter-clockwise. A map has three rows of `wide` entries:
y = a t₀ + b t₁ + c.
"""

from numba import njit

from kwta.regions.pointer_kernel import shifted
from kwta.regions.vector_kernel import LANES, bound, combine, largest

FAST = {"nnan", "ninf", "nsz", "contract"}
TOLERANCE = 1e-12  # of y, relative to the largest |y| on the parent
FEW = 2  # outputs: sums over units rather than columns
NEW = -2  # third tag of a vertex that a cut has made

# The numbers that belong to a layer: what never changes (its index, n, k, columns of the next, where its weights,
# biases and words of the pattern begin, how many words, and how many rows besides the units go on as they are); its
# parent; its undecided units; its children and their memory.
INDEX, N, K, NEXT, WEIGHT, BIAS, WORD, WORDS, PASSED = range(9)
Q, SIDES, MAP, UNITS, WON, CURSOR, REFERENCE, LINE, V_FIRST, R_FIRST, M_FIRST, V_TOP, R_TOP, M_TOP = range(9, 23)
AT, EDGE, WAITING, FOUND, RESUMES, GROUPED = range(23, 29)  # a search for sets: where it stands
SHOWN = 29  # the child whose set the path has
COLUMNS = 30
# The numbers of the walk: where it stands, what it has written, and how much memory there is.
LAYER, OPENED, CELLS, VERTICES, LINES, STAMP, UNSPLIT = range(7)
LAYERS, WIDE, SET_WORDS, MOST_SIDES, V_ROOM, R_ROOM, M_ROOM, SLOTS, MOST_CELLS = range(7, 16)
FIRST_LINES = 16  # lines of the first layer
NUMBERS = 17
MET, FROM, UNTIL = range(3)  # area of the first layer: of its cells met so far, and between which it is walked
DONE, OUTPUT_FULL, MEMORY_FULL, POLYGON_FULL, LIMIT = range(5)  # what the walk returns


@njit(cache=True, nogil=True)
def bit(i):
    """The bit of unit i in its word of 64."""
    return 1 << (i & 63)


@njit(cache=True, nogil=True)
def has(words, i):
    """Whether unit i is in a set."""
    return (words[i >> 6] >> (i & 63)) & 1


@njit(cache=True, nogil=True)
def whole(n):
    """n, filled up to whole vectors."""
    return (n + LANES - 1) // LANES * LANES


@njit(cache=True, nogil=True)
def tag(layer, entering, leaving):
    """A layer, from 1, and two units (−1: none) in one number."""
    return (layer << 48) | ((entering + 1) << 24) | (leaving + 1)


@njit(cache=True, nogil=True)
def copy_vertex(V, T, p, to, tag, line):
    V[2 * to] = V[2 * p]
    V[2 * to + 1] = V[2 * p + 1]
    T[3 * to] = tag
    T[3 * to + 1] = line
    T[3 * to + 2] = T[3 * p + 2]


@njit(cache=True, nogil=True)
def copy_polygon(V, T, q, m, to):
    for v in range(m):
        copy_vertex(V, T, q + v, to + v, T[3 * (q + v)], T[3 * (q + v) + 1])


@njit(cache=True, nogil=True, error_model="numpy")
def cross_edge(V, T, p, p_next, g, g_next, to, tag, line):
    """The point of an edge where g vanishes, interpolated between its ends: the residual is small at any angle."""
    s = g / (g - g_next)
    V[2 * to] = V[2 * p] + s * (V[2 * p_next] - V[2 * p])
    V[2 * to + 1] = V[2 * p + 1] + s * (V[2 * p_next + 1] - V[2 * p + 1])
    T[3 * to] = tag
    T[3 * to + 1] = line
    T[3 * to + 2] = NEW


@njit(cache=True, nogil=True)
def sign(g, tol):
    return (g > tol) - (g < -tol)


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
    there = sign(G[0], tol)
    for v in range(m):
        here = there
        p, w = q + v, (v + 1 if v + 1 < m else 0)
        there = sign(G[w], tol)
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
            enters = here < 0
            cross_edge(V, T, p, q + w, G[v], G[w], to_in + n_in, tag if enters else tag_in, on_line if enters else line)
            copy_vertex(V, T, to_in + n_in, to_out + n_out, tag_out if enters else tag, line + 1 if enters else on_line)
            n_in += 1
            n_out += 1
    return n_in, n_out


@njit(cache=True, nogil=True, fastmath=FAST)
def extremes(y, wide, n, V, q, m, low, high):
    """The lowest and highest y of every unit on a polygon, 0 beyond the units; returns the largest |y|."""
    bound(y, wide, n, shifted(V, 2 * q), m, low, high)
    for i in range(n, whole(n)):
        low[i] = high[i] = 0.0
    return largest(low, high, n)


@njit(cache=True, nogil=True, fastmath=FAST)
def add_units(target, source, y, wide, units, plus, minus, W, n):
    """Map target = map source + Σ w ⊗ y over the first `plus` listed units − Σ over the next `minus`.

    Unit i, with its y, enters n columns of the next layer's map by its weights w, from W + i n on.
    """
    if n > FEW:
        combine(target, source, y, wide, units, plus, minus, W, n)
        return
    for o in range(n):
        a0, b0, c0 = source[o], source[wide + o], source[2 * wide + o]
        a1 = b1 = c1 = 0.0
        for u in range(0, plus - 1, 2):
            i, j = units[u], units[u + 1]
            w, x = W[i * n + o], W[j * n + o]
            a0, b0, c0 = a0 + y[i] * w, b0 + y[wide + i] * w, c0 + y[2 * wide + i] * w
            a1, b1, c1 = a1 + y[j] * x, b1 + y[wide + j] * x, c1 + y[2 * wide + j] * x
        for u in range(plus - plus % 2, plus + minus):
            i = units[u]
            w = W[i * n + o] if u < plus else -W[i * n + o]
            a0, b0, c0 = a0 + y[i] * w, b0 + y[wide + i] * w, c0 + y[2 * wide + i] * w
        target[o], target[wide + o], target[2 * wide + o] = a0 + a1, b0 + b1, c0 + c1


@njit(cache=True, nogil=True)
def start_map(target, wide, bias, n):
    """The constant map bias."""
    for o in range(n):
        target[o] = 0.0
        target[wide + o] = 0.0
        target[2 * wide + o] = bias[o]


@njit(cache=True, nogil=True)
def begin(own, most_sides):
    """Set where a layer's children are kept: behind the domain and its map, or behind those of the layer before."""
    if own[INDEX] == 0:
        own[V_FIRST] = most_sides
        own[R_FIRST] = 0
        own[M_FIRST] = 1
    else:
        before = shifted(own, -COLUMNS)
        own[V_FIRST] = before[V_TOP]
        own[R_FIRST] = before[R_TOP]
        own[M_FIRST] = before[M_TOP]
