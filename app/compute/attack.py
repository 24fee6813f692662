"""What the Attack view asks: attacks step by step and the planes of their paths, made once for all viewers."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import streamlit as st
import torch
from torch import Generator, nn

from app.compute import Unusable, attack_paths, attack_search, data, inputs, regions, trained
from app.compute.attack_field import Field, field
from app.compute.attack_paths import Paths, Way
from app.compute.attack_specs import Attempt, Target, name
from app.compute.attack_supply import Supply
from app.compute.trained import Snapshot
from kwta.attacks import trace
from kwta.attacks.adaptive import Adaptive
from kwta.attacks.gradient import Pgd
from kwta.attacks.judge import judged
from kwta.attacks.noise import Noise
from kwta.attacks.trace import Step
from kwta.networks import set_gamma
from kwta.regions import plane
from kwta.regions.cells import Cells
from kwta.regions.stages import stages

# Attacks, planes and networks kept, over all viewers: an attack on a large image takes a few megabytes.
KEPT, PLANES, NETWORKS = 192, 24, 16


@dataclass(frozen=True, eq=False)
class Victim:
    """The input that is attacked: x [d] flat in float64, its label, and what the network says of it.

    own: whether the label is a test label; otherwise it is the network's own answer. logits: of the clean input.
    """

    name: str
    x: np.ndarray
    label: int
    own: bool
    logits: np.ndarray

    @property
    def says(self) -> int:
        """The prediction for the clean input."""
        return int(self.logits.argmax())


@dataclass(frozen=True)
class SceneOf:
    """The plane of three attacks on one input, as far as each has got (so many places); σ of the smoothed field.

    fitted: the attack whose path the plane is fitted to; None for the plane through the ends of the first and the last.
    """

    attempts: tuple[Attempt, ...]
    places: tuple[int, ...]
    fitted: int | None
    sigma: float
    kind: Literal["scene"] = "scene"


Part = Paths | Cells | Field | Unusable


def target(setup, weights: str, activation: str, gamma: float, image: str) -> tuple[Target, Snapshot]:
    """The network that the controls describe with γ moved to `gamma`, and how far it is trained."""
    snapshot = trained.snapshot(trained.which(setup, weights, activation))
    return target_of(snapshot, gamma, image), snapshot


def target_of(snapshot: Snapshot, gamma: float, image: str) -> Target:
    """The same of a network at hand."""
    is_relu = snapshot.which.recipe.net.gamma is None
    return Target(snapshot.which, snapshot.frames, None if is_relu else gamma, image)


def network(aim: Target, snapshot: Snapshot) -> nn.Module:
    """The network under attack: shared, in evaluation mode, on the CPU."""
    bare = replace(aim, image="")
    return _network(name(bare), bare, snapshot)


# The caches go by the names of specs: Streamlit takes a millisecond to hash a nested spec, and an answer asks often.
@st.cache_resource(max_entries=NETWORKS, show_spinner=False)
def _network(key: str, _aim: Target, _snapshot: Snapshot) -> nn.Module:  # noqa: ARG001 (names what follows)
    if _aim.gamma is None or _aim.gamma == _aim.which.recipe.net.gamma:
        return _snapshot.net
    net = deepcopy(_snapshot.net)
    try:
        set_gamma(net, _aim.gamma)
    except ValueError as error:
        raise Unusable(f"this γ cannot be had: {error}. Choose a larger one.") from error
    return net.eval()


def victim(aim: Target, snapshot: Snapshot) -> Victim:
    """The input under attack; raises ValueError where the data have none of this name."""
    return _victim(name(aim), aim, snapshot)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _victim(key: str, _aim: Target, _snapshot: Snapshot) -> Victim:  # noqa: ARG001 (names what follows)
    found = inputs.found(data.data(_aim.which.recipe.data), _aim.image)
    with torch.no_grad():
        logits = network(_aim, _snapshot)(torch.tensor(found.x[None]))[0].numpy()
    label = int(logits.argmax()) if found.label is None else found.label
    return Victim(found.name, found.x.astype(np.float64).ravel(), label, found.label is not None, logits)


def steps(attempt: Attempt, snapshot: Snapshot) -> Supply[Step]:
    """The attack's places, the start first; shared by all viewers."""
    return _steps(name(attempt), attempt, network(attempt.target, snapshot), victim(attempt.target, snapshot).label)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _steps(key: str, _attempt: Attempt, _net: nn.Module, _label: int) -> Supply[Step]:
    return Supply(partial(_made, _attempt, _net, _label), key)


def _made(attempt: Attempt, net: nn.Module, label: int) -> Iterator[Step]:
    known = data.data(attempt.target.which.recipe.data)
    x = torch.tensor(inputs.found(known, attempt.target.image).x[None])
    labels, generator = torch.tensor([label]), Generator().manual_seed(attempt.seed)
    attack = attempt.attack
    if isinstance(attack, Pgd | Adaptive):
        return trace.steps(attack, net, x, labels, attempt.threat, generator)
    budget = attack.samples if isinstance(attack, Noise) else attack.queries
    return attack_search.steps(attack, net, x, labels, attempt.threat, generator, budget)


def first_fooled(found: list[Step], label: int) -> int | None:
    """The first place where the network errs."""
    return next((i for i, step in enumerate(found) if step.prediction[0] != label), None)


def best(found: list[Step], label: int) -> int:
    """The place that an attack hands over: where it fools the network, or else where the margin is largest."""
    first = first_fooled(found, label)
    return max(range(len(found)), key=lambda i: found[i].margin[0]) if first is None else first


def is_confirmed(attempt: Attempt, snapshot: Snapshot, found: list[Step], label: int) -> bool:
    """Whether the independent judge, too, finds the network fooled by the best place, in ball and box."""
    known = data.data(attempt.target.which.recipe.data)
    x = torch.tensor(inputs.found(known, attempt.target.image).x[None])
    proposed = torch.tensor(found[best(found, label)].x)
    net = network(attempt.target, snapshot)
    return bool(judged(net, x, torch.tensor([label]), proposed, attempt.threat).fooled[0])


def way(attempt: Attempt, snapshot: Snapshot, supply: Supply[Step]) -> Supply[Way]:
    """The borders on the attack's way, once that has come to its end; one item."""
    net, about = network(attempt.target, snapshot), victim(attempt.target, snapshot)
    shape = data.data(attempt.target.which.recipe.data).shape
    return _way((name(attempt), len(supply.items)), shape, net, about, supply)


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _way(
    key: tuple[str, int], shape: tuple[int, ...], _net: nn.Module, _about: Victim, _supply: Supply[Step]
) -> Supply[Way]:

    def made() -> Iterator[Way]:
        yield attack_paths.way(_net, shape, _about.x, _flat(_supply, key[1]))

    return Supply(made)


def _flat(supply: Supply[Step], n: int) -> np.ndarray:
    """The first n places, [n, d] in float64."""
    return np.stack([step.x[0].ravel() for step in supply.items[:n]]).astype(np.float64)


def scene(asked: SceneOf, snapshot: Snapshot, supplies: list[Supply[Step]]) -> Supply[Part]:
    """The plane, its regions and the two fields, one after another."""
    aim = asked.attempts[0].target
    return _scene(name(asked), asked, network(aim, snapshot), victim(aim, snapshot), supplies)


@st.cache_resource(max_entries=PLANES, show_spinner=False)
def _scene(
    key: str,
    _asked: SceneOf,
    _net: nn.Module,
    _about: Victim,
    _supplies: list[Supply[Step]],
) -> Supply[Part]:
    places = tuple(_flat(supply, n) for supply, n in zip(_supplies, _asked.places, strict=True))
    return Supply(partial(_parts, _asked, _net, _about, places), key)


def _parts(asked: SceneOf, net: nn.Module, about: Victim, places: tuple[np.ndarray, ...]) -> Iterator[Part]:
    first = asked.attempts[0]
    shape = data.data(first.target.which.recipe.data).shape
    found = attack_paths.paths(about.x, places, asked.fitted, first.threat)
    yield found
    yield _cells(net, found, shape)
    for sigma in (0.0, asked.sigma):
        yield field(net, found.plane, shape, about.label, sigma, first.seed)


def _cells(net: nn.Module, found: Paths, shape: tuple[int, ...]) -> Cells | Unusable:
    try:
        folded = stages(net, found.plane, shape)
        if max(folded.sizes, default=0) > regions.WIDEST:
            raise ValueError(
                f"layers of up to {regions.WIDEST:,} units are followed, one here has {max(folded.sizes):,}"
            )
        return plane.of_stages(folded, found.plane, regions.limit(folded.sizes))
    except ValueError as error:
        return Unusable(f"the regions on this plane cannot be found: {error}")
