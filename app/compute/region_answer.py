"""What the Regions component hears: the state of the ladder, and the pictures that it has not got yet."""

from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import torch

from app.compute import aims, data, inputs, planes, region_block
from app.compute.frames import as_images
from app.compute.planes import Choice
from app.compute.regions import Ladder, Question
from app.compute.trained import Snapshot
from kwta.datasets import Data
from kwta.slices import Slice

# Bytes of one answer: a second of a slow network, and never so much that the hand waits for it.
MOST_BYTES = 700_000
# How long a request waits for a picture that the page has not got: what a person does meanwhile waits for it too.
PATIENCE = 0.02
# Training points on the picture.
POINTS = 400


def name(asked: Question) -> str:
    """A name for the question, the same in every session."""
    return sha256(repr(asked).encode()).hexdigest()[:16]


def packed(
    asked: Question,
    ladder: Ladder,
    snapshots: tuple[Snapshot, Snapshot],
    state: dict[str, Any],
    told: dict[str, Any],
) -> bytes:
    """The answer to what the component told: at least the rungs that it shows now, then the nearest ones, as they are
    made.

    `state`: the values of the controls, "rung" and "other" among them. `told`: key, have (rungs held), lacking (shown
    rungs whose counts are not there), seq, setting.
    """
    key = name(asked)
    have = {int(i) for i in told.get("have", ())} if told.get("key") == key else set()
    visible = [state["rung"], *([0] if state["beside"] == "relu" else [state["other"]] * (state["beside"] == "gamma"))]
    blocks = {rung: ladder.block(rung) for rung in dict.fromkeys(visible) if rung not in have}
    lacking = {int(i) for i in told.get("lacking", ())}
    is_done = all(snapshot.is_done for snapshot in snapshots)
    if is_done and (told.get("poll") or not told.get("moving")):  # no ladder for every place a hand passes
        ladder.want(state["rung"])
        if not blocks:
            ladder.wait(have, lacking, PATIENCE)
            blocks = _next(ladder, state["rung"], have)
    header: dict[str, Any] = {
        "key": key,
        "family": name(replace(asked, choice=replace(asked.choice, window=planes.Window()))),
        "seq": int(told.get("seq", 0)),
        "state": state,
        "rungs": [[float(r.gamma or 0), list(r.winners)] for r in ladder.rungs],
        "sizes": list(ladder.sizes),
        "limit": ladder.limit,
        "counts": [[rung, n, is_all] for rung, (n, is_all) in sorted(ladder.counts.items())],
        "more": [[rung, c and c.pieces, c and c.sampled] for rung, c in sorted(ladder.more.items())],
        "square": [*ladder.square[0].tolist(), ladder.square[1]],
        "done": is_done and ladder.error is None,
        "whole": ladder.is_whole,
        "error": ladder.error or "",
        "training": {"done": is_done, "words": _slower(snapshots).progress, "share": _share(_slower(snapshots))},
    }
    arrays: list[np.ndarray] = []
    if told.get("setting") != setting_name(asked.choice):
        header["setting"] = setting(asked.choice, ladder.home, arrays)
    return region_block.answer(header, blocks, arrays)


def _next(ladder: Ladder, rung: int, have: set[int]) -> dict[int, bytes]:
    """Pictures that are there and not held, nearest first, up to MOST_BYTES."""
    blocks: dict[int, bytes] = {}
    size = 0
    for i in ladder.nearest(rung, set(ladder.blocks) - have):
        size += len(ladder.blocks[i])
        if blocks and size > MOST_BYTES:
            break
        blocks[i] = ladder.blocks[i]
    return blocks


def _slower(snapshots: tuple[Snapshot, Snapshot]) -> Snapshot:
    return min(snapshots, key=lambda s: (s.is_done, s.epoch))


def _share(snapshot: Snapshot) -> float:
    return min(snapshot.epoch / snapshot.epochs, 1.0) if snapshot.epochs else 1.0


def setting_name(choice: Choice) -> str:
    """A name for what `setting` tells, the same in every session."""
    return sha256(repr((choice.data, choice.shape, choice.three, choice.seed, choice.aim)).encode()).hexdigest()[:16]


def setting(choice: Choice, home: Slice, arrays: list[np.ndarray]) -> dict[str, Any]:
    """What stays while γ, seed and window move: the training points, or the plane itself and its inputs.

    Its arrays are added to `arrays`.
    """
    known = data.data(choice.data)
    planar = inputs.is_planar(known)
    centre, half = planes.frame(home, planes.Window())
    found: dict[str, Any] = {
        "name": setting_name(choice),
        "planar": planar,
        "plane": choice.shape,
        "words": aims.words(choice),
        "classes": list(known.classes),
        "box": list(known.box),
        "tests": len(known.labels_test),
        "home": [*centre.tolist(), half],
    }
    if planar:
        arrays.append(((known.x_train[:POINTS] - centre) / half).astype("<f4"))
        arrays.append(known.labels_train[:POINTS].astype(np.uint8))
        found |= {"points": len(known.x_train[:POINTS]), "inputs": [], "picture": None}
    else:
        found |= {"points": 0, **_inputs(known, choice, home, arrays, centre, half)}
    arrays.append(known.labels_test.astype(np.uint8))
    return found


def _inputs(
    known: Data, choice: Choice, home: Slice, arrays: list[np.ndarray], centre: np.ndarray, half: float
) -> dict[str, Any]:
    """Where the plane's inputs lie, and how the component makes the picture of any point: origin and directions."""
    marks = planes.marks(choice)
    places = (home.coordinates(np.stack([mark.x for mark in marks])) - centre) / half
    columns = np.concatenate([home.points(centre)[None], half * home.directions])
    arrays.append(_pictures(known, columns).astype("<f4"))
    return {
        "inputs": [
            {"index": mark.index, "label": mark.label, "text": mark.text, "u": u.tolist()}
            for mark, u in zip(marks, places, strict=True)
        ],
        "picture": list(_pictures(known, columns[:1]).shape[1:]),
    }


def _pictures(known: Data, x: np.ndarray) -> np.ndarray:
    return as_images(torch.tensor(x).reshape(len(x), *known.shape)).numpy()
