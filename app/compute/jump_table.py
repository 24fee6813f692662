"""The borders of one rung as a table and as files, and the curves along γ as a file."""

import json
from typing import Any

import numpy as np
import streamlit as st

from app.compute.jump_block import Traced
from app.compute.jump_ladder import Ladder
from app.compute.jumps import Question
from kwta import jumps

# Rows of the table on the page; the files have all of them.
ROWS = 200
WAIT = "This network is still being trained; γ can be moved to one that is ready."


def traced(asked: Question, ladder: Ladder, rung: int) -> Traced | None:
    """The borders of one rung, kept for the page that shows them; None while its network is being trained."""
    if asked.is_trained_at_each and rung not in ladder.blocks:
        return None
    return _traced((asked, rung), ladder)


@st.cache_resource(max_entries=8, show_spinner=False)
def _traced(key: tuple[Question, int], _ladder: Ladder) -> Traced | None:
    return _ladder.traced(key[1])


def words(found: Traced) -> str:
    """What the table shows."""
    n = len(found.borders)
    return f"The {min(n, ROWS):,} borders with the largest jumps of {n:,}; the files have all of them, with both ends."


def table(found: Traced, most: int = ROWS) -> dict[str, np.ndarray]:
    """Layer, units, length, |jump| and v at both ends and the two regions of each border, by falling |jump|."""
    borders, sizes = found.borders, found.sizes
    order = np.argsort(-sizes.max(axis=1), kind="stable")[:most]
    return {
        "border": order,
        "layer": borders.layer[order] + 1,
        "leaves": borders.leaves[order],
        "enters": borders.enters[order],
        "length": borders.lengths[order],
        "|jump| at A": sizes[order, 0],
        "|jump| at B": sizes[order, 2],
        "v at A": found.values[order, 0],
        "v at B": found.values[order, 1],
        "region": borders.cells[order, 0],
        "beside": borders.cells[order, 1],
    }


def csv(found: Traced) -> str:
    """One line per border; floats are written so that they read back exactly."""
    columns = table(found, len(found.borders))
    ends = found.borders.ends[columns["border"]].reshape(-1, 4)
    names = ("border", "layer", "leaves", "enters", "length", "jump_a", "jump_b", "v_a", "v_b", "region", "beside")
    values = [column.tolist() for column in (*columns.values(), *ends.T)]
    return _lines((*names, "a_t1", "a_t2", "b_t1", "b_t2"), zip(*values, strict=True))


def curves(ladder: Ladder) -> str:
    """One line per rung that is there: γ (empty for ReLU), winners, regions, borders; quantiles of |jump|, |v|, v."""
    quantiles = [f"{name}_q{100 * share:g}" for name in ("jump", "abs_v", "v") for share in jumps.QUANTILES]
    names = ("gamma", "winners", "regions", "borders", "complete", "spread", "continuous", "negative_v", *quantiles)
    rows = []
    for rung, row in sorted(ladder.figures.items()):
        gamma, ks = ladder.rungs[rung].gamma, ladder.rungs[rung].winners
        head = (row["cells"], row["borders"], row["is_all"], row["spread"], row["continuous"], row["negative"])
        rows.append([_blank(gamma), " ".join(map(str, ks)), *map(_blank, head), *_quantiles(row)])
    return _lines(names, rows)


def _quantiles(row: dict[str, Any]) -> list[str]:
    return [_blank(value) for name in ("size", "level", "value") for value in row[name]]


def _blank(value: Any) -> str:
    """A number that reads back exactly; nothing for none."""
    return "" if value is None else repr(value if isinstance(value, bool | int) else float(value))


def _lines(names, rows) -> str:
    text = (",".join(value if isinstance(value, str) else repr(value) for value in row) for row in rows)
    return "\n".join([",".join(names), *text]) + "\n"


def as_json(found: Traced) -> str:
    """Everything about the borders: plane, ends, layers, units, the jump of every output and v at both ends."""
    borders = found.borders
    rows = [
        {
            "layer": int(borders.layer[r]) + 1,
            "leaves": int(borders.leaves[r]),
            "enters": int(borders.enters[r]),
            "ends": borders.ends[r].tolist(),
            "jumps": borders.jumps[r].tolist(),
            "v": found.values[r].tolist(),
            "regions": borders.cells[r].tolist(),
        }
        for r in range(len(borders))
    ]
    head = {"sizes": borders.of.sizes, "k": borders.of.winners, "complete": borders.of.complete}
    spread = jumps.deviations(borders.of).tolist()
    plane = json.loads(borders.of.plane.to_json())
    return json.dumps(head | {"plane": plane, "standard_deviations": spread, "borders": rows})
