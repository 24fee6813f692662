"""The regions of one rung as a table, as files, and as the Python lines that find them."""

import json

import numpy as np
import streamlit as st

from app.compute import aims, data, planes
from app.compute.planes import Choice
from app.compute.regions import Ladder, Question
from kwta.regions.cells import Cells
from kwta.slices import Slice

# Rows of the table on the page; the files have all of them.
ROWS = 200


def cells(asked: Question, ladder: Ladder, rung: int) -> Cells:
    """The exact cells of one rung, kept for the page that shows them."""
    return _cells((asked, rung), ladder)


@st.cache_resource(max_entries=8, show_spinner=False)
def _cells(key: tuple[Question, int], _ladder: Ladder) -> Cells:
    return _ladder.cells(key[1])


def words(found: Cells) -> str:
    """What the table shows."""
    most = min(len(found), ROWS)
    return f"The {most:,} largest of {len(found):,} regions; the files have all of them, with vertices and winners."


def centroids(found: Cells) -> np.ndarray:
    """The centre of gravity of each region, [n, 2]."""
    start = found.offsets[:-1]
    anchor = found.vertices[start][found.edge_cells]  # differences first: small regions far from zero keep their digits
    a = found.vertices - anchor
    following = np.arange(1, len(a) + 1)
    following[found.offsets[1:] - 1] = start
    b = a[following]
    cross = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    twice = np.add.reduceat(cross, start)
    moments = np.add.reduceat((a + b) * cross[:, None], start)
    safe = np.where(twice > 0, twice, 1)[:, None]
    mean = np.add.reduceat(found.vertices, start) / np.diff(found.offsets)[:, None]
    return np.where(twice[:, None] > 0, found.vertices[start] + moments / (3 * safe), mean)


def table(found: Cells, most: int = ROWS) -> dict[str, np.ndarray]:
    """Number, area, centre, sides, gradient norm of the largest logit there, and class, by falling area."""
    order = np.argsort(-found.areas, kind="stable")[:most]
    centre = centroids(found)[order]
    values = np.einsum("nod,nd->no", found.weight[order], centre) + found.bias[order]
    says = values.argmax(axis=1)
    slopes = np.linalg.norm(found.weight[order, says], axis=1)
    return {
        "region": order,
        "area": found.areas[order],
        "t₁": centre[:, 0],
        "t₂": centre[:, 1],
        "sides": np.diff(found.offsets)[order],
        "class at the centre": says,
        "its logit": values.max(axis=1),
        "|gradient|": slopes,
    }


def csv(found: Cells) -> str:
    """One line per region; floats are written so that they read back exactly."""
    columns = table(found, len(found))
    names = ("region", "area", "t1", "t2", "sides", "class", "logit", "gradient_norm")
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return "\n".join([",".join(names), *(",".join(map(repr, row)) for row in rows)]) + "\n"


def as_json(found: Cells) -> str:
    """Everything about the regions: plane, vertices, affine maps, winners, areas, layers of the edges."""
    patterns = [found.pattern(layer) for layer in range(len(found.sizes))]
    regions = [
        {
            "area": float(found.areas[r]),
            "vertices": found.polygon(r).tolist(),
            "edge_layers": found.edge_layers[found.offsets[r] : found.offsets[r + 1]].tolist(),
            "weight": found.weight[r].tolist(),
            "bias": found.bias[r].tolist(),
            "winners": [np.flatnonzero(pattern[r]).tolist() for pattern in patterns],
        }
        for r in range(len(found))
    ]
    head = {"sizes": found.sizes, "k": found.winners, "complete": found.complete, "covered": found.covered}
    return json.dumps(head | {"plane": json.loads(found.plane.to_json()), "regions": regions})


def snippet(asked: Question, ladder: Ladder, rung: int) -> str:
    """Python lines that find the same regions; they run as they stand."""
    which = asked.relu if rung == 0 else asked.kwta
    recipe, choice = which.recipe, asked.choice
    known = data.data(choice.data)
    gamma = ladder.rungs[rung].gamma
    imports = [
        *(["from fractions import Fraction", ""] if gamma is not None else []),
        "from kwta import slices",
        f"from kwta.datasets import {type(known.spec).__name__}, load",
        f"from kwta.networks import {type(recipe.net).__name__}, build{', set_gamma' if gamma is not None else ''}",
        "from kwta.regions import plane",
        "from kwta.regions.overlay import merged",
        *(["from kwta.training import Training, train"] if which.is_trained else []),
    ]
    training = [
        f"for record in train(net, data, {recipe.training!r}, device={recipe.device!r}):",
        '    if record.kind == "epoch":',
        "        print(record.epoch, record.test_accuracy)",
    ]
    lines = [
        *imports,
        "",
        f"data = load({known.spec!r})",
        f"net = build({recipe.net!r}, seed={recipe.seed}).eval()",
        *(training if which.is_trained else []),
        *([f"set_gamma(net, Fraction({gamma.numerator}, {gamma.denominator}))"] if gamma is not None else []),
        *place(choice, known.box, ladder.view),
        f"cells = plane.cells(net, where, max_regions={ladder.most(rung)}, input_shape={known.shape!r})",
        'print(len(cells), "regions,", merged(cells).max() + 1, "pieces, complete:", cells.complete)',
    ]
    return "\n".join(lines) + "\n"


def place(choice: Choice, box: tuple[float, float], view: Slice) -> list[str]:
    """`where`, the part of the plane that is shown."""
    if choice.aim is not None:
        return [f"# {aims.words(choice)}", f"where = slices.Slice.from_json({view.to_json()!r})"]
    if choice.window != planes.Window():
        return [f"where = slices.Slice.from_json({view.to_json()!r})"]
    low, high = box
    cut = [f"where = slices.clipped(where, {low}, {high})"] if choice.clip == "box" else []
    if choice.shape == "box":
        return [f"where = slices.square({low}, {high}, {low}, {high})", *cut]
    if choice.shape == "images":
        return [f"where = slices.through(*data.x_test[{list(choice.three)}])", *cut]
    radius = planes.reach(choice)
    return [f"where = slices.random_plane(data.x_test[{choice.three[0]}], {choice.seed}, {radius!r})", *cut]
