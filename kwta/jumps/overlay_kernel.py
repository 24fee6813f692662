"""Overlay of the two sides of every border line: Numba functions without the GIL.

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
def _grouped(keys, n_keys):
    """Indices of the keys that are not negative, sorted by key, and where each key's begin: counting sort."""
    starts = np.zeros(n_keys + 1, np.int64)
    for key in keys:
        if key >= 0:
            starts[key + 1] += 1
    for key in range(n_keys):
        starts[key + 1] += starts[key]
    order, place = np.empty(starts[n_keys], np.int64), starts[:-1].copy()
    for i in range(keys.size):
        if keys[i] >= 0:
            order[place[keys[i]]] = i
            place[keys[i]] += 1
    return order, starts


@njit(cache=True, nogil=True)
def _sort(order, first, last, low):
    """Sort order[first:last] by low[entry], ascending: Shell's sort."""
    gap = (last - first) >> 1
    while gap > 0:
        for i in range(first + gap, last):
            entry, key = order[i], low[order[i]]
            j = i
            while j >= first + gap and low[order[j - gap]] > key:
                order[j] = order[j - gap]
                j -= gap
            order[j] = entry
        gap >>= 1


@njit(cache=True, nogil=True)
def _main_axis(vertices, following, edges):
    """The coordinate along which the edges of a line extend most: it orders points on the line without rounding."""
    extents = np.zeros(2)
    for v in edges:
        for axis in range(2):
            extents[axis] += abs(vertices[following[v], axis] - vertices[v, axis])
    return 0 if extents[0] >= extents[1] else 1


@njit(cache=True, nogil=True)
def overlay(vertices, following, keys, n_keys, shortest):
    """Rows (edge on side 0, edge on side 1, vertex at one end, vertex at the other) of all borders.

    An edge is known by its first vertex. keys: 2 line + side of each edge, or −1 for none. Stretches no longer than
    `shortest` are the rounding of one vertex computed twice, and left out.
    """
    order, starts = _grouped(keys, n_keys)
    rows = np.empty((order.size, 4), np.int64)
    low, high = np.empty(keys.size), np.empty(keys.size)
    at_low, at_high = np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
    n = 0
    for key in range(0, n_keys - 1, 2):
        i, j, end = starts[key], starts[key + 1], starts[key + 2]
        middle = j
        if i == middle or middle == end:
            continue
        axis = _main_axis(vertices, following, order[i:end])
        for v in order[i:end]:
            w = following[v]
            at_low[v], at_high[v] = (v, w) if vertices[v, axis] <= vertices[w, axis] else (w, v)
            low[v], high[v] = vertices[at_low[v], axis], vertices[at_high[v], axis]
        _sort(order, i, middle, low)
        _sort(order, middle, end, low)
        while i < middle and j < end:
            a, b = order[i], order[j]
            start = at_low[a] if low[a] >= low[b] else at_low[b]
            stop = at_high[a] if high[a] <= high[b] else at_high[b]
            if min(high[a], high[b]) - max(low[a], low[b]) > shortest:
                rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3] = a, b, start, stop
                n += 1
            if high[a] <= high[b]:
                i += 1
            else:
                j += 1
    return rows[:n]


@njit(cache=True, nogil=True)
def differences(ends, cells, weight, bias, negligible, jumps):
    """Write f in the second cell − f in the first at both ends of each border, 0 where that is only rounding."""
    n_outputs = bias.shape[1]
    for r in range(len(ends)):
        a, b = cells[r, 0], cells[r, 1]
        for e in range(2):
            x, y = ends[r, e, 0], ends[r, e, 1]
            largest = terms = 0.0
            for o in range(n_outputs):
                jump = (weight[b, o, 0] - weight[a, o, 0]) * x + (weight[b, o, 1] - weight[a, o, 1]) * y
                jump += bias[b, o] - bias[a, o]
                jumps[r, e, o] = jump
                largest = max(largest, abs(jump))
                for c in (a, b):
                    terms = max(terms, abs(bias[c, o]) + abs(weight[c, o, 0] * x) + abs(weight[c, o, 1] * y))
            if largest <= negligible * terms:
                jumps[r, e] = 0.0


@njit(cache=True, nogil=True)
def unmatched(vertices, following, keys, ends):
    """Length of all edges inside the domain, less that of both sides of all borders."""
    length = 0.0
    for v in range(keys.size):
        if keys[v] >= 0:
            w = following[v]
            length += np.sqrt((vertices[w, 0] - vertices[v, 0]) ** 2 + (vertices[w, 1] - vertices[v, 1]) ** 2)
    for r in range(len(ends)):
        length -= 2 * np.sqrt((ends[r, 1, 0] - ends[r, 0, 0]) ** 2 + (ends[r, 1, 1] - ends[r, 0, 1]) ** 2)
    return length
