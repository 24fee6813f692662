"""The cells of one k-WTA layer inside a parent, and the next layer's maps on them: Numba functions.

Only units that neither always win nor always lose on the parent are looked at. `own` holds the layer's numbers, `all`
those of the walk.
"""

from numba import njit

from kwta.regions.pointer_kernel import shifted
from kwta.regions.polygon_kernel import (
    BIAS,
    BIG,
    COLUMNS,
    CURSOR,
    DONE,
    GROUPED,
    INDEX,
    LAYERS,
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
    WORDS,
    K,
    N,
    Q,
    add_units,
    begin,
    bit,
    extremes,
    start_map,
)
from kwta.regions.sets_kernel import full, traverse
from kwta.regions.winners_kernel import (
    FA,
    GROUP,
    HIGH,
    LOW,
    PENALTIES,
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
    penalty, sure = shifted(S, (PENALTIES + own[INDEX]) * all[WIDE]), shifted(J, SURE * all[WIDE])
    if not own[RESUMES]:
        begin(own, all[MOST_SIDES])
        r = own[R_FIRST]
        own[V_TOP] = own[V_FIRST]
        own[R_TOP] = r
        own[M_TOP] = own[M_FIRST] + 3
        if own[M_TOP] > all[M_ROOM] or full(own, all):
            return MEMORY_FULL
        prune(own, all, tols, V, M, y, S, sure, penalty, units, W, B, PW)
    status = DONE
    if own[UNITS] == 0:
        R[4 * r] = own[Q]
        R[4 * r + 1] = own[SIDES]
        own[R_TOP] = r + 1
    else:
        status = divide(own, all, tols[own[INDEX]], V, T, R, RW, y, S, J, G, units, Z, H)
    if status == DONE:
        words = shifted(RW, r * all[SET_WORDS])
        remember(penalty, own[N], words, sure, own[K] - own[WON], units, own[UNITS])
    return status


@njit(cache=True, nogil=True)
def prune(own, all, tols, V, M, y, S, sure, penalty, units, W, B, PW):
    """List the undecided units and the sure winners on the parent; the latter start the children's map."""
    n, q, m, wide = own[N], own[Q], own[SIDES], all[WIDE]
    tol = TOLERANCE * extremes(y, wide, n, V, q, m, shifted(S, LOW * wide), shifted(S, HIGH * wide))
    tols[own[INDEX]] = tol
    u, n_sure = undecided(S, sure, wide, penalty, n, own[K], units, tol)
    own[UNITS] = u
    own[WON] = own[K] - n_sure
    own[CURSOR] = own[R_FIRST]
    own[REFERENCE] = -1
    start_sure(own, wide, M, y, W, B, PW, sure, n_sure)


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
    corners = shifted(S, (PENALTIES + all[LAYERS]) * wide)
    for v in range(m):
        evaluate(S, wide, shifted(corners, v * wide), u, V[2 * (q + v)], V[2 * (q + v) + 1])
    own[GROUPED] = group(corners, shifted(J, GROUP * wide), wide, u, m, tol)
    all[STAMP] += 1
    return traverse(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, own[GROUPED] != 0)


@njit(cache=True, nogil=True)
def remember(penalty, n, words, sure, n_sure, units, u):
    """The sure winners and those of the first set are likely to win on the next parent."""
    for i in range(n):
        penalty[i] = BIG
    for w in range(n_sure):
        penalty[sure[w]] = 0.0
    for x in range(u):
        if words[x >> 6] & bit(x):
            penalty[units[x]] = 0.0


@njit(cache=True, nogil=True)
def start_sure(own, wide, M, y, W, B, PW, sure, n_sure):
    """Mark the sure winners in the path's pattern, and start the next layer's map with them."""
    target, words = shifted(M, 3 * wide * own[M_FIRST]), shifted(PW, own[WORD])
    start_map(target, wide, shifted(B, own[BIAS]), own[NEXT])
    for i in range(own[PASSED]):
        sure[n_sure + i] = own[N] + i
    add_units(target, target, y, wide, sure, n_sure + own[PASSED], 0, shifted(W, own[WEIGHT]), own[NEXT])
    for w in range(own[WORDS]):
        words[w] = 0
    for w in range(n_sure):
        words[sure[w] >> 6] |= bit(sure[w])


@njit(cache=True, nogil=True)
def compose(own, all, RW, M, J, units, W, r):
    """The next layer's map on child r: from the last reference child where they differ little, else from the sure."""
    u, wide, n, last = own[UNITS], all[WIDE], own[NEXT], own[REFERENCE]
    if u == 0:
        return own[M_FIRST]
    sure, y, weights = shifted(M, 3 * wide * own[M_FIRST]), shifted(M, 3 * wide * own[MAP]), shifted(W, own[WEIGHT])
    reference, target = shifted(sure, 3 * wide), shifted(sure, 6 * wide)
    come, gone, words = shifted(J, SET * wide), shifted(J, GROUP * wide), shifted(RW, r * all[SET_WORDS])
    n_come = n_gone = 0
    if last >= 0:
        before = shifted(RW, last * all[SET_WORDS])
        for x in range(u):
            here, there = words[x >> 6] & bit(x), before[x >> 6] & bit(x)
            come[n_come] = units[x]
            gone[n_gone] = units[x]
            n_come += (here != 0) & (there == 0)
            n_gone += (here == 0) & (there != 0)
        if 2 * (n_come + n_gone) < own[WON]:
            for x in range(n_gone):
                come[n_come + x] = gone[x]
            add_units(target, reference, y, wide, come, n_come, n_gone, weights, n)
            return own[M_FIRST] + 2
    n_come = 0
    for x in range(u):
        come[n_come] = units[x]
        n_come += (words[x >> 6] & bit(x)) != 0
    add_units(reference, sure, y, wide, come, n_come, 0, weights, n)
    own[REFERENCE] = r
    return own[M_FIRST] + 1


@njit(cache=True, nogil=True)
def next_kwta(own, all, R, RW, M, J, U, W, PW):
    """Make the next set with a cell the child. 1, or 0 when none is left."""
    r, units = own[CURSOR], shifted(U, all[WIDE] * own[INDEX])
    while r < own[R_TOP] and R[4 * r + 1] == 0:
        r += 1
    own[CURSOR] = r + 1
    if r >= own[R_TOP]:
        return 0
    words, path = shifted(RW, r * all[SET_WORDS]), shifted(PW, own[WORD])
    for x in range(own[UNITS]):
        i = units[x]
        if words[x >> 6] & bit(x):
            path[i >> 6] |= bit(i)
        else:
            path[i >> 6] &= ~bit(i)
    child = shifted(own, COLUMNS)
    child[Q] = R[4 * r]
    child[SIDES] = R[4 * r + 1]
    child[MAP] = compose(own, all, RW, M, J, units, W, r)
    return 1
