"""Networks as far as they are trained, for every view that looks into one: the Train page's default runs, shared.

A run goes on only while a page asks for it again and again (`network`), a few frames at a time, so that moving γ across
twenty values does not train twenty networks to the end.
"""

from dataclasses import dataclass

import streamlit as st
import torch
from torch import nn

from app.compute import Unusable, networks, recipes, training
from app.compute.runs import Recipe, Run, State, restored
from kwta.networks import build

WEIGHTS = {"trained": "Trained", "untrained": "Untrained"}
# The hidden layers: the activation that the controls describe, or its twin with ReLU.
ACTIVATIONS = {"kwta": "k-WTA", "relu": "ReLU"}
# What the Train view starts with: epochs, batch, optimiser, learning rate, no clipping; γ is held.
SCHEDULE = recipes.schedule(20, 64, "sgd", 0.1, 0.0)
# Frames that a run may be ahead of the last page that asked for it: a second or two of a small network.
AHEAD = 24
# Seconds a page waits for the first frame before it shows the network as initialised.
PATIENCE = 0.3
# Networks with their weights kept, over all viewers; a large one takes 40 MB.
KEPT = 8


@dataclass(frozen=True)
class Which:
    """Which network: data, layers, γ or ReLU, seed, and whether it is trained; hashable, so it is a cache key."""

    recipe: Recipe
    is_trained: bool


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A network (in evaluation mode, on the CPU, shared: do not train it) and how far its training is.

    epoch: a number with a fraction, 0 where nothing is trained. frames: how many moments of the run came before, which
    with `which` names the weights.
    """

    which: Which
    net: nn.Module
    frames: int
    epoch: float
    epochs: int
    is_done: bool

    @property
    def progress(self) -> str:
        """How far the network is, in words."""
        if not self.which.is_trained:
            return "untrained"
        return (
            f"trained for {self.epochs} epochs"
            if self.is_done
            else f"training: epoch {self.epoch:.0f} of {self.epochs}"
        )

    @property
    def progress_and_schedule(self) -> str:
        """How far the network is and how it was trained, in words."""
        if not self.which.is_trained or not self.is_done:
            return self.progress
        plan = self.which.recipe.training
        return f"{self.progress}, {plan.optimiser.upper()} {plan.learning_rate:g}"


def which(setup, weights: str = "trained", activation: str = "kwta") -> Which:
    """The network that the shared controls describe, or its twin with ReLU; raises NetworkError or DataError."""
    pair = recipes.pair(setup, networks.spec(setup), recipes.RELU, "held", SCHEDULE)
    return Which(pair.right if activation == "relu" else pair.left, weights == "trained")


def snapshot(which: Which) -> Snapshot:
    """The network now. A trained one is trained in the background meanwhile: ask again until `is_done`.

    Raises Unusable if its training diverged or failed.
    """
    if not which.is_trained:
        return Snapshot(which, _at(which.recipe, -1), -1, 0.0, 0, True)
    run = training.viewer().watch(which.recipe)
    run.want(len(run.frames) + AHEAD)
    if not run.frames:
        run.wait(1, PATIENCE)
    state = run.state()
    if run.error or (run.stopped and run.stopped.reason == "diverged"):
        why = run.error or (run.stopped.message if run.stopped else "")
        raise Unusable(f"the training failed: {why} Choose the untrained network, or other layers or γ.")
    net = _at(which.recipe, state.frames, state)
    return Snapshot(which, net, state.frames, epoch(run), which.recipe.training.epochs, state.is_ended)


def epoch(run: Run) -> float:
    """How many epochs the last frame of a run has behind it."""
    steps = [record.step for frame in run.frames[-1:] for record in frame.records[-1:]]
    return max(steps, default=0) / run.per_epoch


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def _at(recipe: Recipe, frames: int, _state: State | None = None) -> nn.Module:  # noqa: ARG001 (part of the key)
    """The recipe's network in the state with so many frames, which names the weights; −1 for untrained."""
    if _state is None:
        return build(recipe.net, recipe.seed).eval()
    net = restored(recipe, _state)
    if not all(torch.isfinite(value).all() for value in net.state_dict().values() if value.is_floating_point()):
        raise Unusable("the weights are no longer finite: the training diverged. Choose the untrained network.")
    return net
