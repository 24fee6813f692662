"""Projected gradient ascent within a threat: one loop, and FGSM, PGD and MI-FGSM as arguments of it.

x ← project(x + step · steepest(gradient of the loss at x)). Start, gradient estimator, step rule, momentum, loss and
restarts are parts; the loop is a generator, so that it can be watched and paused (`attacks.trace`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn

from kwta.attacks import losses
from kwta.attacks.estimators import Estimate, Exact, Gradient, estimator, glance
from kwta.attacks.losses import Loss, LossName
from kwta.attacks.per_input import per_input
from kwta.attacks.proposal import Proposal
from kwta.attacks.step_size import Relative, StepSize, check_size, sizes
from kwta.patterns.winners import evaluating
from kwta.threats import Threat

Start = Literal["clean", "random"]
Keep = Literal["last", "best"]


@dataclass(frozen=True)
class Pgd:
    """Projected gradient ascent (Madry et al., ICLR 2018).

    step: an absolute size in the units of the input, in the threat's norm; `Relative` for shares of ε, `Decreasing`.
    steps: of each restart. start: "clean" (x) or "random" (a sample of the threat). loss: what is climbed.
    gradient: where it comes from. momentum: μ of MI-FGSM, v ← μv + g/‖g‖₁, None for none.
    restarts: the best outcome of each input is kept: one that fools the network before any that does not, then the
    larger loss. keep: of a climb, its "last" place, as usual, or the "best" it passed, in the same order.
    until_success: stop each input as soon as it fools the network, and start no other climb for it.
    """

    step: StepSize
    steps: int = 40
    start: Start = "random"
    loss: LossName = "cross-entropy"
    gradient: Gradient = Exact()  # noqa: RUF009  (a frozen value)
    momentum: float | None = None
    restarts: int = 1
    keep: Keep = "last"
    until_success: bool = False
    kind: Literal["pgd"] = "pgd"

    def __post_init__(self) -> None:
        check_size(self.step)
        for name in ("steps", "restarts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.momentum is not None and not (isfinite(self.momentum) and self.momentum >= 0):
            raise ValueError(f"momentum must be 0 or more, or None, got {self.momentum}")
        for name, choices in (("start", Start), ("keep", Keep), ("loss", LossName)):
            if getattr(self, name) not in get_args(choices):
                raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, got {getattr(self, name)!r}")

    @property
    def name(self) -> str:
        """What tables call it: "pgd", "fgsm" or "mim", and in what it departs from them."""
        base = "mim" if self.momentum is not None else "fgsm" if self == fgsm() else "pgd"
        parts = [base, "" if self.loss == "cross-entropy" else self.loss]
        parts += ["" if isinstance(self.gradient, Exact) else self.gradient.kind]
        parts += ["relative" if isinstance(self.step, Relative) and base != "fgsm" else ""]
        return "-".join(part for part in parts if part)

    def sizes(self, eps: float) -> list[float]:
        """The absolute size of every step."""
        return sizes(self.step, self.steps, eps)


def fgsm() -> Pgd:
    """One step of size ε from x: x + ε sign ∇L in L∞ (Goodfellow, Shlens, Szegedy, ICLR 2015)."""
    return Pgd(step=Relative(1.0), steps=1, start="clean")


def mim(step: StepSize, steps: int = 10, momentum: float = 1.0) -> Pgd:
    """The momentum iterative method MI-FGSM, with its authors' ten steps and μ = 1 (Dong et al., CVPR 2018)."""
    return Pgd(step=step, steps=steps, start="clean", momentum=momentum)


@dataclass(frozen=True, eq=False)
class Iterate:
    """One place of a climb: x of all inputs after `index` steps, and what was seen there.

    seen: with the passes spent so far. After the last step nothing needs a gradient and it is zero; so it is for inputs
    that have stopped, of which the rest is what was seen last.
    """

    index: int
    x: Float[Tensor, "batch *shape"]
    seen: Estimate


def climb(
    spec: Pgd,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
    start: Float[Tensor, "batch *shape"] | None = None,
    loss: Loss | None = None,
) -> Iterator[Iterate]:
    """The places of one restart, the start first and the end last; a step is made when the next one is asked for.

    start: given places in place of the spec's, projected to the threat. loss: in place of the spec's, such as a
    divergence from f(x). The network must be in evaluation mode.
    """
    loss = loss or losses.named(spec.loss)
    estimate = estimator(spec.gradient, net, loss, generator)
    here = _start(spec, x, threat, generator, start)
    live: slice | Tensor = slice(None)  # the inputs that still move: all, or their numbers
    seen: Estimate | None = None
    velocity: Tensor | None = None
    for index, size in enumerate(spec.sizes(threat.eps)):
        found = estimate(here[live], labels[live], index, spec.until_success)
        seen = found if seen is None else _merged(seen, found, live)
        yield Iterate(index, here, seen)
        gradient = found.gradient
        if spec.until_success:
            resists = found.logits.argmax(dim=1) == labels[live]
            if not resists.any():
                return
            if not resists.all():
                live = torch.arange(len(x), device=x.device)[live][resists]
                gradient = gradient[resists]
                velocity = None if velocity is None else velocity[resists]
        if spec.momentum is not None:
            gradient = velocity = _pushed(velocity, gradient, spec.momentum)
        moved = threat.project(here[live].add(threat.steepest(gradient), alpha=size), x[live])
        here = moved if isinstance(live, slice) else here.index_copy(0, live, moved)
    assert seen is not None
    yield Iterate(spec.steps, here, _merged(seen, glance(net, loss, here[live], labels[live]), live))


def pgd(
    spec: Pgd,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
    start: Float[Tensor, "batch *shape"] | None = None,
) -> Proposal:
    """What `spec` finds: for each input the best outcome of its restarts.

    net: in any mode; it runs in evaluation mode (a copy, if it is in training) and its parameters get no gradients. x
    lies on its device. start: given places for the first restart; later ones follow the spec.

    Raises ValueError where x leaves the data box or is not finite.
    """
    threat.check(x)
    if not len(x):
        return Proposal(x, torch.zeros_like(labels), torch.zeros_like(labels))
    net = evaluating(net)
    best = _Best(x, labels)
    for restart in range(spec.restarts):
        rows = (~best.fools).nonzero()[:, 0] if spec.until_success and restart else slice(None)
        if not len(x[rows]):
            break
        given = start if restart == 0 else None
        places = climb(spec, net, x[rows], labels[rows], threat, generator, given)
        last: Iterate | None = None
        for last in places:
            if spec.keep == "best":
                best.offer(rows, last)
        assert last is not None
        best.offer(rows, last)
        best.spend(rows, last)
    return Proposal(best.x, best.queries, best.backwards)


class _Best:
    """The best place of each input so far: one that fools the network before any that does not, then by the loss."""

    def __init__(self, x: Tensor, labels: Tensor) -> None:
        self.x, self.labels = x, labels
        self.loss = torch.full((len(x),), -torch.inf, dtype=x.dtype, device=x.device)
        self.fools = torch.zeros_like(labels, dtype=torch.bool)
        self.queries, self.backwards = torch.zeros_like(labels), torch.zeros_like(labels)

    def offer(self, rows: slice | Tensor, place: Iterate) -> None:
        fools = place.seen.logits.argmax(dim=1) != self.labels[rows]
        better = (fools & ~self.fools[rows]) | ((fools == self.fools[rows]) & (place.seen.loss > self.loss[rows]))
        self.x = _filled(self.x, rows, torch.where(per_input(better, self.x), place.x, self.x[rows]))
        self.loss = _filled(self.loss, rows, torch.where(better, place.seen.loss, self.loss[rows]))
        self.fools = _filled(self.fools, rows, self.fools[rows] | fools)

    def spend(self, rows: slice | Tensor, last: Iterate) -> None:
        self.queries = _filled(self.queries, rows, self.queries[rows] + last.seen.queries)
        self.backwards = _filled(self.backwards, rows, self.backwards[rows] + last.seen.backwards)


def _start(spec: Pgd, x: Tensor, threat: Threat, generator: Generator, given: Tensor | None) -> Tensor:
    if given is not None:
        return threat.project(given, x)
    return threat.sample(x, generator) if spec.start == "random" else x


def _pushed(velocity: Tensor | None, gradient: Tensor, momentum: float) -> Tensor:
    """μ v + g/‖g‖₁, of each input; a gradient of zero adds nothing."""
    size = gradient[:, None].flatten(start_dim=1).abs().sum(dim=1)
    push = gradient / per_input(torch.where(size > 0, size, 1), gradient)
    return push if velocity is None else momentum * velocity + push


def _merged(before: Estimate, found: Estimate, live: slice | Tensor) -> Estimate:
    """What has been seen of all inputs, with the passes added up; only the live ones were looked at."""
    return Estimate(
        _filled(torch.zeros_like(before.gradient), live, found.gradient),
        _filled(before.loss, live, found.loss),
        _filled(before.logits, live, found.logits),
        _filled(before.queries, live, before.queries[live] + found.queries),
        _filled(before.backwards, live, before.backwards[live] + found.backwards),
    )


def _filled(whole: Tensor, rows: slice | Tensor, part: Tensor) -> Tensor:
    """A tensor with some rows replaced; all of them, where rows is a slice."""
    return part if isinstance(rows, slice) else whole.index_copy(0, rows, part)
