"""The value at which winner and loser swap at each border: what the size of a jump comes from.

At a border of a k-WTA layer the winner i and the loser j meet at v = y_i = y_j, the k-th largest pre-activation. The
layer's output jumps by v (e_j − e_i), so the next pre-activation by v (W_j − W_i). Source: Xiao, Zhong,
Zheng, ICLR 2020, section 3.
"""

import numpy as np
from jaxtyping import Bool, Float, Int64
from numpy import ndarray

from kwta.jumps.plane import Borders
from kwta.regions.cells import Cells
from kwta.regions.stages import Stages

ENTRIES = 2**21  # of the maps gathered at a time (16 MiB)


def values(found: Borders, steps: Stages) -> Float[ndarray, "n 2"]:
    """v = y_i = y_j of the swapped pair at both ends of each border, affine in between; 0 at borders of ReLU layers.

    steps: the network on the plane of the borders, `stages(net, plane)`. y is the pre-activation of the border's layer
    with the winners that the two cells share in the layers before it, in float64.

    >>> net = from_arrays([np.array([[1.0, 0], [0, 1]]), np.array([[1.0, 2]])], [np.ones(2), np.zeros(1)], gamma=0.5)
    >>> where = slices.square(-1, 1, -1, 1)
    >>> steps = regions.stages.stages(net, where)
    >>> values(borders(regions.plane.of_stages(steps, where)), steps).tolist()
    [[0.0, 2.0]]

    Raises ValueError where `steps` has other layers or winners than the borders' cells.
    """
    cells = found.of
    if (steps.sizes, steps.winners) != (cells.sizes, cells.winners):
        raise ValueError(
            f"the borders are those of layers {cells.sizes} with {cells.winners} winners, got a network with layers "
            f"{steps.sizes} and {steps.winners} winners"
        )
    value = np.zeros((len(found), 2))
    parents, maps = np.zeros(len(cells), np.int64), np.zeros((1, 2, 3))
    maps[0, :, :2] = np.eye(2)  # t itself, what the first layer sees
    last = max((i for i, layer in enumerate(steps.hidden) if layer.k), default=-1)
    for i, layer in enumerate(steps.hidden[: last + 1]):
        here = np.flatnonzero(found.layer == i)
        if layer.k and len(here):
            value[here] = _along(found, here, layer.weight, layer.bias, parents, maps)
        if i < last:
            parents, firsts, before = _children(cells, i, parents)
            maps = _activated(layer.weight, layer.bias, maps[before], cells.pattern(i)[firsts])
    return value


def _along(
    found: Borders,
    here: Int64[ndarray, "b"],
    weight: Float[ndarray, "r m"],
    bias: Float[ndarray, "r"],
    parents: Int64[ndarray, "cells"],
    maps: Float[ndarray, "p m 3"],
) -> Float[ndarray, "b 2"]:
    """y of the unit that leaves, at both ends of the borders `here`, all of one layer."""
    units, owners = found.leaves[here], parents[found.cells[here, 0]]
    rows = np.empty((len(here), 3))
    size = max(ENTRIES // (3 * weight.shape[1]), 1)
    for start in range(0, len(here), size):
        part = slice(start, start + size)
        rows[part] = np.matmul(weight[units[part], None], maps[owners[part]])[:, 0]
    return np.einsum("bc,bec->be", rows[:, :2], found.ends[here]) + (rows[:, 2] + bias[units])[:, None]


def _children(
    cells: Cells, layer: int, parents: Int64[ndarray, "cells"]
) -> tuple[Int64[ndarray, "cells"], Int64[ndarray, "c"], Int64[ndarray, "c"]]:
    """Runs of cells that agree in all layers up to this one: the run of each cell, each run's first cell and parent.

    Cells of one parent follow one another; were they apart, they would only be looked at twice.
    """
    starts = sum(-(-n // 8) for n in cells.sizes[:layer])
    own = cells.bits[:, starts : starts + -(-cells.sizes[layer] // 8)]
    isnew = np.ones(len(cells), bool)
    isnew[1:] = (own[1:] != own[:-1]).any(axis=1) | (parents[1:] != parents[:-1])
    firsts = np.flatnonzero(isnew)
    return np.cumsum(isnew) - 1, firsts, parents[firsts]


def _activated(
    weight: Float[ndarray, "r m"],
    bias: Float[ndarray, "r"],
    maps: Float[ndarray, "c m 3"],
    wins: Bool[ndarray, "c n"],
) -> Float[ndarray, "c r 3"]:
    """The layer's output φ(W z + b) as affine maps of t, from those of its input z and the units that win.

    Rows beyond the layer's n units are what a residual block passes on; no activation touches them.
    """
    y = np.matmul(weight, maps)
    y[..., 2] += bias
    y[:, : wins.shape[1]] *= wins[..., None]
    return y
