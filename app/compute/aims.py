"""Planes that a network points out: along its loss gradient at a test input, or through the end of an attack on it."""

from dataclasses import replace

import numpy as np
import streamlit as st
import torch

from app.compute import Unusable, data, planes
from app.compute.attack_specs import FIRST_EPS, FIRST_STEP, side
from app.compute.planes import Aim, Choice, Mark, Window
from app.compute.trained import Snapshot
from kwta import slices
from kwta.attacks.gradient import Pgd, pgd
from kwta.datasets import Data
from kwta.slices import Slice
from kwta.threats import Threat

STEPS = 40  # of the attack, as in the Attack view at first
KEPT = 64


def aimed(choice: Choice, snapshot: Snapshot) -> Choice:
    """The choice with the plane that this network points out, where its shape is one of those; else the choice.

    Unusable where the gradient has no direction or the attack did not move.
    """
    if choice.shape not in planes.AIMED:
        return choice
    place = replace(choice, window=Window(), clip="free")
    return replace(choice, aim=_aim(place, snapshot.frames, repr(snapshot.which), snapshot))


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _aim(choice: Choice, frames: int, which: str, _snapshot: Snapshot) -> Aim:  # noqa: ARG001 (part of the key)
    known = data.data(choice.data)
    found = along_gradient if choice.shape == "gradient" else through_attack
    try:
        home, marks = found(known, choice, _snapshot)
    except (ValueError, IndexError) as error:
        raise Unusable(f"this plane cannot be had: {error}. Choose another one.") from error
    return Aim(_snapshot.which, frames, home, marks)


def along_gradient(known: Data, choice: Choice, snapshot: Snapshot) -> tuple[Slice, tuple[Mark, ...]]:
    """x + t₁ g/‖g‖ + t₂ r: g the loss gradient of x's own label, r a random direction orthogonal to it."""
    (mark,) = planes.tests(known, choice.three[:1])
    x, label = known.x_test[mark.index].astype(np.float64), mark.label
    return slices.gradient_plane(snapshot.net, x, label, choice.seed, planes.reach(choice)), (mark,)


def through_attack(known: Data, choice: Choice, snapshot: Snapshot) -> tuple[Slice, tuple[Mark, ...]]:
    """The plane through a test input x, the end x' of a PGD attack on it, and another test input."""
    start, other = planes.tests(known, choice.three[:2])
    end, label = attacked(known, start.index, snapshot)
    if (end == start.x).all():
        raise ValueError("the attack did not move: the loss of this input has no gradient")
    mark = Mark(end, label, start.index, f"PGD: {known.classes[label]}")
    return slices.through(start.x, end, other.x), (start, mark, other)


def attacked(known: Data, index: int, snapshot: Snapshot) -> tuple[np.ndarray, int]:
    """x' of the test input with this number, flat in float64, and the class that the network gives it.

    PGD from x with the absolute step and the L∞ ball that the Attack view starts with.
    """
    x = torch.tensor(known.x_test[index : index + 1])
    labels = torch.tensor([int(known.labels_test[index])])
    size = side(known)
    threat = Threat(FIRST_EPS * size, "linf", float(known.box[0]), float(known.box[1]))
    spec = Pgd(FIRST_STEP * size, STEPS, "clean")
    end = pgd(spec, snapshot.net, x, labels, threat, torch.Generator().manual_seed(0)).x
    with torch.no_grad():
        label = int(snapshot.net(end).argmax())
    return end.numpy().astype(np.float64).ravel(), label


def words(choice: Choice) -> str:
    """Which network pointed the plane out, and how; "" for other planes."""
    if choice.aim is None:
        return ""
    net = choice.aim.which.recipe.net
    gamma = net.gamma if isinstance(net.gamma, float) else None
    name = "k-WTA" if gamma is None else f"k-WTA at γ = {gamma:g}"
    if choice.shape == "gradient":
        return f"→ up the loss of №{choice.three[0]} ({name}), ↑ a random direction"
    return f"through №{choice.three[0]}, its PGD image ({name}) and №{choice.three[1]}"
