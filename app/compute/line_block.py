"""Rungs of a segment as one block of bytes for the Line component."""

import gzip
import json
import time
from typing import Any

import numpy as np
import torch

from app.compute import data, inputs
from app.compute.frames import as_images, samples
from app.compute.inputs import Input
from app.compute.line import Course, Ladder, ends, nearest, rung_of
from app.compute.trained import Snapshot
from kwta.datasets import Data

# Seconds for which an answer goes on making rungs; the page asks for the others afterwards.
BUDGET = 0.08
# Thumbnails per class, and training points on the map.
PER_CLASS, POINTS = 6, 400


def name(snapshot: Snapshot, twin: Snapshot, start: str, end: str) -> str:
    """What tells the rungs of a segment from those of any other, of any other weights."""
    recipe = snapshot.which.recipe
    weights = f"{recipe.data} {recipe.net} {recipe.seed} {snapshot.frames} {twin.frames}"
    return f"{weights} {start} {end}"


def packed(snapshot: Snapshot, twin: Snapshot, ladder: Ladder, state: dict[str, Any], told: dict[str, Any]) -> bytes:
    """Everything that the component draws, gzip of: the header's length (uint32, little endian), the header as JSON,
    then the arrays that it describes, one after another.

    `state`: the values of the controls. `told`: what the component has already (`key`, `have`, `gallery`), the number
    of its last report (`seq`), and whether the hand still moves (`moving`), when only the rung it looks at is sent.
    """
    arrays: list[np.ndarray] = []
    known = data.data(snapshot.which.recipe.data)
    pair = ends(known_name := snapshot.which.recipe.data, state["from"], state["to"])
    key = name(snapshot, twin, state["from"], state["to"])
    here = rung_of(ladder.rungs, state["g"])
    have = _had(told.get("have")) if told.get("key") == key else set()
    header: dict[str, Any] = {
        "key": key,
        "moment": time.monotonic_ns(),  # the browser hears of an answer only if it differs from the one before
        "seq": told.get("seq", 0),
        "state": state,
        "data": known_name,
        "planar": inputs.is_planar(known),
        "box": list(known.box),
        "classes": list(known.classes),
        "sizes": list(ladder.sizes),
        "ladder": [[rung.low, rung.high, list(rung.winners)] for rung in ladder.rungs],
        "here": here,
        "home": snapshot.which.recipe.net.gamma,
        "training": _training(snapshot, twin),
        "shape": list(_pictures(known, known.x_test[:1]).shape[1:]),
        "length": float(np.linalg.norm(ladder.x[1] - ladder.x[0])),
        "ends": [_end(known, one, arrays) for one in pair],
        "rungs": _rungs(
            ladder, here, have, alone=bool(told.get("moving")) or not _is_done(snapshot, twin), arrays=arrays
        ),
    }
    if told.get("gallery") != known_name:
        header["gallery"] = _gallery(known, arrays)
    text = json.dumps(header, allow_nan=False, default=float).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return gzip.compress(len(text).to_bytes(4, "little") + text + body, compresslevel=1)


def _had(rungs: Any) -> set[int]:
    """Numbers of rungs among what a browser says it has."""
    return {rung for rung in rungs if isinstance(rung, int)} if isinstance(rungs, list) else set()


def _is_done(snapshot: Snapshot, twin: Snapshot) -> bool:
    return snapshot.is_done and twin.is_done


def _training(snapshot: Snapshot, twin: Snapshot) -> dict[str, Any]:
    slower = min(snapshot, twin, key=lambda one: one.epoch)
    share = min(slower.epoch / slower.epochs, 1.0) if slower.epochs else 1.0
    return {"done": _is_done(snapshot, twin), "words": slower.progress, "share": share}


def _rungs(ladder: Ladder, here: int, have: set[int], alone: bool, arrays: list[np.ndarray]) -> list[dict[str, Any]]:
    """The rungs that are still wanted, nearest first, as many as the time allows; at least one if any is."""
    wanted = nearest(len(ladder.rungs), here)
    wanted = [rung for rung in (wanted[:2] if alone else wanted) if rung not in have]
    began, sent = time.monotonic(), []
    for rung in wanted:
        sent.append({"rung": rung} | _course(ladder.at(rung), arrays))
        if time.monotonic() - began > BUDGET and (len(sent) > 1 or 0 <= rung != here):
            break
    return sent


def _course(found: Course, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Counts of a course; its arrays follow.

    t f8 [b]; f at both ends of every piece f4 [n, 2, outputs]; jumps f4 [b, outputs]; value of the pair y f4 [b]; units
    out and in i4 [b, 2]; layer from 0 u1 [b]; 1: the border point belongs to the piece after it, + 2: equal maps on
    both sides u1 [b]; winner sets u1 [n, bytes].
    """
    pieces, numbers = found.pieces, found.numbers
    edges = pieces.edges
    sides = np.stack([edges[:-1], edges[1:]], axis=1)[..., None]
    values = pieces.offset[:, None] + pieces.slope[:, None] * sides
    arrays += [
        pieces.t.astype("<f8"),
        values.astype("<f4"),
        found.steps.jump.astype("<f4"),
        pieces.level.astype("<f4"),
        np.stack([pieces.leaves, pieces.enters], axis=1).astype("<i4"),
        pieces.layer.astype(np.uint8),
        (pieces.belongs_after + 2 * found.joined).astype(np.uint8),
        pieces.patterns,
    ]
    return {
        "n": len(pieces),
        "bytes": pieces.patterns.shape[1],
        "outputs": pieces.offset.shape[1],
        "complete": pieces.complete,
        "end": pieces.end,
        "merged": found.n_merged,
        "by_layer": found.by_layer,
        "by_jumps": numbers.by_jumps.tolist(),
        "by_slopes": numbers.by_slopes.tolist(),
        "largest": numbers.largest.tolist(),
        "at": numbers.at.tolist(),
    }


def _pictures(known: Data, x: np.ndarray) -> np.ndarray:
    """Inputs as the component draws them: points as they are, anything else as pictures [n, C, H, W]."""
    return x if inputs.is_planar(known) else as_images(torch.tensor(x)).numpy()


def _end(known: Data, one: Input, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Name and label; the input itself follows as float32."""
    arrays.append(_pictures(known, one.x[None]).astype("<f4"))
    return {"name": one.name, "label": one.label}


def _gallery(known: Data, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Training points (float32) with their labels (bytes), or labels and thumbnails (bytes) of some test inputs."""
    if inputs.is_planar(known):
        n = min(POINTS, len(known.x_train))
        arrays += [known.x_train[:n].astype("<f4"), known.labels_train[:n].astype(np.uint8)]
        return {"points": n, "tests": len(known.x_test), "chosen": []}
    chosen = samples(known, PER_CLASS * known.n_classes)
    low, high = known.box
    thumbnails = 255 * (_pictures(known, known.x_test[chosen]) - low) / (high - low)
    arrays += [known.labels_test[chosen].astype(np.uint8), np.round(thumbnails).clip(0, 255).astype(np.uint8)]
    return {"points": 0, "tests": len(known.x_test), "chosen": chosen.tolist()}
