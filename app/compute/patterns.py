"""Who wins for an input, and for a second one: the winner sets of all hidden layers with their pre-activations."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Literal

import numpy as np
import torch

from app.compute import Unusable, data, inputs
from app.compute.inputs import Input
from app.compute.trained import Snapshot
from kwta.datasets import Data
from kwta.networks import activations, winners_of
from kwta.patterns import Norm, hamming, jaccard, patterns, perturbed

COMPARISONS = {"alone": "alone", "input": "another input", "delta": "x + δ"}
NORMS = {"linf": "L∞", "l2": "L2"}
# The slider ends at a δ that moves every entry of x by half the data box.
WIDEST = 0.5


@dataclass(frozen=True)
class Question:
    """What is looked at: the input x, and with what it is compared; names of inputs as in app.compute.inputs."""

    x: str = "0"
    second: str = "1"
    compare: str = "alone"
    norm: Norm = "linf"
    radius: float = 0.1
    seed: int = 0
    kind: Literal["question"] = "question"


@dataclass(frozen=True, eq=False)
class Layer:
    """One hidden layer at m = 1 or 2 inputs: pre-activations y [m, n], winners [m, n], and their numbers.

    shape: of the layer at one input, (n,) or (C, H, W); k is None for ReLU, whose winners are the positive units.
    """

    shape: tuple[int, ...]
    k: int | None
    y: np.ndarray
    won: np.ndarray

    @property
    def n(self) -> int:
        """Units of the layer."""
        return self.won.shape[1]

    @property
    def counts(self) -> list[int]:
        """How many units win, for each input."""
        return self.won.sum(axis=1).tolist()

    @property
    def shared(self) -> int:
        """|A ∩ A′|; with one input, |A|."""
        return int(self.won.all(axis=0).sum())

    @property
    def hamming(self) -> int:
        """|A △ A′|; with one input, 0."""
        return int(hamming(self.won[0], self.won[-1]))

    @property
    def jaccard(self) -> float:
        """|A ∩ A′| / |A ∪ A′|; with one input, 1."""
        return float(jaccard(self.won[0], self.won[-1]))


@dataclass(frozen=True, eq=False)
class Answer:
    """The pattern at x, and at the second input if there is one.

    x: [m, *shape] in float64. sure: [m, classes], the predicted probabilities. index and label [m]: None where the
    input is no test input.
    """

    question: Question
    x: np.ndarray
    index: tuple[int | None, ...]
    label: tuple[int | None, ...]
    sure: np.ndarray
    layers: tuple[Layer, ...]

    @property
    def lengths(self) -> tuple[float, float]:
        """‖x′ − x‖∞ and ‖x′ − x‖₂."""
        step = (self.x[-1] - self.x[0]).ravel()
        return float(np.abs(step).max()), float(np.linalg.norm(step))


def widest(name: str, norm: str) -> float:
    """The largest radius offered for data of this name: half the data box in every entry."""
    known = data.data(name)
    half = WIDEST * (known.box[1] - known.box[0])
    return half * (sqrt(known.x_test[0].size) if norm == "l2" else 1)


def read_radius(name: str) -> Callable[[str], float]:
    """A reader of radii from 0 to the largest that any norm offers for data of this name."""
    most = max(widest(name, norm) for norm in NORMS)

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not 0 <= value <= most:
            raise ValueError(f"the radius must be a number from 0 to {most:.4g}, got {text[:40]!r}")
        return float(f"{value:.4g}")

    return read


def answer(snapshot: Snapshot, question: Question) -> Answer:
    """The patterns that the question asks for; ValueError if it names an input that the data has not."""
    known = data.data(snapshot.which.recipe.data)
    chosen = [inputs.found(known, question.x), *_second(known, question)]
    x = np.stack([one.x.astype(np.float64) for one in chosen])
    masks = patterns(snapshot.net, x)
    seen = torch.tensor(x, dtype=torch.float32)
    with torch.no_grad():
        values = activations(snapshot.net, seen)
        sure = snapshot.net(seen).softmax(dim=1).numpy()
    if not all(torch.isfinite(y).all() for y in values):
        raise Unusable("the pre-activations overflow: the training diverged. Choose the untrained network.")
    winners = winners_of(snapshot.net)
    layers = (
        Layer(tuple(y.shape[1:]), k, y.flatten(1).numpy(), won)
        for y, won, k in zip(values, masks, winners, strict=True)
    )
    index, label = tuple(one.index for one in chosen), tuple(one.label for one in chosen)
    return Answer(question, x, index, label, sure, tuple(layers))


def _second(known: Data, question: Question) -> list[Input]:
    """The second input, if one is asked for. δ is drawn in the unit ball and stretched, so x + δ moves on a straight
    line while the radius grows, until the data box stops it."""
    if question.compare == "input":
        return [inputs.found(known, question.second)]
    if question.compare != "delta":
        return []
    rng = np.random.default_rng((question.seed, 0))
    x = inputs.found(known, question.x).x
    return [Input("", perturbed(x, question.radius, question.norm, 1, rng, known.box)[0])]


def table(found: Answer, layer: int = 0) -> dict[str, np.ndarray]:
    """One row per unit of all hidden layers, or of one counted from 1: place, y, and whether it wins."""
    chosen = [(i, one) for i, one in enumerate(found.layers, start=1) if layer in (0, i)]
    columns = {
        "layer": np.concatenate([np.full(one.n, i) for i, one in chosen]),
        "unit": np.concatenate([np.arange(one.n) for _, one in chosen]),
    }
    if any(len(one.shape) == 3 for _, one in chosen):
        places = np.concatenate([_places(one) for _, one in chosen])
        columns |= {name: places[:, i] for i, name in enumerate(("map", "row", "column"))}
    for i, mark in enumerate(("", "′")[: len(found.x)]):
        columns[f"y{mark}"] = np.concatenate([one.y[i] for _, one in chosen])
        columns[f"wins{mark}"] = np.concatenate([one.won[i] for _, one in chosen])
    return columns


def _places(layer: Layer) -> np.ndarray:
    """Feature map, row and column of each unit, [n, 3]; −1 in a dense layer, which has none."""
    if len(layer.shape) != 3:
        return np.full((layer.n, 3), -1)
    return np.stack(np.unravel_index(np.arange(layer.n), layer.shape), axis=1)


def csv(found: Answer) -> str:
    """The table of all layers as comma-separated text; floats are written so that they read back exactly."""
    columns = table(found)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows)]) + "\n"
