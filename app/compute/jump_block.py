"""The borders of one rung of γ: as bytes for the component, and in figures for the curves."""

import gzip
import json
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from app.compute import region_block
from kwta import jumps
from kwta.jumps import Borders, Norm
from kwta.regions.stages import Stages
from kwta.slices import convex

# Steps of a coordinate across the picture: a twentieth of a pixel of the largest screens.
STEPS = 65535


@dataclass(frozen=True)
class Measure:
    """How large a jump is: a norm over all outputs, or |jump| of one logit."""

    norm: Norm = "l2"
    logit: int | None = None


@dataclass(frozen=True, eq=False)
class Traced:
    """The borders of one rung, the value of the swapped pair at their ends, and the spread of f, in a measure."""

    borders: Borders
    values: np.ndarray
    spread: float
    measure: Measure

    @property
    def sizes(self) -> np.ndarray:
        """The size of the jump at the one end, in the middle and at the other end, [n, 3]."""
        first, last = self.borders.jumps[:, 0], self.borders.jumps[:, 1]
        at = np.stack([first, (first + last) / 2, last], axis=1)
        return jumps.sizes(at, self.measure.norm, self.measure.logit)


@dataclass(frozen=True)
class Figures:
    """One rung in numbers. Quantiles are at jumps.QUANTILES over all borders, each weighted by its length.

    size: of |jump| in the middle of a border. value, level: of v and |v| there, over borders of k-WTA layers.
    continuous, negative: the shares of the borders' length without jump and with v < 0. layers: median |jump| of each
    layer. spread: the size of the standard deviations of f over the plane. None where there is no border.
    """

    cells: int
    borders: int
    is_all: bool
    length: float
    size: tuple[float | None, ...]
    mean: float | None
    largest: float | None
    continuous: float | None
    value: tuple[float | None, ...]
    level: tuple[float | None, ...]
    negative: float | None
    layers: tuple[float | None, ...]
    spread: float


def traced(found: Borders, steps: Stages, measure: Measure) -> Traced:
    """The borders with the values of the network that they belong to."""
    spread = jumps.spread(found.of, measure.norm, measure.logit)
    return Traced(found, jumps.values(found, steps), spread, measure)


def figures(found: Traced) -> Figures:
    """What the curves show of one rung."""
    borders, norm, logit = found.borders, found.measure.norm, found.measure.logit
    whole = borders.summary(norm, logit)
    jumping = np.array([k > 0 for k in borders.of.winners], bool)[borders.layer]
    value, lengths = found.values[jumping].mean(axis=1), borders.lengths[jumping]
    return Figures(
        cells=len(borders.of),
        borders=len(borders),
        is_all=borders.of.complete,
        length=whole.length,
        size=_finite(whole.quantiles),
        mean=number(whole.mean),
        largest=number(whole.largest),
        continuous=number(whole.continuous),
        value=_quantiles(value, lengths),
        level=_quantiles(np.abs(value), lengths),
        negative=float(lengths[value < 0].sum() / lengths.sum()) if len(value) else None,
        layers=tuple(number(layer.quantiles[2]) for layer in borders.by_layer(norm, logit)),
        spread=found.spread,
    )


def _quantiles(values: np.ndarray, lengths: np.ndarray) -> tuple[float | None, ...]:
    shares = np.array(jumps.QUANTILES)
    return _finite(jumps.weighted_quantiles(values, lengths, shares)) if len(values) else (None,) * len(shares)


def number(value: float) -> float | None:
    """The value, or None where there is none: JSON has no NaN."""
    return value if isfinite(value) else None


def _finite(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(number(value) for value in values.tolist())


def packed(found: Traced, row: Figures, rung: int, square: tuple[np.ndarray, float]) -> bytes:
    """gzip of the header's length (uint32, little endian), the header as JSON, and the arrays, one after another:

    ends uint16 [n, 2, 2] (0 … 65535 from the one side of the square to the other; the first cell lies to the left of
    the way from the first to the second), sizes float32 [n, 3] (at the first end, in the middle, at the second), values
    float32 [n, 2], leaves and enters uint16 [n] (65535 for none), layers uint8 [n], from 0.
    """
    centre, half = square
    borders = found.borders
    domain = convex.measure(borders.of.plane.domain)
    header: dict[str, Any] = {
        "rung": rung,
        "borders": len(borders),
        "cells": len(borders.of),
        "complete": bool(borders.of.complete),
        "covered": float(min(borders.of.covered / domain, 1.0)),
        "figures": asdict(row),
    }
    turned = first_is_right(borders)
    u = np.where(turned[:, None, None], borders.ends[:, ::-1], borders.ends) - centre
    arrays = [
        np.round(STEPS * (np.clip(u / half, -1, 1) + 1) / 2).astype("<u2"),
        np.where(turned[:, None], found.sizes[:, ::-1], found.sizes).astype("<f4"),
        np.where(turned[:, None], found.values[:, ::-1], found.values).astype("<f4"),
        borders.leaves.astype("<u2"),
        borders.enters.astype("<u2"),
        borders.layer.astype(np.uint8),
    ]
    text = json.dumps(header, allow_nan=False).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return gzip.compress(len(text).to_bytes(4, "little") + text + body, compresslevel=region_block.SQUEEZE)


def first_is_right(borders: Borders) -> np.ndarray:
    """Whether the first of the two cells lies to the right of the way from end to end, [n]."""
    cells = borders.of
    middles = np.add.reduceat(cells.vertices, cells.offsets[:-1]) / np.diff(cells.offsets)[:, None]
    (dx, dy), (ex, ey) = (
        (borders.ends[:, 1] - borders.ends[:, 0]).T,
        (middles[borders.cells[:, 0]] - borders.ends[:, 0]).T,
    )
    return dx * ey - dy * ex < 0
