"""Walk along a line through all layers at once: Numba functions without the GIL.

On a piece of the line on which the earlier layers are affine, a layer's pre-activations are y = p + q t. For every
layer the walk keeps the piece it is in, the set of winners there, and the set beyond the next border; it goes down to
the last layer, writes a piece, and then moves on the deepest layer that has a border left. Whatever depends on a set of
winners is corrected by the units that changed, and made afresh every few borders so that rounding does not build up.

Borders in k-WTA layers: min over the winners − max over the others is concave in t, so Newton's method from the far end
finds its first zero; there one winner and one loser swap places, and the slope of the one that enters is the greater.
Every swap therefore increases the sum of the winners' slopes, and the walk ends whatever rounding does. Borders that
could be one to within the tolerance (many functions through one point) are one: the sets between them are not pieces.

What counts as equal is measured by the terms that a value is summed from, not by the value, which may be all rounding.
"""

import numpy as np
from numba import njit

TOLERANCE = 1e-12  # of the terms that values are summed from: differences below it count as none
ROUNDING = 16 * np.finfo(np.float64).eps  # likewise: what evaluating p + q t may be off by
CORRECTIONS = 8  # of a map by changed units, after which it is made afresh
BIG = 1e300

# The state of a layer. Rows of numbers per unit: its function p + q t; those of the undecided units, listed; where they
# change their sign; room to sort in. Rows of flags: the winners of the piece; of the undecided, now and beyond the next
# border. Rows of indices: the undecided units; an order of them.
P, Q, UP, UQ, ROOTS, ROOM, OTHER_ROOM = range(7)
WON, NOW, BEYOND = range(3)
UNITS, ORDER = range(2)
# Its numbers: the current piece, the end of the piece before it, the tolerance there, and the part of it that stems
# from the layers before; the swap found last, which is not yet made, and its difference of slopes.
START, NEXT, END, SLACK, INHERITED, SWAP, STEEPNESS = range(7)
# And whole numbers: units, winners (0 for ReLU), undecided units, those of that swap (−1: none), corrections since the
# last product; units and what goes on beside them.
N, K, N_UNDECIDED, LEAVING, ENTERING, CORRECTED, ROWS = range(7)


@njit(cache=True, nogil=True)
def _kth_largest(values, n, k):
    """The k-th largest (from 1) of the first n values, which are reordered: Hoare's selection."""
    target = n - k
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if target <= j:
            high = j
        elif target >= i:
            low = i
        else:
            break
    return values[target]


@njit(cache=True, nogil=True)
def _sort(order, keys, n):
    """Sort the first n entries of `order` by keys[entry], ascending: Shell's sort."""
    gap = n >> 1
    while gap > 0:
        for i in range(gap, n):
            entry, key = order[i], keys[order[i]]
            j = i
            while j >= gap and keys[order[j - gap]] > key:
                order[j] = order[j - gap]
                j -= gap
            order[j] = entry
        gap >>= 1


@njit(cache=True, nogil=True, error_model="numpy")
def _undecided_signs(n, f, flags, indices, low, high, far, inherited):
    """ReLU: set WON at the start of the piece, list the units that change their sign on it, in the order of ROOTS."""
    p, q, roots, won, changes = f[P], f[Q], f[ROOTS], flags[WON], flags[BEYOND]
    units, order = indices[UNITS], indices[ORDER]
    for u in range(n):
        first, last = p[u] + q[u] * low, p[u] + q[u] * high
        slack = inherited + TOLERANCE * (abs(p[u]) + abs(q[u]) * far)
        won[u] = (first > slack) | ((first >= -slack) & (last > slack))
        changes[u] = ((first > slack) & (last < -slack)) | ((first < -slack) & (last > slack))
    m = 0
    for u in range(n):
        if changes[u]:
            first, last = p[u] + q[u] * low, p[u] + q[u] * high
            units[m], order[m] = u, m
            roots[m] = low + (high - low) * (first / (first - last))
            m += 1
    _sort(order, roots, m)
    return m


@njit(cache=True, nogil=True)
def _undecided_winners(n, k, f, flags, indices, low, high, far, inherited):
    """k-WTA: list the units that win on a part of the piece only, as far as their extremes tell; set WON of the rest.

    A unit whose smallest value exceeds the (k + 1)-th largest of all greatest values always wins; one whose greatest
    value lies below the k-th largest of all smallest values never does.
    """
    p, q, greatest, smallest, won, units = f[P], f[Q], f[ROOM], f[OTHER_ROOM], flags[WON], indices[UNITS]
    if k == n:
        won[:n] = True
        return 0
    for u in range(n):
        first, last = p[u] + q[u] * low, p[u] + q[u] * high
        greatest[u], smallest[u] = max(first, last), min(first, last)
    always, never = _kth_largest(greatest, n, k + 1), _kth_largest(smallest, n, k)
    m = 0
    for u in range(n):
        first, last = p[u] + q[u] * low, p[u] + q[u] * high
        slack = inherited + TOLERANCE * (abs(p[u]) + abs(q[u]) * far)
        won[u] = min(first, last) > always + slack + TOLERANCE * abs(always)
        if not won[u] and max(first, last) >= never - slack - TOLERANCE * abs(never):
            units[m] = u
            m += 1
    return m


@njit(cache=True, nogil=True)
def _unify(m, f, order, low, high, slack):
    """Give functions that agree on the whole piece the very same coefficients, those of the lowest index.

    Their values are then equal bit by bit, and ties go to the lower index.
    """
    up, uq, keys = f[UP], f[UQ], f[ROOM]
    for a in range(m):
        order[a], keys[a] = a, up[a] + uq[a] * low
    _sort(order, keys, m)
    for i in range(m):
        a = order[i]
        lowest = a
        for j in range(i + 1, m):
            b = order[j]
            if keys[b] - keys[a] > slack:
                break
            if abs((up[b] + uq[b] * high) - (up[a] + uq[a] * high)) <= slack and b < lowest:
                lowest = b
        if lowest != a:
            up[a], uq[a] = up[lowest], uq[lowest]
            continue
        for j in range(i + 1, m):
            b = order[j]
            if keys[b] - keys[a] > slack:
                break
            if abs((up[b] + uq[b] * high) - (up[a] + uq[a] * high)) <= slack:
                up[b], uq[b] = up[a], uq[a]


@njit(cache=True, nogil=True)
def _seed(m, places, f, wins, low):
    """Mark the `places` largest just beyond `low`: by value, then by slope, then by the lower index."""
    up, uq, room = f[UP], f[UQ], f[ROOM]
    if places <= 0 or places >= m:
        wins[:m] = places > 0
        return
    for a in range(m):
        room[a] = up[a] + uq[a] * low
    threshold = _kth_largest(room, m, places)
    for a in range(m):
        wins[a] = up[a] + uq[a] * low > threshold
        places -= wins[a]
    for _ in range(places):
        best = -1
        for a in range(m):
            if not wins[a] and up[a] + uq[a] * low == threshold and (best < 0 or uq[a] > uq[best]):
                best = a
        wins[best] = True


@njit(cache=True, nogil=True)
def _find_swap(f, wins, numbers, whole):
    """The next place at which a loser overtakes a winner; LEAVING is −1 if there is none before the end."""
    up, uq, m = f[UP], f[UQ], whole[N_UNDECIDED]
    start, s = numbers[SWAP], numbers[END]
    rounding = numbers[SLACK] / TOLERANCE * ROUNDING
    whole[LEAVING] = whole[ENTERING] = -1
    while True:
        lowest, highest = BIG, -BIG
        i = j = 0
        for a in range(m):
            y = up[a] + uq[a] * s
            if wins[a]:
                if y <= lowest:  # the last of equals leaves first
                    lowest, i = y, a
            elif y > highest:  # the first of equals enters first
                highest, j = y, a
        steepness = uq[j] - uq[i]
        if highest - lowest <= rounding or steepness <= 0:
            return
        whole[LEAVING], whole[ENTERING] = i, j
        numbers[STEEPNESS] = steepness
        before = s
        s = max(start, s - (highest - lowest) / steepness)
        numbers[SWAP] = s
        if s >= before:
            return


@njit(cache=True, nogil=True)
def _find_root(f, order, numbers, whole):
    """ReLU: the next unit whose sign changes; ENTERING counts how many have been taken from the order."""
    taken = whole[ENTERING] + 1
    whole[ENTERING] = taken
    whole[LEAVING] = -1
    if taken < whole[N_UNDECIDED]:
        unit = order[taken]
        whole[LEAVING] = unit
        numbers[SWAP], numbers[STEEPNESS] = f[ROOTS, unit], abs(f[UQ, unit])


@njit(cache=True, nogil=True)
def _find(f, flags, indices, numbers, whole):
    """The next swap behind the set BEYOND."""
    if whole[K] == 0:
        _find_root(f, indices[ORDER], numbers, whole)
    else:
        _find_swap(f, flags[BEYOND], numbers, whole)


@njit(cache=True, nogil=True, error_model="numpy")
def _next_border(f, flags, indices, numbers, whole):
    """Set NEXT to the end of the current piece and BEYOND to the set behind it.

    Swaps that could be at one place to within the tolerance make one border, placed where it is best conditioned.
    Borders at the very start only correct the set NOW, those at the very end are none.
    """
    now, beyond, slack = flags[NOW], flags[BEYOND], numbers[SLACK]
    while whole[LEAVING] >= 0:
        steepest, place = 0.0, 0.0
        while True:
            swap, steepness = numbers[SWAP], numbers[STEEPNESS]
            if whole[K] == 0:
                beyond[whole[LEAVING]] = not beyond[whole[LEAVING]]
            else:
                beyond[whole[LEAVING]] = False
                beyond[whole[ENTERING]] = True
            if steepness > steepest:
                steepest, place = steepness, swap
            _find(f, flags, indices, numbers, whole)
            if whole[LEAVING] < 0 or numbers[SWAP] - swap > slack / steepness + slack / numbers[STEEPNESS]:
                break
        if (place - numbers[START]) * steepest > slack:
            numbers[NEXT] = place if (numbers[END] - place) * steepest > slack else numbers[END]
            return
        for a in range(whole[N_UNDECIDED]):
            now[a] = beyond[a]
    numbers[NEXT] = numbers[END]


@njit(cache=True, nogil=True)
def _enter(f, flags, indices, low, high, far, numbers, whole):
    """Begin the walk of a layer on a piece [low, high] of the layer before: its set at the start, its first border."""
    slack = inherited = numbers[INHERITED]
    n, k = whole[N], whole[K]
    if k == 0:
        m = _undecided_signs(n, f, flags, indices, low, high, far, inherited)
    else:
        m = _undecided_winners(n, k, f, flags, indices, low, high, far, inherited)
    for a in range(m):
        u = indices[UNITS, a]
        f[UP, a], f[UQ, a], flags[NOW, a] = f[P, u], f[Q, u], flags[WON, u]
        slack = max(slack, inherited + TOLERANCE * (abs(f[P, u]) + abs(f[Q, u]) * far))
    numbers[START], numbers[NEXT], numbers[END], numbers[SLACK], numbers[SWAP] = low, high, high, slack, low
    whole[N_UNDECIDED], whole[LEAVING], whole[ENTERING], whole[CORRECTED] = m, -1, -1, CORRECTIONS
    if m == 0:
        return
    if k:
        places = k
        for u in range(n):
            places -= flags[WON, u]
        _unify(m, f, indices[ORDER], low, high, slack)
        _seed(m, places, f, flags[NOW], low)
    for a in range(m):
        flags[BEYOND, a] = flags[NOW, a]
    _find(f, flags, indices, numbers, whole)
    _next_border(f, flags, indices, numbers, whole)
    for a in range(m):
        flags[WON, indices[UNITS, a]] = flags[NOW, a]


@njit(cache=True, nogil=True, fastmath={"nnan", "ninf", "nsz"})
def _greatest(values):
    greatest = 0.0
    for i in range(values.size):
        greatest = max(greatest, abs(values[i]))
    return greatest


@njit(cache=True, nogil=True)
def _passed_on(a, b, far, greatest, inherited):
    """What rounding in the function a + b t may change in the next layer, whose greatest weight for it is given."""
    return max(TOLERANCE * (abs(a) + abs(b) * far), inherited) * greatest


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add(y, n, a, column):
    for i in range(n):
        y[i] += a * column[i]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _add_four(y, n, a, b, c, d, column_a, column_b, column_c, column_d):
    for i in range(n):
        y[i] += (a * column_a[i] + b * column_b[i]) + (c * column_c[i] + d * column_d[i])


@njit(cache=True, nogil=True)
def _product(weight, greatest, bias, f, flags, room, far, numbers, whole, next_f):
    """The next layer's functions W φ(p + q t) + b, from the columns of the winners; returns what it inherits."""
    p, q, won, next_p, next_q = f[P], f[Q], flags[WON], next_f[P], next_f[Q]
    n = bias.size
    for i in range(n):
        next_p[i] = bias[i]
        next_q[i] = 0.0
    m, passed = 0, 0.0
    for u in range(whole[ROWS]):
        if won[u]:
            room[m] = u
            m += 1
            passed = max(passed, _passed_on(p[u], q[u], far, greatest[u], numbers[INHERITED]))
    for x in range(0, m - 3, 4):  # four columns at a time: the sums stay in the processor's registers for longer
        a, b, c, d = room[x], room[x + 1], room[x + 2], room[x + 3]
        _add_four(next_p, n, p[a], p[b], p[c], p[d], weight[a], weight[b], weight[c], weight[d])
        _add_four(next_q, n, q[a], q[b], q[c], q[d], weight[a], weight[b], weight[c], weight[d])
    for x in range(m - m % 4, m):
        u = room[x]
        _add(next_p, n, p[u], weight[u])
        _add(next_q, n, q[u], weight[u])
    whole[CORRECTED] = 0
    return passed


@njit(cache=True, nogil=True)
def _correct(weight, greatest, n, f, flags, indices, far, numbers, whole, next_f):
    """The next layer's functions, corrected by the units that change at the border; returns what it inherits."""
    passed = 0.0
    for x in range(whole[N_UNDECIDED]):
        if flags[NOW, x] != flags[BEYOND, x]:
            u = indices[UNITS, x]
            sign = 1.0 if flags[BEYOND, x] else -1.0
            _add(next_f[P], n, sign * f[P, u], weight[u])
            _add(next_f[Q], n, sign * f[Q, u], weight[u])
            passed = max(passed, _passed_on(f[P, u], f[Q, u], far, greatest[u], numbers[INHERITED]))
    whole[CORRECTED] += 1
    return passed


@njit(cache=True, nogil=True)
def _pack(n, won, bits):
    """The set as bits, the first unit in the highest bit of the first byte."""
    for byte in range(bits.size):
        bits[byte] = 0
    for u in range(n):
        bits[u >> 3] |= np.uint8(won[u]) << np.uint8(7 - (u & 7))


@njit(cache=True, nogil=True)
def _cross(flags, indices, whole, bits, event):
    """Go over to the set beyond: event = (layer, lowest unit that leaves, lowest that enters, how many at most)."""
    leave = enter = -1
    n_leave = n_enter = 0
    for a in range(whole[N_UNDECIDED]):
        if flags[NOW, a] == flags[BEYOND, a]:
            continue
        u = indices[UNITS, a]
        if flags[BEYOND, a]:
            enter = u if n_enter == 0 else enter
            n_enter += 1
        else:
            leave = u if n_leave == 0 else leave
            n_leave += 1
        flags[NOW, a] = flags[BEYOND, a]
        flags[WON, u] = flags[BEYOND, a]
        bits[u >> 3] ^= np.uint8(0x80 >> (u & 7))
    event[1], event[2], event[3] = leave, enter, max(n_leave, n_enter)


@njit(cache=True, nogil=True)
def _state(ks, sizes, rows, p0, q0):
    """The state of all layers, the outputs counting as one without an activation; the first has its functions."""
    n_layers, widest = sizes.size, rows.max()
    f, flags = np.empty((n_layers, 7, widest)), np.empty((n_layers, 3, widest), np.bool_)
    indices = np.empty((n_layers, 2, widest), np.int64)
    numbers, whole = np.zeros((n_layers, 7)), np.zeros((n_layers, 7), np.int64)
    whole[:, N] = sizes
    whole[:, ROWS] = rows
    for layer in range(n_layers):
        flags[layer, WON, sizes[layer] :] = True  # what is no unit always goes on
    whole[: ks.size, K] = ks
    f[0, P, : p0.size] = p0
    f[0, Q, : q0.size] = q0
    return f, flags, indices, numbers, whole


@njit(cache=True, nogil=True)
def _greatest_weights(weights, rows):
    """The greatest |weight| with which each hidden unit enters the next layer, and where each layer's matrix starts."""
    starts = np.zeros(rows.size, np.int64)
    greatest = np.empty((rows.size, rows.max()))
    for layer in range(rows.size - 1):
        n_out = rows[layer + 1]
        for u in range(rows[layer]):
            first = starts[layer] + u * n_out
            greatest[layer, u] = _greatest(weights[first : first + n_out])
        starts[layer + 1] = starts[layer] + rows[layer] * n_out
    return greatest, starts


@njit(cache=True, nogil=True)
def walk(ks, sizes, rows, weights, biases, p0, q0, low, high, places, events, levels, maps, patterns):
    """Write the pieces of [low, high] into the given arrays until they are full; return their number and the end.

    ks: winners of each hidden layer, 0 for ReLU. sizes: their units, and the outputs. rows: the same with what goes on
    beside the units, behind them. weights: the transposed matrices [rows, rows of the next] behind the hidden layers,
    one after the other; biases likewise. p0, q0: the first layer's functions.

    places [pieces]: where each piece ends. events [pieces, 4]: layer, unit leaving, unit entering, how many of either,
    of the border at its end. levels [pieces]: the value at which they meet. maps [pieces, 2, outputs]: constant and
    slope. patterns [pieces, bytes].
    """
    n_layers, n_outputs = ks.size, sizes[ks.size]
    f, flags, indices, numbers, whole = _state(ks, sizes, rows, p0, q0)
    greatest, starts = _greatest_weights(weights, rows)
    offsets, bytes_ = np.zeros(n_layers + 1, np.int64), np.zeros(n_layers + 1, np.int64)
    for layer in range(n_layers):
        offsets[layer + 1] = offsets[layer] + rows[layer + 1]
        bytes_[layer + 1] = bytes_[layer] + (sizes[layer] + 7) // 8
    bits = np.zeros(bytes_[n_layers], np.uint8)
    far = max(abs(low), abs(high))
    n_pieces, layer = 0, 0
    is_new = True
    while True:
        # Down to the outputs, on the current piece of every layer.
        while layer < n_layers:
            number, count = numbers[layer], whole[layer]
            if is_new:
                start, stop = (numbers[layer - 1, START], numbers[layer - 1, NEXT]) if layer else (low, high)
                _enter(f[layer], flags[layer], indices[layer], start, stop, far, number, count)
                _pack(sizes[layer], flags[layer, WON], bits[bytes_[layer] : bytes_[layer + 1]])
            if count[CORRECTED] >= CORRECTIONS:
                weight = weights[starts[layer] : starts[layer + 1]].reshape(rows[layer], rows[layer + 1])
                bias = biases[offsets[layer] : offsets[layer + 1]]
                numbers[layer + 1, INHERITED] = _product(
                    weight, greatest[layer], bias, f[layer], flags[layer], indices[layer + 1, UNITS], far, number,
                    count, f[layer + 1],
                )  # fmt: skip
            is_new = True
            layer += 1
        for i in range(n_outputs):
            maps[n_pieces, 0, i], maps[n_pieces, 1, i] = f[n_layers, P, i], f[n_layers, Q, i]
        for i in range(bits.size):
            patterns[n_pieces, i] = bits[i]
        # Up to the deepest layer that has a border left.
        layer = n_layers - 1
        while layer >= 0 and numbers[layer, NEXT] == numbers[layer, END]:
            layer -= 1
        places[n_pieces] = numbers[layer, NEXT] if layer >= 0 else high
        n_pieces += 1
        if layer < 0 or n_pieces == places.size:
            return n_pieces, places[n_pieces - 1]
        number, count, event = numbers[layer], whole[layer], events[n_pieces - 1]
        weight = weights[starts[layer] : starts[layer + 1]].reshape(rows[layer], rows[layer + 1])
        passed = _correct(
            weight, greatest[layer], rows[layer + 1], f[layer], flags[layer], indices[layer], far, number, count,
            f[layer + 1],
        )  # fmt: skip
        numbers[layer + 1, INHERITED] = max(numbers[layer + 1, INHERITED], passed)
        event[0] = layer
        _cross(flags[layer], indices[layer], count, bits[bytes_[layer] : bytes_[layer + 1]], event)
        met = max(event[1], event[2])
        levels[n_pieces - 1] = f[layer, P, met] + f[layer, Q, met] * number[NEXT]
        number[START] = number[NEXT]
        _next_border(f[layer], flags[layer], indices[layer], number, count)
        is_new = False
