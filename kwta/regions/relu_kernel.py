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
    clip,
    copy_polygon,
    extremes,
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
def open_relu(layer, dims, L, tols, state, V, T, R, RW, M, S, J, U, W, B, mv):
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
    R[r, 0], R[r, 1], R[r, 2] = L[layer, V_FIRST], m, 0
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
def split(layer, L, tol, V, T, R, G, r, u, i, mv):
    """Split part r along unit i, whose values are in G: the part becomes the off side, part r + 1 the on side."""
    q, m = R[r, 0], R[r, 1]
    line = 2 * (L[layer, LINE] + u)
    depth = r - L[layer, R_FIRST]
    slot = L[layer, V_FIRST] + 2 * depth * mv
    R[r + 1, 0] = slot + 2 * mv
    R[r + 1, 1] = clip(V, T, G, q, m, R[r + 1, 0], tol, tag(layer + 1, i, -1), line)
    for v in range(m):
        G[v] = -G[v]
    R[r, 0] = slot + mv if q == slot else slot
    R[r, 1] = clip(V, T, G, q, m, R[r, 0], tol, tag(layer + 1, -1, i), line + 1)
    R[r, 2] = u + 1


@njit(cache=True, nogil=True)
def next_relu(layer, dims, L, tols, V, T, R, RW, M, G, U, W, PW, mv):
    """Split the last part until none of its units is undecided: the next child. 1; 0 when none is left; -1: too many
    vertices."""
    if L[layer, CURSOR] < 0:
        return 0
    r = L[layer, R_FIRST] + L[layer, CURSOR]
    m_first, s, tol, words = L[layer, M_FIRST] - L[layer, R_FIRST], L[layer, MAP], tols[layer], dims[layer, WORDS]
    first, n_next, u = dims[layer, WEIGHT], dims[layer, NEXT], R[r, 2]
    while u < L[layer, UNITS]:
        i = U[layer, u]
        a, b, c = M[3 * s, i], M[3 * s + 1, i], M[3 * s + 2, i]
        lowest, highest = values(V, R[r, 0], R[r, 1], a, b, c, G)
        if highest > tol:
            if lowest < -tol:
                if R[r, 1] >= mv:
                    return -1
                split(layer, L, tol, V, T, R, G, r, u, i, mv)
                RW[r + 1, :words] = RW[r, :words]
                r += 1
                add_unit(M, m_first + r, m_first + r - 1, s, i, W, first, n_next)
            else:
                add_units(M, m_first + r, s, U[layer, u:], 1, 1.0, W, first, n_next)
            RW[r, i >> 6] |= bit(i)
        u += 1
    PW[dims[layer, WORD] : dims[layer, WORD] + words] = RW[r, :words]
    L[layer, CURSOR] = r - L[layer, R_FIRST] - 1
    L[layer + 1, Q], L[layer + 1, SIDES], L[layer + 1, MAP] = R[r, 0], R[r, 1], m_first + r
    return 1
