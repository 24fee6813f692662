"""How long a step is: absolute sizes, unless a share of ε is asked for by name."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal


@dataclass(frozen=True)
class Relative:
    """A step of share_of_eps · ε. foolbox's `rel_stepsize`: with 0.003, 40 steps travel at most 12 % of the ball."""

    share_of_eps: float
    kind: Literal["relative"] = "relative"

    def __post_init__(self) -> None:
        check_size(self.share_of_eps)


@dataclass(frozen=True)
class Decreasing:
    """Absolute steps that shrink geometrically, from `first` at the first step to `last` at the last."""

    first: float
    last: float
    kind: Literal["decreasing"] = "decreasing"

    def __post_init__(self) -> None:
        check_size(self.first)
        check_size(self.last)


StepSize = float | Relative | Decreasing


def sizes(step: StepSize, steps: int, eps: float) -> list[float]:
    """The absolute size of each of the steps.

    >>> sizes(0.01, 2, eps=0.3), sizes(Relative(0.5), 2, eps=0.3), sizes(Decreasing(1.0, 0.25), 3, eps=0.3)
    ([0.01, 0.01], [0.15, 0.15], [1.0, 0.5, 0.25])
    """
    match step:
        case Relative(share_of_eps=share):
            return [share * eps] * steps
        case Decreasing(first=first, last=last):
            ratio = (last / first) ** (1 / max(steps - 1, 1))
            return [first * ratio**i for i in range(steps)]
        case size:
            return [float(size)] * steps


def check_size(step: StepSize) -> None:
    """Refuse a size that is not positive; the other rules have checked themselves."""
    if isinstance(step, float | int) and not (isfinite(step) and step > 0):
        raise ValueError(f"a step must be a positive finite size, got {step}")
