"""The walk through all cells of a plane, depth first: Numba functions without the GIL.

A cell of one layer is the parent of the next layer's cells, in which everything is affine. What belongs to the path
from the domain to the current cell lies on stacks, the children of each layer above their parent, so memory besides the
output does not grow with the number of regions. The walk stops when its output is full and goes on when called again.
"""

from numba import njit

from kwta.regions.kwta_kernel import next_kwta, open_kwta
from kwta.regions.pointer_kernel import pointer, shifted, write_word
from kwta.regions.polygon_kernel import (
    CELLS,
    COLUMNS,
    DONE,
    FIRST_LINES,
    FROM,
    LAYER,
    LAYERS,
    LIMIT,
    LINES,
    MAP,
    MET,
    MOST_CELLS,
    OPENED,
    OUTPUT_FULL,
    POLYGON_FULL,
    SIDES,
    UNTIL,
    VERTICES,
    WIDE,
    WORD,
    WORDS,
    K,
    N,
    Q,
)
from kwta.regions.relu_kernel import next_relu, open_relu


@njit(cache=True, nogil=True)
def area(V, q, m):
    """½ Σ of cross products of the spokes from the first vertex."""
    total = 0.0
    x, y = V[2 * q], V[2 * q + 1]
    for p in range(q + 1, q + m - 1):
        total += (V[2 * p] - x) * (V[2 * p + 3] - y) - (V[2 * p + 1] - y) * (V[2 * p + 2] - x)
    return 0.5 * total


@njit(cache=True, nogil=True)
def packed(word):
    """A word of 64 units with each byte turned round: in patterns the first unit is a byte's highest bit."""
    word = ((word >> 1) & 0x5555555555555555) | ((word & 0x5555555555555555) << 1)
    word = ((word >> 2) & 0x3333333333333333) | ((word & 0x3333333333333333) << 2)
    return ((word >> 4) & 0x0F0F0F0F0F0F0F0F) | ((word & 0x0F0F0F0F0F0F0F0F) << 4)


@njit(cache=True, nogil=True)
def emit(layers, own, all, V, T, y, PW, points, tags, ends, weights, biases, areas, bits, n_outputs, n_bytes):
    """Write the cell at hand behind those already written.

    In the pattern each layer takes whole bytes, but is written in whole words: what comes next overwrites the rest.
    """
    q, m, wide, cell, first = own[Q], own[SIDES], all[WIDE], all[CELLS], all[VERTICES]
    for v in range(m):
        points[2 * (first + v)] = V[2 * (q + v)]
        points[2 * (first + v) + 1] = V[2 * (q + v) + 1]
        tags[2 * (first + v)] = T[3 * (q + v)]
        tags[2 * (first + v) + 1] = T[3 * (q + v) + 1]
    for o in range(n_outputs):
        out = cell * n_outputs + o
        weights[2 * out] = y[o]
        weights[2 * out + 1] = y[wide + o]
        biases[out] = y[2 * wide + o]
    place = cell * n_bytes
    for i in range(all[LAYERS]):
        layer = shifted(layers, COLUMNS * i)
        for w in range(layer[WORDS]):
            write_word(bits, place + 8 * w, packed(PW[layer[WORD] + w]))
        place += (layer[N] + 7) >> 3
    areas[cell] = area(V, q, m)
    ends[cell + 1] = first + m
    all[CELLS] = cell + 1
    all[VERTICES] = first + m


@njit(cache=True, nogil=True)
def walk(
    limit, L, tols, state, part, V, T, R, RW, RL, M, S, J, G, U, W, B, PW, Z, H,
    points, tags, ends, maps, shifts, areas, bits,
):  # fmt: skip
    """Go on until all cells are written (DONE), memory or output is full, or `limit` cells are written.

    Of the first layer's cells those are walked before which cells of an area of FROM to less than UNTIL were met.
    """
    room, vertex_room, n_outputs, n_bytes = len(areas), len(points), maps.shape[1], bits.shape[1]
    share = pointer(part)
    layers, all, tol, v, t, r, rw = (
        pointer(L),
        pointer(state),
        pointer(tols),
        pointer(V),
        pointer(T),
        pointer(R),
        pointer(RW),
    )
    rl, maps_of, s, j, g, u = pointer(RL), pointer(M), pointer(S), pointer(J), pointer(G), pointer(U)
    weights, biases, path, keys, table = pointer(W), pointer(B), pointer(PW), pointer(Z), pointer(H)
    to = (pointer(points), pointer(tags), pointer(ends), pointer(maps), pointer(shifts), pointer(areas), pointer(bits))
    all[MOST_CELLS] = limit
    layer = all[LAYER]
    while layer >= 0:
        all[LAYER] = layer
        own = shifted(layers, COLUMNS * layer)
        if layer == all[LAYERS]:
            if all[CELLS] >= limit:
                return LIMIT
            if all[CELLS] >= room or all[VERTICES] + own[SIDES] > vertex_room:
                return OUTPUT_FULL
            y = shifted(maps_of, 3 * all[WIDE] * own[MAP])
            emit(layers, own, all, v, t, y, path, to[0], to[1], to[2], to[3], to[4], to[5], to[6], n_outputs, n_bytes)
            layer -= 1
            continue
        if not all[OPENED]:
            if own[K]:
                status = open_kwta(own, all, tol, v, t, r, rw, maps_of, s, j, g, u, weights, biases, path, keys, table)
            else:
                status = open_relu(own, all, tol, v, t, r, rw, rl, maps_of, s, j, u, weights, biases)
            if status != DONE:
                return status
            all[OPENED] = 1
            if layer == 0:
                all[FIRST_LINES] = all[LINES]
        if own[K]:
            child = next_kwta(own, all, r, rw, maps_of, j, u, weights, path)
        else:
            child = next_relu(own, all, tol, v, t, r, rw, rl, maps_of, g, j, u, weights, path)
        if child < 0:
            return POLYGON_FULL
        if layer == 0 and child:
            before, first = share[MET], shifted(own, COLUMNS)
            if before >= share[UNTIL]:
                return DONE
            share[MET] = before + area(v, first[Q], first[SIDES])
            if before < share[FROM]:
                continue
        layer += child if child else -1
        all[OPENED] = 0 if child and layer < all[LAYERS] else 1
    return DONE
