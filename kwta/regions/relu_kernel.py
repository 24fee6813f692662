"""The cells of one ReLU layer inside a parent, by binary space partition: Numba functions.

Children come from a stack of parts of the parent. A part carries the map of the units settled so far, so what a unit
adds to the next layer is computed once for all cells in which it is on.
"""

from numba import njit

from kwta.regions.polygon_kernel import (
    BIAS,
    BIG,
    COUNT,
    CURSOR,
    DONE,
    LINE,
    LINES,
    M_FIRST,
    M_TOP,
    MAP,
    MEMORY_FULL,
    NEXT,
    R_FIRST,
    R_TOP,
    SIDES,
    TOLERANCE,
    UNITS,
    V_FIRST,
    V_TOP,
    WEIGHT,
    WORD,
    WORDS,
    N,
    Q,
    add_unit,
    add_units,
    begin,
    bit,
    copy_polygon,
    extremes,
    halve,
    start_map,
    tag,
)


@njit(cache=True, nogil=True)
def reserve(L, layer, units, mv, n_vertices, n_records, n_maps):
    """Memory for as many parts as there can be on the stack; two polygons each, as one cannot be cut in place."""
    L[layer, UNITS], L[layer, COUNT], L[layer, CURSOR] = units, units + 1, 0
    L[layer, V_TOP] = L[layer, V_FIRST] + 2 * (units + 1) * mv
    L[layer, R_TOP] = L[layer, R_FIRST] + units + 1
    L[layer, M_TOP] = L[layer, M_FIRST] + units + 1
    return L[layer, V_TOP] <= n_vertices and L[layer, R_TOP] <= n_records and L[layer, M_TOP] <= n_maps


@njit(cache=True, nogil=True)
def open_relu(layer, dims, L, tols, state, V, T, R, RW, RL, M, S, J, U, W, B, mv):
    """Sort the units into on, off and undecided on the parent; the whole parent becomes the first part."""
    begin(L, layer, mv)
    n, q, m, s = dims[layer, N], L[layer, Q], L[layer, SIDES], L[layer, MAP]
    a, b, c = M[3 * s, :n], M[3 * s + 1, :n], M[3 * s + 2, :n]
    low, high = S[0, :n], S[1, :n]
    tol = TOLERANCE * extremes(a, b, c, V, q, m, low, high)
    tols[layer] = tol
    units = on = 0
    for i in range(n):
        U[layer, units] = i
        J[0, on] = i
        units += (high[i] > tol) & (low[i] < -tol)
        on += (high[i] > tol) & (low[i] >= -tol)
    if not reserve(L, layer, units, mv, V.size // 2, len(R), len(M) // 3):
        return MEMORY_FULL
    r, target, start = L[layer, R_FIRST], L[layer, M_FIRST], dims[layer, BIAS]
    start_map(M, target, B[start : start + dims[layer, NEXT]])
    add_units(M, target, s, J[0], on, 1.0, W, dims[layer, WEIGHT], dims[layer, NEXT])
    RW[r, : dims[layer, WORDS]] = 0
    for k in range(on):
        RW[r, J[0, k] >> 6] |= bit(J[0, k])
    copy_polygon(V, T, q, m, L[layer, V_FIRST])
    R[r, 0], R[r, 1], R[r, 2], R[r, 3] = L[layer, V_FIRST], m, units, 1
    for u in range(units):
        RL[r, u] = u
    L[layer, LINE] = state[LINES]
    state[LINES] += units
    return DONE


@njit(cache=True, nogil=True)
def values(V, q, m, a, b, c, G):
    """G = y at the vertices of a polygon; returns the lowest and the highest."""
    lowest, highest = BIG, -BIG
    for v in range(m):
        G[v] = a * V[2 * (q + v)] + b * V[2 * (q + v) + 1] + c
        lowest, highest = min(lowest, G[v]), max(highest, G[v])
    return lowest, highest


@njit(cache=True, nogil=True)
def box(V, q, m):
    """Centre and half widths of a polygon's bounding box."""
    x0 = x1 = V[2 * q]
    z0 = z1 = V[2 * q + 1]
    for p in range(q + 1, q + m):
        x0, x1 = min(x0, V[2 * p]), max(x1, V[2 * p])
        z0, z1 = min(z0, V[2 * p + 1]), max(z1, V[2 * p + 1])
    return 0.5 * (x0 + x1), 0.5 * (z0 + z1), 0.5 * (x1 - x0), 0.5 * (z1 - z0)


@njit(cache=True, nogil=True)
def settle(layer, L, tol, V, R, RW, RL, M, G, J, U, W, first, n_next, r):
    """Of the units listed for part r keep those whose border crosses it; those that are on enter its map and bits."""
    q, m, s, target = R[r, 0], R[r, 1], L[layer, MAP], L[layer, M_FIRST] + r - L[layer, R_FIRST]
    t0, t1, h0, h1 = box(V, q, m)
    kept = on = 0
    for k in range(R[r, 2]):
        u = RL[r, k]
        i = U[layer, u]
        a, b, c = M[3 * s, i], M[3 * s + 1, i], M[3 * s + 2, i]
        middle, spread = a * t0 + b * t1 + c, abs(a) * h0 + abs(b) * h1
        lowest, highest = middle - spread, middle + spread
        if lowest <= tol and highest >= -tol:
            lowest, highest = values(V, q, m, a, b, c, G)
        RL[r, kept] = u
        J[0, on] = i
        crosses = (highest > tol) & (lowest < -tol)
        kept += crosses
        on += (highest > tol) & (not crosses)
    R[r, 2] = kept
    if on:
        add_units(M, target, s, J[0], on, 1.0, W, first, n_next)
        for k in range(on):
            RW[r, J[0, k] >> 6] |= bit(J[0, k])


@njit(cache=True, nogil=True)
def split(layer, L, tol, V, T, R, RW, RL, M, G, U, mv, words, r):
    """Split part r along the first unit of its list: the part becomes the off side, part r + 1 the on side."""
    q, m, s, u = R[r, 0], R[r, 1], L[layer, MAP], RL[r, 0]
    i = U[layer, u]
    values(V, q, m, M[3 * s, i], M[3 * s + 1, i], M[3 * s + 2, i], G)
    slot = L[layer, V_FIRST] + 2 * (r - L[layer, R_FIRST]) * mv
    R[r, 0], R[r + 1, 0] = slot + mv if q == slot else slot, slot + 2 * mv
    R[r + 1, 1], R[r, 1] = halve(
        V, T, G, q, m, R[r + 1, 0], R[r, 0], tol, tag(layer + 1, i, -1), tag(layer + 1, -1, i), 2 * (L[layer, LINE] + u)
    )
    R[r, 2] = R[r + 1, 2] = R[r, 2] - 1
    for k in range(R[r, 2]):
        RL[r, k] = RL[r + 1, k] = RL[r, k + 1]
    for w in range(words):
        RW[r + 1, w] = RW[r, w]
    RW[r + 1, i >> 6] |= bit(i)
    R[r, 3] = 0
    return i


@njit(cache=True, nogil=True)
def next_relu(layer, dims, L, tols, V, T, R, RW, RL, M, G, J, U, W, PW, mv):
    """Split the last part until no border crosses it: the next child. 1; 0: none is left; -1: too many vertices.

    Part r, whose off side is left for later, is settled when its turn comes: R[r, 3] tells whether it is.
    """
    if L[layer, CURSOR] < 0:
        return 0
    r = L[layer, R_FIRST] + L[layer, CURSOR]
    to_map, s, tol, words = L[layer, M_FIRST] - L[layer, R_FIRST], L[layer, MAP], tols[layer], dims[layer, WORDS]
    first, n_next = dims[layer, WEIGHT], dims[layer, NEXT]
    if not R[r, 3]:
        settle(layer, L, tol, V, R, RW, RL, M, G, J, U, W, first, n_next, r)
    while R[r, 2]:
        if R[r, 1] >= mv:
            return -1
        i = split(layer, L, tol, V, T, R, RW, RL, M, G, U, mv, words, r)
        r += 1
        add_unit(M, to_map + r, to_map + r - 1, s, i, W, first, n_next)
        settle(layer, L, tol, V, R, RW, RL, M, G, J, U, W, first, n_next, r)
    for w in range(words):
        PW[dims[layer, WORD] + w] = RW[r, w]
    L[layer, CURSOR] = r - L[layer, R_FIRST] - 1
    L[layer + 1, Q], L[layer + 1, SIDES], L[layer + 1, MAP] = R[r, 0], R[r, 1], to_map + r
    return 1
