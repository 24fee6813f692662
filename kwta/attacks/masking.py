"""Gradient masking: whether a network looks robust only because its gradients mislead the attacks that follow them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor, nn

from kwta.attacks import signs
from kwta.attacks.outcomes import Robustness
from kwta.attacks.significance import binomial_tail
from kwta.attacks.signs import LEVEL, TOLERATED, Case, Evidence

Verdict = Literal["no sign of masking", "masked", "not enough images to tell"]

# Images suffice if masking that hides a fifth of them would be seen nine times in ten.
HIDDEN, POWER = 0.2, 0.9
SIGNS = (
    signs.beaten,
    signs.missed,
    signs.restarts,
    signs.one_step,
    signs.larger_eps,
    signs.ascent,
    signs.gradients,
)


@dataclass(frozen=True)
class Masking:
    """The verdict with all its evidence; n: images that are right without attack."""

    verdict: Verdict
    evidence: tuple[Evidence, ...]
    n: int
    kind: Literal["masking"] = "masking"


def diagnosed(net: nn.Module, x: Float[Tensor, "n *shape"], labels: Int64[Tensor, " n"], found: Robustness) -> Masking:
    """The verdict on a network from its evaluation on these images, and from further attacks that follow gradients.

    "masked" if any evidence speaks for it; "no sign of masking" only from enough images. Raises ValueError if the
    evaluation has no attack that follows gradients for several steps (Pgd), or is one of other images.
    """
    *_, last = diagnose(net, x, labels, found)
    assert isinstance(last, Masking)
    return last


def diagnose(
    net: nn.Module, x: Float[Tensor, "n *shape"], labels: Int64[Tensor, " n"], found: Robustness
) -> Iterator[Evidence | Masking]:
    """The evidence as it comes in, and at last the verdict; see `diagnosed`."""
    if len(x) != found.n:
        raise ValueError(f"the evaluation is one of {found.n} images, got {len(x)}")
    if not any(signs.follows_gradients(outcome) for outcome in found.attacks):
        raise ValueError("masking is what Pgd is compared with others for, but the evaluation has no Pgd of many steps")
    return _collected(Case(net, x, labels, found))


def enough(n: int) -> bool:
    """Whether n images would show, with probability POWER, that PGD misses HIDDEN of them."""
    needed = next(b for b in range(n + 2) if binomial_tail(b, n, TOLERATED) < LEVEL or b > n)
    return binomial_tail(needed, n, HIDDEN) >= POWER


def verdict(evidence: tuple[Evidence, ...], n: int) -> Verdict:
    """What the evidence comes to; single gradients of few images prove nothing."""
    if any(sign.speaks and (sign.decisive or enough(n)) for sign in evidence):
        return "masked"
    return "no sign of masking" if enough(n) else "not enough images to tell"


def _collected(case: Case) -> Iterator[Evidence | Masking]:
    evidence: list[Evidence] = []
    for sign in SIGNS if case.n else ():
        evidence.append(sign(case))
        yield evidence[-1]
    yield Masking(verdict(tuple(evidence), case.n), tuple(evidence), case.n)
