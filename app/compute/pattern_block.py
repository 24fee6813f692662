"""An answer about patterns as one block of bytes for the Patterns component."""

import json
from typing import Any

import numpy as np
import torch

from app.compute import data, inputs
from app.compute.frames import as_images, samples
from app.compute.patterns import Answer, Layer, widest
from app.compute.trained import Snapshot
from kwta.datasets import Data

# Thumbnails per class.
PER_CLASS = 10
# Training points on the map.
POINTS = 400


def packed(snapshot: Snapshot, found: Answer, state: dict[str, Any], seq: int, has_gallery: str) -> bytes:
    """Everything that the component draws: the header's length (uint32, little endian), the header as JSON, then the
    arrays that it describes, one after another.

    `state`: the values of the controls. `seq`: of the report that is answered. The gallery (thumbnails, or training
    points) is left out where the component has it already, which it says by its name.
    """
    name = snapshot.which.recipe.data
    known = data.data(name)
    arrays: list[np.ndarray] = []
    header: dict[str, Any] = {
        "seq": seq,
        "state": state,
        "data": name,
        "planar": inputs.is_planar(known),
        "drawable": inputs.is_drawable(known),
        "shape": list(_pictures(known, known.x_test[:1]).shape[1:]),
        "entries": known.x_test[0].size,
        "box": list(known.box),
        "classes": list(known.classes),
        "widest": {norm: widest(name, norm) for norm in ("linf", "l2")},
        "training": {"done": snapshot.is_done, "words": snapshot.progress_and_schedule, "share": _share(snapshot)},
        "lengths": list(found.lengths),
        "inputs": [_input(known, found, i, arrays) for i in range(len(found.x))],
        "layers": [_layer(layer, gamma, arrays) for layer, gamma in zip(found.layers, _gammas(snapshot), strict=True)],
    }
    if has_gallery != name:
        header["gallery"] = _gallery(known, arrays)
    text = json.dumps(header, allow_nan=False).encode()
    return len(text).to_bytes(4, "little") + text + b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)


def _share(snapshot: Snapshot) -> float:
    return min(snapshot.epoch / snapshot.epochs, 1.0) if snapshot.epochs else 1.0


def _gammas(snapshot: Snapshot) -> list[float | None]:
    return [None if gamma is None else float(gamma) for gamma in snapshot.which.recipe.net.gammas]


def _pictures(known: Data, x: np.ndarray) -> np.ndarray:
    """Inputs as the component draws them: points as they are, anything else as pictures [n, C, H, W]."""
    return x if inputs.is_planar(known) else as_images(torch.tensor(x)).numpy()


def _input(known: Data, found: Answer, i: int, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Label and prediction; the input itself follows as float32."""
    arrays.append(_pictures(known, found.x[i : i + 1]).astype("<f4"))
    says = int(found.sure[i].argmax())
    return {"index": found.index[i], "label": found.label[i], "says": says, "sure": float(found.sure[i, says])}


def _layer(layer: Layer, gamma: float | None, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Numbers of a layer; y [m, n] as float32 and the winners [m, n] as bytes 0 or 1 follow."""
    arrays += [layer.y.astype("<f4"), layer.won.astype(np.uint8)]
    return {
        "shape": list(layer.shape),
        "n": layer.n,
        "k": layer.k,
        "gamma": gamma,
        "counts": layer.counts,
        "shared": layer.shared,
        "hamming": layer.hamming,
        "jaccard": layer.jaccard,
    }


def _gallery(known: Data, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Test labels (bytes), then training points (float32) with their labels (bytes), or thumbnails (bytes)."""
    arrays.append(known.labels_test.astype(np.uint8))
    if inputs.is_planar(known):
        arrays += [known.x_train[:POINTS].astype("<f4"), known.labels_train[:POINTS].astype(np.uint8)]
        return {"tests": len(known.labels_test), "points": len(known.x_train[:POINTS]), "chosen": []}
    chosen = samples(known, PER_CLASS * known.n_classes)
    low, high = known.box
    thumbnails = 255 * (_pictures(known, known.x_test[chosen]) - low) / (high - low)
    arrays.append(np.round(thumbnails).clip(0, 255).astype(np.uint8))  # what fills up a square may lie outside the box
    return {"tests": len(known.labels_test), "points": 0, "chosen": chosen.tolist()}
