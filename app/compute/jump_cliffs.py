"""One logit over the plane as a surface in space: a polygon over every region, a wall wherever two do not meet."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.compute import data, inputs, jump_table
from app.compute.jump_block import Traced
from app.compute.jump_ladder import Ladder
from app.compute.jumps import Question
from kwta.jumps import Borders, deviations
from kwta.regions.cells import Cells

# Triangles of the surface and its walls that a browser still turns smoothly.
MOST = 60_000


@dataclass(frozen=True, eq=False)
class Cliffs:
    """Corners [n, 3] (t₁, t₂, f) of triangles [m, 3], those of the surface and those of the walls with their height.

    heights: |jump| at the corners of the walls. gamma: None for ReLU. n_regions, n_borders: how many there are; shown:
    the share of the walls, the highest first, that is drawn. names: of the axes and of the logit.
    """

    corners: np.ndarray
    surface: np.ndarray
    walls: np.ndarray
    wall_corners: np.ndarray
    heights: np.ndarray
    gamma: float | None
    n_regions: int
    n_borders: int
    shown: float
    deviation: float
    axes: tuple[str, str]
    logit: str


def cliffs(asked: Question, ladder: Ladder, rung: int, logit: int) -> Cliffs | None:
    """The surface of one logit at one rung; None while its network is being trained."""
    found = jump_table.traced(asked, ladder, rung)
    return None if found is None else _cliffs((asked, rung, logit), found, ladder.rungs[rung].gamma)


@st.cache_resource(max_entries=8, show_spinner=False)
def _cliffs(key: tuple[Question, int, int], _found: Traced, _gamma) -> Cliffs:
    asked, _, logit = key
    known = data.data(asked.choice.data)
    cells, borders = _found.borders.of, _found.borders
    heights = np.abs(borders.jumps[:, :, logit])
    surface = triangles(cells)
    room = max((MOST - len(surface)) // 2, 0)
    order = np.argsort(-heights.max(axis=1), kind="stable")[:room]
    order = order[heights[order].max(axis=1) > 0]
    jumping = int((heights.max(axis=1) > 0).sum())
    wall_corners, walls, at = raised(borders, order, logit)
    f = (
        np.einsum("vd,vd->v", cells.weight[cells.edge_cells, logit], cells.vertices)
        + cells.bias[cells.edge_cells, logit]
    )
    names = ("x₁", "x₂") if inputs.is_planar(known) else ("t₁", "t₂")
    return Cliffs(
        corners=np.c_[cells.vertices, f],
        surface=surface,
        walls=walls,
        wall_corners=wall_corners,
        heights=at,
        gamma=None if _gamma is None else float(_gamma),
        n_regions=len(cells),
        n_borders=len(borders),
        shown=len(order) / jumping if jumping else 1.0,
        deviation=float(deviations(cells)[logit]),
        axes=names,
        logit=str(known.classes[logit]),
    )


def triangles(cells: Cells) -> np.ndarray:
    """Places in `vertices` of the corners of triangles that make up all cells, [m, 3]: each cell a fan."""
    inside = np.ones(len(cells.vertices), bool)
    inside[cells.offsets[:-1]] = inside[cells.offsets[1:] - 1] = False
    second = np.flatnonzero(inside)
    return np.stack([cells.offsets[:-1][cells.edge_cells][inside], second, second + 1], axis=1)


def raised(borders: Borders, order: np.ndarray, logit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Walls over the borders `order`: corners [n, 3], triangles [m, 3] and |jump| at the corners.

    A wall is the strip between the two sides' values along the border. Where the jump changes its sign on the way the
    two edges cross, and the wall is two triangles that meet there.
    """
    cells, ends = borders.of, borders.ends[order]
    first, second = (_values(cells, borders.cells[order, side], ends, logit) for side in (0, 1))
    jump = second - first
    crosses = jump[:, 0] * jump[:, 1] < 0
    share = np.where(crosses, jump[:, 0] / np.where(crosses, jump[:, 0] - jump[:, 1], 1.0), 0.5)[:, None]
    middle = ends[:, 0] + share * (ends[:, 1] - ends[:, 0])
    f = first[:, :1] + share * (first[:, 1:] - first[:, :1])
    points = [
        np.c_[ends[:, 0], first[:, 0]],
        np.c_[ends[:, 1], first[:, 1]],
        np.c_[ends[:, 1], second[:, 1]],
        np.c_[ends[:, 0], second[:, 0]],
        np.c_[middle, f],
    ]
    corners = np.stack(points, axis=1)
    size = np.abs(jump)[:, [0, 1, 1, 0, 0]] * [1, 1, 1, 1, 0]
    plain, bow = np.array([[0, 1, 2], [0, 2, 3]]), np.array([[0, 4, 3], [1, 4, 2]])
    faces = np.where(crosses[:, None, None], bow, plain) + 5 * np.arange(len(order))[:, None, None]
    return corners.reshape(-1, 3), faces.reshape(-1, 3), size.reshape(-1)


def _values(cells: Cells, owners: np.ndarray, t: np.ndarray, logit: int) -> np.ndarray:
    return np.einsum("nd,ned->ne", cells.weight[owners, logit], t) + cells.bias[owners, logit][:, None]
