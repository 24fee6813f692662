"""What the controls of the Train view mean: two recipes for runs, side by side."""

import json
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Literal

from app.compute import networks
from app.compute.runs import FRAMES, Recipe
from app.compute.words import short
from kwta.activation.count import exact
from kwta.networks import Spec
from kwta.training import Annealing, Training

RELU = "relu"
TWINS = (RELU, "1.0", "0.5", "0.1", "0.05")
# Their labels do not depend on γ: a choice whose label changes is taken for another choice.
SCHEDULES = {"held": "held", "annealed": "annealed, 2γ to γ"}
OPTIMISERS = ("sgd", "adam")
# Annealing goes from 2γ to γ in so many steps, as in the recipe of Xiao et al. (0.2 to 0.1 by 0.005).
ANNEALING_STEPS = 20
MAX_EPOCHS = 200
LEAST_RATE, MOST = 1e-5, 100.0
MAX_STEPS = 10


@dataclass(frozen=True)
class Pair:
    """Two recipes side by side: same data, sizes, seed and schedule."""

    left: Recipe
    right: Recipe
    kind: Literal["pair"] = "pair"


def net(setup, gammas: str = "") -> Spec:
    """The k-WTA network that the controls describe, with γ of their own for its layers where `gammas` names them.

    Raises NetworkError where a γ leaves a layer without winner, or they are not as many as the hidden layers.
    """
    if not gammas:
        return networks.spec(setup)
    return networks.with_gamma(networks.spec(setup, relu=True), tuple(map(float, gammas.split(","))))


def pair(setup, net: Spec, against: str, anneal: str, base: Training) -> Pair:
    """The k-WTA network that the controls describe, and its twin: ReLU, or k-WTA at another γ, held.

    Raises NetworkError where a γ leaves a layer without winner, or all are to be annealed though each has its own.
    """
    if anneal == "annealed" and isinstance(net.gamma, tuple):
        raise networks.NetworkError(
            "annealing moves γ of all layers alike: hold γ, or give the layers none of their own"
        )
    gamma = annealing(setup.gamma, base.epochs) if anneal == "annealed" else None
    try:
        twin = replace(net, gamma=None) if against == RELU else networks.with_gamma(net, float(against))
    except networks.NetworkError as error:
        raise networks.NetworkError(f"beside it: {error}") from error
    left = Recipe(setup.data, net, setup.seed, replace(base, gamma=gamma, seed=setup.seed), setup.device)
    right = Recipe(setup.data, twin, setup.seed, replace(base, seed=setup.seed), setup.device)
    return Pair(left, right)


def annealing(gamma: float, epochs: int) -> Annealing:
    """From 2γ down to γ in ANNEALING_STEPS steps that fit into the epochs; the paper's own recipe for γ = 0.1.

    >>> annealing(0.1, 50) == ANNEALED
    True
    """
    start = min(1.0, round(2 * gamma, 9))
    if start <= gamma:  # γ = 1 has nowhere to come from
        return Annealing(gamma, gamma, 1.0)
    step = round((start - gamma) / ANNEALING_STEPS, 9)
    return Annealing(start, gamma, step, every=max(1, (epochs - 1) // ANNEALING_STEPS))


def schedule(
    epochs: int,
    batch: int,
    optimiser: str,
    rate: float,
    clip: float,
    steps: str = "",
    decay: float = 0.0,
    patience: int = 0,
) -> Training:
    """The training that the controls of the view describe; γ and seed come with `pair`. 0 is none, for ever, never."""
    return Training(
        epochs,
        batch,
        optimiser,
        rate,
        weight_decay=decay,
        rate_steps=rate_steps(steps),
        clip=clip or None,
        patience=patience or None,
    )


def rate_steps(text: str) -> tuple[tuple[int, float], ...]:
    """Epochs and the learning rates from then on.

    >>> rate_steps("10:0.01, 15:0.001")
    ((10, 0.01), (15, 0.001))
    """
    pairs = [part.split(":") for part in text.split(",") if part.strip()]
    return tuple((int(epoch), float(rate)) for epoch, rate in pairs)


def course(gamma: float, epochs: int, anneal: str) -> str:
    """What γ does while training, in figures; nothing where it is held."""
    if anneal != "annealed":
        return ""
    steps = annealing(gamma, epochs)
    pace = "epoch" if steps.every == 1 else f"{steps.every} epochs"
    return f"γ from {steps.start:g} to {steps.end:g}, −{steps.step:g} every {pace}"


def twin_name(against: str) -> str:
    """How a twin is called in the list to choose from."""
    return "ReLU" if against == RELU else f"k-WTA, γ = {against}"


def read_twin(text: str) -> str:
    """ "relu" or a γ in (0, 1]; raises ValueError otherwise."""
    if text.strip().lower() == RELU:
        return RELU
    try:
        exact(float(text))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the network beside it must be relu or a γ above 0 and up to 1, got {short(text)}") from error
    return str(float(text))


def read_have(value: object) -> int:
    """How many frames a browser says it has; 0 for anything that is no such number."""
    return value if isinstance(value, int) and 0 <= value <= FRAMES + 1 else 0


def read_rate(text: str) -> float:
    """A learning rate from 1e-5 to 100; raises ValueError otherwise."""
    return _number(text, LEAST_RATE, MOST, "the learning rate")


def read_clip(text: str) -> float:
    """A bound on the gradient's norm from 0 (none) to 100; raises ValueError otherwise."""
    return _number(text, 0.0, MOST, "the gradient clipping")


def read_decay(text: str) -> float:
    """A weight decay from 0 to 1; raises ValueError otherwise."""
    return _number(text, 0.0, 1.0, "the weight decay")


def read_steps(text: str) -> str:
    """Steps of the learning rate as `rate_steps` reads them, in order; raises ValueError otherwise."""
    try:
        found = sorted(rate_steps(text))
    except ValueError:
        found = [(0, 0.0)]
    epochs = {epoch for epoch, _ in found}
    sound = all(1 <= epoch <= MAX_EPOCHS and LEAST_RATE <= rate <= MOST for epoch, rate in found)
    if not sound or len(found) > MAX_STEPS or len(epochs) < len(found):
        raise ValueError(
            f"steps of the learning rate are at most {MAX_STEPS} pairs EPOCH:RATE, such as 10:0.01, 15:0.001, "
            f"of different epochs from 1 to {MAX_EPOCHS} and rates from {LEAST_RATE:g} to {MOST:g}; got {short(text)}"
        )
    return ",".join(f"{epoch}:{rate:g}" for epoch, rate in found)


def read_gammas(text: str) -> str:
    """γ of every hidden layer, or nothing; raises ValueError for what is no γ in (0, 1]."""
    try:
        found = [float(exact(float(part))) for part in text.split(",")] if text.strip() else []
    except (ValueError, OverflowError) as error:
        raise ValueError(f"γ per layer is a list of numbers above 0 and up to 1, got {short(text)}") from error
    return ",".join(f"{one:g}" for one in found[: networks.MAX_LAYERS + 1])


def _number(text: str, low: float, high: float, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {short(text)}")
    return value


def key(pair: Pair) -> str:
    """A name for the pair of runs, the same in every session."""
    return sha256(json.dumps(asdict(pair), default=str).encode()).hexdigest()[:16]
