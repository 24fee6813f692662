"""Which units win: sure winners, undecided units, ties. Numba functions.

Undecided units are numbered x = 0, 1, ... in the order of the layer; their y, and sets of them, lie in rows of S and J.
"""

from numba import njit

from kwta.regions.pointer_kernel import shifted
from kwta.regions.polygon_kernel import BIG, FAST

# Rows of S. FA, FB, FC: y of the undecided units. LOSES is 0 for the units of the set at hand, else BIG. From PENALTIES
# on: the same, a layer, of a set that is likely to win next; behind them y at the parent's corners.
LOW, HIGH, SPARE, FA, FB, FC, VALUES, LOSES, PENALTIES = range(9)
SET, GROUP, LEFT, SURE = range(4)  # rows of J: the set at hand, identical units, how many are left, sure winners


@njit(cache=True, nogil=True)
def kth_largest(values, n, k):
    """The k-th largest (from 1) of the first n values, which are reordered: Hoare's selection."""
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
def undecided(S, sure, wide, penalty, n, k, units, tol):
    """List the units that neither always nor never win, and the sure winners; both numbers.

    Values within the tolerance count as equal: which of them wins is for their indices to say, not for rounding.

    A first sieve takes its bounds from the winners of the parent before, which are nearly those of this one.
    """
    low, high, spare = shifted(S, LOW * wide), shifted(S, HIGH * wide), shifted(S, SPARE * wide)
    for i in range(n):
        units[i] = i
    t_low, t_high = bounds(low, high, penalty, n)
    count, n_sure = sift(low, high, t_low - tol, t_high + tol, units, n, sure, 0)
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
    return sift(low, high, t_low - tol, t_high + tol, units, count, sure, n_sure)


@njit(cache=True, nogil=True, fastmath=FAST)
def evaluate(S, wide, y, u, t0, t1):
    """y of the undecided units at a point."""
    a, b, c = shifted(S, FA * wide), shifted(S, FB * wide), shifted(S, FC * wide)
    for x in range(u):
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
