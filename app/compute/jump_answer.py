"""What the Jumps component hears: the figures of all rungs made so far, and the pictures that it has not got yet."""

from dataclasses import asdict
from hashlib import sha256
from typing import Any

import numpy as np

from app.compute import jumps, region_answer, region_block
from app.compute.jump_ladder import Ladder
from app.compute.jumps import Question
from app.compute.region_answer import MOST_BYTES, PATIENCE
from app.compute.trained import Snapshot


def name(asked: Question) -> str:
    """A name for the question, the same in every session."""
    return sha256(repr(asdict(asked)).encode()).hexdigest()[:16]


def packed(
    asked: Question, ladder: Ladder, snapshot: Snapshot | None, state: dict[str, Any], told: dict[str, Any]
) -> bytes:
    """The answer to what the component told: the rung that it shows, then the nearest ones, as they are made.

    `state`: the values of the controls, "rung" and "phi" among them. `told`: key, have (rungs held), seq, setting.
    """
    key = name(asked)
    have = {int(i) for i in told.get("have", ())} if told.get("key") == key else set()
    visible = 0 if state["phi"] == "relu" else state["rung"]
    first = None if visible in have else _first(asked, ladder, visible)
    blocks = {} if first is None else {visible: first}
    found = jumps.progress(asked, ladder, snapshot)
    may_go_on = asked.is_trained_at_each or found.done
    if may_go_on and (told.get("poll") or not told.get("moving")):  # no ladder for every place a hand passes
        ladder.want(visible)
        if not blocks:
            ladder.wait(have, PATIENCE)
            blocks = _next(ladder, visible, have)
    header: dict[str, Any] = {
        "key": key,
        "seq": int(told.get("seq", 0)),
        "state": state,
        "each": asked.is_trained_at_each,
        "rungs": [[float(r.gamma or 0), list(r.winners)] for r in ladder.rungs],
        "sizes": list(asked.nets[0].recipe.net.sizes),
        "figures": [[rung, row] for rung, row in sorted(ladder.figures.items())],
        "failed": [[rung, why] for rung, why in sorted(ladder.failed.items())],
        "square": [*ladder.square[0].tolist(), ladder.square[1]],
        "done": may_go_on and ladder.is_whole,
        "going": may_go_on,
        "training": asdict(found),
    }
    arrays: list[np.ndarray] = []
    if told.get("setting") != region_answer.setting_name(asked.choice):
        header["setting"] = region_answer.setting(asked.choice, ladder.home, arrays)
    return region_block.answer(header, blocks, arrays)


def _first(asked: Question, ladder: Ladder, rung: int) -> bytes | None:
    """The picture that is looked at now; where its network is still to be trained, it comes from the background."""
    return ladder.blocks.get(rung) if asked.is_trained_at_each else ladder.block(rung)


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
