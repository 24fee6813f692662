"""Gradient masking: whether a network looks robust only because its gradients mislead the attacks that follow them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Integer
from torch import Tensor, nn

from kwta.attacks import signs
from kwta.attacks.case import BATCH, Case, TimeUp, follows_gradients
from kwta.attacks.labels import checked
from kwta.attacks.outcomes import Robustness
from kwta.attacks.significance import binomial_tail
from kwta.attacks.signs import LEVEL, TOLERATED, Evidence

Verdict = Literal[
    "no sign of masking", "masked", "not enough images to tell", "not enough time to tell", "constant network"
]

# Images suffice if masking that hides a fifth of them would be seen nine times in ten.
HIDDEN, POWER = 0.2, 0.9
DOUBTFUL = 0.2  # images that gradients missed: a p below this but above LEVEL neither speaks for masking nor against it
SIGNS = {
    "beaten": signs.beaten,
    "missed": signs.missed,
    "restarts": signs.restarts,
    "one step": signs.one_step,
    "larger ε": signs.larger_eps,
    "loss path": signs.ascent,
    "gradients": signs.gradients,
}


@dataclass(frozen=True)
class Masking:
    """The verdict with all its evidence; n: images that are right without attack; left_out: signs not looked for.

    "constant network": no attack broke an image and it answers the same wherever it is asked, so there is nothing to
    attack and no gradient to mask; no sign is looked for. "not enough time to tell": some signs were left out, and the
    others do not come to "masked"; one of single gradients may speak among them where images are few.
    """

    verdict: Verdict
    evidence: tuple[Evidence, ...]
    n: int
    left_out: tuple[str, ...] = ()
    kind: Literal["masking"] = "masking"


def diagnosed(
    net: nn.Module,
    x: Float[Tensor, "n *shape"],
    labels: Integer[Tensor, " n"],
    found: Robustness,
    seconds: float | None = None,
    batch: int = BATCH,
) -> Masking:
    """The verdict on a network from its evaluation on these images, and from further attacks that follow gradients.

    "masked" if any evidence speaks for it; "no sign of masking" only from enough images, and not while the share that
    gradients missed is in doubt: more images settle it. seconds: of the further
    attacks; when they are over no further batch of images begins. Raises ValueError if the evaluation has no attack
    that follows gradients for several steps (Pgd), or is one of other images, and for negative seconds.
    """
    *_, last = diagnose(net, x, labels, found, seconds, batch)
    assert isinstance(last, Masking)
    return last


def diagnose(
    net: nn.Module,
    x: Float[Tensor, "n *shape"],
    labels: Integer[Tensor, " n"],
    found: Robustness,
    seconds: float | None = None,
    batch: int = BATCH,
) -> Iterator[Evidence | Masking]:
    """The evidence as it comes in, and at last the verdict; see `diagnosed`."""
    if len(x) != found.n:
        raise ValueError(f"the evaluation is one of {found.n} images, got {len(x)}")
    if not any(follows_gradients(outcome) for outcome in found.attacks):
        raise ValueError("masking is what Pgd is compared with others for, but the evaluation has no Pgd of many steps")
    if seconds is not None and seconds < 0:
        raise ValueError(f"the seconds must be 0 or more, or None, got {seconds}")
    return _collected(Case(net, x, checked(labels, x, net), found, seconds, batch))


def enough(n: int) -> bool:
    """Whether n images would show, with probability POWER, that PGD misses HIDDEN of them."""
    needed = next(b for b in range(n + 2) if binomial_tail(b, n, TOLERATED) < LEVEL or b > n)
    return binomial_tail(needed, n, HIDDEN) >= POWER


def verdict(evidence: tuple[Evidence, ...], n: int) -> Verdict:
    """What the evidence comes to; single gradients of few images prove nothing."""
    if any(sign.speaks and (sign.decisive or enough(n)) for sign in evidence):
        return "masked"
    is_open = any(sign.name == "missed" and sign.numbers.get("p", 1.0) < DOUBTFUL for sign in evidence)
    return "no sign of masking" if enough(n) and not is_open else "not enough images to tell"


def _collected(case: Case) -> Iterator[Evidence | Masking]:
    if case.is_constant:
        yield Masking("constant network", (), case.n)
        return
    evidence: list[Evidence] = []
    left_out: list[str] = []
    for name, sign in SIGNS.items() if case.n else ():
        try:
            found = sign(case)
        except TimeUp:
            left_out.append(name)
            continue
        evidence.append(found)
        yield found
    come = verdict(tuple(evidence), case.n)
    if left_out and come != "masked":
        come = "not enough time to tell"
    yield Masking(come, tuple(evidence), case.n, tuple(left_out))
