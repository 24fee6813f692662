"""Attacks as the field runs them: DeepFool and Carlini-Wagner from foolbox; HopSkipJump has a module of its own.

Rauber, Brendel, Bethge, "Foolbox", 2017; Rauber et al., JOSS 5 (2020). All three look for the nearest input that is
classified otherwise. What they find farther away than ε is brought back to the ball, and then judged like any other.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks.proposal import Proposal
from kwta.attacks.secluded import Seen, run, sought
from kwta.threats import Norm, Threat


@dataclass(frozen=True)
class DeepFool:
    """DeepFool (Moosavi-Dezfooli, Fawzi, Frossard, CVPR 2016): steps to the nearest border of the linearised network.

    L∞ or L2 as the threat says. candidates: classes that it considers at each step.
    """

    steps: int = 50
    candidates: int = 10
    kind: Literal["deepfool"] = "deepfool"

    def __post_init__(self) -> None:
        check_least("steps", self.steps, 1)
        check_least("candidates", self.candidates, 2)

    @property
    def name(self) -> str:
        """Without its settings."""
        return "deepfool"


@dataclass(frozen=True)
class CarliniWagner:
    """Carlini and Wagner's L2 attack (S&P 2017): Adam on ‖δ‖₂² + c · margin, c found by bisection.

    It minimises the L2 norm, also where the threat is L∞; there it is a weak attack, which the field reports still.
    rate: of Adam, in the space of arctanh.
    """

    steps: int = 100
    bisections: int = 6
    rate: float = 0.05
    kind: Literal["carlini-wagner"] = "carlini-wagner"

    def __post_init__(self) -> None:
        check_least("steps", self.steps, 1)
        check_least("bisections", self.bisections, 1)
        if not self.rate > 0:
            raise ValueError(f"rate must be positive, got {self.rate}")

    @property
    def name(self) -> str:
        """Without its settings."""
        return "carlini_wagner"


def check_least(name: str, value: int, least: int) -> None:
    """Refuse counts that are too small."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def foreign(
    spec: DeepFool | CarliniWagner,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
) -> Proposal:
    """What foolbox's attack finds, brought back to ball and box, for each of x."""

    def search(seen: Seen, unit: Tensor) -> tuple[Tensor, Int64[Tensor, "batch"]]:
        found = run(_attack(spec, threat.norm), seen, unit, labels)
        return found, torch.full((len(unit),), seen.calls)  # every pass is one of the whole batch

    return sought(search, net, x, threat, generator)


def _attack(spec: DeepFool | CarliniWagner, norm: Norm) -> Any:
    from foolbox.attacks.carlini_wagner import L2CarliniWagnerAttack
    from foolbox.attacks.deepfool import L2DeepFoolAttack, LinfDeepFoolAttack

    match spec:
        case DeepFool():
            kind = LinfDeepFoolAttack if norm == "linf" else L2DeepFoolAttack
            return kind(steps=spec.steps, candidates=spec.candidates)
        case CarliniWagner():
            return L2CarliniWagnerAttack(spec.bisections, spec.steps, spec.rate)
