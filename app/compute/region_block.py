"""Pictures of regions as bytes for the component: one block per rung of γ, and an answer that carries several."""

import gzip
import json
import time
from typing import Any

import numpy as np

from kwta.regions.cells import Cells
from kwta.regions.locate import locate
from kwta.regions.overlay import merged
from kwta.slices import convex, grid

# Points along a side of the grid with which other people would count.
SAMPLED = 256
# A bit of an edge's byte: the edge is drawn by the cell on its other side.
TWICE = 0x80
SQUEEZE = 1  # of gzip: fast, and coordinates do not get much smaller


def of_cells(cells: Cells, rung: int, square: tuple[np.ndarray, float], started: float) -> bytes:
    """One picture: the header's length (uint32, little endian), the header as JSON, and the arrays.

    Coordinates u are those of the square: t = centre + half · u. Arrays, one after another: vertices u float32 [v, 2],
    maps float32 [n, outputs, 3] (f = map · (u₁, u₂, 1)), areas float32 [n] in u, sides uint16 [n], edge layers
    uint8 [v] (0 on the boundary, + 128 where another cell draws the edge), patterns uint8 [n, bytes].
    """
    centre, half = square
    domain = convex.measure(cells.plane.domain)
    header: dict[str, Any] = {
        "rung": rung,
        "cells": len(cells),
        "vertices": len(cells.vertices),
        "outputs": int(cells.bias.shape[1]),
        "bits": int(cells.bits.shape[1]),
        "complete": bool(cells.complete),
        "covered": float(min(cells.covered / domain, 1.0)),
        "seconds": 0.0,
    }
    arrays = [
        ((cells.vertices - centre) / half).astype("<f4"),
        maps(cells, square).astype("<f4"),
        (cells.areas / half**2).astype("<f4"),
        np.diff(cells.offsets).astype("<u2"),
        (cells.edge_layers + TWICE * (cells.edge_lines % 2 * (cells.edge_lines >= 0))).astype(np.uint8),
        cells.bits,
    ]
    header["seconds"] = time.perf_counter() - started
    text = json.dumps(header, allow_nan=False).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return len(text).to_bytes(4, "little") + text + body


def zipped(block: bytes) -> bytes:
    """The block in half as many bytes, for pictures that nobody waits for."""
    return block if is_zipped(block) else gzip.compress(block, compresslevel=SQUEEZE)


def is_zipped(block: bytes) -> bool:
    """Whether this is gzip; a header so long that its length looked like it would have 35,615 letters."""
    return block[:2] == b"\x1f\x8b"


def pieces(cells: Cells) -> int:
    """How many maximal pieces with one affine map there are."""
    return int(merged(cells).max(initial=-1)) + 1


def maps(cells: Cells, square: tuple[np.ndarray, float]) -> np.ndarray:
    """The affine maps [n, outputs, 3] in the square's coordinates: f = map · (u₁, u₂, 1)."""
    centre, half = square
    return np.concatenate([half * cells.weight, (cells.bias + cells.weight @ centre)[..., None]], axis=2)


def sampled(cells: Cells, resolution: int = SAMPLED) -> int:
    """How many of the cells a grid of resolution² points meets: what sampling would count, a lower bound."""
    points = grid(cells.plane, resolution)
    held = locate(cells, points.t[points.inside])
    return int(np.count_nonzero(np.bincount(held[held >= 0], minlength=len(cells))))


def answer(header: dict[str, Any], blocks: dict[int, bytes], setting: list[np.ndarray]) -> bytes:
    """An answer: the header's length (uint32, little endian), the header as JSON, the setting's arrays, the blocks."""
    header = header | {
        "setting_bytes": sum(array.nbytes for array in setting),
        "blocks": [[rung, len(block)] for rung, block in blocks.items()],
        "moment": time.monotonic_ns(),  # two answers are never alike: the browser hears only of what differs
    }
    text = json.dumps(header, allow_nan=False).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in setting)
    return len(text).to_bytes(4, "little") + text + body + b"".join(blocks.values())
