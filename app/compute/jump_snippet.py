"""Python lines that find the same borders, jumps and values; they run as they stand."""

from app.compute import data, python_lines, region_table
from app.compute.jump_ladder import Ladder
from app.compute.jumps import Question


def snippet(asked: Question, ladder: Ladder, rung: int) -> str:
    """The network of one rung, its borders on the plane, and what the page says about them."""
    which = asked.nets[rung if asked.is_trained_at_each else 0]
    shape, size = data.data(asked.choice.data).shape, _size(asked)
    lines = [
        *python_lines.imports(which, *_imports(asked, rung)),
        *python_lines.network(which),
        *_gamma(asked, ladder, rung),
        *region_table.place(asked.choice, data.data(asked.choice.data).box, ladder.view),
        "",
        f"steps = stages(net, where, {shape!r})",
        *_relu(asked, rung),
        f"cells = plane.of_stages(steps, where, max_regions={ladder.most(rung)})",
        "borders = jumps.borders(cells)",
        "v = jumps.values(borders, steps).mean(axis=1)  # of the swapped pair, in the middle of each border",
        f"found = borders.summary({size})",
        'print(len(cells), "regions,", len(borders), "borders, complete:", cells.complete)',
        'print("|jump| at", dict(zip(jumps.QUANTILES, found.quantiles)))',
        f'print("spread of f:", jumps.spread(cells{", " + size if size else ""}))',
        'print("share of borders with v < 0:", borders.lengths @ (v < 0) / borders.lengths.sum())',
    ]
    return "\n".join(lines) + "\n"


def _is_switched(asked: Question, rung: int) -> bool:
    """Whether ReLU takes the place of φ_k in a network with the same weights."""
    return rung == 0 and not asked.is_trained_at_each


def _imports(asked: Question, rung: int) -> list[str]:
    stages = "Stages, stages" if _is_switched(asked, rung) else "stages"
    return [
        *(["from dataclasses import replace"] if _is_switched(asked, rung) else []),
        *(["from fractions import Fraction"] if rung and not asked.is_trained_at_each else []),
        "from kwta import jumps, slices",
        "from kwta.regions import plane",
        f"from kwta.regions.stages import {stages}",
    ]


def _gamma(asked: Question, ladder: Ladder, rung: int) -> list[str]:
    gamma = ladder.rungs[rung].gamma
    if gamma is None or asked.is_trained_at_each:
        return []
    return [f"set_gamma(net, Fraction({gamma.numerator}, {gamma.denominator}))  # the weights stay"]


def _relu(asked: Question, rung: int) -> list[str]:
    if not _is_switched(asked, rung):
        return []
    return ["steps = Stages(tuple(replace(layer, k=0) for layer in steps.hidden), steps.weight, steps.bias)  # ReLU"]


def _size(asked: Question) -> str:
    measure = asked.measure
    if measure.logit is not None:
        return f"logit={measure.logit}"
    return "" if measure.norm == "l2" else f"{measure.norm!r}"
