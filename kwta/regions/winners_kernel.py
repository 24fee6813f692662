"""Which units win: sure winners, undecided units, ties. Numba functions.

Undecided units are numbered x = 0, 1, ... in the order of the layer; their y, and sets of them, lie in rows of S and J.
"""

from numba import njit

from kwta.regions.pointer_kernel import shifted
from kwta.regions.polygon_kernel import FAST, bit, whole
from kwta.regions.vector_kernel import BIG, LANES, above, below, exceeding, list_bits, parted

# Rows of S. FA, FB, FC: y of the undecided units. From CORNERS on: y at the parent's corners.
LOW, HIGH, SPARE, FA, FB, FC, VALUES, CORNERS = range(8)
RANKED = 32  # values, at most, of which the ranks are counted
SET, GROUP, LEFT, SURE = range(4)  # rows of J: the set at hand, identical units, how many are left, sure winners


@njit(cache=True, nogil=True)
def kth_largest(values, n, k):
    """The k-th largest (from 1) of the first n values, which may be reordered and followed by up to LANES − 1 others.

    Of few it is the lowest that fewer than k exceed: counting in vectors has no branch to guess. Of many by Hoare's
    selection.
    """
    if n <= RANKED:
        for i in range(n, whole(n)):
            values[i] = -BIG
        lowest = BIG
        for i in range(n):
            if exceeding(values, n, values[i]) < k:
                lowest = min(lowest, values[i])
        return lowest
    left, right, want = 0, n - 1, k - 1
    while left < right:
        pivot = values[(left + right) >> 1]
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


@njit(cache=True, nogil=True)
def sieve(low, high, n, t_low, t_high, sure, left):
    """The sets of the units that are sure to win, and of those that are not sure to lose either; see `sift`."""
    for w in range((n + 63) >> 6):
        winning = waiting = 0
        for i in range(64 * w, min(64 * w + 64, n), LANES):
            wins = above(low, i, t_high)
            winning |= wins << (i & 63)
            waiting |= (~(wins | below(high, i, t_low)) & ((1 << LANES) - 1)) << (i & 63)
        sure[w], left[w] = winning, waiting


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
def undecided(S, J, wide, words, n, k, units, tol):
    """List the units that neither always nor never win, and the sure winners; both numbers.

    Values within the tolerance count as equal: which of them wins is for their indices to say, not for rounding.

    A first sieve takes its bounds from the set in `words`, that of the cell before, which is nearly that of this one.
    Whatever the set of k units, at least k units reach its lowest value, and at most k exceed the highest outside it.
    """
    low, high, spare = shifted(S, LOW * wide), shifted(S, HIGH * wide), shifted(S, SPARE * wide)
    sure, waiting = shifted(J, SURE * wide), shifted(J, LEFT * wide)
    for i in range(n, whole(n)):
        low[i] = high[i] = -BIG
    t_low, t_high = parted(low, high, words, n)
    sieve(low, high, n, t_low - tol, t_high + tol, words, waiting)
    count, n_sure = list_bits(waiting, n, units), list_bits(words, n, sure)
    left = k - n_sure
    if left <= 0 or count == 0:
        return 0, n_sure
    for u in range(count):
        spare[u] = low[units[u]]
    t_low, t_high = kth_largest(spare, count, left), -BIG
    if count > left:
        for u in range(count):
            spare[u] = high[units[u]]
        t_high = kth_largest(spare, count, left + 1)
    known = n_sure
    count, n_sure = sift(low, high, t_low - tol, t_high + tol, units, count, sure, known)
    for w in range(known, n_sure):
        words[sure[w] >> 6] |= bit(sure[w])
    return count, n_sure


@njit(cache=True, nogil=True, fastmath=FAST)
def evaluate(S, wide, y, u, t0, t1):
    """y of the undecided units at a point, −BIG beyond them."""
    a, b, c = shifted(S, FA * wide), shifted(S, FB * wide), shifted(S, FC * wide)
    for x in range(whole(u)):
        y[x] = a[x] * t0 + b[x] * t1 + c[x]


@njit(cache=True, nogil=True)
def group(corners, groups, wide, u, m, tol):
    """Number identical units, those that agree at all corners, by their first; returns whether there are any."""
    found = False
    for x in range(u):
        groups[x] = x
        for z in range(x):
            if groups[z] == z and abs(corners[x] - corners[z]) <= tol:
                corner = 1
                while corner < m and abs(corners[corner * wide + x] - corners[corner * wide + z]) <= tol:
                    corner += 1
                if corner == m:
                    groups[x] = z
                    found = True
                    break
    return found


@njit(cache=True, nogil=True)
def canonical(J, wide, u):
    """Of identical units the first ones win."""
    chosen, groups, left = shifted(J, SET * wide), shifted(J, GROUP * wide), shifted(J, LEFT * wide)
    for x in range(u):
        left[x] = 0
    for x in range(u):
        left[groups[x]] += chosen[x]
    for x in range(u):
        chosen[x] = 1 if left[groups[x]] > 0 else 0
        left[groups[x]] -= chosen[x]


@njit(cache=True, nogil=True)
def choose(S, chosen, wide, u, k, tol, d0, d1):
    """The k best of the units marked −1 enter the set: by y in VALUES, then by slope along (d0, d1), then by index."""
    y, a, b = shifted(S, VALUES * wide), shifted(S, FA * wide), shifted(S, FB * wide)
    for _ in range(k):
        best = -1
        for x in range(u):
            if chosen[x] >= 0:
                continue
            if best >= 0:
                gap = y[x] - y[best]
                if gap < -tol or (gap <= tol and (a[x] - a[best]) * d0 + (b[x] - b[best]) * d1 <= 0):
                    continue
            best = x
        chosen[best] = 1
    for x in range(u):
        chosen[x] = max(chosen[x], 0)
