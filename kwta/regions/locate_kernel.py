"""Points in cells: Numba functions. A grid of buckets lists the cells whose bounding box touches each bucket."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def bucket_of(value, low, scale, n):
    return min(max(int((value - low) * scale), 0), n - 1)


@njit(cache=True, nogil=True)
def boxes(points, offsets, low, scale, n):
    """For each cell the first and last bucket in both coordinates."""
    found = np.empty((len(offsets) - 1, 4), np.int64)
    for cell in range(len(offsets) - 1):
        for axis in range(2):
            least = most = points[offsets[cell], axis]
            for v in range(offsets[cell], offsets[cell + 1]):
                least, most = min(least, points[v, axis]), max(most, points[v, axis])
            found[cell, axis] = bucket_of(least, low[axis], scale[axis], n)
            found[cell, 2 + axis] = bucket_of(most, low[axis], scale[axis], n)
    return found


@njit(cache=True, nogil=True)
def buckets(points, offsets, low, scale, n):
    """The cells of each of n × n buckets, one after the other, and where each bucket begins."""
    box = boxes(points, offsets, low, scale, n)
    starts = np.zeros(n * n + 1, np.int64)
    for cell in range(len(box)):
        for i in range(box[cell, 0], box[cell, 2] + 1):
            for j in range(box[cell, 1], box[cell, 3] + 1):
                starts[i * n + j + 1] += 1
    for b in range(n * n):
        starts[b + 1] += starts[b]
    place, cells = starts[:-1].copy(), np.empty(starts[n * n], np.int64)
    for cell in range(len(box)):
        for i in range(box[cell, 0], box[cell, 2] + 1):
            for j in range(box[cell, 1], box[cell, 3] + 1):
                cells[place[i * n + j]] = cell
                place[i * n + j] += 1
    return cells, starts


@njit(cache=True, nogil=True)
def depth(points, start, end, x, y):
    """The least distance of a point from the lines of a polygon's edges, negative outside."""
    least = np.inf
    for v in range(start, end):
        w = v + 1 if v + 1 < end else start
        d0, d1 = points[w, 0] - points[v, 0], points[w, 1] - points[v, 1]
        length = np.hypot(d0, d1)
        if length > 0:
            least = min(least, (d0 * (y - points[v, 1]) - d1 * (x - points[v, 0])) / length)
    return least


@njit(cache=True, nogil=True)
def holders(points, offsets, low, scale, n, targets, slack):
    """The cell in which each target lies deepest, −1 where it lies outside of all by more than `slack`."""
    cells, starts = buckets(points, offsets, low, scale, n)
    found = np.empty(len(targets), np.int64)
    for t in range(len(targets)):
        x, y = targets[t, 0], targets[t, 1]
        b = bucket_of(x, low[0], scale[0], n) * n + bucket_of(y, low[1], scale[1], n)
        found[t], best = -1, -slack
        for k in range(starts[b], starts[b + 1]):
            inside = depth(points, offsets[cells[k]], offsets[cells[k] + 1], x, y)
            if inside >= best:
                found[t], best = cells[k], inside
    return found


@njit(cache=True, nogil=True)
def segment_distance(x, y, x0, y0, x1, y1):
    d0, d1 = x1 - x0, y1 - y0
    square = d0 * d0 + d1 * d1
    s = ((x - x0) * d0 + (y - y0) * d1) / square if square > 0 else 0.0
    s = min(max(s, 0.0), 1.0)
    return np.hypot(x - x0 - s * d0, y - y0 - s * d1)


@njit(cache=True, nogil=True)
def border_distances(points, offsets, tags, cells, targets):
    """The distance of each target from the nearest edge of its cell that is no part of the domain's boundary."""
    found = np.full(len(targets), np.inf)
    for t in range(len(targets)):
        start, end = offsets[cells[t]], offsets[cells[t] + 1]
        for v in range(start, end):
            if tags[v, 1] >= 0:
                w = v + 1 if v + 1 < end else start
                far = segment_distance(
                    targets[t, 0], targets[t, 1], points[v, 0], points[v, 1], points[w, 0], points[w, 1]
                )
                found[t] = min(found[t], far)
    return found
