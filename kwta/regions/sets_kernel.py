"""Winner sets inside a parent and their polygons, found from one another: Numba functions.

A set's polygon is the parent cut by y_i ≥ y_j, winner i against loser j, where a vertex shows that it is needed. Across
such an edge lies the set with j instead of i; if that is empty (several functions meet along the edge) the units are
ordered just beyond it. `own` holds the layer's numbers, `all` those of the walk.
"""

from numba import njit

from kwta.regions.pointer_kernel import shifted
from kwta.regions.polygon_kernel import (
    AT,
    CELLS,
    DONE,
    EDGE,
    FAST,
    FOUND,
    INDEX,
    LINES,
    MEMORY_FULL,
    MOST_CELLS,
    MOST_SIDES,
    NEW,
    POLYGON_FULL,
    R_FIRST,
    R_ROOM,
    R_TOP,
    RESUMES,
    SET_WORDS,
    SIDES,
    SLOTS,
    STAMP,
    UNITS,
    UNSPLIT,
    V_ROOM,
    V_TOP,
    WAITING,
    WIDE,
    WON,
    Q,
    bit,
    clip,
    copy_polygon,
    has,
    tag,
)
from kwta.regions.vector_kernel import BIG, LANES, above, below, first, parted, parted_at
from kwta.regions.winners_kernel import (
    CORNERS,
    FA,
    FB,
    FC,
    SET,
    VALUES,
    canonical,
    choose,
    evaluate,
)

SEEDS = 64  # interior points tried before a parent counts as one cell
GENERIC = (0.8377580409572781, 0.5460504224340116)  # ties at a point are decided along this direction
GOLDEN = 0.6180339887498949
ALONG = (0.5, 0.3819660112501051, 0.7236067977499790)  # points of an edge at which one looks beyond it
TRIES = 1 + len(ALONG)  # sets looked at across an edge, at most
NOWHERE = 1 << 40
CHECKED = -1  # third tag of a vertex while its polygon is cut; from 0: a corner of the parent, not yet checked


@njit(cache=True, nogil=True)
def culprits(y, words, u, lowest, highest):
    """The winner and the loser that have these values: there are some, unless the numbers are none."""
    i = j = -LANES
    winner = loser = 0
    while not winner and i + LANES < u:
        i += LANES
        winner = (words[i >> 6] >> (i & 63)) & ~above(y, i, lowest) & ((1 << LANES) - 1)
    while not loser and j + LANES < u:
        j += LANES
        loser = ~(words[j >> 6] >> (j & 63)) & ~below(y, j, highest) & ((1 << LANES) - 1)
    return min(i + first(winner), u - 1), min(j + first(loser), u - 1)


@njit(cache=True, nogil=True, fastmath=FAST)
def differences(S, wide, i, j, V, q, m, G):
    """G = y_i − y_j at the vertices of a polygon; returns the lowest."""
    a, b, c = shifted(S, FA * wide), shifted(S, FB * wide), shifted(S, FC * wide)
    f, g, h = a[i] - a[j], b[i] - b[j], c[i] - c[j]
    lowest = BIG
    for w in range(m):
        G[w] = f * V[2 * (q + w)] + g * V[2 * (q + w) + 1] + h
        lowest = min(lowest, G[w])
    return lowest


@njit(cache=True, nogil=True)
def cut_as_before(own, all, tol, V, T, S, G, units, words, q, other, m, q_of, m_of, v):
    """Cut the polygon at q as that across whose edge v the set was found, the units of this edge swapped.

    Most edges of two neighbours stem from the same units. Any winner and loser give a valid cut, so this only guesses.
    Where the polygon is now, and its number of vertices; 0: empty, −1: too many.
    """
    wide, most, layer = all[WIDE], all[MOST_SIDES], own[INDEX] + 1
    swapped = T[3 * (q_of + v) + 1]
    leaves, enters = swapped >> 31, swapped & 0x7FFFFFFF
    for e in range(v, v + m_of):
        p = q_of + (e if e < m_of else e - m_of)
        if T[3 * p] >> 48 != layer:
            continue
        i, j = T[3 * p + 1] >> 31, T[3 * p + 1] & 0x7FFFFFFF
        if e == v or i == leaves:
            i = enters
        if e == v or j == enters:
            j = leaves
        if not has(words, i) or has(words, j) or differences(S, wide, i, j, V, q, m, G) >= -tol:
            continue
        if m >= most:
            return q, -1
        m = clip(V, T, G, q, m, other, 0.5 * tol, tag(layer, units[i], units[j]), (i << 31) | j)
        q, other = other, q
        if m == 0:
            break
    return q, m


@njit(cache=True, nogil=True)
def cut(own, all, tol, V, T, S, G, units, words, q_of, m_of, v_of):
    """The polygon of the set `words` inside the parent, at the top: number of its vertices; 0: empty; −1: too many.

    The set was found across edge v_of of the polygon at q_of, or from nowhere, m_of = 0.
    """
    wide, u, m, most, layer = all[WIDE], own[UNITS], own[SIDES], all[MOST_SIDES], own[INDEX] + 1
    q, other = own[V_TOP], own[V_TOP] + most
    f, corners, y_new = shifted(S, FA * wide), shifted(S, CORNERS * wide), shifted(S, VALUES * wide)
    copy_polygon(V, T, own[Q], m, q)
    for v in range(m):
        T[3 * (q + v) + 2] = v
    if m_of:
        q, m = cut_as_before(own, all, tol, V, T, S, G, units, words, q, other, m, q_of, m_of, v_of)
        other = 2 * own[V_TOP] + most - q
    v = 0
    while v < m:
        p = q + v
        corner = T[3 * p + 2]
        v += 1
        if corner == CHECKED:
            continue
        T[3 * p + 2] = CHECKED
        y = y_new if corner == NEW else shifted(corners, corner * wide)
        if corner == NEW:
            lowest, highest = parted_at(f, wide, words, u, V[2 * p], V[2 * p + 1], y)
        else:
            lowest, highest = parted(y, y, words, u)
        if highest - lowest <= tol:
            continue
        if m >= most:
            return -1
        i, j = culprits(y, words, u, lowest, highest)
        differences(S, wide, i, j, V, q, m, G)
        m = clip(V, T, G, q, m, other, 0.5 * tol, tag(layer, units[i], units[j]), (i << 31) | j)
        q, other = other, q
        v = 0
    if q != own[V_TOP]:
        copy_polygon(V, T, q, m, own[V_TOP])
    return m


@njit(cache=True, nogil=True)
def write_set(own, all, chosen, R, RW, Z):
    """Make the set at hand the record at the top, not yet found."""
    u, r = own[UNITS], own[R_TOP]
    words = shifted(RW, r * all[SET_WORDS])
    for w in range((u + 63) >> 6):
        words[w] = 0
    key = 0
    for x in range(u):
        if chosen[x]:
            words[x >> 6] |= bit(x)
            key ^= Z[x]
    R[4 * r + 2] = key


@njit(cache=True, nogil=True)
def write_swapped(own, all, R, RW, Z, of, i, j):
    """Make the set of record `of`, with j instead of i, the record at the top, not yet found."""
    r = own[R_TOP]
    words, source = shifted(RW, r * all[SET_WORDS]), shifted(RW, of * all[SET_WORDS])
    for w in range((own[UNITS] + 63) >> 6):
        words[w] = source[w]
    words[i >> 6] ^= bit(i)
    words[j >> 6] ^= bit(j)
    R[4 * r + 2] = R[4 * of + 2] ^ Z[i] ^ Z[j]


@njit(cache=True, nogil=True)
def full(own, all):
    """Whether the memory for a first set is lacking: for the records of all points tried, and for one polygon."""
    return own[R_TOP] + SEEDS > all[R_ROOM] or own[V_TOP] + 2 * all[MOST_SIDES] > all[V_ROOM]


@njit(cache=True, nogil=True)
def found(own, all, tol, V, T, R, RW, S, G, units, H, q_of, m_of, v_of):
    """The record of the set at the top, whose polygon is cut if the set is new; see `cut`.

    −2: too many vertices. There must be memory.
    """
    u, r = own[UNITS], own[R_TOP]
    n_words, key, words = (u + 63) >> 6, R[4 * r + 2], shifted(RW, r * all[SET_WORDS])
    slot = key & (all[SLOTS] - 1)
    while H[2 * slot] == all[STAMP]:
        other = H[2 * slot + 1]
        if R[4 * other + 2] == key:
            others, w = shifted(RW, other * all[SET_WORDS]), 0
            while w < n_words and others[w] == words[w]:
                w += 1
            if w == n_words:
                return other
        slot = (slot + 1) & (all[SLOTS] - 1)
    m = cut(own, all, tol, V, T, S, G, units, words, q_of, m_of, v_of)
    if m < 0:
        return -2
    H[2 * slot] = all[STAMP]
    H[2 * slot + 1] = r
    R[4 * r] = own[V_TOP]
    R[4 * r + 1] = m
    own[V_TOP] += m
    own[R_TOP] += 1
    return r


@njit(cache=True, nogil=True)
def load(words, u, chosen):
    for x in range(u):
        chosen[x] = has(words, x)


@njit(cache=True, nogil=True)
def order_beyond(V, S, chosen, wide, q, m, v, share, i, j, u, tol):
    """Exchange winners and losers that meet at a point of edge v for those that win just outside it."""
    p, p_next, y = q + v, q + (v + 1 if v + 1 < m else 0), shifted(S, VALUES * wide)
    d0, d1 = V[2 * p_next] - V[2 * p], V[2 * p_next + 1] - V[2 * p + 1]
    evaluate(S, wide, y, u, V[2 * p] + share * d0, V[2 * p + 1] + share * d1)
    level = 0.5 * (y[i] + y[j])
    k = 0
    for x in range(u):
        if abs(y[x] - level) <= 4 * tol:
            k += chosen[x]
            chosen[x] = -1
    choose(S, chosen, wide, u, k, BIG, d1, -d0)


@njit(cache=True, nogil=True)
def neighbour(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, r, v, grouped):
    """The record across edge v of record r, NOWHERE if there is none; −2 as `found`; there must be memory for TRIES."""
    u, wide, q, m = own[UNITS], all[WIDE], R[4 * r], R[4 * r + 1]
    swapped = T[3 * (q + v) + 1]
    i, j = swapped >> 31, swapped & 0x7FFFFFFF
    chosen, words = shifted(J, SET * wide), shifted(RW, r * all[SET_WORDS])
    if grouped:
        load(words, u, chosen)
        chosen[i] = 0
        chosen[j] = 1
        canonical(J, wide, u)
        write_set(own, all, chosen, R, RW, Z)
    else:
        write_swapped(own, all, R, RW, Z, r, i, j)
    there = found(own, all, tol, V, T, R, RW, S, G, units, H, q, m, v)
    for attempt in range(len(ALONG)):
        if there < 0 or (R[4 * there + 1] > 0 and there != r):
            return there
        load(words, u, chosen)
        order_beyond(V, S, chosen, wide, q, m, v, ALONG[attempt], i, j, u, tol)
        if grouped:
            canonical(J, wide, u)
        write_set(own, all, chosen, R, RW, Z)
        there = found(own, all, tol, V, T, R, RW, S, G, units, H, q, m, v)
    if there < 0 or (R[4 * there + 1] > 0 and there != r):
        return there
    return NOWHERE


@njit(cache=True, nogil=True, error_model="numpy")
def seed(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, grouped):
    """A record with a cell: the winners at an interior point; −2 as `found`, −3: none is found. There is memory."""
    u, q, m, wide = own[UNITS], own[Q], own[SIDES], all[WIDE]
    chosen = shifted(J, SET * wide)
    for attempt in range(SEEDS):
        t0 = t1 = total = 0.0
        for v in range(m):
            weight = 1.0 if attempt == 0 else 0.05 + (GOLDEN * (v + 1) * attempt * attempt) % 1.0
            t0, t1, total = t0 + weight * V[2 * (q + v)], t1 + weight * V[2 * (q + v) + 1], total + weight
        evaluate(S, wide, shifted(S, VALUES * wide), u, t0 / total, t1 / total)
        for x in range(u):
            chosen[x] = -1
        choose(S, chosen, wide, u, own[WON], tol, GENERIC[0], GENERIC[1])
        if grouped:
            canonical(J, wide, u)
        write_set(own, all, chosen, R, RW, Z)
        r = found(own, all, tol, V, T, R, RW, S, G, units, H, 0, 0, 0)
        if r < 0 or R[4 * r + 1] > 0:
            return r
    return -3


@njit(cache=True, nogil=True)
def begin_search(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, grouped):
    """Find a first set, or make the whole parent one where no point shows any; DONE, or why not."""
    r = seed(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, grouped)
    if r == -3:
        all[UNSPLIT] += 1
        r = own[R_TOP] - 1
        R[4 * r] = own[Q]
        R[4 * r + 1] = own[SIDES]
        own[EDGE] = own[SIDES]  # it has no neighbours
    elif r < 0:
        return POLYGON_FULL
    else:
        own[EDGE] = 0
    own[AT] = r
    own[WAITING] = -1
    own[FOUND] = 1
    return DONE


@njit(cache=True, nogil=True)
def list_again(own, all, R, H):
    """Enter all records into the new table of a search that has got more memory."""
    for r in range(own[R_FIRST], own[R_TOP]):
        slot = R[4 * r + 2] & (all[SLOTS] - 1)
        while H[2 * slot] == all[STAMP]:
            slot = (slot + 1) & (all[SLOTS] - 1)
        H[2 * slot] = all[STAMP]
        H[2 * slot + 1] = r


@njit(cache=True, nogil=True)
def traverse(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, grouped):
    """All sets with a cell, from a first one across edges, depth first; but no more than there may be cells in all.

    R [4 r + 3] links the sets to be visited. Where memory is full the search goes on when called again.
    """
    status = DONE
    if own[RESUMES]:
        list_again(own, all, R, H)
    else:
        status = begin_search(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, grouped)
    own[RESUMES] = 0
    r, waiting, first = own[AT], own[WAITING], own[EDGE]
    while status == DONE and r >= 0 and own[FOUND] <= all[MOST_CELLS] - all[CELLS]:
        for v in range(first, R[4 * r + 1]):
            edge = 3 * (R[4 * r] + v)
            if T[edge] >> 48 != own[INDEX] + 1:
                continue
            known = own[R_TOP]
            if known + TRIES > all[R_ROOM] or own[V_TOP] + (TRIES + 2) * all[MOST_SIDES] > all[V_ROOM]:
                own[AT] = r
                own[WAITING] = waiting
                own[EDGE] = v
                own[RESUMES] = 1
                return MEMORY_FULL
            there = neighbour(own, all, tol, V, T, R, RW, S, J, G, units, Z, H, r, v, grouped)
            if there == -2:
                return POLYGON_FULL
            T[edge + 2] = there
            if known <= there < NOWHERE:
                own[FOUND] += 1
                R[4 * there + 3] = waiting
                waiting = there
        r, first = waiting, 0
        if r >= 0:
            waiting = R[4 * r + 3]
    if status == DONE:
        number_lines(own, all, T, R)
    return status


@njit(cache=True, nogil=True)
def number_lines(own, all, T, R):
    """Give the two edges between two cells one number, 2 line and 2 line + 1: cells are convex, so they share one."""
    layer = own[INDEX] + 1
    for r in range(own[R_FIRST], own[R_TOP]):
        for p in range(R[4 * r], R[4 * r] + R[4 * r + 1]):
            if T[3 * p] >> 48 != layer:
                continue
            there = T[3 * p + 2]
            line = -1
            if 0 <= there < r:
                for p_there in range(R[4 * there], R[4 * there] + R[4 * there + 1]):
                    if T[3 * p_there] >> 48 == layer and T[3 * p_there + 2] == r:
                        line = T[3 * p_there + 1] + 1
            if line < 0:
                line = 2 * all[LINES]
                all[LINES] += 1
            T[3 * p + 1] = line
