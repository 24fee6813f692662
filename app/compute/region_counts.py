"""Regions against width and depth: k-WTA and ReLU networks of many sizes on one plane, counted in the background."""

import json
import time
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Literal

import streamlit as st

from app.compute import Unusable, data, planes, region_block
from app.compute.background import Background
from app.compute.planes import Choice
from app.compute.region_table import place
from kwta.activation import winners
from kwta.networks import MLP, build
from kwta.regions import plane

WIDTHS, DEPTHS = (8, 16, 32, 64, 128), (1, 2, 3, 4)
# Regions looked for in one network; none of these sizes has had as many on a data box.
MOST = 200_000
KEPT = 16


@dataclass(frozen=True)
class Sizes:
    """What is counted: untrained networks of all WIDTHS and DEPTHS with one γ and with ReLU, on one plane."""

    gamma: tuple[int, int]  # a fraction
    seed: int
    init: Literal["default", "he"]
    choice: Choice
    kind: Literal["sizes"] = "sizes"

    @property
    def fraction(self) -> Fraction:
        return Fraction(*self.gamma)


@dataclass(frozen=True)
class Row:
    """One network: k of every layer (None for ReLU), its regions, and how many of them a grid meets.

    sampled: a lower bound; None where not all regions were found.
    """

    depth: int
    width: int
    k: int | None
    regions: int
    complete: bool
    sampled: int | None
    seconds: float


class Job:
    """The rows of all networks, the small ones first; they are made while somebody asks, and kept."""

    def __init__(self, asked: Sizes) -> None:
        self.asked = asked
        self.rows: list[Row] = []
        self.error = ""
        self.todo = todo(asked.fraction)
        self._background = Background("kwta-counts", self._step)

    @property
    def is_done(self) -> bool:
        return bool(self.error) or len(self.rows) == len(self.todo)

    def want(self) -> None:
        """Go on for a moment."""
        if not self.is_done:
            self._background.want()

    def wait(self, seconds: float) -> None:
        """Wait until all rows are there, or nothing more comes, or the time is over."""
        self._background.wait(lambda: self.is_done, seconds)

    def _step(self) -> bool:
        if self.is_done:
            return False
        try:
            self.rows.append(row(self.asked, *self.todo[len(self.rows)]))
        except ValueError as error:  # Unusable is one
            self.error = str(error)
        return not self.is_done


def todo(gamma: Fraction) -> list[tuple[int, int, bool]]:
    """Depth, width and whether it is ReLU; without those in which γ leaves no winner."""
    sizes = sorted(((depth, width) for depth in DEPTHS for width in WIDTHS), key=lambda s: (s[0] * s[1], s))
    return [(*size, relu) for size in sizes for relu in (False, True) if relu or gamma * size[1] >= 1]


def row(asked: Sizes, depth: int, width: int, relu: bool) -> Row:
    """One network, counted now; ValueError where its regions cannot be had."""
    known = data.data(asked.choice.data)
    started = time.perf_counter()
    net = build(spec(asked, depth, width, relu), asked.seed).eval()
    found = plane.cells(net, planes.shown(asked.choice), MOST, known.shape)
    seconds = time.perf_counter() - started
    sampled = region_block.sampled(found) if found.complete else None
    k = None if relu else winners(asked.fraction, width)
    return Row(depth, width, k, len(found), found.complete, sampled, round(seconds, 6))


def spec(asked: Sizes, depth: int, width: int, relu: bool) -> MLP:
    """The network of these sizes."""
    known = data.data(asked.choice.data)
    widths = (known.x_test[0].size, *(width,) * depth, known.n_classes)
    return MLP(widths, None if relu else asked.fraction, init=asked.init)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def job(asked: Sizes) -> Job:
    """The job of this question, shared by all viewers."""
    return Job(asked)


def asked(gamma: Fraction, seed: int, weights: str, choice: Choice) -> Sizes:
    """The question for these weights; trained ones start from PyTorch's, and here they stay there."""
    found = Sizes((gamma.numerator, gamma.denominator), seed, "he" if weights == "he" else "default", choice)
    planes.shown(choice)  # Unusable here, where it can be told, and not in the background
    return found


def csv(rows: list[Row]) -> str:
    """One line per network."""
    names = list(Row.__dataclass_fields__)
    lines = (",".join("" if v is None else str(v) for v in asdict(one).values()) for one in rows)
    return "\n".join([",".join(names), *lines]) + "\n"


def as_json(of: Job) -> str:
    """The rows and what was asked."""
    asked = asdict(replace(of.asked, choice=replace(of.asked.choice, aim=None)))
    where = json.loads(planes.shown(of.asked.choice).to_json())
    return json.dumps({"asked": asked, "plane": where, "rows": [asdict(one) for one in of.rows]})


def snippet(of: Sizes) -> str:
    """Python lines that count the same; they run as they stand."""
    known = data.data(of.choice.data)
    if known.spec is None:
        raise Unusable("these data have no name by which Python finds them")
    sizes = f"({known.x_test[0].size}, *[width] * depth, {known.n_classes})"
    lines = [
        "from fractions import Fraction",
        "",
        "from kwta import slices",
        f"from kwta.datasets import {type(known.spec).__name__}, load",
        "from kwta.networks import MLP, build",
        "from kwta.regions import grid, plane",
        "",
        f"data = load({known.spec!r})",
        *place(of.choice, known.box, planes.shown(of.choice)),
        f"gamma = Fraction{of.gamma}",
        f"for depth in {DEPTHS}:",
        f"    for width in {WIDTHS}:",
        "        for phi in (gamma, None):  # None is ReLU",
        "            if phi is not None and phi * width < 1:",
        "                continue  # no winner",
        f"            net = build(MLP({sizes}, phi, init={of.init!r}), seed={of.seed}).eval()",
        f"            cells = plane.cells(net, where, {MOST}, {known.shape!r})",
        f"            met = grid.counts(net, where, {region_block.SAMPLED}, input_shape={known.shape!r}).n_patterns",
        '            print(depth, width, "ReLU" if phi is None else "k-WTA", len(cells), "regions; a grid meets", met)',
    ]
    return "\n".join(lines) + "\n"
