"""Attacks as parts of training: what `kwta.training.train` minimises when a network is to resist them.

Each maker returns a fresh objective for one run; `objective` picks the one that an `Adversarial` names.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import inf

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from kwta.attacks.gradient import Pgd, climb, pgd
from kwta.threats import Threat
from kwta.training import Adversarial, Attack, Objective, attacked
from kwta.training.measure import in_evaluation_mode
from kwta.training.objective import Loss

# TRADES starts its search this far from x, for at x itself the divergence has no gradient (the authors' code).
SPREAD = 0.001


def objective(spec: Adversarial | None, box: tuple[float, float]) -> Objective | None:
    """What to minimise against the attacker of the spec within the data box; None, the usual objective, without one.

    >>> objective(None, (0.0, 1.0)) is None
    True
    """
    match spec:
        case None:
            return None
        case Adversarial(kind="madry"):
            return attacked(madry(spec.threat(box), spec.steps, spec.size))
        case Adversarial(kind="trades"):
            return trades(spec.threat(box), spec.steps, spec.size, spec.beta)
    return free(spec.threat(box), spec.replays, spec.size)


def madry(threat: Threat, steps: int, step: float) -> Attack:
    """max over the threat of the cross-entropy, as PGD from one random start finds it; its last place is taken.

    Source: Madry, Makelov, Schmidt, Tsipras, Vladu, ICLR 2018, section 2.1.
    """
    spec = Pgd(step=step, steps=steps)

    def attack(net: nn.Module, x: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        with in_evaluation_mode(net):
            return pgd(spec, net, x, labels, threat, generator).x

    return attack


def trades(threat: Threat, steps: int, step: float, beta: float = 6.0) -> Objective:
    """CE(f(x), y) + β · mean KL(p(x) ‖ p(z)), z the worst found in the threat for that divergence, p = softmax f.

    z is sought in evaluation mode, from x plus Gaussian noise of 0.001; both terms are then differentiated in training
    mode, in two forward passes. The accuracy reported is that on x. Source: Zhang, Yu, Jiao, Xing, El Ghaoui, Jordan,
    ICML 2019, equation 5 with β = 1/λ, and the authors' code.
    """

    def minimised(net: nn.Module, x: Tensor, labels: Tensor, generator: Generator) -> Iterator[Loss]:
        with in_evaluation_mode(net):
            found = farthest(net, x, labels, threat, steps, step, generator)
        logits = net(x)
        divergence = divergences(log_softmax(logits, dim=1), net(found)).mean()
        yield cross_entropy(logits, labels) + beta * divergence, logits

    return minimised


def farthest(
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    steps: int,
    step: float,
    generator: Generator,
) -> Float[Tensor, "batch *shape"]:
    """argmax over the threat of KL(p(x) ‖ p(z)), as projected gradient ascent finds it; the network in evaluation mode.

    The labels play no part in it.
    """
    with torch.no_grad():
        log_p = log_softmax(net(x), dim=1)
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype, device=generator.device).to(x.device)
    spec = Pgd(step=step, steps=steps)
    *_, last = climb(
        spec, net, x, labels, threat, generator, x + SPREAD * noise, lambda logits, _: divergences(log_p, logits)
    )
    return last.x.detach()


def divergences(
    log_p: Float[Tensor, "batch classes"], logits: Float[Tensor, "batch classes"]
) -> Float[Tensor, "batch"]:
    """KL(p ‖ softmax(logits)) = Σ p (log p − log softmax(logits)), in nats.

    From log p, for where p itself is too small for float32 its logarithm would have no gradient, but NaN.
    """
    return kl_div(log_softmax(logits, dim=1), log_p, reduction="none", log_target=True).sum(dim=1)


def free(threat: Threat, replays: int, step: float) -> Objective:
    """The cross-entropy at x + δ, `replays` times per batch, δ ← project(δ + step · steepest(∂/∂δ)) after each.

    The gradients of weights and inputs come from one backward pass. δ lives in the ball, is carried from batch to batch
    and starts at zero; only x + δ is clipped to the data box. Source: Shafahi et al., NeurIPS 2019, algorithm 1.
    """
    return partial(_replayed, _Carried(), threat, replays, step)


class _Carried:
    """The perturbation on its way from batch to batch; the first use says its shape."""

    delta: Tensor | None = None

    def rows(self, x: Tensor) -> Tensor:
        """δ for these inputs; a batch may be smaller than the one before, or larger."""
        if self.delta is None or len(self.delta) < len(x):
            fresh = torch.zeros_like(x)
            if self.delta is not None:
                fresh[: len(self.delta)] = self.delta
            self.delta = fresh
        return self.delta[: len(x)]

    def set(self, delta: Tensor) -> None:
        assert self.delta is not None
        self.delta[: len(delta)] = delta


def _replayed(
    carried: _Carried,
    threat: Threat,
    replays: int,
    step: float,
    net: nn.Module,
    x: Tensor,
    labels: Tensor,
    _generator: Generator,
) -> Iterator[Loss]:
    ball = replace(threat, low=-inf, high=inf)
    for _ in range(replays):
        delta = carried.rows(x)
        z = threat.project(x + delta, x).requires_grad_()
        logits = net(z)
        yield cross_entropy(logits, labels), logits
        if z.grad is not None:
            carried.set(ball.project(delta + step * threat.steepest(z.grad), torch.zeros_like(delta)))
