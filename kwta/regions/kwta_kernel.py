"""The cells of one k-WTA layer inside a parent, and the next layer's maps on them: Numba functions.

Only units that neither always win nor always lose on the parent are looked at. `own` holds the layer's numbers, `all`
those of the walk.
"""

from numba import njit

from kwta.regions.pointer_kernel import shifted
from kwta.regions.polygon_kernel import (
    BIAS,
    COLUMNS,
    CURSOR,
    DONE,
    GROUPED,
    INDEX,
    M_FIRST,
    M_ROOM,
    M_TOP,
    MAP,
    MEMORY_FULL,
    MOST_SIDES,
    NEXT,
    PASSED,
    R_FIRST,
    R_TOP,
    REFERENCE,
    RESUMES,
    SET_WORDS,
    SHOWN,
    SIDES,
    STAMP,
    TOLERANCE,
    UNITS,
    V_FIRST,
    V_TOP,
    WEIGHT,
    WIDE,
    WON,
    WORD,
    K,
    N,
    Q,
    add_units,
    begin,
    bit,
    extremes,
    start_map,
    whole,
)
from kwta.regions.sets_kernel import full, traverse
from kwta.regions.vector_kernel import BIG, first, list_bits, list_new
from kwta.regions.winners_kernel import (
    CORNERS,
    FA,
    FC,
    GROUP,
    HIGH,
    LOW,
    SET,
    SURE,
    evaluate,
    group,
    undecided,
)


@njit(cache=True, nogil=True)
def open_kwta(own, all, tols, V, T, R, RW, M, S, J, G, U, W, B, PW, Z, H):
    """Find all cells of the layer in the parent, and the map of what always wins; goes on where memory was full."""
    r, y, units = own[R_FIRST], shifted(M, 3 * all[WIDE] * own[MAP]), shifted(U, all[WIDE] * own[INDEX])
    if not own[RESUMES]:
        begin(own, all[MOST_SIDES])
        r = own[R_FIRST]
        own[V_TOP] = own[V_FIRST]
        own[R_TOP] = r
        own[M_TOP] = own[M_FIRST] + 3
        if own[M_TOP] > all[M_ROOM] or full(own, all):
            return MEMORY_FULL
        prune(own, all, tols, V, M, y, S, J, units, W, B, PW)
    if own[UNITS] == 0:
        R[4 * r] = own[Q]
        R[4 * r + 1] = own[SIDES]
        own[R_TOP] = r + 1
        return DONE
    return divide(own, all, tols[own[INDEX]], V, T, R, RW, y, S, J, G, units, Z, H)


@njit(cache=True, nogil=True)
def prune(own, all, tols, V, M, y, S, J, units, W, B, PW):
    """List the undecided units and the sure winners on the parent; the latter start the children's map."""
    n, q, m, wide = own[N], own[Q], own[SIDES], all[WIDE]
    tol = TOLERANCE * extremes(y, wide, n, V, q, m, shifted(S, LOW * wide), shifted(S, HIGH * wide))
    tols[own[INDEX]] = tol
    u, n_sure = undecided(S, J, wide, shifted(PW, own[WORD]), n, own[K], units, tol)
    own[UNITS] = u
    own[WON] = own[K] - n_sure
    own[CURSOR] = own[R_FIRST]
    own[REFERENCE] = own[SHOWN] = -1
    start_sure(own, wide, M, y, W, B, shifted(J, SURE * wide), n_sure)


@njit(cache=True, nogil=True)
def divide(own, all, tol, V, T, R, RW, y, S, J, G, units, Z, H):
    """Traverse the sets of the undecided units, whose y and values at the corners are gathered before."""
    u, q, m, wide = own[UNITS], own[Q], own[SIDES], all[WIDE]
    if own[RESUMES]:
        return traverse(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, own[GROUPED] != 0)
    for k in range(3):
        f = shifted(S, (FA + k) * wide)
        for x in range(u):
            f[x] = y[k * wide + units[x]]
        for x in range(u, whole(u)):
            f[x] = -BIG if k == FC - FA else 0.0
    corners = shifted(S, CORNERS * wide)
    for v in range(m):
        evaluate(S, wide, shifted(corners, v * wide), u, V[2 * (q + v)], V[2 * (q + v) + 1])
    own[GROUPED] = group(corners, shifted(J, GROUP * wide), wide, u, m, tol)
    all[STAMP] += 1
    return traverse(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, own[GROUPED] != 0)


@njit(cache=True, nogil=True)
def start_sure(own, wide, M, y, W, B, sure, n_sure):
    """Start the next layer's map with the sure winners."""
    target = shifted(M, 3 * wide * own[M_FIRST])
    start_map(target, wide, shifted(B, own[BIAS]), own[NEXT])
    for i in range(own[PASSED]):
        sure[n_sure + i] = own[N] + i
    add_units(target, target, y, wide, sure, n_sure + own[PASSED], 0, shifted(W, own[WEIGHT]), own[NEXT])


@njit(cache=True, nogil=True)
def compose(own, all, RW, M, J, units, W, r):
    """The next layer's map on child r: from the last reference child where they differ little, else from the sure."""
    u, wide, n, last = own[UNITS], all[WIDE], own[NEXT], own[REFERENCE]
    if u == 0:
        return own[M_FIRST]
    sure, y, weights = shifted(M, 3 * wide * own[M_FIRST]), shifted(M, 3 * wide * own[MAP]), shifted(W, own[WEIGHT])
    reference, target = shifted(sure, 3 * wide), shifted(sure, 6 * wide)
    come, words = shifted(J, SET * wide), shifted(RW, r * all[SET_WORDS])
    if last >= 0:
        before = shifted(RW, last * all[SET_WORDS])
        n_come = list_new(words, before, u, come)
        n_gone = list_new(before, words, u, shifted(come, n_come))
        if 2 * (n_come + n_gone) < own[WON]:
            for x in range(n_come + n_gone):
                come[x] = units[come[x]]
            add_units(target, reference, y, wide, come, n_come, n_gone, weights, n)
            return own[M_FIRST] + 2
    n_come = list_bits(words, u, come)
    for x in range(n_come):
        come[x] = units[come[x]]
    add_units(reference, sure, y, wide, come, n_come, 0, weights, n)
    own[REFERENCE] = r
    return own[M_FIRST] + 1


@njit(cache=True, nogil=True)
def show(own, all, RW, units, path, r):
    """Give the path the set of child r instead of that of the child before."""
    words, before = shifted(RW, r * all[SET_WORDS]), shifted(RW, own[SHOWN] * all[SET_WORDS])
    for w in range((own[UNITS] + 63) >> 6):
        bits = words[w] ^ (before[w] if own[SHOWN] >= 0 else 0)
        while bits:
            i = units[64 * w + first(bits)]
            path[i >> 6] ^= bit(i)
            bits &= bits - 1
    own[SHOWN] = r


@njit(cache=True, nogil=True)
def next_kwta(own, all, R, RW, M, J, U, W, PW):
    """Make the next set with a cell the child. 1, or 0 when none is left."""
    r, units = own[CURSOR], shifted(U, all[WIDE] * own[INDEX])
    while r < own[R_TOP] and R[4 * r + 1] == 0:
        r += 1
    own[CURSOR] = r + 1
    if r >= own[R_TOP]:
        return 0
    if own[UNITS]:
        show(own, all, RW, units, shifted(PW, own[WORD]), r)
    child = shifted(own, COLUMNS)
    child[Q] = R[4 * r]
    child[SIDES] = R[4 * r + 1]
    child[MAP] = compose(own, all, RW, M, J, units, W, r)
    return 1
