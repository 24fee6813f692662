"""The plane of three attacks as JSON and arrays for the Attack component: paths, cells, and two gradient fields."""

from math import isfinite
from typing import Any

import numpy as np

from app.compute import attack, attack_paths, attack_specs, region_block
from app.compute.attack import SceneOf, Victim
from app.compute.attack_field import Field, apart
from app.compute.attack_paths import Paths
from app.compute.attack_supply import Supply
from kwta.regions.cells import Cells

# Paths, cells, the exact and the smoothed field.
PARTS = 4


def packed(asked: SceneOf, made: Supply, told: Any, about: Victim, arrays: list[np.ndarray]) -> dict[str, Any]:
    """The parts that the page lacks, in order: paths, cells, two fields; all places in the square −1..1."""
    key, parts = attack_specs.name(asked), list(made.items)
    had = told[1] if isinstance(told, list) and len(told) == 2 and told[0] == key and isinstance(told[1], int) else 0
    found: dict[str, Any] = {
        "key": key,
        "attempts": [attack_specs.name(one) for one in asked.attempts],
        "start": had,
        "error": made.error,
        "whole": made.is_whole,
        "parts": [],
    }
    square = attack_paths.frame(parts[0].plane) if parts and isinstance(parts[0], Paths) else (np.zeros(2), 1.0)
    exact = next((part for part in parts if isinstance(part, Field)), None)
    for part in parts[max(had, 0) :]:
        found["parts"].append(_part(part, square, asked, about, arrays, exact))
    return found


def _part(
    part: attack.Part,
    square: tuple[np.ndarray, float],
    asked: SceneOf,
    about: Victim,
    arrays: list[np.ndarray],
    exact: Field | None,
) -> dict[str, Any]:
    centre, half = square
    match part:
        case Paths():
            outline = attack_paths.outline(part.plane, about.x, asked.attempts[0].threat)
            for u, away in zip(part.u, part.away, strict=True):
                arrays += [((u - centre) / half).astype("<f4"), away.astype("<f4")]
            arrays.append(((outline - centre) / half).astype("<f4"))
            sizes = {"places": list(asked.places), "outline": len(outline)}
            place = {"at": ((part.at - centre) / half).tolist(), "half": half, "low": (centre - half).tolist()}
            return {"kind": "paths", "fitted": asked.fitted, **place, **sizes}
        case Cells():
            return _cells(part, square, arrays)
        case Field():
            arrays += [((part.t - centre) / half).astype("<f4"), part.arrows.astype("<f4")]
            return {
                "kind": "field",
                "n": len(part.t),
                "sigma": part.sigma,
                "apart": None if exact is None else _apart(exact, part),
            }
    return {"kind": "none", "why": str(part)}


def _cells(part: Cells, square: tuple[np.ndarray, float], arrays: list[np.ndarray]) -> dict[str, Any]:
    """Vertices, affine maps, sides of each cell, and the layer of each edge; + 128 where another cell draws it."""
    centre, half = square
    twice = region_block.TWICE * (part.edge_lines % 2 * (part.edge_lines >= 0))
    arrays += [
        ((part.vertices - centre) / half).astype("<f4"),
        region_block.maps(part, square).astype("<f4"),
        np.diff(part.offsets).astype("<i4"),
        (part.edge_layers + twice).astype(np.uint8),
    ]
    sizes = {"n": len(part), "vertices": len(part.vertices), "outputs": part.bias.shape[1]}
    return {"kind": "cells", "complete": part.complete, **sizes}


def _apart(one: Field, other: Field) -> float | None:
    """The mean angle between the fields; JSON has no NaN."""
    angle = apart(one, other)
    return angle if isfinite(angle) else None
