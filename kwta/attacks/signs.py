"""The signs of gradient masking, each a comparison with numbers; `kwta.attacks.masking` puts them together.

They are those of Athalye, Carlini, Wagner, "Obfuscated gradients give a false sense of security", ICML 2018, section
3.1, and Carlini et al., "On evaluating adversarial robustness", 2019. Images that the network gets wrong without attack
take no part.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor
from torch.nn.functional import cosine_similarity

from kwta.attacks import losses
from kwta.attacks.case import MORE_RESTARTS, PROBE, Case
from kwta.attacks.evaluate import seeded
from kwta.attacks.gradient import Pgd, Relative, climb, fgsm
from kwta.attacks.interval import Z95, wilson
from kwta.attacks.significance import binomial_tail, mcnemar
from kwta.threats import Threat

LEVEL = 0.01  # of each test, shared out among the attacks that it compares
TOLERATED = 0.02  # of the images: so many may PGD miss without masking, for no climb finds every top
MULTIPLES = (1, 2, 4, 8)  # of ε; the last radius is that at which every input of the box is allowed
SURVIVING = 0.05  # more than this share of the images in a ball that holds the whole box: the attack fails, not the net
FALLING = 0.25  # of the way that the loss goes up and down along an ascent; with ReLU it is near 0
AGREEING = 0.5  # cosine of gradients ε/10 apart; with ReLU it is near 1
VANISHING = 0.1  # of the images
NEAR = 0.1  # neighbours, in ε
NEIGHBOURS = 4
ASCENT = Pgd(step=Relative(0.1), steps=20, loss="margin")


@dataclass(frozen=True)
class Evidence:
    """One sign that was looked for: what was compared, in a sentence and in numbers, and whether it speaks for masking.

    decisive: the outcome of attacks, not a property of single gradients.
    """

    name: str
    speaks: bool
    sentence: str
    numbers: dict[str, float]
    decisive: bool = True
    kind: Literal["evidence"] = "evidence"


def beaten(case: Case) -> Evidence:
    """Does an attack that does not follow these gradients break more images than all that do?"""
    level = LEVEL / max(1, len(case.others))
    tests = {o.name: mcnemar(case.union([o]), case.by_gradients) for o in case.others}
    gains = {o.name: int(case.union([o]).sum() - case.by_gradients.sum()) for o in case.others}
    best = min(tests, key=lambda name: (tests[name], -gains[name]), default=None)
    if best is None:
        return Evidence("beaten", False, "No attack without gradients was run.", {"level": level})
    speaks = tests[best] < level
    sentence = (
        f"Of {case.n} images {best} broke {_more(gains[best])} than all attacks that follow gradients, "
        f"with {MORE_RESTARTS} restarts more (paired, exact McNemar test, p = {tests[best]:.2g}, level {level:.2g})."
    )
    numbers = {f"p_{name}": p for name, p in tests.items()} | {f"gain_{name}": float(g) for name, g in gains.items()}
    return Evidence("beaten", speaks, sentence, {**numbers, "level": level})


def missed(case: Case) -> Evidence:
    """How many images did all gradients miss that some other attack broke?"""
    count = int((case.union(case.others) & ~case.by_gradients).sum())
    p = binomial_tail(count, case.n, TOLERATED)
    sentence = (
        f"All attacks that follow gradients missed {count} of {case.n} images that others broke (exact binomial test "
        f"of more than {TOLERATED:.0%}, p = {p:.2g}, level {LEVEL:g})."
    )
    return Evidence("missed", p < LEVEL, sentence, {"missed": float(count), "p": p, "level": LEVEL})


def restarts(case: Case) -> Evidence:
    """Do many more restarts find what the others found?"""
    after_one = case.union(case.others) & ~case.once
    left = after_one & ~case.by_gradients
    p = binomial_tail(int(left.sum()), case.n, TOLERATED)
    speaks = p < LEVEL and 2 * int(left.sum()) >= int(after_one.sum())
    sentence = (
        f"Of {int(after_one.sum())} images that one climb missed and others broke, all the restarts found "
        f"{int(after_one.sum() - left.sum())} (of {case.n} images they miss {int(left.sum())}; exact binomial test of "
        f"more than {TOLERATED:.0%}, p = {p:.2g}, level {LEVEL:g})."
    )
    numbers = {"missed_by_one": float(after_one.sum()), "missed": float(left.sum()), "p": p, "level": LEVEL}
    return Evidence("restarts", speaks, sentence, numbers)


def one_step(case: Case) -> Evidence:
    """Does one step break more than many?"""
    one = case.broken_by(fgsm())
    p = mcnemar(one, case.climbed)
    gain = int(one.sum() - case.climbed.sum())
    sentence = (
        f"Of {case.n} images one step broke {_more(gain)} than many steps (paired, exact McNemar test, p = {p:.2g}, "
        f"level {LEVEL:g})."
    )
    return Evidence("one step", p < LEVEL, sentence, {"gain": float(gain), "p": p, "level": LEVEL})


def larger_eps(case: Case) -> Evidence:
    """Does PGD fail in balls where failing is impossible, or find less the more it may do?"""
    radii = _radii(case.threat, prod(case.x.shape[1:]))
    broken = [case.broken_by(PROBE, replace(case.threat, eps=eps)) for eps in radii]
    level = LEVEL / max(1, len(broken) - 1)
    worse = min(mcnemar(a, b) for a, b in zip(broken, broken[1:] or broken, strict=False))
    left = int((~broken[-1]).sum())
    low, _ = wilson(left, case.n)
    shares = ", ".join(f"{(~b).mean():.1%} at ε = {eps:.3g}" for eps, b in zip(radii, broken, strict=True))
    can_fail = case.can_err or any(b.any() for b in broken)
    whole = "so none has to" if can_fail else "but no other answer was seen in it"
    sentence = (
        f"Under PGD {shares} of the images stay right; the last ball holds the whole data box, {whole} (exact McNemar "
        f"test that it rises, p = {worse:.2g}, level {level:.2g})."
    )
    numbers = {f"robust_{eps:.3g}": float((~b).mean()) for eps, b in zip(radii, broken, strict=True)}
    speaks = (can_fail and low > SURVIVING) or worse < level
    return Evidence("larger ε", speaks, sentence, {**numbers, "p": worse, "level": level})


def _radii(threat: Threat, d: int) -> list[float]:
    """Multiples of ε below the radius that reaches every corner of the box, and that radius."""
    whole = threat.whole(d)
    return [m * threat.eps for m in MULTIPLES if m * threat.eps < whole] + [whole]


def ascent(case: Case) -> Evidence:
    """Does the loss rise along the attack's own steps?"""
    mean, error = _mean(torch.cat([_falls(case, *part) for part in case.batches()]))
    sentence = (
        f"Along {ASCENT.steps} steps of ε/10 the margin loss went down on {mean:.1%} ± {error:.1%} of its "
        f"way (a gradient that can be trusted: near 0 %; a random walk: 50 %)."
    )
    return Evidence("loss path", mean - error > FALLING, sentence, {"falling": mean, "error": error}, decisive=False)


def _falls(case: Case, number: int, x: Tensor, labels: Tensor) -> Float[Tensor, " part"]:
    """Of each image, the share of the way that its loss goes down along an ascent."""
    places = climb(ASCENT, case.net, x, labels, case.threat, seeded(case.found.seed, ASCENT, number))
    changes = torch.stack([place.seen.loss for place in places]).diff(dim=0)
    way = changes.abs().sum(dim=0)
    return (-changes).clamp(min=0).sum(dim=0) / torch.where(way > 0, way, 1)


def gradients(case: Case) -> Evidence:
    """Do gradients vanish, or point elsewhere a little farther on?"""
    cosines, zeros = zip(*(_agreement(case, *part) for part in case.batches()), strict=True)
    mean, error = _mean(torch.cat(cosines))
    none = int(torch.cat(zeros).sum())
    low, _ = wilson(none, case.n)
    sentence = (
        f"Gradients of the margin at neighbours {NEAR:g} ε apart have a cosine of {mean:.2f} ± {error:.2f}; they are "
        f"zero at {none} of {case.n} images."
    )
    numbers = {"cosine": mean, "error": error, "vanishing": none / case.n}
    return Evidence("gradients", mean + error < AGREEING or low > VANISHING, sentence, numbers, decisive=False)


def _agreement(
    case: Case, number: int, x: Tensor, labels: Tensor
) -> tuple[Float[Tensor, " part"], Bool[Tensor, " part"]]:
    """Of each image, the mean cosine of its gradient with neighbours', and whether it is zero."""
    near = replace(case.threat, eps=NEAR * case.threat.eps)
    here = _gradient(case, x, labels)
    cosines = [
        cosine_similarity(here, _gradient(case, near.sample(x, _neighbour(case, near, number, i)), labels))
        for i in range(NEIGHBOURS)
    ]
    return torch.stack(cosines).mean(dim=0), (here == 0).all(dim=1)


def _neighbour(case: Case, near: Threat, number: int, i: int) -> Generator:
    return seeded(case.found.seed, near, NEIGHBOURS * number + i)


def _gradient(case: Case, x: Tensor, labels: Tensor) -> Float[Tensor, "part d"]:
    """∇ₓ of the margin loss, flat."""
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        total = losses.margin(case.net(x), labels).sum()
        return torch.autograd.grad(total, x)[0].reshape(len(x), -1)


def _mean(values: Float[Tensor, " right"]) -> tuple[float, float]:
    """Mean over the images, and half its 95 % interval; the interval of a single image is everything."""
    if len(values) < 2:
        return float(values.mean()), float("inf")
    return float(values.mean()), Z95 * float(values.std()) / len(values) ** 0.5


def _more(count: int) -> str:
    return f"{count} more" if count >= 0 else f"{-count} fewer"
