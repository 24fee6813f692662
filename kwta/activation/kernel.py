"""The k largest entries of a row in O(N): Numba functions without the GIL.

The entries are first turned into integer keys ordered as they are (equal zeros, NaN as +∞), for integer passes
vectorise. The k-th largest key is then found by counting: how many keys lie above a value v is one pass of about 0.06
ns per entry, and interpolating between two such counts finds, in some eight passes, a v with exactly k keys above it;
the smallest of these is the threshold. Ties, which no v separates, are recognised when the counts stall. Should the
values be spread so oddly that interpolation does not get there, the key is found bit by bit, in at most 64 more
passes: the time is O(N) for every input. A last pass marks the winners and settles ties.
"""

import numpy as np
from numba import njit

# Counting passes before the bitwise search takes over; about eight are usual.
STEPS = 40
# Guesses from mean and standard deviation before; a correction goes a little too far, so that it brackets the answer.
GUESSES = 3
OVERSHOOT = 1.2


@njit(cache=True, nogil=True)
def _fill_keys(row, bits, keys):
    """Integers ordered as the entries are; -0 and 0 are one. What becomes of NaN says `_raise_nan`."""
    flip = np.iinfo(bits.dtype).max
    shift = 8 * bits.itemsize - 1
    for i in range(row.size):
        key = bits[i] ^ ((bits[i] >> shift) & flip)
        keys[i] = 0 if row[i] == 0 else key


@njit(cache=True, nogil=True)
def _raise_nan(row, keys):
    """NaN counts as +∞."""
    top = np.array([np.inf], row.dtype).view(keys.dtype)[0]
    for i in range(row.size):
        if row[i] != row[i]:
            keys[i] = top


@njit(cache=True, nogil=True)
def _count_above(keys, key):
    count = 0
    for i in range(keys.size):
        count += keys[i] > key
    return count


@njit(cache=True, nogil=True)
def _smallest_above(keys, key):
    """The smallest key greater than `key`, of which there must be one."""
    best = np.iinfo(keys.dtype).max
    for i in range(keys.size):
        best = min(best, keys[i] if keys[i] > key else np.iinfo(keys.dtype).max)
    return best


@njit(cache=True, nogil=True)
def _largest_up_to(keys, key):
    """The largest key not greater than `key`, of which there must be one."""
    best = np.iinfo(keys.dtype).min
    for i in range(keys.size):
        best = max(best, keys[i] if keys[i] <= key else np.iinfo(keys.dtype).min)
    return best


@njit(cache=True, nogil=True)
def _extremes(keys):
    low = high = keys[0]
    for i in range(keys.size):
        low = min(low, keys[i])
        high = max(high, keys[i])
    return low, high


@njit(cache=True, nogil=True)
def _bitwise(keys, k):
    """The k-th largest key (from 1) between the extremes: the interval is halved at most as often as a key has bits."""
    low, high = _extremes(keys)
    while low < high:
        middle = (low & high) + ((low ^ high) >> 1)  # the floor of the mean, without overflow
        if _count_above(keys, middle) >= k:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True)
def _key(value, cell, cell_bits):
    """The key of one number; cell and cell_bits are one place in memory, seen as a number and as its bits."""
    cell[0] = value + 0.0  # -0 becomes 0
    bits = cell_bits[0]
    return bits ^ ((bits >> (8 * cell_bits.itemsize - 1)) & np.iinfo(cell_bits.dtype).max)


@njit(cache=True, nogil=True)
def _value(key, cell, cell_bits):
    """The number that has this key."""
    cell_bits[0] = key ^ ((key >> (8 * cell_bits.itemsize - 1)) & np.iinfo(cell_bits.dtype).max)
    return cell[0]


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _moments(row):
    """Mean and standard deviation of a row; summed in any order, for they only serve as a guess."""
    total = squares = row.dtype.type(0)
    for i in range(row.size):
        total += row[i]
        squares += row[i] * row[i]
    mean = total / row.size
    return mean, np.sqrt(max(squares / row.size - mean * mean, 0.0))


@njit(cache=True, nogil=True)
def _kth_largest(keys, k, guess, spacing, cell, cell_bits):
    """The k-th largest key (from 1), given a guess at the value and the distance from one entry to the next there."""
    n = keys.size
    # kept so: k or more keys lie at or above low_key, fewer than k above high_key
    low_key, high_key = np.iinfo(keys.dtype).min, np.iinfo(keys.dtype).max
    above_low, above_high = n, 0
    v = guess
    for _ in range(GUESSES):
        key = _key(v, cell, cell_bits)
        if not low_key < key < high_key:
            break
        above = _count_above(keys, key)
        if above == k:
            return _smallest_above(keys, key)
        if above > k:
            low_key, above_low = key, above
        else:
            high_key, above_high = key, above
        v += OVERSHOOT * spacing * (above - k)
    least, most = _extremes(keys)
    if low_key < least:
        low_key, above_low = least, n
    if high_key > most:
        high_key, above_high = most, 0
    if k == n:
        return least
    return _between(keys, k, low_key, high_key, above_low, above_high, cell, cell_bits)


@njit(cache=True, nogil=True)
def _between(keys, k, low_key, high_key, above_low, above_high, cell, cell_bits):
    """The k-th largest key (from 1), known to lie between two keys with so many keys above them, by interpolation."""
    low, high = _value(low_key, cell, cell_bits), _value(high_key, cell, cell_bits)
    for step in range(STEPS):
        share = 0.5 if step % 4 == 3 else (above_low - k) / (above_low - above_high)
        key = _key(low + (high - low) * share, cell, cell_bits)
        if not low_key < key < high_key:
            key = _key(low + (high - low) * 0.5, cell, cell_bits)
            if not low_key < key < high_key:
                break
        above = _count_above(keys, key)
        if above == k:
            return _smallest_above(keys, key)
        stalled = above in (above_low, above_high)
        if above > k:
            low, low_key, above_low = cell[0], key, above
        else:
            high, high_key, above_high = cell[0], key, above
        if stalled:
            top = _largest_up_to(keys, high_key)
            if _count_above(keys, top - 1) >= k:
                return top
    return _bitwise(keys, k)


@njit(cache=True, nogil=True)
def _settle(keys, threshold, k, won):
    """Mark the winners of a row whose threshold is known: of the entries equal to it, the first ones."""
    count = 0
    for i in range(keys.size):
        wins = keys[i] >= threshold
        won[i] = wins
        count += wins
    i = keys.size - 1
    while count > k:
        if keys[i] == threshold:
            won[i] = False
            count -= 1
        i -= 1


@njit(cache=True, nogil=True)
def select_rows(y, bits, k, quantile, slope, won, out, thresholds):
    """Winners, φ_k(y) and thresholds of the rows of y; out or thresholds may have no rows when not wanted.

    The first guess at a threshold suits normally distributed entries, as pre-activations nearly are: `quantile` is the
    standard normal's at which k of n entries lie above, `slope` the number of entries per standard deviation there.
    """
    n = y.shape[1]
    keys = np.empty(n, bits.dtype)
    cell = np.empty(1, y.dtype)
    cell_bits = cell.view(bits.dtype)
    for r in range(y.shape[0]):
        _fill_keys(y[r], bits[r], keys)
        mean, deviation = _moments(y[r])
        if mean != mean:  # there is a NaN, or both infinities
            _raise_nan(y[r], keys)
        threshold = _kth_largest(keys, k, mean + quantile * deviation, deviation / slope, cell, cell_bits)
        _settle(keys, threshold, k, won[r])
        if thresholds.size:
            thresholds[r, 0] = _value(threshold, cell, cell_bits)
        if out.size:
            for i in range(n):
                out[r, i] = y[r, i] if won[r, i] else 0


@njit(cache=True, nogil=True)
def keep_rows(y, won, out):
    """out = y where won, zero elsewhere."""
    for r in range(y.shape[0]):
        for i in range(y.shape[1]):
            out[r, i] = y[r, i] if won[r, i] else 0
