"""Patterns as small keys: packed bits, and 64-bit numbers for counting and colouring.

The numbers depend on the pattern alone, not on the machine, the run or the version of NumPy. Two patterns share one
with probability 2⁻⁶⁴; among a million different patterns a collision has a chance of 3 in 10⁸.
"""

import numpy as np
from jaxtyping import Float, UInt8, UInt64
from numpy import ndarray
from torch import nn

from kwta.patterns.winners import BATCH, Patterns, evaluating, in_batches, shaped
from kwta.slices import Slice

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): increment and two multipliers
MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def packed(patterns: Patterns) -> UInt8[ndarray, "batch _"]:
    """The masks of all layers as bits, each layer filled up to whole bytes: equal rows are equal patterns."""
    return np.concatenate([np.packbits(layer, axis=1) for layer in patterns], axis=1)


def ids(patterns: Patterns) -> UInt64[ndarray, "batch"]:
    """A 64-bit number per input that is the same for the same pattern: Σ mix(word ⊕ key of its place), mixed again."""
    bits = packed(patterns)
    padded = np.zeros((len(bits), -(-bits.shape[1] // 8) * 8), np.uint8)
    padded[:, : bits.shape[1]] = bits
    words = padded.view("<u8").astype(np.uint64, copy=False)
    places = _mix(np.arange(1, words.shape[1] + 1, dtype=np.uint64) * GOLDEN)
    return _mix(_mix(words ^ places).sum(axis=1, dtype=np.uint64))


def ids_on(
    net: nn.Module,
    within: Slice,
    t: Float[ndarray, "*grid m"],
    layers: int | None = None,
    shape: tuple[int, ...] | None = None,
    batch: int = BATCH,
) -> UInt64[ndarray, "*grid"]:
    """`ids` of the pattern at s(t), of the first `layers` hidden layers or of all: what colours a sampled picture.

    `shape` is the network's input shape, by default that of its spec. Works in batches, so a fine grid of a slice of
    images fits in memory. The number of different ids is a lower bound for the number of cells on the slice.
    """
    if layers is not None and layers < 1:
        raise ValueError(f"layers must be at least 1 or None, got {layers}")
    net = evaluating(net)
    flat = t.reshape(-1, t.shape[-1])
    found = np.empty(len(flat), np.uint64)
    for start in range(0, len(flat), batch):
        x = shaped(net, within.points(flat[start : start + batch]), shape)
        (masks,) = in_batches(net, x, batch)
        found[start : start + batch] = ids(masks[:layers])
    return found.reshape(t.shape[:-1])


def _mix(z: UInt64[ndarray, "..."]) -> UInt64[ndarray, "..."]:
    """The finaliser of SplitMix64, a bijection that lets every input bit reach every output bit."""
    z = (z ^ (z >> np.uint64(30))) * MIX[0]
    z = (z ^ (z >> np.uint64(27))) * MIX[1]
    return z ^ (z >> np.uint64(31))
