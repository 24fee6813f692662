"""What determines a training run: frozen values, hashable and serialisable."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from kwta.activation import winners
from kwta.training.adversarial import Adversarial
from kwta.training.augmentation import Augmentation

Optimiser = Literal["sgd", "adam"]


@dataclass(frozen=True)
class Annealing:
    """γ lowered while training: from `start` by `step` every `every` epochs down to `end`.

    >>> [Annealing(start=0.2, end=0.19, step=0.005, every=2).at(epoch) for epoch in range(1, 7)]
    [0.2, 0.2, 0.195, 0.195, 0.19, 0.19]
    """

    start: float
    end: float
    step: float
    every: int = 1
    kind: Literal["annealing"] = "annealing"

    def __post_init__(self) -> None:
        if not 0 < self.end <= self.start <= 1:
            raise ValueError(f"annealing needs 0 < end <= start <= 1, got start {self.start} and end {self.end}")
        if not self.step > 0:
            raise ValueError(f"the annealing step must be positive, got {self.step}")
        if self.every < 1:
            raise ValueError(f"annealing must hold γ for at least 1 epoch, got every = {self.every}")

    def at(self, epoch: int) -> float:
        """γ during an epoch, counted from 1."""
        # Rounded to the decimals that people write: 0.2 - 3 * 0.005 is not 0.185 in binary, and ⌊γN⌋ would feel it.
        return max(self.end, round(self.start - self.step * ((epoch - 1) // self.every), 9))


# The recipe of Xiao et al. (ICLR 2020): train at γ = 0.2, then 0.005 less every two epochs down to 0.1.
ANNEALED = Annealing(start=0.2, end=0.1, step=0.005, every=2)


@dataclass(frozen=True)
class Training:
    """How a network is trained; every field has the meaning it has in the field's papers.

    epochs: passes over the training data. batch: examples per step. optimiser: "sgd" (with `momentum`) or "adam".
    learning_rate: at the start; `rate_steps` are pairs (epoch, rate): from the start of that epoch, counted from 1, on.
    weight_decay: L2 penalty added to the gradient. clip: largest L2 norm of the whole gradient, None for no clipping.
    gamma: None leaves γ as the network has it; a number sets it; an `Annealing` moves it epoch by epoch.
    patience: stop after so many epochs in a row without a lower training loss; None never stops early. Test data
    decide nothing. seed: of the order of the examples, of their augmentation and of an attack's random numbers.
    augmentation: images shifted and mirrored at random, None for the images as they are. adversarial: against which
    attacker, None for none.
    """

    epochs: int = 20
    batch: int = 64
    optimiser: Optimiser | str = "sgd"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 0.0
    rate_steps: tuple[tuple[int, float], ...] = ()
    clip: float | None = None
    gamma: float | Annealing | None = None
    patience: int | None = None
    seed: int = 0
    augmentation: Augmentation | None = None
    adversarial: Adversarial | None = None
    kind: Literal["training"] = "training"

    def __post_init__(self) -> None:
        _at_least_one("epochs", self.epochs)
        _at_least_one("batch", self.batch)
        if self.optimiser not in get_args(Optimiser):
            raise ValueError(f"the optimiser must be one of {', '.join(get_args(Optimiser))}, got {self.optimiser!r}")
        for rate in (self.learning_rate, *(rate for _, rate in self.rate_steps)):
            if not (isfinite(rate) and rate > 0):
                raise ValueError(f"a learning rate must be positive and finite, got {rate}")
        if any(epoch < 1 for epoch, _ in self.rate_steps):
            raise ValueError(f"rate_steps count epochs from 1, got {self.rate_steps}")
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1), got {self.momentum}")
        if not (isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise ValueError(f"weight_decay must be 0 or more, got {self.weight_decay}")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"clip must be positive or None, got {self.clip}")
        if self.patience is not None:
            _at_least_one("patience", self.patience)
        if isinstance(self.gamma, float | int):
            winners(self.gamma, 10**12)  # refuses what lies outside (0, 1]; layers check their own k

    def gamma_at(self, epoch: int) -> float | None:
        """γ during an epoch, counted from 1; None where the network's own stays."""
        return self.gamma.at(epoch) if isinstance(self.gamma, Annealing) else self.gamma

    def rate_at(self, epoch: int) -> float:
        """The learning rate during an epoch, counted from 1."""
        reached = [(start, rate) for start, rate in self.rate_steps if start <= epoch]
        return max(reached)[1] if reached else self.learning_rate


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
