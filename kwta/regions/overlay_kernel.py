"""Both sides of every line laid over each other, and cells joined across borders: Numba functions."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sort_by_key(keys, items, start, end):
    """Sort items[start:end] by their keys, ascending: Shell's sort, for most lines have few edges."""
    gap = 1
    while 3 * gap < end - start:
        gap = 3 * gap + 1
    while gap:
        for i in range(start + gap, end):
            item = items[i]
            j = i
            while j >= start + gap and keys[items[j - gap]] > keys[item]:
                items[j] = items[j - gap]
                j -= gap
            items[j] = item
        gap //= 3


@njit(cache=True, nogil=True)
def by_line(tags):
    """The edges that lie on lines, sorted by 2 line + side, and where each of these groups begins."""
    n_groups = 0
    for e in range(len(tags)):
        n_groups = max(n_groups, tags[e, 1] + 1)
    n_groups += n_groups & 1
    starts = np.zeros(n_groups + 1, np.int64)
    for e in range(len(tags)):
        if tags[e, 1] >= 0:
            starts[tags[e, 1] + 1] += 1
    for g in range(n_groups):
        starts[g + 1] += starts[g]
    edges = np.empty(starts[n_groups], np.int64)
    place = starts[:-1].copy()
    for e in range(len(tags)):
        g = tags[e, 1]
        if g >= 0:
            edges[place[g]] = e
            place[g] += 1
    return edges, starts


@njit(cache=True, nogil=True)
def spans(points, offsets):
    """For each vertex the one at the end of its edge."""
    following = np.empty(len(points), np.int64)
    for cell in range(len(offsets) - 1):
        for e in range(offsets[cell], offsets[cell + 1]):
            following[e] = e + 1
        following[offsets[cell + 1] - 1] = offsets[cell]
    return following


@njit(cache=True, nogil=True)
def project(points, following, edges, start, end, low, high):
    """Where the edges of a line begin and end along the direction of its longest one; its axis and unit direction."""
    longest, first = -1.0, edges[start]
    for g in range(start, end):
        p, q = points[edges[g]], points[following[edges[g]]]
        length = (q[0] - p[0]) ** 2 + (q[1] - p[1]) ** 2
        if length > longest:
            longest, first = length, edges[g]
    x, y = points[first, 0], points[first, 1]
    length = np.sqrt(longest) if longest > 0 else 1.0
    d0, d1 = (points[following[first], 0] - x) / length, (points[following[first], 1] - y) / length
    for g in range(start, end):
        e, f = edges[g], following[edges[g]]
        s = (points[e, 0] - x) * d0 + (points[e, 1] - y) * d1
        t = (points[f, 0] - x) * d0 + (points[f, 1] - y) * d1
        low[e], high[e] = min(s, t), max(s, t)
    return x, y, d0, d1


@njit(cache=True, nogil=True)
def overlay(points, offsets, tags, shortest):
    """Every piece of a line with one edge on each side: the two edges, the two ends, and the lengths of both sides.

    Pieces not longer than `shortest` are left out.
    """
    edges, starts = by_line(tags)
    following = spans(points, offsets)
    low, high = np.empty(len(points)), np.empty(len(points))
    pairs, ends = np.empty((len(edges), 2), np.int64), np.empty((len(edges), 4))
    lengths = np.zeros(2)
    n = 0
    for g in range(0, len(starts) - 1, 2):
        i, middle, end = starts[g], starts[g + 1], starts[g + 2]
        if i == end:
            continue
        x, y, d0, d1 = project(points, following, edges, i, end, low, high)
        sort_by_key(low, edges, i, middle)
        sort_by_key(low, edges, middle, end)
        for k in range(i, end):
            lengths[1 if k >= middle else 0] += high[edges[k]] - low[edges[k]]
        j = middle
        while i < middle and j < end:
            a, b = edges[i], edges[j]
            s, t = max(low[a], low[b]), min(high[a], high[b])
            if t - s > shortest:
                pairs[n, 0], pairs[n, 1] = a, b
                ends[n, 0], ends[n, 1], ends[n, 2], ends[n, 3] = x + s * d0, y + s * d1, x + t * d0, y + t * d1
                n += 1
            if high[a] < high[b]:
                i += 1
            else:
                j += 1
    return pairs[:n], ends[:n], lengths


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
