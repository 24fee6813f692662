"""The cells of one ReLU layer inside a parent, by binary space partition: Numba functions.

Children come from a stack of parts of the parent. A part has a set of the units whose borders may cross it, and the
map of the units settled so far: what a unit adds to the next layer is computed once for all cells in which it is on.
`own` holds the layer's numbers, `all` those of the walk.
"""

from numba import njit

from kwta.regions.pointer_kernel import shifted
from kwta.regions.polygon_kernel import (
    BIAS,
    COLUMNS,
    CURSOR,
    DONE,
    FAST,
    INDEX,
    LINE,
    LINES,
    M_FIRST,
    M_ROOM,
    M_TOP,
    MAP,
    MEMORY_FULL,
    MOST_SIDES,
    NEXT,
    PASSED,
    R_FIRST,
    R_ROOM,
    R_TOP,
    SET_WORDS,
    SIDES,
    TOLERANCE,
    UNITS,
    V_FIRST,
    V_ROOM,
    V_TOP,
    WEIGHT,
    WIDE,
    WORD,
    WORDS,
    N,
    Q,
    add_units,
    begin,
    bit,
    copy_polygon,
    extremes,
    halve,
    start_map,
    tag,
)
from kwta.regions.vector_kernel import LANES, above, below, first, list_bits, signs


@njit(cache=True, nogil=True)
def reserve(own, all, units):
    """Memory for as many parts as there can be on the stack; two polygons each, as one cannot be cut in place.

    Behind the parts' maps one for the undecided units alone.
    """
    own[UNITS] = units
    own[CURSOR] = 0
    own[V_TOP] = own[V_FIRST] + 2 * (units + 1) * all[MOST_SIDES]
    own[R_TOP] = own[R_FIRST] + units + 1
    own[M_TOP] = own[M_FIRST] + units + 2
    return own[V_TOP] <= all[V_ROOM] and own[R_TOP] <= all[R_ROOM] and own[M_TOP] <= all[M_ROOM]


@njit(cache=True, nogil=True)
def undecided_map(own, wide, M):
    """Where y of the undecided units lies, one after the other."""
    return shifted(M, 3 * wide * (own[M_TOP] - 1))


@njit(cache=True, nogil=True)
def sort_units(low, high, n, tol, undecided, on):
    """The sets of the units that change their sign on the parent, and of those that are on."""
    for w in range((n + 63) >> 6):
        changing = staying = 0
        for i in range(64 * w, min(64 * w + 64, n), LANES):
            positive, negative = above(high, i, tol), below(low, i, -tol)
            changing |= (positive & negative) << (i & 63)
            staying |= (positive & ~negative) << (i & 63)
        undecided[w], on[w] = changing, staying


@njit(cache=True, nogil=True)
def open_relu(own, all, tols, V, T, R, RW, RL, M, S, J, U, W, B):
    """Sort the units into on, off and undecided on the parent; the whole parent becomes the first part."""
    begin(own, all[MOST_SIDES])
    n, q, m, wide = own[N], own[Q], own[SIDES], all[WIDE]
    y, units = shifted(M, 3 * wide * own[MAP]), shifted(U, wide * own[INDEX])
    tol = TOLERANCE * extremes(y, wide, n, V, q, m, S, shifted(S, wide))
    tols[own[INDEX]] = tol
    sort_units(S, shifted(S, wide), n, tol, J, shifted(J, wide))
    undecided = list_bits(J, n, units)
    if not reserve(own, all, undecided):
        return MEMORY_FULL
    r, target, gathered = own[R_FIRST], shifted(M, 3 * wide * own[M_FIRST]), undecided_map(own, wide, M)
    words, listed = shifted(RW, r * all[SET_WORDS]), shifted(RL, r * all[SET_WORDS])
    for w in range(own[WORDS]):
        words[w] = J[wide + w]
        listed[w] = 0
    for u in range(undecided):
        i = units[u]
        listed[u >> 6] |= bit(u)
        gathered[u], gathered[wide + u], gathered[2 * wide + u] = y[i], y[wide + i], y[2 * wide + i]
    on = list_bits(words, n, J)
    start_map(target, wide, shifted(B, own[BIAS]), own[NEXT])
    for i in range(own[PASSED]):
        J[on + i] = n + i
    add_units(target, target, y, wide, J, on + own[PASSED], 0, shifted(W, own[WEIGHT]), own[NEXT])
    copy_polygon(V, T, q, m, own[V_FIRST])
    R[4 * r] = own[V_FIRST]
    R[4 * r + 1] = m
    R[4 * r + 2] = undecided
    R[4 * r + 3] = 1
    own[LINE] = all[LINES]
    all[LINES] += undecided
    return DONE


@njit(cache=True, nogil=True, fastmath=FAST)
def values(V, q, m, a, b, c, G):
    """G = y at the vertices of a polygon, in the arithmetic of `signs`."""
    for v in range(m):
        G[v] = a * V[2 * (q + v)] + (b * V[2 * (q + v) + 1] + c)


@njit(cache=True, nogil=True)
def settle(own, all, tol, V, R, RW, RL, M, J, units, W, r):
    """Of the units listed for part r keep those whose border crosses it; those that are on enter its map and bits."""
    wide, words, listed = all[WIDE], shifted(RW, r * all[SET_WORDS]), shifted(RL, r * all[SET_WORDS])
    vertices, m, gathered = shifted(V, 2 * R[4 * r]), R[4 * r + 1], undecided_map(own, wide, M)
    on = left = 0
    for w in range((own[UNITS] + 63) >> 6):
        before = listed[w]
        after = 0
        for x in range(0, 64, LANES):
            these = (before >> x) & ((1 << LANES) - 1)
            if not these:
                continue
            negative, positive = signs(shifted(gathered, 64 * w + x), wide, vertices, m, tol)
            after |= (these & negative & positive) << x
            these &= positive & ~negative
            while these:
                i = units[64 * w + x + first(these)]
                words[i >> 6] |= bit(i)
                J[on] = i
                on += 1
                these &= these - 1
        listed[w] = after
        left |= after
    R[4 * r + 2] = left
    if on:
        target = shifted(M, 3 * wide * (own[M_FIRST] + r - own[R_FIRST]))
        add_units(target, target, shifted(M, 3 * wide * own[MAP]), wide, J, on, 0, shifted(W, own[WEIGHT]), own[NEXT])


@njit(cache=True, nogil=True)
def split(own, all, tol, V, T, R, RW, RL, M, G, units, W, r):
    """Split part r along the first unit of its list: the part becomes the off side, part r + 1 the on side."""
    wide, most, set_words = all[WIDE], all[MOST_SIDES], all[SET_WORDS]
    listed, words, w = shifted(RL, r * set_words), shifted(RW, r * set_words), 0
    while not listed[w]:
        w += 1
    q, m, u = R[4 * r], R[4 * r + 1], 64 * w + first(listed[w])
    listed[w] &= listed[w] - 1
    i, y = units[u], shifted(M, 3 * wide * own[MAP])
    values(V, q, m, y[i], y[wide + i], y[2 * wide + i], G)
    slot, line, layer = own[V_FIRST] + 2 * (r - own[R_FIRST]) * most, 2 * (own[LINE] + u), own[INDEX] + 1
    q_off, q_on = (slot + most if q == slot else slot), slot + 2 * most
    m_on, m_off = halve(V, T, G, q, m, q_on, q_off, tol, tag(layer, i, -1), tag(layer, -1, i), line)
    R[4 * r] = q_off
    R[4 * r + 1] = m_off
    R[4 * r + 3] = 0
    R[4 * r + 4] = q_on
    R[4 * r + 5] = m_on
    for w in range(own[WORDS]):
        words[set_words + w] = words[w]
        listed[set_words + w] = listed[w]
    words[set_words + (i >> 6)] |= bit(i)
    source = shifted(M, 3 * wide * (own[M_FIRST] + r - own[R_FIRST]))
    add_units(shifted(source, 3 * wide), source, y, wide, shifted(units, u), 1, 0, shifted(W, own[WEIGHT]), own[NEXT])


@njit(cache=True, nogil=True)
def next_relu(own, all, tols, V, T, R, RW, RL, M, G, J, U, W, PW):
    """Split the last part until no border crosses it: the next child. 1; 0: none is left; -1: too many vertices.

    Part r, whose off side is left for later, is settled when its turn comes: R [4 r + 3] tells whether it is.
    R [4 r + 2]: whether units are listed.
    """
    if own[CURSOR] < 0:
        return 0
    r, tol = own[R_FIRST] + own[CURSOR], tols[own[INDEX]]
    units, set_words = shifted(U, all[WIDE] * own[INDEX]), all[SET_WORDS]
    if not R[4 * r + 3]:
        settle(own, all, tol, V, R, RW, RL, M, J, units, W, r)
    while R[4 * r + 2]:
        if R[4 * r + 1] >= all[MOST_SIDES]:
            return -1
        split(own, all, tol, V, T, R, RW, RL, M, G, units, W, r)
        r += 1
        settle(own, all, tol, V, R, RW, RL, M, J, units, W, r)
    for w in range(own[WORDS]):
        PW[own[WORD] + w] = RW[r * set_words + w]
    own[CURSOR] = r - own[R_FIRST] - 1
    child = shifted(own, COLUMNS)
    child[Q] = R[4 * r]
    child[SIDES] = R[4 * r + 1]
    child[MAP] = own[M_FIRST] + r - own[R_FIRST]
    return 1
