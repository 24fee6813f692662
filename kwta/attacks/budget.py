"""What an evaluation may cost, and what becomes of an attack that would cost more."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, isfinite, log2, sqrt
from typing import Literal

from kwta.attacks.adaptive import Adaptive
from kwta.attacks.ensembles import Spec
from kwta.attacks.estimators import Gradient, Neighbours, Schedule, Smoothed
from kwta.attacks.foreign import CarliniWagner, DeepFool
from kwta.attacks.gradient import Pgd
from kwta.attacks.hop_skip_jump import NEIGHBOURS, NOISES, HopSkipJump
from kwta.attacks.noise import Noise
from kwta.attacks.search import RandomSearch
from kwta.attacks.square import Square
from kwta.attacks.step_size import Decreasing, Relative, StepSize
from kwta.attacks.transfer import Transfer
from kwta.threats import Threat

LEAST_STEPS = 2  # of a climb: one step is another attack, which the diagnosis tells apart
SHRINKING = 0.95  # of a schedule, from one that is tried to the next
HALVINGS = 30  # of one step of HopSkipJump, until float32 cannot tell its end from its start
BORDERLESS = "it works in [0, 1], to which a data box without borders cannot be brought"


@dataclass(frozen=True)
class Budget:
    """What an evaluation may cost; None is no limit.

    seconds: of all attacks together; when they are over no further batch begins. queries: forward passes of the target
    for each image in each attack. An attack that could take more is shortened (`within`), or left out where its
    shortest form takes more. Back-propagation costs none, nor does what a transfer asks of the twin.
    """

    seconds: float | None = None
    queries: int | None = None
    kind: Literal["budget"] = "budget"

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"the seconds must be positive or None, got {self.seconds}")
        if self.queries is not None and self.queries < 1:
            raise ValueError(f"the queries must be at least 1 or None, got {self.queries}")


def within(spec: Spec, budget: Budget, threat: Threat, d: int, classes: int) -> Spec | str:
    """The spec, no longer than the budget's queries allow for inputs of d entries; or why it cannot be run.

    A climb gives up restarts first, then steps, which become longer so that they can still cross the ball; the adaptive
    attack steps and passes for each step in the same proportion; foolbox's attacks steps; a search and noise what they
    may ask.
    """
    if isinstance(spec, DeepFool | CarliniWagner | HopSkipJump) and not isfinite(threat.high - threat.low):
        return BORDERLESS
    if budget.queries is None or most_queries(spec, threat, d, classes) <= budget.queries:
        return spec
    cost = 0
    for shorter in _shorter(spec, budget.queries, threat.eps):
        cost = most_queries(shorter, threat, d, classes)
        if cost <= budget.queries:
            return shorter
    return f"it takes up to {cost:,} queries even where it is shortest, the budget is {budget.queries:,}"


def most_queries(spec: Spec, threat: Threat, d: int, classes: int) -> int:
    """The most forward passes of the target that an attack spends on one input of d entries.

    >>> most_queries(Pgd(step=0.1, steps=40, restarts=2), Threat(0.3), 64, 10)
    82
    """
    match spec:
        case Transfer():
            return 0
        case Square() | RandomSearch():
            return spec.queries
        case Noise():
            return spec.samples
        case Pgd():
            return spec.restarts * (1 + sum(1 + _samples(spec.gradient, step) for step in range(spec.steps)))
        case Adaptive():
            return most_queries(spec.climb, threat, d, classes)
        case DeepFool():
            return 1 + spec.steps * max(1, min(spec.candidates, classes) - 1)
        case CarliniWagner():
            return spec.bisections * spec.steps
        case HopSkipJump():
            return _walk(spec, threat, d)


def _samples(gradient: Gradient, step: int) -> int:
    """Forward passes that an estimate takes beside the look at the input itself."""
    match gradient:
        case Smoothed():
            return 2 * gradient.pairs(step)
        case Neighbours():
            return gradient.samples
    return 0


def _walk(spec: HopSkipJump, threat: Threat, d: int) -> int:
    """A start, and for each step decisions around the border, a step away from it, and a bisection back.

    The bisection ends at 1/d² (L∞) or 1/d^1.5 (L2) of the way; foolbox asks before and after it once more.
    """
    back = 2 + ceil((2 if threat.norm == "linf" else 1.5) * log2(max(d, 2)))
    around = sum(int(spec.samples * sqrt(step + 1)) for step in range(spec.steps))
    return NEIGHBOURS + NOISES + back + around + spec.steps * (HALVINGS + back)


def _shorter(spec: Spec, queries: int, eps: float) -> Iterator[Spec]:
    """The spec with less and less to ask, from at most `queries` on where it has that number."""
    match spec:
        case Square() | RandomSearch():
            yield replace(spec, queries=queries)
        case Noise():
            yield replace(spec, samples=queries)
        case Pgd():
            yield from (replace(spec, restarts=n) for n in range(spec.restarts - 1, 0, -1))
            for steps in range(spec.steps - 1, min(LEAST_STEPS, spec.steps) - 1, -1):
                longer = _times(spec.step, _stretch(spec.sizes(eps), replace(spec, steps=steps).sizes(eps), eps))
                yield replace(spec, restarts=1, steps=steps, step=longer)
        case Adaptive():
            for schedule in _schedules(spec.schedule):
                less = replace(spec, schedule=schedule)
                yield replace(less, step=spec.step * _stretch(spec.climb.sizes(eps), less.climb.sizes(eps), eps))
        case DeepFool() | CarliniWagner() | HopSkipJump():
            yield from (replace(spec, steps=n) for n in range(spec.steps - 1, 0, -1))


def _schedules(schedule: Schedule) -> Iterator[Schedule]:
    """Steps and passes for each step smaller in the same proportion, down to one pair of points at each of two."""
    part, least = 1.0, ceil(LEAST_STEPS / len(schedule))
    while part * max(samples for _, samples in schedule) > 2:
        part *= SHRINKING
        yield tuple((max(least, round(part * n)), max(2, 2 * int(part * samples / 2))) for n, samples in schedule)
    yield ((LEAST_STEPS, 2),)


def _stretch(before: list[float], after: list[float], eps: float) -> float:
    """How much longer fewer steps must be to cross the ball, or to go as far as the many did where that is less."""
    return max(1.0, min(sum(before), 2 * eps) / sum(after))


def _times(step: StepSize, factor: float) -> StepSize:
    match step:
        case Relative(share_of_eps=share):
            return Relative(factor * share)
        case Decreasing(first=first, last=last):
            return Decreasing(factor * first, factor * last)
        case size:
            return factor * size
