"""How many borders of linear regions lie on the straight way between two inputs, exactly."""

from copy import deepcopy
from dataclasses import replace
from math import prod

import numpy as np
import torch
from jaxtyping import Float64, Int64, Real
from numpy import ndarray
from torch import nn

from kwta import slices
from kwta.networks import activations
from kwta.regions import line
from kwta.regions.stages import Stages, stages


class Crossings:
    """Counts borders on segments of one network's input space.

    Only the first layer depends on the segment, and it is affine: its values at the two ends say all. The rest is
    folded once.

    refusal: why the network cannot be followed exactly, "" where it can.
    """

    def __init__(self, net: nn.Module, shape: tuple[int, ...]) -> None:
        self.net, self.shape = deepcopy(net).to("cpu", torch.float64).eval(), shape
        self.folded: Stages | None = None
        self.refusal = ""
        zero = np.zeros(prod(shape))
        try:
            self.folded = stages(self.net, slices.segment(zero, zero + 1), shape)
        except ValueError as error:
            self.refusal = str(error)

    def between(
        self, start: Real[ndarray, "batch *shape"], end: Real[ndarray, "batch *shape"]
    ) -> Int64[ndarray, "batch"]:
        """The number of borders between each pair of inputs; 0 where nothing moved.

        Raises ValueError if there is a refusal.
        """
        if self.folded is None:
            raise ValueError(self.refusal)
        counts = np.zeros(len(start), np.int64)
        moved = (start != end).reshape(len(start), -1).any(axis=1)
        if self.folded.hidden and moved.any():
            ends = np.stack([start[moved], end[moved]]).astype(np.float64)
            y = self._first(ends)
            pairs = zip(ends[0], ends[1], y[0], y[1], strict=True)
            counts[moved] = [len(line.of_stages(self._between(*pair), slices.segment(*pair[:2]))) - 1 for pair in pairs]
        return counts

    def _first(self, x: Float64[ndarray, "2 moved *shape"]) -> Float64[ndarray, "2 moved n"]:
        """Pre-activations of the first hidden layer."""
        with torch.no_grad():
            y = activations(self.net, torch.tensor(x.reshape(-1, *self.shape)))[0]
        return y.numpy().reshape(*x.shape[:2], -1)

    def _between(self, start: ndarray, end: ndarray, y_start: ndarray, y_end: ndarray) -> Stages:
        """The network on one segment, in the coordinate that is 0 at its start and 1 at its end."""
        assert self.folded is not None
        first, *others = self.folded.hidden
        if first.passed:  # a shortcut goes around the first layer, and its values are not seen there
            return stages(self.net, slices.segment(start, end), self.shape)
        moving = replace(first, weight=np.ascontiguousarray((y_end - y_start)[:, None]), bias=y_start)
        return replace(self.folded, hidden=(moving, *others))
