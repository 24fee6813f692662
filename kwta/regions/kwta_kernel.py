"""The cells of one k-WTA layer inside a parent: winner sets, found from one another. Numba functions.

Only units that neither always win nor always lose on the parent are looked at, numbered x = 0, 1, ... in the order of
the layer. A set's polygon is the parent cut by y_i ≥ y_j, winner i against loser j, where a vertex shows that it is
needed. Across such an edge lies the set with j instead of i; if that is empty (several functions meet along the edge)
the units are ordered just beyond it.
"""

from numba import njit

from kwta.regions.polygon_kernel import (
    BIAS,
    BIG,
    CURSOR,
    DONE,
    FAST,
    LINES,
    M_FIRST,
    M_TOP,
    MAP,
    MEMORY_FULL,
    NEW,
    NEXT,
    POLYGON_FULL,
    R_FIRST,
    R_TOP,
    REFERENCE,
    SIDES,
    STAMP,
    TOLERANCE,
    UNITS,
    UNSPLIT,
    V_FIRST,
    V_TOP,
    WEIGHT,
    WON,
    WORD,
    WORDS,
    K,
    N,
    Q,
    add_units,
    begin,
    bit,
    clip,
    copy_polygon,
    extremes,
    start_map,
    tag,
)

CHECKED = -1  # third tag of a vertex while its polygon is cut; from 0: a corner of the parent, not yet checked
SEEDS = 64  # interior points tried before a parent counts as one cell
GENERIC = (0.8377580409572781, 0.5460504224340116)  # ties at a point are decided along this direction
GOLDEN = 0.6180339887498949
ALONG = (0.5, 0.3819660112501051, 0.7236067977499790)  # points of an edge at which one looks beyond it

# Rows of S. LOSES is 0 for the units of the set at hand, else BIG. From PENALTIES on: the same, a layer, of a set that
# is likely to win next; behind them y at the parent's corners.
LOW, HIGH, SPARE, UA, UB, UC, VALUES, LOSES, PENALTIES = range(9)
SET, GROUP, LEFT, SURE = range(
    4
)  # rows of J: the set at hand, identical units, how many of these are left, sure winners


@njit(cache=True, nogil=True)
def kth_largest(values, n, k):
    """The k-th largest (from 1) of the first n values, which are reordered: Hoare's selection."""
    left, right, want = 0, n - 1, k - 1
    while left < right:
        pivot = values[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if want <= j:
            right = j
        elif want >= i:
            left = i
        else:
            break
    return values[want]


@njit(cache=True, nogil=True, fastmath=FAST)
def bounds(low, high, penalty, n):
    """The lowest value of a set of k units, and the highest value of the others: penalty is 0 in the set.

    Whatever the set, at least k units reach the first, and at most k exceed the second.
    """
    t_low, t_high = BIG, -BIG
    for i in range(n):
        t_low = min(t_low, low[i] + penalty[i])
        t_high = max(t_high, high[i] if penalty[i] > 0 else -BIG)
    return t_low, t_high


@njit(cache=True, nogil=True)
def sift(low, high, t_low, t_high, units, count, sure, n_sure):
    """Of the listed units keep those that are neither sure to win nor sure to lose; the sure winners are appended.

    A unit wins for certain if its lowest value beats the (k + 1)-th highest, and loses if its highest is beaten by the
    k-th lowest value.
    """
    kept = 0
    for u in range(count):
        i = units[u]
        units[kept] = i
        sure[n_sure] = i
        wins = low[i] > t_high
        n_sure += wins
        kept += (not wins) & (high[i] >= t_low)
    return kept, n_sure


@njit(cache=True, nogil=True)
def undecided(S, J, layer, n, k, units):
    """List the units that neither always nor never win, and in J[SURE] the sure winners; returns both numbers.

    A first sieve takes its bounds from the winners of the parent before, which are nearly those of this one.
    """
    low, high, spare, sure = S[LOW], S[HIGH], S[SPARE], J[SURE]
    for i in range(n):
        units[i] = i
    t_low, t_high = bounds(low, high, S[PENALTIES + layer], n)
    count, n_sure = sift(low, high, t_low, t_high, units, n, sure, 0)
    left = k - n_sure
    if left == 0 or count == 0:
        return 0, n_sure
    for u in range(count):
        spare[u] = low[units[u]]
    t_low, t_high = kth_largest(spare, count, left), -BIG
    if count > left:
        for u in range(count):
            spare[u] = high[units[u]]
        t_high = kth_largest(spare, count, left + 1)
    return sift(low, high, t_low, t_high, units, count, sure, n_sure)


@njit(cache=True, nogil=True, fastmath=FAST)
def evaluate(S, row, u, t0, t1):
    """y of the undecided units at a point."""
    a, b, c, y = S[UA], S[UB], S[UC], S[row]
    for x in range(u):
        y[x] = a[x] * t0 + b[x] * t1 + c[x]


@njit(cache=True, nogil=True)
def group(S, J, corners, u, m, tol):
    """Number identical units, those that agree at all corners, by their first; returns whether there are any."""
    found = False
    for x in range(u):
        J[GROUP, x] = x
        for z in range(x):
            if J[GROUP, z] == z:
                corner = 0
                while corner < m and abs(S[corners + corner, x] - S[corners + corner, z]) <= tol:
                    corner += 1
                if corner == m:
                    J[GROUP, x] = z
                    found = True
                    break
    return found


@njit(cache=True, nogil=True)
def canonical(J, u):
    """Of identical units the first ones win."""
    J[LEFT, :u] = 0
    for x in range(u):
        J[LEFT, J[GROUP, x]] += J[SET, x]
    for x in range(u):
        g = J[GROUP, x]
        J[SET, x] = J[LEFT, g] > 0
        J[LEFT, g] -= J[SET, x]


@njit(cache=True, nogil=True)
def choose(S, J, u, k, tol, d0, d1):
    """The k best of the units marked −1 enter the set: by y in VALUES, then by slope along (d0, d1), then by index."""
    y, a, b = S[VALUES], S[UA], S[UB]
    for _ in range(k):
        best = -1
        for x in range(u):
            if J[SET, x] >= 0:
                continue
            if best >= 0:
                gap = y[x] - y[best]
                if gap < -tol or (gap <= tol and (a[x] - a[best]) * d0 + (b[x] - b[best]) * d1 <= 0):
                    continue
            best = x
        J[SET, best] = 1
    for x in range(u):
        J[SET, x] = max(J[SET, x], 0)


@njit(cache=True, nogil=True, fastmath=FAST)
def worst(y, loses, u):
    """The value of the lowest winner and of the highest loser."""
    lowest, highest = BIG, -BIG
    for x in range(u):
        lowest = min(lowest, y[x] + loses[x])
        highest = max(highest, y[x] if loses[x] > 0 else -BIG)
    return lowest, highest


@njit(cache=True, nogil=True)
def culprits(y, loses, lowest, highest):
    """The winner and the loser that have these values."""
    i = j = 0
    while loses[i] > 0 or y[i] > lowest:
        i += 1
    while loses[j] == 0 or y[j] < highest:
        j += 1
    return i, j


@njit(cache=True, nogil=True)
def cut(V, T, S, G, U, q0, m, to, layer, corners, u, tol, mv):
    """The polygon of the set inside the parent: number of its vertices, which stand at `to`; 0: empty; −1: too many."""
    q, other, loses = to, to + mv, S[LOSES]
    copy_polygon(V, T, q0, m, q)
    for v in range(m):
        T[3 * (q + v) + 2] = v
    v = 0
    while v < m:
        p = q + v
        corner = T[3 * p + 2]
        v += 1
        if corner == CHECKED:
            continue
        if corner == NEW:
            evaluate(S, VALUES, u, V[2 * p], V[2 * p + 1])
        y = S[VALUES if corner == NEW else corners + corner]
        lowest, highest = worst(y, loses, u)
        T[3 * p + 2] = CHECKED
        if highest - lowest <= tol:
            continue
        if m >= mv:
            return -1
        i, j = culprits(y, loses, lowest, highest)
        a, b, c = S[UA, i] - S[UA, j], S[UB, i] - S[UB, j], S[UC, i] - S[UC, j]
        for w in range(m):
            G[w] = a * V[2 * (q + w)] + b * V[2 * (q + w) + 1] + c
        m = clip(V, T, G, q, m, other, 0.5 * tol, tag(layer + 1, U[layer, i], U[layer, j]), (i << 31) | j)
        q, other = other, q
        v = 0
    if q != to:
        copy_polygon(V, T, q, m, to)
    return m


@njit(cache=True, nogil=True)
def write_set(L, layer, J, R, RW, Z):
    """Make the set at hand the record at the top, not yet found."""
    u, r = L[layer, UNITS], L[layer, R_TOP]
    RW[r, : (u + 63) >> 6] = 0
    key = 0
    for x in range(u):
        if J[SET, x]:
            RW[r, x >> 6] |= bit(x)
            key ^= Z[x]
    R[r, 2] = key


@njit(cache=True, nogil=True)
def write_swapped(L, layer, R, RW, Z, of, i, j):
    """Make the set of record `of`, with j instead of i, the record at the top, not yet found."""
    r = L[layer, R_TOP]
    for w in range((L[layer, UNITS] + 63) >> 6):
        RW[r, w] = RW[of, w]
    RW[r, i >> 6] ^= bit(i)
    RW[r, j >> 6] ^= bit(j)
    R[r, 2] = R[of, 2] ^ Z[i] ^ Z[j]


@njit(cache=True, nogil=True)
def full(L, layer, V, R, mv):
    """Whether the memory for another record and its polygon is lacking."""
    return L[layer, R_TOP] >= len(R) or L[layer, V_TOP] + 2 * mv > V.size // 2


@njit(cache=True, nogil=True)
def found(layer, L, tol, state, V, T, R, RW, S, G, U, H, corners, mv):
    """The record of the set at the top, whose polygon is cut if the set is new; −1: memory is full, −2: too many
    vertices."""
    u, r = L[layer, UNITS], L[layer, R_TOP]
    words, key = (u + 63) >> 6, R[r, 2]
    slot = key & (len(H) - 1)
    while H[slot, 0] == state[STAMP]:
        other = H[slot, 1]
        if R[other, 2] == key:
            w = 0
            while w < words and RW[other, w] == RW[r, w]:
                w += 1
            if w == words:
                return other
        slot = (slot + 1) & (len(H) - 1)
    for x in range(u):
        S[LOSES, x] = 0.0 if RW[r, x >> 6] & bit(x) else BIG
    m = cut(V, T, S, G, U, L[layer, Q], L[layer, SIDES], L[layer, V_TOP], layer, corners, u, tol, mv)
    if m < 0:
        return -2
    H[slot, 0], H[slot, 1] = state[STAMP], r
    R[r, 0], R[r, 1] = L[layer, V_TOP], m
    L[layer, V_TOP] += m
    L[layer, R_TOP] += 1
    return r if not full(L, layer, V, R, mv) else -1


@njit(cache=True, nogil=True)
def load(RW, r, u, J):
    for x in range(u):
        J[SET, x] = (RW[r, x >> 6] & bit(x)) != 0


@njit(cache=True, nogil=True)
def order_beyond(V, S, J, q, m, v, share, i, j, u, tol):
    """Exchange winners and losers that meet at a point of edge v for those that win just outside it."""
    p, p_next = q + v, q + (v + 1) % m
    d0, d1 = V[2 * p_next] - V[2 * p], V[2 * p_next + 1] - V[2 * p + 1]
    evaluate(S, VALUES, u, V[2 * p] + share * d0, V[2 * p + 1] + share * d1)
    y = S[VALUES]
    level = 0.5 * (y[i] + y[j])
    k = 0
    for x in range(u):
        if abs(y[x] - level) <= 4 * tol:
            k += J[SET, x]
            J[SET, x] = -1
    choose(S, J, u, k, BIG, d1, -d0)


@njit(cache=True, nogil=True)
def neighbour(layer, L, tol, state, V, T, R, RW, S, J, G, U, Z, H, corners, mv, r, v, grouped):
    """The record across edge v of record r; len(R) if there is none; −1 and −2 as `found`."""
    u, swapped = L[layer, UNITS], T[3 * (R[r, 0] + v) + 1]
    i, j = swapped >> 31, swapped & 0x7FFFFFFF
    if grouped:
        load(RW, r, u, J)
        J[SET, i], J[SET, j] = 0, 1
        canonical(J, u)
        write_set(L, layer, J, R, RW, Z)
    else:
        write_swapped(L, layer, R, RW, Z, r, i, j)
    there = found(layer, L, tol, state, V, T, R, RW, S, G, U, H, corners, mv)
    for attempt in range(len(ALONG)):
        if there < 0 or (R[there, 1] > 0 and there != r):
            return there
        load(RW, r, u, J)
        order_beyond(V, S, J, R[r, 0], R[r, 1], v, ALONG[attempt], i, j, u, tol)
        if grouped:
            canonical(J, u)
        write_set(L, layer, J, R, RW, Z)
        there = found(layer, L, tol, state, V, T, R, RW, S, G, U, H, corners, mv)
    if there < 0 or (R[there, 1] > 0 and there != r):
        return there
    return len(R)


@njit(cache=True, nogil=True)
def seed(layer, L, tol, state, V, T, R, RW, S, J, G, U, Z, H, corners, mv, grouped):
    """A record with a cell: the winners at an interior point. −1 and −2 as `found`; −3 if no point gives a cell."""
    u, q, m = L[layer, UNITS], L[layer, Q], L[layer, SIDES]
    for attempt in range(SEEDS):
        t0 = t1 = total = 0.0
        for v in range(m):
            weight = 1.0 if attempt == 0 else 0.05 + (GOLDEN * (v + 1) * attempt * attempt) % 1.0
            t0, t1, total = t0 + weight * V[2 * (q + v)], t1 + weight * V[2 * (q + v) + 1], total + weight
        evaluate(S, VALUES, u, t0 / total, t1 / total)
        J[SET, :u] = -1
        choose(S, J, u, L[layer, WON], tol, GENERIC[0], GENERIC[1])
        if grouped:
            canonical(J, u)
        write_set(L, layer, J, R, RW, Z)
        r = found(layer, L, tol, state, V, T, R, RW, S, G, U, H, corners, mv)
        if r < 0 or R[r, 1] > 0:
            return r
    return -3


@njit(cache=True, nogil=True)
def traverse(layer, L, tol, state, V, T, R, RW, S, J, G, U, Z, H, corners, mv, grouped):
    """All sets with a cell, from a first one across edges, depth first."""
    r = seed(layer, L, tol, state, V, T, R, RW, S, J, G, U, Z, H, corners, mv, grouped)
    if r == -3:
        state[UNSPLIT] += 1
        r = L[layer, R_TOP] - 1
        R[r, 0], R[r, 1] = L[layer, Q], L[layer, SIDES]
        return DONE
    waiting = r
    if r >= 0:
        R[r, 3] = -1
    while waiting >= 0:
        r = waiting
        waiting = R[r, 3]
        for v in range(R[r, 1]):
            edge = 3 * (R[r, 0] + v)
            if T[edge] >> 48 != layer + 1:
                continue
            known = L[layer, R_TOP]
            there = neighbour(layer, L, tol, state, V, T, R, RW, S, J, G, U, Z, H, corners, mv, r, v, grouped)
            if there < 0:
                return MEMORY_FULL if there == -1 else POLYGON_FULL
            T[edge + 2] = there
            if known <= there < len(R):
                R[there, 3] = waiting
                waiting = there
    if r < 0:
        return MEMORY_FULL if r == -1 else POLYGON_FULL
    number_lines(layer, L, state, T, R)
    return DONE


@njit(cache=True, nogil=True)
def number_lines(layer, L, state, T, R):
    """Give the two edges between two cells one number, 2 line and 2 line + 1: cells are convex, so they share one."""
    for r in range(L[layer, R_FIRST], L[layer, R_TOP]):
        for p in range(R[r, 0], R[r, 0] + R[r, 1]):
            if T[3 * p] >> 48 != layer + 1:
                continue
            there = T[3 * p + 2]
            line = -1
            if there < r:
                for p_there in range(R[there, 0], R[there, 0] + R[there, 1]):
                    if T[3 * p_there] >> 48 == layer + 1 and T[3 * p_there + 2] == r:
                        line = T[3 * p_there + 1] + 1
            if line < 0:
                line = 2 * state[LINES]
                state[LINES] += 1
            T[3 * p + 1] = line


@njit(cache=True, nogil=True)
def open_kwta(layer, dims, L, tols, state, V, T, R, RW, M, S, J, G, U, W, B, PW, Z, H, mv):
    """Find all cells of the layer in the parent, and the map of what always wins."""
    begin(L, layer, mv)
    n, k, q, m, s = dims[layer, N], dims[layer, K], L[layer, Q], L[layer, SIDES], L[layer, MAP]
    L[layer, V_TOP], L[layer, R_TOP], L[layer, M_TOP] = L[layer, V_FIRST], L[layer, R_FIRST], L[layer, M_FIRST] + 3
    if L[layer, M_TOP] > len(M) // 3 or full(L, layer, V, R, mv):
        return MEMORY_FULL
    a, b, c = M[3 * s, :n], M[3 * s + 1, :n], M[3 * s + 2, :n]
    tol = TOLERANCE * extremes(a, b, c, V, q, m, S[LOW, :n], S[HIGH, :n])
    tols[layer] = tol
    u, sure = undecided(S, J, layer, n, k, U[layer])
    L[layer, UNITS], L[layer, WON], L[layer, CURSOR], L[layer, REFERENCE] = u, k - sure, L[layer, R_FIRST], -1
    start_sure(layer, dims, L, M, W, B, PW, J, sure)
    if u == 0:
        r = L[layer, R_FIRST]
        R[r, 0], R[r, 1] = q, m
        L[layer, R_TOP] += 1
        remember(S[PENALTIES + layer, :n], r, RW, J, U[layer], u, sure)
        return DONE
    for x in range(u):
        i = U[layer, x]
        S[UA, x], S[UB, x], S[UC, x] = a[i], b[i], c[i]
    corners = PENALTIES + len(dims)
    for v in range(m):
        evaluate(S, corners + v, u, V[2 * (q + v)], V[2 * (q + v) + 1])
    grouped = group(S, J, corners, u, m, tol)
    state[STAMP] += 1
    status = traverse(layer, L, tol, state, V, T, R, RW, S, J, G, U, Z, H, corners, mv, grouped)
    if status == DONE:
        remember(S[PENALTIES + layer, :n], L[layer, R_FIRST], RW, J, U[layer], u, sure)
    return status


@njit(cache=True, nogil=True)
def remember(penalty, r, RW, J, units, u, sure):
    """The sure winners and those of record r are likely to win on the next parent."""
    penalty[:] = BIG
    for w in range(sure):
        penalty[J[SURE, w]] = 0.0
    for x in range(u):
        if RW[r, x >> 6] & bit(x):
            penalty[units[x]] = 0.0


@njit(cache=True, nogil=True)
def start_sure(layer, dims, L, M, W, B, PW, J, sure):
    """Mark the sure winners in the path's pattern, and start the next layer's map with them."""
    start, word, n_next = dims[layer, BIAS], dims[layer, WORD], dims[layer, NEXT]
    start_map(M, L[layer, M_FIRST], B[start : start + n_next])
    add_units(M, L[layer, M_FIRST], L[layer, MAP], J[SURE], sure, 1.0, W, dims[layer, WEIGHT], n_next)
    PW[word : word + dims[layer, WORDS]] = 0
    for w in range(sure):
        i = J[SURE, w]
        PW[word + (i >> 6)] |= bit(i)


@njit(cache=True, nogil=True)
def compose(layer, dims, L, RW, M, J, U, W, r):
    """The next layer's map on child r: from the last reference child where they differ little, else from the sure."""
    sure, reference, target = L[layer, M_FIRST], L[layer, M_FIRST] + 1, L[layer, M_FIRST] + 2
    u, s, last = L[layer, UNITS], L[layer, MAP], L[layer, REFERENCE]
    if u == 0:
        return sure
    first, n = dims[layer, WEIGHT], dims[layer, NEXT]
    entering = leaving = 0
    if last >= 0:
        for x in range(u):
            here, there = RW[r, x >> 6] & bit(x), RW[last, x >> 6] & bit(x)
            J[SET, entering] = J[GROUP, leaving] = U[layer, x]
            entering += (here != 0) & (there == 0)
            leaving += (here == 0) & (there != 0)
        if 2 * (entering + leaving) < L[layer, WON]:
            M[3 * target : 3 * target + 3, :n] = M[3 * reference : 3 * reference + 3, :n]
            add_units(M, target, s, J[SET], entering, 1.0, W, first, n)
            add_units(M, target, s, J[GROUP], leaving, -1.0, W, first, n)
            return target
    entering = 0
    for x in range(u):
        J[SET, entering] = U[layer, x]
        entering += (RW[r, x >> 6] & bit(x)) != 0
    M[3 * reference : 3 * reference + 3, :n] = M[3 * sure : 3 * sure + 3, :n]
    add_units(M, reference, s, J[SET], entering, 1.0, W, first, n)
    L[layer, REFERENCE] = r
    return reference


@njit(cache=True, nogil=True)
def next_kwta(layer, dims, L, R, RW, M, J, U, W, PW):
    """Make the next set with a cell the child. 1, or 0 when none is left."""
    r = L[layer, CURSOR]
    while r < L[layer, R_TOP] and R[r, 1] == 0:
        r += 1
    L[layer, CURSOR] = r + 1
    if r >= L[layer, R_TOP]:
        return 0
    first = dims[layer, WORD]
    for x in range(L[layer, UNITS]):
        i = U[layer, x]
        if (RW[r, x >> 6] & bit(x)) != 0:
            PW[first + (i >> 6)] |= bit(i)
        else:
            PW[first + (i >> 6)] &= ~bit(i)
    L[layer + 1, Q], L[layer + 1, SIDES] = R[r, 0], R[r, 1]
    L[layer + 1, MAP] = compose(layer, dims, L, RW, M, J, U, W, r)
    return 1
