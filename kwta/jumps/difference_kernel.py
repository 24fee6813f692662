"""The jump of f at both ends of every border: Numba function without the GIL."""

from numba import njit


@njit(cache=True, nogil=True, fastmath={"nnan", "ninf", "nsz", "contract"})
def differences(ends, cells, weight, bias, negligible, jumps):
    """Write f in the second cell − f in the first at both ends of each border, 0 where that is only rounding."""
    n_outputs = bias.shape[1]
    for r in range(len(ends)):
        a, b = cells[r, 0], cells[r, 1]
        x, y, x_end, y_end = ends[r, 0, 0], ends[r, 0, 1], ends[r, 1, 0], ends[r, 1, 1]
        largest = terms = largest_end = terms_end = 0.0
        for o in range(n_outputs):
            f, g, h = weight[a, o, 0], weight[a, o, 1], bias[a, o]
            p, q, s = weight[b, o, 0], weight[b, o, 1], bias[b, o]
            jump, jump_end = (p - f) * x + (q - g) * y + (s - h), (p - f) * x_end + (q - g) * y_end + (s - h)
            jumps[r, 0, o], jumps[r, 1, o] = jump, jump_end
            largest, largest_end = max(largest, abs(jump)), max(largest_end, abs(jump_end))
            f, g, h = max(abs(f), abs(p)), max(abs(g), abs(q)), max(abs(h), abs(s))
            terms = max(terms, f * abs(x) + g * abs(y) + h)
            terms_end = max(terms_end, f * abs(x_end) + g * abs(y_end) + h)
        if largest <= negligible * terms:
            jumps[r, 0] = 0.0
        if largest_end <= negligible * terms_end:
            jumps[r, 1] = 0.0
