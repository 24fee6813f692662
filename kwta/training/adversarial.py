"""What determines adversarial training: one frozen value, beside the rest of a `Training`."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

from kwta.threats import Norm, Threat

Method = Literal["madry", "trades", "free"]

REACH = 2.5  # steps · step over ε: far enough to cross the ball; Madry et al. use 0.01 · 40 for 0.3, 2 · 7 for 8 of 255


@dataclass(frozen=True)
class Adversarial:
    """Training against an attacker within a ball of radius eps, intersected with the data box.

    kind: "madry", cross-entropy on what PGD finds from a random start (Madry et al., ICLR 2018); "trades",
    cross-entropy on x plus beta times the divergence that PGD finds from f(x) (Zhang et al., ICML 2019); "free", each
    batch used `replays` times, a step of the perturbation from the same backward pass as each step of the weights
    (Shafahi et al., NeurIPS 2019; divide the epochs by `replays` for the same cost).
    norm: "linf" or "l2". steps: of PGD, not used by "free". step: its size in the units of the inputs; None is
    2.5 eps/steps, or eps for "free", as its authors have it. beta: of "trades". replays: of "free".

    Raises ValueError where a value is not allowed, naming it.
    """

    kind: Method
    eps: float
    norm: Norm = "linf"
    steps: int = 10
    step: float | None = None
    beta: float = 6.0
    replays: int = 8

    def __post_init__(self) -> None:
        if self.kind not in get_args(Method):
            raise ValueError(f"adversarial training must be one of {', '.join(get_args(Method))}, got {self.kind!r}")
        if not (isfinite(self.eps) and self.eps > 0):
            raise ValueError(f"eps must be positive and finite, got {self.eps}")
        if self.norm not in get_args(Norm):
            raise ValueError(f"norm must be one of {', '.join(get_args(Norm))}, got {self.norm!r}")
        for name in ("steps", "replays"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.step is not None and not (isfinite(self.step) and self.step > 0):
            raise ValueError(f"the step of an attack must be positive and finite, got {self.step}")
        if not (isfinite(self.beta) and self.beta >= 0):
            raise ValueError(f"beta must be 0 or more, got {self.beta}")

    @property
    def size(self) -> float:
        """The size of a step in the units of the inputs.

        >>> Adversarial("madry", eps=0.1, steps=10).size, Adversarial("free", eps=0.1).size
        (0.025, 0.1)
        """
        if self.step is not None:
            return self.step
        return self.eps if self.kind == "free" else REACH * self.eps / self.steps

    @property
    def steps_per_batch(self) -> int:
        """How many steps the optimiser makes for each batch."""
        return self.replays if self.kind == "free" else 1

    def threat(self, box: tuple[float, float]) -> Threat:
        """The ball within a data box (low, high)."""
        return Threat(self.eps, self.norm, *box)
