"""Frames of two runs as one block of bytes for the Train component."""

import gzip
import json
import time
from collections.abc import Sequence
from math import isfinite
from typing import Any

import numpy as np
import torch

from app.compute.frames import as_images
from app.compute.runs import Run, frame_steps
from kwta.datasets import Data
from kwta.training import Epoch, Step

# Frames sent at a time: about a second of playing, so that the page is never far ahead of what is watched.
CHUNK = 12
# How long a request waits for its first new frame before it answers with what there is, in seconds.
PATIENCE = 0.4


def packed(sides: list[Run], name: str, have: int, data: Data, upto: Sequence[int] | None = None) -> bytes:
    """The frames of two runs from `have` on, at most CHUNK, as far as both have them, in one block.

    Asks the runs for them and waits a moment; not so where they were cancelled, with `upto` frames each. The block is
    gzip of: the header's length (uint32, little endian), the header as JSON, then the arrays that it describes, one
    after another. `name` tells which runs they are.
    """
    end = have + CHUNK
    if upto is None:
        _ask(sides, have)
        # In step while both learn; a run that has ended, by diverging say, does not hold the other one back.
        end = min([end, *(len(side.frames) for side in sides if not side.done)])
    lasts = upto or [len(side.frames) for side in sides]
    arrays: list[np.ndarray] = []
    described = [_side(side, have, min(end, last), arrays) for side, last in zip(sides, lasts, strict=True)]
    # Two answers are never alike: the browser hears of an answer only if it differs from the one before.
    header: dict[str, Any] = {"key": name, "start": have, "sides": described, "moment": time.monotonic_ns()}
    header["cancelled"] = upto is not None
    if upto is not None:
        for side, last in zip(described, upto, strict=True):
            side["done"] = end >= last
    if have == 0:
        header["setting"] = _setting(sides, data, arrays)
    return _block(header, arrays)


def _ask(sides: list[Run], have: int) -> None:
    for side in sides:
        side.want(have + CHUNK)
    for side in sides:
        side.wait(have + 1, PATIENCE)


def _side(side: Run, start: int, end: int, arrays: list[np.ndarray]) -> dict[str, Any]:
    frames = []
    for frame in side.frames[start:end]:
        arrays += [frame.picture, frame.lit, frame.sure]
        frames.append(
            {
                "steps": [[r.step, _finite(r.loss), r.accuracy] for r in frame.records if isinstance(r, Step)],
                "epochs": [_epoch(r) for r in frame.records if isinstance(r, Epoch)],
                "step": frame.records[-1].step if frame.records else 0,
                "seconds": frame.records[-1].seconds if frame.records else 0.0,
                "gammas": [None if gamma is None else float(gamma) for gamma in frame.gammas],
            }
        )
    complete = side.is_ended and end == len(side.frames)
    return {
        "frames": frames,
        "done": complete,
        "ended": side.is_ended,
        "message": side.error or (side.stopped.message if side.stopped else "") if complete else "",
        "failed": complete
        and (side.error is not None or (side.stopped is not None and side.stopped.reason == "diverged")),
        "early": complete and side.stopped is not None and side.stopped.reason == "no progress",
        "sizes": list(side.recipe.net.sizes),
        "winners": list(side.recipe.net.winners),
        "at": frame_steps(side.total_steps),
        "total_steps": side.total_steps,
        "per_epoch": side.per_epoch,
    }


def _finite(value: float) -> float | None:
    """JSON has no NaN; a diverged loss is a gap in the curve."""
    return value if isfinite(value) else None


def _epoch(r: Epoch) -> dict[str, Any]:
    return {
        "epoch": r.epoch,
        "step": r.step,
        "loss": _finite(r.loss),
        "train": r.train_accuracy,
        "test": r.test_accuracy,
        "dead": list(r.dead),
    }


def _setting(sides: list[Run], data: Data, arrays: list[np.ndarray]) -> dict[str, Any]:
    """What does not change during a run: the sample inputs and, for 2-D data, the training points."""
    framer = sides[0].framer
    examples = data.x_test[framer.chosen]
    low, high = data.box
    if framer.planar:
        shown = data.x_train[:400], data.labels_train[:400]
        arrays += [_unit(examples, low, high), _unit(shown[0], low, high), shown[1].astype(np.uint8)]
    else:
        examples = as_images(torch.tensor((examples - low) / (high - low))).numpy()
        arrays.append(np.round(255 * examples).astype(np.uint8))
    return {
        "planar": framer.planar,
        "classes": list(data.classes),
        "labels": data.labels_test[framer.chosen].tolist(),
        "examples": list(examples.shape),
        "points": min(len(data.x_train), 400) if framer.planar else 0,
        "picture": list(_picture_shape(sides, data)),
        "lit": _lit_sizes(sides[0]),
        "box": [low, high],
        "counts": [len(data.x_train), len(data.x_test)],
    }


def _unit(points: np.ndarray, low: float, high: float) -> np.ndarray:
    """Coordinates as uint16 fractions of the data box."""
    return np.round(65535 * (points - low) / (high - low)).astype("<u2")


def _picture_shape(sides: list[Run], data: Data) -> tuple[int, ...]:
    frames = [frame for side in sides for frame in side.frames[:1]]
    return frames[0].picture.shape if frames else (0, *data.shape)


def _lit_sizes(side: Run) -> list[int]:
    """How many units of each layer are lit in a frame: a feature map counts as one."""
    spec = side.recipe.net
    return [*getattr(spec, "channels", ()), *spec.sizes[len(getattr(spec, "channels", ())) :]]


def _block(header: dict[str, Any], arrays: list[np.ndarray]) -> bytes:
    text = json.dumps(header, allow_nan=False, default=float).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return gzip.compress(len(text).to_bytes(4, "little") + text + body, compresslevel=1)
