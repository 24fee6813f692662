"""Which attacks judge a network: together, for no white-box number stands alone."""

from math import sqrt

from kwta.attacks.adaptive import Adaptive
from kwta.attacks.estimators import Neighbours, Schedule
from kwta.attacks.gradient import Pgd, fgsm
from kwta.attacks.hop_skip_jump import HopSkipJump
from kwta.attacks.noise import Noise
from kwta.attacks.propose import Attack
from kwta.attacks.square import Square
from kwta.attacks.surrogates import SoftTopK
from kwta.attacks.transfer import Transfer
from kwta.threats import Threat

Spec = Attack | Transfer

# Forty steps of ε/10 can cross the ball twice, and turn back.
STEPS, STRIDES = 40, 10
RESTARTS = 5
# Of the adaptive attack: 50,000 and 4,000 queries for what resists to the end.
SHORT: Schedule = ((40, 250), (40, 1_000))
FASTEST: Schedule = ((40, 100),)


def standard(threat: Threat, d: int) -> tuple[Spec, ...]:
    """One step, noise, PGD (two losses, and surrogate gradients), transfer, Square, HopSkipJump, the adaptive attack.

    d: entries of an input, which sets the width of Gaussians in L2. 5,000 queries per input for Square, 50,000 for the
    adaptive attack, where an input resists them: minutes for some hundred images and a small network.
    """
    return _ensemble(threat, d, RESTARTS, 5000, HopSkipJump(steps=20, samples=100), SHORT)


def quick(threat: Threat, d: int) -> tuple[Spec, ...]:
    """The same attacks with smaller budgets: seconds for a hundred images and a small network."""
    return _ensemble(threat, d, 2, 1000, HopSkipJump(steps=5, samples=50), FASTEST)


def _ensemble(
    threat: Threat, d: int, restarts: int, queries: int, decisions: HopSkipJump, schedule: Schedule
) -> tuple[Spec, ...]:
    if not threat.eps > 0:
        raise ValueError(f"attacks need a positive eps, got {threat.eps}: at 0 there is no other input to propose")
    step = threat.eps / STRIDES
    climb = {"step": step, "steps": STEPS, "until_success": True}
    return (
        fgsm(),
        Noise(),
        Pgd(**climb, restarts=restarts),
        Pgd(**climb, loss="margin"),
        Pgd(**climb, gradient=surrogate(threat, d)),
        Transfer(Pgd(step=step, steps=STEPS)),
        Square(queries),
        decisions,
        adaptive(threat, d, schedule),
    )


def surrogate(threat: Threat, d: int) -> Neighbours:
    """The mean gradient of neighbours ε/2 away with a soft threshold in place of φ_k's: 20 passes see past its jumps.

    An input that resists costs 841 forward and 800 backward passes: together 1/30 of the adaptive attack's 50,081 in
    `standard`, 2/5 of its 4,041 in `quick`. On a network with ReLU it is the gradient of a slightly smoothed loss.
    """
    eps = threat.eps if threat.norm == "linf" else threat.eps / sqrt(d)
    return Neighbours(eps / 2, 20, SoftTopK())


def adaptive(threat: Threat, d: int, schedule: Schedule) -> Adaptive:
    """The adaptive attack as few queries need it; in L2 its width is such that noise of that σ has length ε."""
    return Adaptive.frugal(threat.eps, threat.eps if threat.norm == "linf" else threat.eps / sqrt(d), schedule)
