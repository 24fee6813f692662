"""Both sides of every line laid over each other, and cells joined across borders: Numba functions without the GIL.

The cells on the one side of a line cut it into edges at other places than the cells on its other side. Both rows of
edges are sorted along the line and walked with two pointers; every stretch on which one edge of either side lies is a
border between their two cells, and its ends are vertices of one of them, bit by bit.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def followers(offsets, n_vertices):
    """The cell of each vertex, and the next vertex around it."""
    cells, following = np.empty(n_vertices, np.int64), np.empty(n_vertices, np.int64)
    for c in range(offsets.size - 1):
        for v in range(offsets[c], offsets[c + 1]):
            cells[v] = c
            following[v] = v + 1
        following[offsets[c + 1] - 1] = offsets[c]
    return cells, following


@njit(cache=True, nogil=True)
def by_line(tags, n_keys):
    """The edges that lie on lines, sorted by 2 line + side, and where each of these groups begins: counting sort."""
    starts = np.zeros(n_keys + 2, np.int64)  # moved up by one place, so that they need no copy while they are filled
    for e in range(len(tags)):
        if tags[e, 1] >= 0:
            starts[tags[e, 1] + 2] += 1
    for key in range(n_keys):
        starts[key + 2] += starts[key + 1]
    edges = np.empty(starts[n_keys + 1], np.int64)
    for e in range(len(tags)):
        key = tags[e, 1]
        if key >= 0:
            edges[starts[key + 1]] = e
            starts[key + 1] += 1
    return edges, starts


@njit(cache=True, nogil=True)
def sort_by_key(keys, items, start, end):
    """Sort items[start:end] by their keys, ascending: Shell's sort, for most lines have few edges."""
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
def main_axis(points, following, edges, start, end):
    """The coordinate along which the edges of a line extend most: it orders points on the line without rounding."""
    across = up = 0.0
    for i in range(start, end):
        v = edges[i]
        w = following[v]
        across += abs(points[w, 0] - points[v, 0])
        up += abs(points[w, 1] - points[v, 1])
    return 0 if across >= up else 1


@njit(cache=True, nogil=True)
def distance(points, v, w):
    x, y = points[w, 0] - points[v, 0], points[w, 1] - points[v, 1]
    return np.sqrt(x * x + y * y)


@njit(cache=True, nogil=True)
def overlay(points, tags, cells, following, n_keys, shortest):
    """Every stretch with one edge on each side: the two edges, their cells, the ends; the lengths of sides and borders.

    An edge is known by its first vertex. Stretches no longer than `shortest` are the rounding of one vertex computed
    twice, and left out.
    """
    order, starts = by_line(tags, n_keys)
    edges, pairs = np.empty((len(order), 2), np.int64), np.empty((len(order), 2), np.int64)
    ends = np.empty((len(order), 2, 2))
    most = 0
    for key in range(0, n_keys - 1, 2):
        most = max(most, starts[key + 2] - starts[key])
    low, high, ways = np.empty(most), np.empty(most), np.empty(most, np.int64)  # of one line: they stay in the cache
    firsts, lasts = np.empty(most, np.int64), np.empty(most, np.int64)
    lengths = np.zeros(3)
    n = 0
    for key in range(0, n_keys - 1, 2):
        begin, middle, end = starts[key], starts[key + 1] - starts[key], starts[key + 2] - starts[key]
        if end == 0:
            continue
        axis = main_axis(points, following, order, begin, begin + end)
        for k in range(end):
            v = order[begin + k]
            w = following[v]
            lengths[1 if k >= middle else 0] += distance(points, v, w)
            if points[v, axis] > points[w, axis]:
                v, w = w, v
            ways[k], firsts[k], lasts[k] = k, v, w
            low[k], high[k] = points[v, axis], points[w, axis]
        if middle > 1:
            sort_by_key(low, ways, 0, middle)
        if end - middle > 1:
            sort_by_key(low, ways, middle, end)
        i, j = 0, middle
        while i < middle and j < end:
            a, b = ways[i], ways[j]
            start = firsts[a] if low[a] >= low[b] else firsts[b]
            stop = lasts[a] if high[a] <= high[b] else lasts[b]
            if min(high[a], high[b]) - max(low[a], low[b]) > shortest:
                edges[n, 0], edges[n, 1] = order[begin + a], order[begin + b]
                pairs[n, 0], pairs[n, 1] = cells[edges[n, 0]], cells[edges[n, 1]]
                ends[n, 0, 0], ends[n, 0, 1] = points[start, 0], points[start, 1]
                ends[n, 1, 0], ends[n, 1, 1] = points[stop, 0], points[stop, 1]
                lengths[2] += distance(points, start, stop)
                n += 1
            if high[a] <= high[b]:
                i += 1
            else:
                j += 1
    return edges[:n], pairs[:n], ends[:n], lengths


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
