"""The jump of f at both ends of every border, and what swaps there: Numba functions without the GIL."""

import numpy as np
from numba import njit

from kwta.regions.cells import UNIT_BITS, UNIT_MASK


@njit(cache=True, nogil=True)
def swaps(edges, tags):
    """The layer, from 0, of each border, and the units that leave and enter from its first cell to the second."""
    n = len(edges)
    layer, leaves, enters = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    for r in range(n):
        tag = tags[edges[r, 0], 0]
        layer[r] = (tag >> (2 * UNIT_BITS)) - 1
        leaves[r] = ((tag >> UNIT_BITS) & UNIT_MASK) - 1
        enters[r] = (tag & UNIT_MASK) - 1
    return layer, leaves, enters


@njit(cache=True, nogil=True, fastmath={"nnan", "ninf", "nsz", "contract"})
def differences(ends, cells, weight, bias, negligible, jumps):
    """Write f in the second cell − f in the first at both ends of each border, 0 where that is only rounding.

    It is where no jump at that end is more than negligible beside the terms of some output on either side.
    """
    n_outputs = bias.shape[1]
    for r in range(len(ends)):
        a, b = cells[r, 0], cells[r, 1]
        x, y, x_end, y_end = ends[r, 0, 0], ends[r, 0, 1], ends[r, 1, 0], ends[r, 1, 1]
        largest = largest_end = 0.0
        for o in range(n_outputs):
            f, g = weight[b, o, 0] - weight[a, o, 0], weight[b, o, 1] - weight[a, o, 1]
            h = bias[b, o] - bias[a, o]
            jump, jump_end = f * x + g * y + h, f * x_end + g * y_end + h
            jumps[r, 0, o], jumps[r, 1, o] = jump, jump_end
            largest, largest_end = max(largest, abs(jump)), max(largest_end, abs(jump_end))
        x, y, x_end, y_end = abs(x), abs(y), abs(x_end), abs(y_end)
        none = none_end = False
        for o in range(n_outputs):
            f = max(abs(weight[a, o, 0]), abs(weight[b, o, 0]))
            g = max(abs(weight[a, o, 1]), abs(weight[b, o, 1]))
            h = max(abs(bias[a, o]), abs(bias[b, o]))
            none |= largest <= negligible * (f * x + g * y + h)
            none_end |= largest_end <= negligible * (f * x_end + g * y_end + h)
            if none and none_end:
                break
        for o in range(n_outputs):
            if none:
                jumps[r, 0, o] = 0.0
            if none_end:
                jumps[r, 1, o] = 0.0
