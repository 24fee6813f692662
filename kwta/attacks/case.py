"""The case that the signs of masking are looked for in: the images, what was found on them, and further attacks."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, reduce
from math import isfinite
from time import perf_counter

import numpy as np
import torch
from jaxtyping import Bool
from numpy import ndarray
from torch import Tensor, nn

from kwta.attacks.estimators import Exact
from kwta.attacks.evaluate import BATCH, seeded
from kwta.attacks.foreign import CarliniWagner, DeepFool
from kwta.attacks.gradient import Pgd, Relative
from kwta.attacks.judge import judged, predicted
from kwta.attacks.outcomes import Outcome, Robustness
from kwta.attacks.propose import propose
from kwta.patterns.winners import evaluating
from kwta.threats import Threat

MORE_RESTARTS = 10
PROBE = Pgd(step=Relative(0.1), steps=40, until_success=True)
ANYWHERE = 64  # random points of the data box at which a network that answers the same everywhere is asked


class TimeUp(Exception):  # noqa: N818 (nothing went wrong)
    """The seconds of a case are over; no further batch of images is attacked."""


def follows_gradients(outcome: Outcome) -> bool:
    """Whether an attack takes several steps along the network's own gradients."""
    spec = outcome.spec
    if isinstance(spec, Pgd):
        return isinstance(spec.gradient, Exact) and spec.steps > 1
    return isinstance(spec, DeepFool | CarliniWagner)


class Case:
    """The images that are right without attack, and what was found on them; attacks run when they are first needed.

    seconds: from now on; when they are over, whatever begins another batch raises TimeUp. batch: images at once.
    """

    def __init__(
        self,
        net: nn.Module,
        x: Tensor,
        labels: Tensor,
        found: Robustness,
        seconds: float | None = None,
        batch: int = BATCH,
    ) -> None:
        right = torch.from_numpy(found.correct.copy()).to(x.device)
        self.net, self.found, self.every = evaluating(net), found, x
        # Steps and neighbours are shares of ε, which say nothing of gradients where ε is larger than the data box.
        self.threat = replace(found.threat, eps=min(found.threat.eps, found.threat.whole(x[0].numel())))
        self.x, self.labels, self.n, self.batch = x[right], labels[right], int(right.sum()), batch
        self.end = None if seconds is None else perf_counter() + seconds
        climbers = [outcome for outcome in found.attacks if follows_gradients(outcome)]
        one_step = [o for o in found.attacks if isinstance(o.spec, Pgd) and o.spec.steps == 1 and o not in climbers]
        self.others = [o for o in found.attacks if o not in climbers and o not in one_step]
        self.climbed = self.union(climbers)

    @cached_property
    def once(self) -> Bool[ndarray, " right"]:
        """Broken by one climb."""
        return self.broken_by(PROBE)

    @cached_property
    def by_gradients(self) -> Bool[ndarray, " right"]:
        """Broken by anything that follows gradients, with many more restarts."""
        return self.climbed | self.once | self.broken_by(replace(PROBE, restarts=MORE_RESTARTS))

    @cached_property
    def can_err(self) -> bool:
        """Whether the network is seen to predict more than one class on all the images given, right or wrong."""
        return len(predicted(self.net, self.every).unique()) > 1

    @cached_property
    def is_constant(self) -> bool:
        """Whether no attack broke an image, and all answers are exactly the same wherever the network is asked.

        At all the images, at the ends x ± ε of their balls, and at random points of the data box.
        """
        if (self.found.correct & ~self.found.robust).any():
            return False
        width = self.threat.high - self.threat.low
        whole = replace(self.threat, norm="linf", eps=width) if isfinite(width) else self.threat
        anywhere = self.every[:1].expand(ANYWHERE, *self.every.shape[1:])
        points = whole.sample(anywhere, seeded(self.found.seed, whole, 0))
        with torch.no_grad():
            first = self.net(self.every[:1])
            return all(bool((self.net(part) == first).all()) for part in (points, *self._surroundings()))

    def _surroundings(self) -> Iterator[Tensor]:
        """All the images, and the same moved by ±ε in every entry and brought back to ball and box; in batches."""
        for x in self.every.split(self.batch):
            yield x
            for step in (self.threat.eps, -self.threat.eps):
                yield self.threat.project(x + step, x)

    def union(self, outcomes: list[Outcome]) -> Bool[ndarray, " right"]:
        """Images that some of these attacks have broken."""
        broken = [outcome.broken[self.found.correct] for outcome in outcomes]
        return reduce(np.logical_or, broken, np.zeros(self.n, bool))

    def batches(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """(number, images, labels), a batch at a time. Raises TimeUp in place of one that would begin too late."""
        for number, (x, labels) in enumerate(zip(self.x.split(self.batch), self.labels.split(self.batch), strict=True)):
            if self.end is not None and perf_counter() >= self.end:
                raise TimeUp
            yield number, x, labels

    def broken_by(self, spec: Pgd, threat: Threat | None = None) -> Bool[ndarray, " right"]:
        """Attack again, and judge."""
        within = threat or self.threat
        broken = []
        for number, x, labels in self.batches():
            proposal = propose(spec, self.net, x, labels, within, seeded(self.found.seed, (spec, within), number))
            broken.append(judged(self.net, x, labels, proposal.x, within).fooled.cpu().numpy())
        return np.concatenate(broken)
