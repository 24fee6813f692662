"""Robust accuracy under an ensemble of attacks, each judged independently; worst case per image over all of them.

`evaluate` is a generator: whoever asks for the next record sets the pace, and may stop asking.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from math import prod
from time import perf_counter
from zlib import crc32

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Generator, Tensor, nn

from kwta.attacks.budget import Budget, within
from kwta.attacks.ensembles import Spec, standard
from kwta.attacks.judge import judged, predicted
from kwta.attacks.labels import checked
from kwta.attacks.outcomes import Outcome, Progress, Record, Robustness, Skipped
from kwta.attacks.proposal import Proposal
from kwta.attacks.propose import propose
from kwta.attacks.transfer import Transfer
from kwta.patterns.winners import evaluating
from kwta.threats import Threat

BATCH = 250  # images attacked at once; a pause waits for no more than these
TIMED_BATCH = 25  # the same where seconds are given, for the clock is looked at between batches
NO_TWIN = "there is no twin to transfer from"
NO_TIME = "the time was up"


def evaluate(
    net: nn.Module,
    x: Float[Tensor, "n *shape"],
    labels: Integer[Tensor, " n"],
    threat: Threat,
    attacks: Sequence[Spec] | None = None,
    seed: int = 0,
    twin: nn.Module | None = None,
    budget: Budget | None = None,
    batch: int | None = None,
) -> Iterator[Record]:
    """Run the attacks (by default `standard`) one after the other; a Progress per batch, an Outcome each, at last the
    Robustness.

    net, twin, x and labels lie on one device; of a network in training a copy is judged, made now. Each attack's draws
    follow from the seed, its own spec and the number of the batch, so it finds the same whatever runs beside it.

    batch: images attacked at once; None is 250, or 25 where the budget has seconds. The clock is looked at between
    batches only: an evaluation may take as much longer as one attack on one batch does, which for the adaptive attack
    with 50,000 queries can be many seconds; fewer queries or a smaller batch keep nearer to the time. An Outcome's spec
    is the attack as it was run, shortened if the budget asks for it.

    Raises ValueError, before the first record, for no images, inputs outside the data box, labels that do not fit and a
    spec given twice.
    """
    attacks = tuple(standard(threat, prod(x.shape[1:])) if attacks is None else attacks)
    limits = budget or Budget()
    if batch is None:
        batch = BATCH if limits.seconds is None else TIMED_BATCH
    _check(x, threat, attacks, batch)
    labels = checked(labels, x, net)
    return _records(_Evaluation(evaluating(net), x, labels, threat, seed, twin, limits, batch), attacks)


def evaluated(*arguments, **options) -> Robustness:
    """The last record of `evaluate`, which takes the same arguments."""
    *_, last = evaluate(*arguments, **options)
    assert isinstance(last, Robustness)
    return last


@dataclass(eq=False)
class _Evaluation:
    """What all attacks share."""

    net: nn.Module
    x: Tensor
    labels: Tensor
    threat: Threat
    seed: int
    twin: nn.Module | None
    budget: Budget
    batch: int
    seconds: float = 0.0
    fooled: dict[str, Tensor] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.budget.seconds is not None and self.seconds >= self.budget.seconds

    @cached_property
    def classes(self) -> int:
        with torch.no_grad():
            return self.net(self.x[:1]).shape[1]

    def affordable(self, spec: Spec) -> Spec | str:
        """The attack within the budget, or why it is not run."""
        if isinstance(spec, Transfer) and self.twin is None:
            return NO_TWIN
        return within(spec, self.budget, self.threat, self.x[0].numel(), self.classes)

    def attack(self, spec: Spec, generator: Generator, rows: Tensor) -> tuple[Tensor, Proposal]:
        """Which of these images it fools, and what it proposed."""
        start = perf_counter()
        x, labels = self.x[rows], self.labels[rows]
        proposal = _proposed(spec, self.net, self.twin, x, labels, self.threat, generator)
        fooled = judged(self.net, x, labels, proposal.x, self.threat).fooled
        self.seconds += perf_counter() - start
        return fooled, proposal


def _records(run: _Evaluation, attacks: tuple[Spec, ...]) -> Iterator[Record]:
    correct = predicted(run.net, run.x) == run.labels
    outcomes: list[Outcome] = []
    skipped: list[Skipped] = []
    broken = [torch.zeros_like(correct)]
    for index, (spec, name) in enumerate(zip(attacks, names(attacks), strict=True)):
        affordable = run.affordable(spec)
        if isinstance(affordable, str):
            skipped.append(Skipped(name, affordable))
            yield skipped[-1]
            continue
        course = _Course(run, spec, affordable, correct)
        for done in course:
            yield Progress(name, index, len(attacks), done, len(correct), int(course.broken.sum()))
        broken.append(course.broken)
        if course.is_complete:
            outcomes.append(course.outcome(name))
            yield outcomes[-1]
        else:
            skipped.append(Skipped(name, NO_TIME))
            yield skipped[-1]
    robust = correct & ~reduce(torch.logical_or, broken)
    yield Robustness(run.threat, run.seed, correct.cpu().numpy(), robust.cpu().numpy(), tuple(outcomes), tuple(skipped))


class _Course:
    """One attack on all images, batch by batch; asked: what it was before the budget shortened it, and draws by."""

    def __init__(self, run: _Evaluation, asked: Spec, spec: Spec, correct: Tensor) -> None:
        self.run, self.asked, self.spec, self.correct = run, asked, spec, correct
        self.broken = torch.zeros_like(correct)
        self.queries, self.backwards = (torch.zeros(len(correct), dtype=torch.int64) for _ in range(2))
        self.seconds, self.is_complete = 0.0, False

    def __iter__(self) -> Iterator[int]:
        """Attack; how many images are done, after each batch."""
        before = self.run.seconds
        for number, rows in enumerate(torch.arange(len(self.correct)).split(self.run.batch)):
            if self.run.is_over:
                return
            attacked = rows[self.correct.cpu()[rows]]
            if len(attacked):
                generator = seeded(self.run.seed, self.asked, number)
                fooled, proposal = self.run.attack(self.spec, generator, attacked.to(self.correct.device))
                self.broken[attacked] = fooled
                self.queries[attacked] = proposal.queries.cpu()
                self.backwards[attacked] = proposal.backwards.cpu()
            self.seconds = self.run.seconds - before
            self.is_complete = int(rows[-1]) == len(self.correct) - 1
            yield int(rows[-1]) + 1

    def outcome(self, name: str) -> Outcome:
        broken, correct = self.broken.cpu().numpy(), self.correct.cpu().numpy()
        passes = self.queries.numpy(), self.backwards.numpy()
        return Outcome(self.spec, name, broken, correct & ~broken, *passes, self.seconds)


def _proposed(
    spec: Spec,
    net: nn.Module,
    twin: nn.Module | None,
    x: Tensor,
    labels: Tensor,
    threat: Threat,
    generator: Generator,
) -> Proposal:
    """What the attack proposes; a transfer takes it from the twin, and costs the target nothing."""
    if not isinstance(spec, Transfer):
        return propose(spec, net, x, labels, threat, generator)
    assert twin is not None
    found = propose(spec.attack, twin, x, labels, threat, generator)
    return Proposal(found.x, torch.zeros_like(found.queries), torch.zeros_like(found.backwards))


def seeded(seed: int, spec: object, number: int) -> Generator:
    """A generator on the CPU that is fixed by the seed, a spec and a number."""
    entropy = np.random.SeedSequence((seed, crc32(repr(spec).encode()), number))
    return Generator().manual_seed(int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1)))


def names(attacks: Sequence[Spec]) -> list[str]:
    """The names of the attacks; the second of a name has -2 at its end.

    >>> from kwta.attacks.noise import Noise
    >>> from kwta.attacks.square import Square
    >>> names([Square(100), Noise(), Square(1000)])
    ['square', 'noise', 'square-2']
    """
    met: Counter[str] = Counter()
    found = []
    for spec in attacks:
        met[spec.name] += 1
        found.append(spec.name if met[spec.name] == 1 else f"{spec.name}-{met[spec.name]}")
    return found


def _check(x: Tensor, threat: Threat, attacks: tuple[Spec, ...], batch: int) -> None:
    if not len(x):
        raise ValueError("robustness needs at least one image, got none")
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    twice = [spec for spec, count in Counter(attacks).items() if count > 1]
    if twice:
        raise ValueError(f"an attack is given twice: {twice[0]}")
    threat.check(x)
