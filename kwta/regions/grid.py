"""Cells counted the way other people count them: by sampling patterns on a grid. Every number here is a lower bound."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Int64, UInt64
from numpy import ndarray
from torch import Tensor, nn

from kwta.activation import pattern
from kwta.devices import pick
from kwta.patterns.keys import GOLDEN, MIX, ids
from kwta.regions.stages import Stages, stages
from kwta.slices import Grid, Slice, grid

OUTSIDE = -1  # the id of grid points outside the domain
CPU_ENTRIES = 2**18  # pre-activations of one batch: two megabytes, which stay in the cache
GPU_ENTRIES = 2**25


@dataclass(frozen=True, eq=False)
class Counts:
    """Which of the patterns met on a grid each of its points has.

    ids [rows, columns] (2-D, row 0 the lowest) or [points] (1-D): from 0, numbered in the order in which they are met,
    row by row; −1 outside the domain. keys [n]: the 64-bit number of each pattern, as `patterns.ids` gives it.
    points [n]: how many grid points each has. dtype: in which precision; float32 errs in a band of about 1e-7 around
    borders.
    """

    grid: Grid
    ids: Int32[ndarray, "*shape"]
    keys: UInt64[ndarray, "n"]
    points: Int64[ndarray, "n"]
    dtype: Literal["float64", "float32"]
    exact: Literal[False] = False

    @property
    def n_patterns(self) -> int:
        """The number of different patterns met: a lower bound for the number of cells, for small ones slip through."""
        return len(self.keys)

    @property
    def shares(self) -> Float[ndarray, "n"]:
        """The part of the domain's points that has each pattern: an estimate of its cell's share of the area."""
        return self.points / self.points.sum()


def counts(
    net: nn.Module,
    plane: Slice,
    resolution: int,
    device: str = "auto",
    input_shape: tuple[int, ...] | None = None,
    dtype: torch.dtype = torch.float64,
) -> Counts:
    """The patterns A(s(t)) at `resolution` points along the slice's longer side, and how many different ones there are.

    Runs in batches on the CPU, CUDA or MPS ("auto": the best there is); MPS has no float64 and always uses float32. The
    slice is folded into the first layer, so large inputs cost no more than small ones. The points are `slices.grid`'s.

    Raises ValueError where `slices.grid`, `devices.pick` or `regions.stages.stages` do, or if dtype is neither float64
    nor float32.
    """
    if dtype not in (torch.float64, torch.float32):
        raise ValueError(f"dtype must be torch.float64 or torch.float32, got {dtype}")
    where = pick(device)
    precision = torch.float32 if where.type == "mps" else dtype
    network = stages(net, plane, input_shape)
    sampled = grid(plane, resolution)
    keys = np.concatenate(list(_keys(network, sampled.t[sampled.inside], where, precision)))
    numbered, distinct, points = _numbered(keys)
    raster = np.full(sampled.inside.shape, OUTSIDE, np.int32)
    raster[sampled.inside] = numbered
    return Counts(sampled, raster, distinct, points, "float32" if precision == torch.float32 else "float64")


@torch.no_grad()
def _keys(
    network: Stages, t: Float[ndarray, "points m"], device: torch.device, dtype: torch.dtype
) -> Iterator[ndarray]:
    """The 64-bit number of the pattern at each point, batch by batch."""
    layers = [
        (torch.from_numpy(layer.weight.T).to(device, dtype), torch.from_numpy(layer.bias).to(device, dtype), layer)
        for layer in network.hidden
    ]
    entries = CPU_ENTRIES if device.type == "cpu" else GPU_ENTRIES
    batch = max(1, entries // max(1, sum(network.sizes)))
    for start in range(0, len(t), batch):
        z = torch.from_numpy(t[start : start + batch]).to(device, dtype)
        masks = []
        for weight, bias, layer in layers:
            rows = torch.addmm(bias, z, weight)
            y = rows[:, : layer.n].contiguous()
            masks.append(pattern(y, layer.k) if layer.k else y > 0)
            z = torch.where(masks[-1], y, 0)
            z = torch.cat([z, rows[:, layer.n :]], dim=1) if layer.passed else z
        if not masks:
            yield np.zeros(len(z), np.uint64)
        elif device.type == "cpu":
            yield ids(tuple(mask.numpy() for mask in masks))
        else:
            yield hashed(masks).cpu().numpy().view(np.uint64)


def hashed(masks: list[Bool[Tensor, "batch _"]]) -> Int64[Tensor, "batch"]:
    """`patterns.ids` on any device, its bits as signed numbers: torch has no unsigned arithmetic."""
    words = _words(masks)
    places = np.arange(1, words.shape[1] + 1, dtype=np.uint64) * GOLDEN
    keys = _mixed(torch.from_numpy(places.view(np.int64)).to(words.device))
    return _mixed(_mixed(words ^ keys).sum(dim=1))


def _words(masks: list[Bool[Tensor, "batch _"]]) -> Int64[Tensor, "batch words"]:
    """The packed bits of all layers, each filled up to whole bytes, read as little-endian 64-bit words."""
    padded = [nn.functional.pad(mask, (0, -mask.shape[1] % 8)) for mask in masks]
    n_bits = sum(mask.shape[1] for mask in padded)
    bits = nn.functional.pad(torch.cat(padded, dim=1), (0, -n_bits % 64))
    places = torch.arange(64, device=bits.device)
    places = places - places % 8 + 7 - places % 8  # the first unit of a byte is its highest bit
    return (bits.reshape(len(bits), -1, 64).long() << places).sum(dim=2)


def _mixed(z: Int64[Tensor, "*shape"]) -> Int64[Tensor, "*shape"]:
    """The finaliser of SplitMix64, as in `patterns.keys`; products wrap around, shifts must not bring in the sign."""
    first, second = (int(factor.view(np.int64)) for factor in MIX)
    z = (z ^ _shifted(z, 30)) * first
    z = (z ^ _shifted(z, 27)) * second
    return z ^ _shifted(z, 31)


def _shifted(z: Int64[Tensor, "*shape"], n: int) -> Int64[Tensor, "*shape"]:
    return (z >> n) & ((1 << (64 - n)) - 1)


def _numbered(keys: UInt64[ndarray, "points"]) -> tuple[Int32[ndarray, "points"], ndarray, ndarray]:
    """Number the keys in the order in which they are met; the distinct keys, and how often each occurs.

    Neighbours mostly share their key, so only the first of each run of equal ones is sorted.
    """
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    lengths = np.diff(np.concatenate([starts, [len(keys)]]))
    _, first, inverse = np.unique(keys[starts], return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    runs = rank[inverse]
    points = np.bincount(runs, weights=lengths, minlength=len(first)).astype(np.int64)
    return np.repeat(runs, lengths), keys[starts[np.sort(first)]], points
