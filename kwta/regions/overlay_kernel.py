"""Both sides of every line laid over each other, and cells joined across borders: Numba functions without the GIL.

The cells on the one side of a line cut it into edges at other places than the cells on its other side. Both rows of
edges are sorted along the line and walked with two pointers; every stretch on which one edge of either side lies is a
border between their two cells, and its ends are vertices of one of them, bit by bit.
"""

import numpy as np
from numba import njit

FEW = 8  # up to so many edges on one side of a line are sorted by counting all pairs


@njit(cache=True, nogil=True)
def by_line(tags, offsets, n_keys):
    """Both vertices and the cell of each edge on a line, by 2 line + side, and where each such group begins.

    Counting sort; an edge leads to the next vertex of its cell, that of the last one to the first.
    """
    starts = np.zeros(n_keys + 2, np.int64)  # moved up by one place, so that they need no copy while they are filled
    for e in range(len(tags)):
        if tags[e, 1] >= 0:
            starts[tags[e, 1] + 2] += 1
    for key in range(n_keys):
        starts[key + 2] += starts[key + 1]
    edges = np.empty((starts[n_keys + 1], 3), np.int64)
    for cell in range(len(offsets) - 1):
        v = offsets[cell + 1] - 1
        for w in range(offsets[cell], offsets[cell + 1]):
            key = tags[v, 1]
            if key >= 0:
                place = starts[key + 1]
                edges[place, 0], edges[place, 1], edges[place, 2] = v, w, cell
                starts[key + 1] = place + 1
            v = w
    return edges, starts


@njit(cache=True, nogil=True)
def sort_by_key(keys, items, start, end):
    """Sort items[start:end] by their keys, ascending: Shell's sort, for they are mostly few."""
    gap = 1
    while 3 * gap < end - start:
        gap = 3 * gap + 1
    while gap:
        for i in range(start + gap, end):
            item, key = items[i], keys[items[i]]
            j = i
            while j >= start + gap and keys[items[j - gap]] > key:
                items[j] = items[j - gap]
                j -= gap
            items[j] = item
        gap //= 3


@njit(cache=True, nogil=True)
def sort_line(keys, items, start, end, places):
    """Sort items[start:end] = start, start + 1, ... by their keys, ascending; `places` is scratch memory.

    Of few, count for each how many come before it: no branch to guess wrong. More are dealt out to as many equal steps
    as there are items, for the edges of a long line are divided about evenly, and sorted within each step.
    """
    n, least, most = end - start, keys[start], keys[start]
    if n <= FEW:
        for i in range(start, end):
            rank, key = start, keys[i]
            for j in range(start, i):
                rank += keys[j] <= key
            for j in range(i + 1, end):
                rank += keys[j] < key
            items[rank] = i
        return
    for i in range(start + 1, end):
        least, most = min(least, keys[i]), max(most, keys[i])
    if not most > least:
        return
    places[: n + 1] = 0
    for i in range(start, end):
        places[int((keys[i] - least) / (most - least) * (n - 1)) + 1] += 1
    for step in range(n):
        places[step + 1] += places[step]
    for i in range(start, end):
        step = int((keys[i] - least) / (most - least) * (n - 1))
        items[start + places[step]] = i
        places[step] += 1
    before = 0
    for step in range(n):  # by now each place has moved to where the next step begins
        if places[step] > before + 1:
            sort_by_key(keys, items, start + before, start + places[step])
        before = places[step]


@njit(cache=True, nogil=True)
def distance(points, v, w):
    x, y = points[w, 0] - points[v, 0], points[w, 1] - points[v, 1]
    return np.sqrt(x * x + y * y)


@njit(cache=True, nogil=True)
def overlay(points, tags, offsets, n_keys, shortest):
    """Every stretch with one edge on each side: the two edges, their cells, the ends; the lengths of sides and borders.

    An edge is known by its first vertex. Stretches no longer than `shortest` are the rounding of one vertex computed
    twice, and left out.
    """
    sides, starts = by_line(tags, offsets, n_keys)
    edges, pairs = np.empty((len(sides), 2), np.int64), np.empty((len(sides), 2), np.int64)
    ends = np.empty((len(sides), 2, 2))
    most = 0
    for key in range(0, n_keys - 1, 2):
        most = max(most, starts[key + 2] - starts[key])
    low, high, ways = np.empty(most), np.empty(most), np.empty(most, np.int64)  # of one line: they stay in the cache
    firsts, lasts = np.empty(most, np.int64), np.empty(most, np.int64)
    places = np.empty(most + 1, np.int64)
    one = other = both = 0.0
    n = 0
    for key in range(0, n_keys - 1, 2):
        begin, middle, end = starts[key], starts[key + 1] - starts[key], starts[key + 2] - starts[key]
        if end == 0:
            continue
        across = up = 0.0  # along the coordinate in which they extend most, points are ordered without rounding
        for k in range(end):
            v, w = sides[begin + k, 0], sides[begin + k, 1]
            x, y = points[w, 0] - points[v, 0], points[w, 1] - points[v, 1]
            across += abs(x)
            up += abs(y)
            length = np.sqrt(x * x + y * y)
            one += length if k < middle else 0.0
            other += length if k >= middle else 0.0
        axis = 0 if across >= up else 1
        for k in range(end):
            v, w = sides[begin + k, 0], sides[begin + k, 1]
            x, y = points[v, axis], points[w, axis]
            ways[k], firsts[k], lasts[k] = k, v if x <= y else w, w if x <= y else v
            low[k], high[k] = min(x, y), max(x, y)
        if middle > 1:
            sort_line(low, ways, 0, middle, places)
        if end - middle > 1:
            sort_line(low, ways, middle, end, places)
        i, j = 0, middle
        while i < middle and j < end:
            a, b = ways[i], ways[j]
            late, early = a if low[a] >= low[b] else b, a if high[a] <= high[b] else b
            if high[early] - low[late] > shortest:
                start, stop = firsts[late], lasts[early]
                edges[n, 0], edges[n, 1] = sides[begin + a, 0], sides[begin + b, 0]
                pairs[n, 0], pairs[n, 1] = sides[begin + a, 2], sides[begin + b, 2]
                ends[n, 0, 0], ends[n, 0, 1] = points[start, 0], points[start, 1]
                ends[n, 1, 0], ends[n, 1, 1] = points[stop, 0], points[stop, 1]
                both += distance(points, start, stop)
                n += 1
            i += early == a
            j += early == b
    return edges[:n], pairs[:n], ends[:n], np.array([one, other, both])


@njit(cache=True, nogil=True)
def equal(pairs, weight, bias, corners, tolerance):
    """Whether the maps of each pair of cells differ by at most the tolerance at all corners."""
    same = np.empty(len(pairs), np.bool_)
    for r in range(len(pairs)):
        a, b = pairs[r, 0], pairs[r, 1]
        same[r] = True
        for o in range(bias.shape[1]):
            f, g = weight[a, o, 0] - weight[b, o, 0], weight[a, o, 1] - weight[b, o, 1]
            h = bias[a, o] - bias[b, o]
            for c in range(len(corners)):
                same[r] &= abs(f * corners[c, 0] + g * corners[c, 1] + h) <= tolerance
    return same


@njit(cache=True, nogil=True)
def joined(n, pairs, same):
    """A number for each of n cells, equal where a chain of pairs marked `same` connects them; from 0 without gaps."""
    root = np.arange(n)
    for p in range(len(pairs)):
        if same[p]:
            a, b = pairs[p, 0], pairs[p, 1]
            while root[a] != a:
                root[a] = root[root[a]]
                a = root[a]
            while root[b] != b:
                root[b] = root[root[b]]
                b = root[b]
            root[max(a, b)] = min(a, b)
    labels, count = np.empty(n, np.int64), 0
    for cell in range(n):
        if root[cell] == cell:  # roots come before all others of their piece
            labels[cell] = count
            count += 1
        else:
            labels[cell] = labels[root[cell]]
    return labels
