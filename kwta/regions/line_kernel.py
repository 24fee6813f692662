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

# The state of a layer, numbers: the current piece, the end of the piece before it, the tolerance there, and the part
# of it that stems from the layers before; the swap found last, which is not yet made, and its difference of slopes.
START, NEXT, END, SLACK, INHERITED, SWAP, STEEPNESS = range(7)
# And whole numbers: undecided units, the units of that swap (−1: none), corrections since the last product.
N_UNDECIDED, LEAVING, ENTERING, CORRECTED = range(4)


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


@njit(cache=True, nogil=True)
def _undecided_signs(p, q, low, high, far, inherited, won, units, roots, order):
    """ReLU: set `won` at the start of the piece, list the units that change their sign on it, in the order of roots."""
    m = 0
    for u in range(p.size):
        first, last = p[u] + q[u] * low, p[u] + q[u] * high
        slack = inherited + TOLERANCE * (abs(p[u]) + abs(q[u]) * far)
        won[u] = first > slack or (first >= -slack and last > slack)
        if (first > slack and last < -slack) or (first < -slack and last > slack):
            units[m] = u
            roots[m] = low + (high - low) * (first / (first - last))
            order[m] = m
            m += 1
    _sort(order, roots, m)
    return m


@njit(cache=True, nogil=True)
def _undecided_winners(p, q, k, low, high, far, inherited, won, units, room, other_room):
    """k-WTA: list the units that win on a part of the piece only, as far as their extremes tell; set `won` of the rest.

    A unit whose smallest value exceeds the (k + 1)-th largest of all greatest values always wins; one whose greatest
    value lies below the k-th largest of all smallest values never does.
    """
    n = p.size
    if k == n:
        won[:] = True
        return 0
    for u in range(n):
        first, last = p[u] + q[u] * low, p[u] + q[u] * high
        room[u], other_room[u] = max(first, last), min(first, last)
    always, never = _kth_largest(room, n, k + 1), _kth_largest(other_room, n, k)
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
def _unify(up, uq, m, low, high, slack, order, keys):
    """Give functions that agree on the whole piece the very same coefficients, those of the lowest index.

    Their values are then equal bit by bit, and ties go to the lower index.
    """
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
def _seed(up, uq, m, places, low, wins, room):
    """Mark the `places` largest just beyond `low`: by value, then by slope, then by the lower index."""
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
def _find_swap(up, uq, m, wins, numbers, whole):
    """The next place at which a loser overtakes a winner; LEAVING is -1 if there is none before the end."""
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
def _find_root(uq, m, roots, order, numbers, whole):
    """ReLU: the next unit whose sign changes; ENTERING counts how many have been taken from the order."""
    taken = whole[ENTERING] + 1
    whole[ENTERING] = taken
    whole[LEAVING] = order[taken] if taken < m else -1
    if taken < m:
        numbers[SWAP], numbers[STEEPNESS] = roots[order[taken]], abs(uq[order[taken]])


@njit(cache=True, nogil=True)
def _find(k, up, uq, wins, roots, order, numbers, whole):
    if k == 0:
        _find_root(uq, whole[N_UNDECIDED], roots, order, numbers, whole)
    else:
        _find_swap(up, uq, whole[N_UNDECIDED], wins, numbers, whole)


@njit(cache=True, nogil=True)
def _next_border(k, up, uq, now, beyond, roots, order, numbers, whole):
    """Set NEXT to the end of the current piece and `beyond` to the set behind it.

    Swaps that could be at one place to within the tolerance make one border, placed where it is best conditioned.
    Borders at the very start only correct the set `now`, those at the very end are none.
    """
    m, slack = whole[N_UNDECIDED], numbers[SLACK]
    while whole[LEAVING] >= 0:
        steepest, place = 0.0, 0.0
        while True:
            swap, steepness = numbers[SWAP], numbers[STEEPNESS]
            if k == 0:
                beyond[whole[LEAVING]] = not beyond[whole[LEAVING]]
            else:
                beyond[whole[LEAVING]] = False
                beyond[whole[ENTERING]] = True
            if steepness > steepest:
                steepest, place = steepness, swap
            _find(k, up, uq, beyond, roots, order, numbers, whole)
            if whole[LEAVING] < 0 or numbers[SWAP] - swap > slack / steepness + slack / numbers[STEEPNESS]:
                break
        if (place - numbers[START]) * steepest > slack:
            numbers[NEXT] = place if (numbers[END] - place) * steepest > slack else numbers[END]
            return
        now[:m] = beyond[:m]
    numbers[NEXT] = numbers[END]


@njit(cache=True, nogil=True)
def _enter(k, p, q, won, units, up, uq, now, beyond, roots, order, room, other_room, low, high, far, numbers, whole):
    """Begin the walk of a layer on a piece [low, high] of the layer before: its set at the start, its first border."""
    slack = inherited = numbers[INHERITED]
    if k == 0:
        m = _undecided_signs(p, q, low, high, far, inherited, won, units, roots, order)
    else:
        m = _undecided_winners(p, q, k, low, high, far, inherited, won, units, room, other_room)
    for a in range(m):
        u = units[a]
        up[a], uq[a], now[a] = p[u], q[u], won[u]
        slack = max(slack, inherited + TOLERANCE * (abs(p[u]) + abs(q[u]) * far))
    numbers[START], numbers[END], numbers[SLACK], numbers[SWAP] = low, high, slack, low
    whole[N_UNDECIDED], whole[LEAVING], whole[ENTERING], whole[CORRECTED] = m, -1, -1, CORRECTIONS
    if m and k:
        places = k
        for u in range(p.size):
            places -= won[u]
        _unify(up, uq, m, low, high, slack, order, room)
        _seed(up, uq, m, places, low, now, room)
    if m:
        beyond[:m] = now[:m]
        _find(k, up, uq, beyond, roots, order, numbers, whole)
    _next_border(k, up, uq, now, beyond, roots, order, numbers, whole)
    for a in range(m):
        won[units[a]] = now[a]


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
def _product(weight, greatest, bias, p, q, won, far, inherited, next_p, next_q):
    """The next layer's functions W φ(p + q t) + b, from the columns of the winners; returns what it inherits."""
    n = next_p.size
    next_p[:] = bias
    next_q[:] = 0.0
    passed = 0.0
    for u in range(p.size):
        if won[u]:
            column, a, b = weight[u], p[u], q[u]
            for i in range(n):
                next_p[i] += a * column[i]
                next_q[i] += b * column[i]
            passed = max(passed, _passed_on(a, b, far, greatest[u], inherited))
    return passed


@njit(cache=True, nogil=True, fastmath={"contract"})
def _correct(weight, greatest, units, now, beyond, m, p, q, far, inherited, next_p, next_q):
    """The next layer's functions, corrected by the units that change between two sets; returns what it inherits."""
    n = next_p.size
    passed = 0.0
    for x in range(m):
        if now[x] != beyond[x]:
            u = units[x]
            sign = 1.0 if beyond[x] else -1.0
            column, a, b = weight[u], sign * p[u], sign * q[u]
            for i in range(n):
                next_p[i] += a * column[i]
                next_q[i] += b * column[i]
            passed = max(passed, _passed_on(a, b, far, greatest[u], inherited))
    return passed


@njit(cache=True, nogil=True)
def _pack(won, bits):
    """The set as bits, the first unit in the highest bit of the first byte."""
    bits[:] = 0
    for u in range(won.size):
        if won[u]:
            bits[u >> 3] |= np.uint8(0x80 >> (u & 7))


@njit(cache=True, nogil=True)
def _cross(units, now, beyond, m, won, bits, event):
    """Go over to the set beyond: event = (layer, lowest unit that leaves, lowest that enters, how many at most)."""
    leave = enter = -1
    n_leave = n_enter = 0
    for a in range(m):
        if now[a] == beyond[a]:
            continue
        u = units[a]
        if beyond[a]:
            enter = u if n_enter == 0 else enter
            n_enter += 1
        else:
            leave = u if n_leave == 0 else leave
            n_leave += 1
        now[a] = beyond[a]
        won[u] = beyond[a]
        bits[u >> 3] ^= np.uint8(0x80 >> (u & 7))
    event[1], event[2], event[3] = leave, enter, max(n_leave, n_enter)


@njit(cache=True, nogil=True)
def walk(ks, offsets, byte_offsets, weights, biases, p0, q0, low, high, places, events, levels, maps, patterns):
    """Write the pieces of [low, high] into the given arrays until they are full; return their number and the end.

    ks: winners of each layer, 0 for ReLU. offsets: of each layer's units among all units, the outputs behind them;
    byte_offsets likewise for packed patterns. weights: the transposed matrices [inputs, outputs] between the layers,
    one after the other; biases likewise, those of the first layer included. p0, q0: the first layer's functions.

    places [pieces]: where each piece ends. events [pieces, 4]: layer, unit leaving, unit entering, how many of either,
    of the border at its end. levels [pieces]: the value at which they meet. maps [pieces, 2, outputs]: constant and
    slope. patterns [pieces, bytes].
    """
    n_layers = ks.size
    total = offsets[n_layers + 1]
    p, q = np.empty(total), np.empty(total)
    up, uq, roots = np.empty(total), np.empty(total), np.empty(total)
    room, other_room = np.empty(total), np.empty(total)
    units, order = np.empty(total, np.int64), np.empty(total, np.int64)
    won, now, beyond = np.empty(total, np.bool_), np.empty(total, np.bool_), np.empty(total, np.bool_)
    bits = np.zeros(byte_offsets[n_layers], np.uint8)
    numbers, whole = np.zeros((n_layers + 1, 7)), np.zeros((n_layers + 1, 4), np.int64)
    starts = np.zeros(n_layers + 1, np.int64)
    greatest = np.empty(total)
    for layer in range(n_layers):
        a, b, c = offsets[layer], offsets[layer + 1], offsets[layer + 2]
        starts[layer + 1] = starts[layer] + (b - a) * (c - b)
        for u in range(a, b):
            first = starts[layer] + (u - a) * (c - b)
            greatest[u] = _greatest(weights[first : first + (c - b)])
    p[: p0.size], q[: p0.size] = p0, q0
    far = max(abs(low), abs(high))
    n_pieces, layer = 0, 0
    is_new = True
    while True:
        # Down to the outputs, on the current piece of every layer.
        while layer < n_layers:
            a, b, c = offsets[layer], offsets[layer + 1], offsets[layer + 2]
            if is_new:
                from_, to = (numbers[layer - 1, START], numbers[layer - 1, NEXT]) if layer else (low, high)
                _enter(
                    ks[layer], p[a:b], q[a:b], won[a:b], units[a:b], up[a:b], uq[a:b], now[a:b], beyond[a:b],
                    roots[a:b], order[a:b], room[a:b], other_room[a:b], from_, to, far, numbers[layer], whole[layer],
                )  # fmt: skip
                _pack(won[a:b], bits[byte_offsets[layer] : byte_offsets[layer + 1]])
            if whole[layer, CORRECTED] >= CORRECTIONS:
                weight = weights[starts[layer] : starts[layer + 1]].reshape(b - a, c - b)
                numbers[layer + 1, INHERITED] = _product(
                    weight, greatest[a:b], biases[b:c], p[a:b], q[a:b], won[a:b], far, numbers[layer, INHERITED],
                    p[b:c], q[b:c],
                )  # fmt: skip
                whole[layer, CORRECTED] = 0
            is_new = True
            layer += 1
        a, b = offsets[n_layers], offsets[n_layers + 1]
        maps[n_pieces, 0], maps[n_pieces, 1] = p[a:b], q[a:b]
        patterns[n_pieces] = bits
        # Up to the deepest layer that has a border left.
        layer = n_layers - 1
        while layer >= 0 and numbers[layer, NEXT] == numbers[layer, END]:
            layer -= 1
        places[n_pieces] = numbers[layer, NEXT] if layer >= 0 else high
        n_pieces += 1
        if layer < 0 or n_pieces == places.size:
            return n_pieces, places[n_pieces - 1]
        a, b, c = offsets[layer], offsets[layer + 1], offsets[layer + 2]
        m = whole[layer, N_UNDECIDED]
        weight = weights[starts[layer] : starts[layer + 1]].reshape(b - a, c - b)
        passed = _correct(
            weight, greatest[a:b], units[a:b], now[a:b], beyond[a:b], m, p[a:b], q[a:b], far, numbers[layer, INHERITED],
            p[b:c], q[b:c],
        )  # fmt: skip
        numbers[layer + 1, INHERITED] = max(numbers[layer + 1, INHERITED], passed)
        whole[layer, CORRECTED] += 1
        event = events[n_pieces - 1]
        event[0] = layer
        _cross(
            units[a:b], now[a:b], beyond[a:b], m, won[a:b], bits[byte_offsets[layer] : byte_offsets[layer + 1]], event
        )
        met = a + max(event[1], event[2])
        levels[n_pieces - 1] = p[met] + q[met] * numbers[layer, NEXT]
        numbers[layer, START] = numbers[layer, NEXT]
        _next_border(
            ks[layer], up[a:b], uq[a:b], now[a:b], beyond[a:b], roots[a:b], order[a:b], numbers[layer], whole[layer]
        )
        is_new = False
