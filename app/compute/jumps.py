"""What the Jumps view asks: which networks along γ, on which plane, and in which measure a jump is large."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import streamlit as st

from app.compute import Unusable, aims, jump_training, planes, regions, trained
from app.compute.jump_block import Measure
from app.compute.jump_ladder import Ladder
from app.compute.planes import Choice, Window
from app.compute.region_ladder import Rung
from app.compute.regions import initialised
from app.compute.trained import Snapshot, Which
from kwta.activation import winners
from kwta.regions.stages import Stages

MODES = {"same": "the same weights, γ varied", "each": "a network trained at each γ"}
SIZES = {"l2": "‖jump‖₂", "l1": "‖jump‖₁", "linf": "‖jump‖∞", "logit": "|jump| of one logit"}
# Where networks are trained: more would take minutes, fewer would not show the curve's turn.
GAMMAS = tuple(Fraction(n, 20) for n in (1, 2, 4, 6, 8, 10, 12, 14, 16, 18))
# Seconds of training between two looks at whether somebody still asks.
SLICE = 0.2
# Ladders kept; those of large networks take 20 MB each.
KEPT = 12


@dataclass(frozen=True)
class Question:
    """What a ladder is made of.

    nets: one network, whose γ is varied while its weights stay, or one for each rung (the first with ReLU), trained for
    its γ. frames: how far the one network is trained.
    """

    nets: tuple[Which, ...]
    frames: int
    choice: Choice
    measure: Measure
    kind: Literal["jumps"] = "jumps"

    @property
    def is_trained_at_each(self) -> bool:
        return len(self.nets) > 1


def measure(size: str, logit: int) -> Measure:
    """The measure that two controls describe."""
    match size:
        case "l1" | "l2" | "linf":
            return Measure(size)
        case _:
            return Measure("l2", logit)


def rungs(sizes: tuple[int, ...], mode: str) -> tuple[Rung, ...]:
    """ReLU, then γ ascending: every k for the same weights, GAMMAS where a network is trained for each."""
    if mode == "same":
        return regions.rungs(sizes)
    ladder = [Rung(gamma, tuple(winners(gamma, n) for n in sizes)) for gamma in GAMMAS if gamma * min(sizes) >= 1]
    return (Rung(None, (0,) * len(sizes)), *(ladder or [Rung(Fraction(1), sizes)]))


def start(asked: Question, ladder: Ladder, gamma: float) -> int:
    """The rung of the shared γ: the one with its winners, or the network trained nearest to it."""
    if not asked.is_trained_at_each:
        return regions.start(ladder.rungs, gamma, ladder.sizes)
    return min(range(1, len(ladder.rungs)), key=lambda i: abs(float(ladder.rungs[i].gamma or 0) - gamma))


def question(setup, mode: str, weights: str, choice: Choice, measure: Measure) -> tuple[Question, Snapshot | None]:
    """What is asked, and the one network as it is now (None where each γ has its own)."""
    if mode == "each":
        if choice.shape in planes.AIMED:  # the network of the shared γ points it out
            choice = aims.aimed(choice, trained.snapshot(trained.which(setup)))
        return Question(_at_each(setup), 0, choice, measure), None
    kind = "trained" if weights == "trained" else "untrained"
    found = trained.snapshot(initialised(trained.which(setup, kind), weights))
    return Question((found.which,), found.frames, aims.aimed(choice, found), measure), found


def _at_each(setup) -> tuple[Which, ...]:
    kwta, relu = trained.which(setup), trained.which(setup, activation="relu")
    ladder = rungs(kwta.recipe.net.sizes, "each")
    return (relu, *(_with_gamma(kwta, float(rung.gamma or 1)) for rung in ladder[1:]))


def _with_gamma(which: Which, gamma: float) -> Which:
    return replace(which, recipe=replace(which.recipe, net=replace(which.recipe.net, gamma=gamma)))


def ladder(asked: Question, snapshot: Snapshot | None) -> Ladder:
    """The shared ladder of this question; Unusable where the network or the plane cannot be had."""
    return _ladder(asked, snapshot)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _ladder(asked: Question, _snapshot: Snapshot | None) -> Ladder:
    both = planes.home(asked.choice), planes.shown(asked.choice)
    sizes = asked.nets[0].recipe.net.sizes
    square = planes.frame(both[0], asked.choice.window)
    ladder = rungs(sizes, "each" if asked.is_trained_at_each else "same")
    if _snapshot is None:
        return Ladder(ladder, sizes, lambda rung: _trained(asked, rung), both, square, asked.measure)
    folded = regions.folded((asked.nets[0], asked.frames, _place(asked)), _snapshot)
    own = lambda rung: _with_winners(folded, ladder[rung].winners)  # noqa: E731
    return Ladder(ladder, sizes, own, both, square, asked.measure)


def _place(asked: Question) -> Choice:
    """The plane without its window, for zooming changes nothing about the network on it."""
    return replace(asked.choice, window=Window(), clip="free")


def _with_winners(steps: Stages, ks: tuple[int, ...]) -> Stages:
    layers = tuple(replace(layer, k=k) for layer, k in zip(steps.hidden, ks, strict=True))
    return Stages(layers, steps.weight, steps.bias)


def _trained(asked: Question, rung: int) -> Stages | None:
    """The network of a rung that has one of its own, after a little more training if it is not through."""
    which = asked.nets[rung]
    course = jump_training.course(which.recipe)
    if not course.is_done:
        course.go_on(SLICE)
    if course.error:
        raise Unusable(f"the training at this γ failed: {course.error}")
    if course.net is None:
        return None
    snapshot = Snapshot(which, course.net, 0, float(course.epochs), course.epochs, True)
    return regions.folded((which, -1, _place(asked)), snapshot)


@dataclass(frozen=True)
class Progress:
    """How far the training is: whether it is through, in words, and as a share."""

    done: bool
    words: str
    share: float


def progress(asked: Question, ladder: Ladder, snapshot: Snapshot | None) -> Progress:
    """How far the training is that the pictures wait for."""
    if snapshot is not None:
        share = min(snapshot.epoch / snapshot.epochs, 1.0) if snapshot.epochs else 1.0
        return Progress(snapshot.is_done, snapshot.progress, share)
    courses = [jump_training.course(which.recipe) for which in asked.nets]
    done = sum(course.is_done for course in courses)
    share = sum(1.0 if course.is_done else course.epoch / course.epochs for course in courses) / len(courses)
    now = [
        f"{_name(rung)}: epoch {course.epoch:.0f} of {course.epochs}"
        for rung, course in zip(ladder.rungs, courses, strict=True)
        if course.epoch and not course.is_done
    ]
    words = f"{done} of {len(courses)} networks trained" + (f"; {now[-1]}" if now else "")
    return Progress(done == len(courses), words, share)


def _name(rung: Rung) -> str:
    return "ReLU" if rung.gamma is None else f"γ = {float(rung.gamma):g}"
