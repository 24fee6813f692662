"""What the Regions view asks: two networks on a plane, and the ladder of pictures that answers it."""

from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st

from app.compute import Unusable, aims, data, planes, trained
from app.compute.planes import Choice
from app.compute.region_ladder import LIMIT, MOST_RUNGS, Ladder, Rung, limit, rungs, start
from app.compute.trained import Snapshot, Which
from kwta.regions.stages import Stages, stages

__all__ = [
    "LIMIT",
    "MOST_RUNGS",
    "WEIGHTS",
    "Ladder",
    "Question",
    "Rung",
    "folded",
    "initialised",
    "ladder",
    "limit",
    "question",
    "rungs",
    "start",
]

WEIGHTS = {"he": "Untrained (He)", "untrained": "Untrained", "trained": "Trained"}
# Units of a layer at most: all cells of one layer are found before the next, however few are wanted in the end.
WIDEST = 1024
# Ladders kept, a few megabytes each.
KEPT = 24


@dataclass(frozen=True)
class Question:
    """What a ladder is made of: two networks, as far as they are trained, and the plane. ReLU may have weights of its
    own: those that its training found."""

    kwta: Which
    relu: Which
    frames: tuple[int, int]
    choice: Choice
    kind: Literal["regions"] = "regions"


def question(setup, weights: str, choice: Choice) -> tuple[Question, Snapshot, Snapshot]:
    """What is asked, and the two networks as they are now: one and the same, with the same weights, while untrained.

    The first one points out a plane that needs a network.
    """
    kind = "trained" if weights == "trained" else "untrained"
    kwta, relu = (initialised(trained.which(setup, kind, phi), weights) for phi in ("kwta", "relu"))
    first = trained.snapshot(kwta)
    second = trained.snapshot(relu) if relu.is_trained else first
    return Question(kwta, relu, (first.frames, second.frames), aims.aimed(choice, first)), first, second


def initialised(which: Which, weights: str) -> Which:
    """The network with the initial weights that are chosen."""
    if weights != "he":
        return which
    return replace(which, recipe=replace(which.recipe, net=replace(which.recipe.net, init="he")))


def ladder(asked: Question, kwta: Snapshot, relu: Snapshot) -> Ladder:
    """The shared ladder of this question; Unusable where the network or the plane cannot be had."""
    return _ladder(asked, kwta, relu)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _ladder(asked: Question, _kwta: Snapshot, _relu: Snapshot) -> Ladder:
    home, view = planes.home(asked.choice), planes.shown(asked.choice)
    square = planes.frame(home, asked.choice.window)
    kwta = _on(asked, 0, _kwta)
    relu = _on(asked, 1, _relu) if asked.relu.is_trained else kwta  # the same weights, as long as they are untrained
    return Ladder(kwta, relu, home, view, square)


def _on(asked: Question, which: int, snapshot: Snapshot) -> Stages:
    """The network on the plane; kept without the window, for zooming changes nothing about it."""
    choice = replace(asked.choice, window=planes.Window(), clip="free")
    return folded(((asked.kwta, asked.relu)[which], asked.frames[which], choice), snapshot)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def folded(key: tuple[Which, int, Choice], _snapshot: Snapshot) -> Stages:
    """The network, as far as it is trained, on the home plane of a choice; Unusable where its regions cannot be had."""
    choice = key[-1]
    widest = max(key[0].recipe.net.sizes)
    if widest > WIDEST:
        raise Unusable(f"regions are found for layers of up to {WIDEST:,} units; this network has one of {widest:,}")
    try:
        return stages(_snapshot.net, planes.home(choice), data.data(choice.data).shape)
    except ValueError as error:
        raise Unusable(f"regions of this network cannot be found: {error}.") from error
