"""The attack that broke k-WTA: smoothed gradients from forward passes, more of them the longer an image resists.

Source: Tramèr, Carlini, Brendel, Madry, "On Adaptive Attacks to Adversarial Example Defenses", 2020, section 5, and its
public code: margin loss, antithetic Gaussian differences with σ = 8/255, N = 100 forward passes for each gradient
during 20 steps, 1,000 during 20, 20,000 during 60, sign steps of 0.01, ε = 0.031, only images that still resist.
One thing differs: here every place of the climb lies in the data box, there the box is applied to what is evaluated.
"""

from dataclasses import dataclass
from typing import Literal

from kwta.attacks.estimators import Schedule, Smoothed
from kwta.attacks.gradient import Pgd

EPS = 0.031  # the radius that the original's numbers are made for
SIGMA = 8 / 255
STEP = 0.01
SCHEDULE: Schedule = ((20, 100), (20, 1_000), (60, 20_000))
QUICK: Schedule = ((20, 100), (20, 400), (20, 2_000))  # 50,000 forward passes, not 1,222,000
# Shares of ε and the momentum where passes are few. On 100 MNIST images and a small CNN with γ = 0.05, ε = 0.1, 4,000
# passes at most, 40 % stay right; with the original's proportions it was 59 %, under PGD 56 %.
FRUGAL_WIDTH, FRUGAL_STEP, MOMENTUM = 0.5, 0.2, 0.9


@dataclass(frozen=True)
class Adaptive:
    """Gradient-free in the sense that matters: climb the margin averaged over a Gaussian of standard deviation σ.

    sigma and step are absolute, in the units of the input; schedule has pairs (steps, forward passes for each gradient)
    and so tells the number of steps too. momentum: μ of v ← μv + g/‖g‖₁, None for none as in the original; it averages
    over steps, which few passes for each gradient need. The place with the largest margin is kept.
    """

    sigma: float = SIGMA
    step: float = STEP
    schedule: Schedule = SCHEDULE
    momentum: float | None = None
    kind: Literal["adaptive"] = "adaptive"

    def __post_init__(self) -> None:
        _ = self.climb  # refuses what it cannot be made of

    @classmethod
    def scaled(cls, eps: float, schedule: Schedule = SCHEDULE) -> "Adaptive":
        """σ and step in the original's proportion to another ε: 1.01 ε and 0.32 ε. For inputs in L∞ balls."""
        if not eps > 0:
            raise ValueError(f"eps must be positive to scale the attack to it, got {eps}")
        return cls(SIGMA * eps / EPS, STEP * eps / EPS, schedule)

    @classmethod
    def frugal(cls, eps: float, width: float, schedule: Schedule) -> "Adaptive":
        """For thousands of passes, not millions: half the Gaussian, two thirds of the step, and momentum.

        eps: the radius; width: the length of noise that spans the ball, per entry (ε in L∞, ε/√d in L2). The finite
        differences of few passes are mostly noise, of which sign steps make a random walk: for a linear function of d
        entries a gradient from n pairs has a cosine of about √(n / (n + d + 1)) with the true one where they are
        independent, √(n / (n + d − 6)) in blocks of eight (see `kwta.attacks.averages`). Momentum adds up what steps
        agree on, as in Ilyas et al., "Black-box adversarial attacks with limited queries and information", ICML 2018.
        """
        return cls(FRUGAL_WIDTH * width, FRUGAL_STEP * eps, schedule, MOMENTUM)

    @property
    def name(self) -> str:
        return "adaptive"

    @property
    def climb(self) -> Pgd:
        """The same attack as arguments of the one loop."""
        return Pgd(
            step=self.step,
            steps=sum(steps for steps, _ in self.schedule),
            start="clean",
            loss="margin",
            gradient=Smoothed(self.sigma, self.schedule),
            momentum=self.momentum,
            keep="best",
            until_success=True,
        )
