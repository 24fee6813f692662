"""Attacks as one block of bytes for the Attack component: the places that it has not got yet, and the plane."""

import gzip
import json
import time
from math import isfinite
from typing import Any

import numpy as np
import torch

from app.compute import attack, attack_scene_block, attack_specs, data, inputs, line
from app.compute.attack import SceneOf, Victim
from app.compute.attack_paths import Way
from app.compute.attack_specs import COLUMNS, Attempt, Target
from app.compute.attack_supply import Haste, Supply, let_go
from app.compute.frames import as_images
from app.compute.trained import Snapshot
from kwta.attacks.trace import Step
from kwta.datasets import Data

# Places of each attack beyond those that the page has for which it may go on, and how many an answer carries.
AHEAD, CHUNK = 64, 64
# The same while the hand moves: the next question is on its way.
BRIEF = {"white": AHEAD, "black": 2, "adaptive": 2}
# Seconds for which an answer waits for its first place, and for anything new.
FIRST, PATIENCE = 0.06, 0.15
# Bytes from which a block is gzipped. Answers to moves have about 5,000 on digits: unpacking would only delay them.
PACKED = 1 << 14
# Training points on the map.
POINTS = 300


def packed(aim: Target, snapshot: Snapshot, state: dict[str, Any], told: dict[str, Any]) -> bytes:
    """Everything that the component draws, gzipped where it is long: the header's length (uint32, little endian), the
    header as JSON, then the arrays that it describes, one after another.

    `state`: the values of the controls. `told`: what the component has (`have`: of each column its name and places,
    `scene`: likewise of the plane, `points`: of which data), the number of its last report (`seq`), and whether
    the hand moves.
    """
    if told.get("poll"):
        return _packed(aim, snapshot, state, told)
    with Haste():
        return _packed(aim, snapshot, state, told)


def _packed(aim: Target, snapshot: Snapshot, state: dict[str, Any], told: dict[str, Any]) -> bytes:
    arrays: list[np.ndarray] = []
    known = data.data(aim.which.recipe.data)
    about = attack.victim(aim, snapshot)
    attempts = attack_specs.attempts(aim, state)
    supplies = {column: attack.steps(attempt, snapshot) for column, attempt in attempts.items()}
    had = {column: _had(told.get("have"), column, attack_specs.name(attempts[column])) for column in COLUMNS}
    let_go(_others(told.get("have"), supplies))
    is_brief = bool(told.get("moving")) or not snapshot.is_done
    for column, supply in supplies.items():
        if column == "white" and not told.get("poll"):
            supply.hurry(had[column][0] + 2, FIRST)  # before the others compete with it: its first step is waited for
        supply.want(BRIEF[column] if is_brief else had[column][0] + AHEAD)
    made = None if is_brief else _scene(attempts, snapshot, supplies, state)
    _wait(supplies, made, told)
    header: dict[str, Any] = {
        "seq": int(told.get("seq", 0)),
        "answers": str(told.get("answers", "")),
        "moment": time.monotonic_ns(),  # two answers are never alike: the browser hears only of what differs
        "state": state,
        "data": aim.which.recipe.data,
        "planar": inputs.is_planar(known),
        "box": [float(end) for end in known.box],
        "classes": list(known.classes),
        "shape": list(_pictures(known, known.x_test[:1]).shape[1:]),
        "tests": len(known.x_test),
        "sizes": list(aim.which.recipe.net.sizes),
        "ladder": [[r.low, r.high, list(r.winners)] for r in line.rungs(aim.which.recipe.net.sizes)],
        "home": aim.which.recipe.net.gamma,
        "training": _training(snapshot),
        "sigma": attack_specs.width(aim.which.recipe.data, state),
        "most": attack_specs.MOST_EPS * attack_specs.side(known),
        "victim": _victim(known, about, arrays),
        "columns": {
            column: _column(attempts[column], snapshot, supplies[column], had[column], about, arrays)
            for column in COLUMNS
        },
        "scene": None if made is None else attack_scene_block.packed(*made, told.get("scene"), about, arrays),
    }
    if told.get("points") != header["data"]:
        header["points"] = _points(known, arrays)
    text = json.dumps(header, allow_nan=False, default=float).encode()
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    block = len(text).to_bytes(4, "little") + text + body
    return block if len(block) < PACKED else gzip.compress(block, compresslevel=1)


def _others(said: Any, supplies: dict[str, Supply[Step]]) -> set[str]:
    """The names of attacks that a browser has and that it no longer shows."""
    told = said.values() if isinstance(said, dict) else []
    names = {one[0] for one in told if isinstance(one, list) and one and isinstance(one[0], str)}
    return names - {supply.name for supply in supplies.values()}


def _had(said: Any, column: str, key: str) -> tuple[int, bool]:
    """How many places of this attempt a browser says it has, and whether it has its way; none for other nonsense."""
    told = said.get(column) if isinstance(said, dict) else None
    if isinstance(told, list) and len(told) == 3 and told[0] == key and isinstance(told[1], int):
        return max(told[1], 0), told[2] is True
    return 0, False


def _scene(
    attempts: dict[str, Attempt], snapshot: Snapshot, supplies: dict[str, Supply[Step]], state: dict[str, Any]
) -> tuple[SceneOf, Supply] | None:
    """The plane of the attacks, once all have come to their ends."""
    made = list(supplies.values())
    if not all(supply.is_whole and supply.items for supply in made):
        return None
    fitted = None if state["across"] == "ends" else list(attempts).index(state["column"])
    sigma = attack_specs.width(attempts["white"].target.which.recipe.data, state)
    asked = SceneOf(tuple(attempts.values()), tuple(len(supply.items) for supply in made), fitted, sigma)
    found = attack.scene(asked, snapshot, made)
    found.want(attack_scene_block.PARTS + 1)
    return asked, found


def _wait(supplies: dict[str, Supply], made: tuple | None, told: dict[str, Any]) -> None:
    """Asked again, until there is anything new."""
    if not told.get("poll"):
        return
    waiting = [supply for column, supply in supplies.items() if not supply.is_whole]
    if waiting:
        waiting[0].wait(len(waiting[0].items) + 1, PATIENCE)
    elif made is not None:
        made[1].wait(attack_scene_block.PARTS + 1, PATIENCE)


def _training(snapshot: Snapshot) -> dict[str, Any]:
    share = min(snapshot.epoch / snapshot.epochs, 1.0) if snapshot.epochs else 1.0
    return {"done": snapshot.is_done, "words": snapshot.progress, "share": share}


def _victim(known: Data, about: Victim, arrays: list[np.ndarray]) -> dict[str, Any]:
    """Name, label and logits; the clean picture follows as float32."""
    arrays.append(_pictures(known, about.x.reshape(1, *known.shape)).astype("<f4"))
    return {"name": about.name, "label": about.label, "own": about.own, "logits": about.logits.tolist()}


def _column(
    attempt: Attempt,
    snapshot: Snapshot,
    supply: Supply[Step],
    had: tuple[int, bool],
    about: Victim,
    arrays: list[np.ndarray],
) -> dict[str, Any]:
    """What an attack has found; of its places from `start` on, their arrays follow: logits float32 [n, classes] and
    the perturbations, pictures as float32."""
    is_whole, found = supply.is_whole, list(supply.items)
    start = min(had[0], len(found))
    told = found[start : start + CHUNK]
    known = data.data(attempt.target.which.recipe.data)
    arrays.append(np.concatenate([s.logits for s in told] or [np.zeros((0, known.n_classes))]).astype("<f4"))
    if told:
        delta = np.concatenate([s.x for s in told]).astype(np.float64) - about.x.reshape(1, *known.shape)
        arrays.append(_pictures(known, delta).astype("<f4"))
    is_told = is_whole and start + len(told) >= len(found)
    made = attack.way(attempt, snapshot, supply) if is_told and found and snapshot.is_done and not had[1] else None
    if made:
        made.want(2)  # the next answer brings it
    return {
        "way": _way(made, arrays),
        "key": attack_specs.name(attempt),
        "name": attempt.attack.name,
        "budget": attack_specs.spent(attempt.attack),
        "start": start,
        "places": [_place(s, about, attempt) for s in told],
        "whole": is_told,
        "error": supply.error if is_told else "",
        "confirmed": bool(is_told and found and attack.is_confirmed(attempt, snapshot, found, about.label)),
    }


def _way(made: Supply[Way] | None, arrays: list[np.ndarray]) -> dict[str, Any] | None:
    """How many borders and ways there are; arrays: ways int32, shares float32, layers uint8, then slopes and jumps."""
    if made is None or not (made.items or made.error):
        return None
    if made.error:
        return {"why": made.error}
    found = made.items[0]
    arrays += [found.step.astype("<i4"), found.share.astype("<f4"), found.layer.astype(np.uint8)]
    arrays += [found.slopes.astype("<f4"), found.jumps.astype("<f4")]
    return {"n": len(found.step), "ways": len(found.slopes), "why": ""}


def _place(step: Step, about: Victim, attempt: Attempt) -> dict[str, Any]:
    moved = torch.tensor(step.x.reshape(1, -1).astype(np.float64) - about.x)
    distance = float(attempt.threat.distance(moved, torch.zeros_like(moved))[0])
    return {
        "step": step.index,
        "loss": _finite(step.loss[0]),
        "margin": _finite(step.margin[0]),
        "says": int(step.prediction[0]),
        "norm": _finite(step.gradient_norm[0]),
        "turn": _finite(step.turn[0]),
        "changes": step.changes[0].tolist(),
        "queries": int(step.queries[0]),
        "distance": distance,
    }


def _finite(value: Any) -> float | None:
    """JSON has no NaN."""
    return float(value) if isfinite(value) else None


def _pictures(known: Data, x: np.ndarray) -> np.ndarray:
    """Inputs as the component draws them: points as they are, anything else as pictures [n, C, H, W]."""
    return x if inputs.is_planar(known) else as_images(torch.tensor(x)).numpy()


def _points(known: Data, arrays: list[np.ndarray]) -> int:
    """How many training points follow (float32), with their labels (bytes); none where inputs are no points."""
    if not inputs.is_planar(known):
        return 0
    n = min(POINTS, len(known.x_train))
    arrays += [known.x_train[:n].astype("<f4"), known.labels_train[:n].astype(np.uint8)]
    return n
