"""The walk through all cells of a plane, depth first: Numba functions without the GIL.

A cell of one layer is the parent of the next layer's cells, in which everything is affine. What belongs to the path
from the domain to the current cell lies on stacks, the children of each layer above their parent, so memory besides the
output does not grow with the number of regions. The walk stops when its output is full and goes on when called again.
"""

from numba import njit

from kwta.regions.kwta_kernel import next_kwta, open_kwta
from kwta.regions.polygon_kernel import (
    CELLS,
    DONE,
    LAYER,
    LIMIT,
    MAP,
    OPENED,
    OUTPUT_FULL,
    POLYGON_FULL,
    SIDES,
    VERTICES,
    K,
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
def emit(L, layer, state, V, T, M, PW, points, tags, ends, maps, bits, areas):
    """Write the cell at hand behind those already written; False if there is no room."""
    q, m, s, cell, first = L[layer, Q], L[layer, SIDES], L[layer, MAP], state[CELLS], state[VERTICES]
    if cell >= len(ends) or first + m > len(points):
        return False
    for v in range(m):
        points[first + v, 0], points[first + v, 1] = V[2 * (q + v)], V[2 * (q + v) + 1]
        tags[first + v, 0], tags[first + v, 1] = T[3 * (q + v)], T[3 * (q + v) + 1]
    for o in range(maps.shape[1]):
        maps[cell, o, 0], maps[cell, o, 1], maps[cell, o, 2] = M[3 * s, o], M[3 * s + 1, o], M[3 * s + 2, o]
    for w in range(bits.shape[1]):
        bits[cell, w] = PW[w]
    areas[cell] = area(V, q, m)
    ends[cell] = first + m
    state[CELLS], state[VERTICES] = cell + 1, first + m
    return True


@njit(cache=True, nogil=True)
def walk(limit, dims, L, tols, state, V, T, R, RW, RL, M, S, J, G, U, W, B, PW, Z, H, mv, *output):
    """Go on until all cells are written (DONE), memory or output is full, or `limit` cells are written."""
    n_layers = len(dims)
    layer = state[LAYER]
    while layer >= 0:
        state[LAYER] = layer
        if layer == n_layers:
            if state[CELLS] >= limit:
                return LIMIT
            if not emit(L, layer, state, V, T, M, PW, *output):
                return OUTPUT_FULL
            layer -= 1
            continue
        if not state[OPENED]:
            if dims[layer, K]:
                status = open_kwta(layer, dims, L, tols, state, V, T, R, RW, M, S, J, G, U, W, B, PW, Z, H, mv)
            else:
                status = open_relu(layer, dims, L, tols, state, V, T, R, RW, RL, M, S, J, U, W, B, mv)
            if status != DONE:
                return status
            state[OPENED] = 1
        if dims[layer, K]:
            child = next_kwta(layer, dims, L, R, RW, M, J, U, W, PW)
        else:
            child = next_relu(layer, dims, L, tols, V, T, R, RW, RL, M, G, J, U, W, PW, mv)
        if child < 0:
            return POLYGON_FULL
        layer += child if child else -1
        state[OPENED] = 0 if child and layer < n_layers else 1
    return DONE
