"""The pattern changes met while walking along a segment, found by sampling.

Exact enumeration is another matter: between two samples a unit may win and lose again unseen, so every count here is a
lower bound.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import nn

from kwta.patterns.winners import BATCH, evaluating, in_batches, shaped
from kwta.slices import Slice


@dataclass(frozen=True, eq=False)
class Changes:
    """Which units swap in and out between samples t[i] and t[i + 1] of a segment; sampled, so counts are lower bounds.

    One entry per change of one unit, in the order of the walk: `interval` i, hidden `layer` (from 0), `unit` within the
    layer, and whether it `enters` the winner set or leaves it. `widths` [layers] are the n_l.
    """

    within: Slice
    t: Float[ndarray, "n"]
    interval: Int[ndarray, "e"]
    layer: Int[ndarray, "e"]
    unit: Int[ndarray, "e"]
    enters: Bool[ndarray, "e"]
    widths: tuple[int, ...]
    exact: Literal[False] = False

    @property
    def counts(self) -> Int[ndarray, "layers intervals"]:
        """Hamming distance between the patterns at t[i] and t[i + 1], per layer: a swap counts as two."""
        counts = np.zeros((len(self.widths), len(self.t) - 1), np.int64)
        np.add.at(counts, (self.layer, self.interval), 1)
        return counts

    @property
    def places(self) -> Float[ndarray, "e"]:
        """Where each change was seen: the middle of its interval, right to half a step."""
        return (self.t[self.interval] + self.t[self.interval + 1]) / 2

    @property
    def n_patterns(self) -> int:
        """Different patterns of the whole network among the samples: at most the number of cells on the segment.

        Cells are convex, so a pattern once left is not met again and it is enough to count the intervals with a change.
        """
        return 1 + len(np.unique(self.interval))


def along(
    net: nn.Module, within: Slice, n: int = 1000, shape: tuple[int, ...] | None = None, batch: int = BATCH
) -> Changes:
    """The changes of A(s(t)) between n evenly spaced samples of a 1-D slice, both ends included.

    `shape` is the network's input shape, by default that of its spec, else a flat vector.
    """
    if within.dim != 1:
        raise ValueError(f"changes are found along a line, got a {within.dim}-D slice")
    if n < 2:
        raise ValueError(f"n must be at least 2 samples, got {n}")
    t = np.linspace(within.domain[0, 0], within.domain[1, 0], n)
    net = evaluating(net)
    found, widths = [], ()
    last = None
    for start in range(0, n, batch):
        x = shaped(net, within.points(t[start : start + batch, None]), shape)
        (masks,) = in_batches(net, x, batch)
        masks = masks if last is None else tuple(np.concatenate(pair) for pair in zip(last, masks, strict=True))
        found.append(_differences(masks, start - (last is not None)))
        last, widths = tuple(layer[-1:] for layer in masks), tuple(layer.shape[1] for layer in masks)
    interval, layer, unit, enters = np.concatenate(found, axis=1)
    return Changes(within, t, interval, layer, unit, enters.astype(bool), widths)


def _differences(masks: tuple[ndarray, ...], first: int) -> Int[ndarray, "4 e"]:
    """Rows interval, layer, unit, enters of the changes between consecutive samples; `first` is the first's index."""
    columns = []
    for layer, mask in enumerate(masks):
        interval, unit = np.nonzero(mask[1:] != mask[:-1])
        columns.append(np.stack([interval + first, np.full_like(unit, layer), unit, mask[1:][interval, unit]]))
    changes = np.concatenate(columns, axis=1)
    return changes[:, np.argsort(changes[0], kind="stable")]
