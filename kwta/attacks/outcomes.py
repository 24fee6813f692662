"""What an evaluation reports: progress, the outcome of each attack, and at last how robust the network is."""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Int64
from numpy import ndarray

from kwta.attacks.ensembles import Spec
from kwta.attacks.interval import wilson
from kwta.threats import Threat


@dataclass(frozen=True)
class Progress:
    """An attack under way: `done` of `n` images, of which it has broken `broken`; it is number `index` of `attacks`."""

    name: str
    index: int
    attacks: int
    done: int
    n: int
    broken: int
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True)
class Skipped:
    """An attack that was not run, or not to its end, and why."""

    name: str
    reason: str
    kind: Literal["skipped"] = "skipped"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one attack did, image by image.

    spec: as it was run, which a budget may have shortened. broken: right without attack, and judged to be fooled.
    robust: right with and without. queries, backwards: passes of the target for each image; images that are wrong
    already are not attacked. seconds: of the attack and its judge.
    """

    spec: Spec
    name: str
    broken: Bool[ndarray, " n"]
    robust: Bool[ndarray, " n"]
    queries: Int64[ndarray, " n"]
    backwards: Int64[ndarray, " n"]
    seconds: float
    kind: Literal["outcome"] = "outcome"

    @property
    def robust_accuracy(self) -> float:
        """The share of all images that stay right."""
        return float(self.robust.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Its Wilson 95 % interval."""
        return wilson(int(self.robust.sum()), len(self.robust))

    @property
    def mean_queries(self) -> float:
        """Forward passes per image attacked."""
        return self._mean(self.queries)

    @property
    def mean_backwards(self) -> float:
        """Backward passes per image attacked."""
        return self._mean(self.backwards)

    def _mean(self, passes: Int64[ndarray, " n"]) -> float:
        attacked = self.broken | self.robust
        return float(passes[attacked].mean()) if attacked.any() else 0.0


@dataclass(frozen=True, eq=False)
class Robustness:
    """How a network stands against a threat: every attack on the same images, and the worst case over all.

    correct: right without attack. robust: right whatever any attack proposed; findings of an attack that was broken off
    count too. skipped: attacks without a column of their own.
    """

    threat: Threat
    seed: int
    correct: Bool[ndarray, " n"]
    robust: Bool[ndarray, " n"]
    attacks: tuple[Outcome, ...]
    skipped: tuple[Skipped, ...] = ()
    kind: Literal["robustness"] = "robustness"

    @property
    def n(self) -> int:
        """How many images."""
        return len(self.correct)

    @property
    def accuracy(self) -> float:
        """Without attack."""
        return float(self.correct.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson 95 % interval of the accuracy without attack."""
        return wilson(int(self.correct.sum()), self.n)

    @property
    def worst_case(self) -> float:
        """The robust accuracy that is reported: right under all attacks, image by image."""
        return float(self.robust.mean())

    @property
    def worst_interval(self) -> tuple[float, float]:
        """Its Wilson 95 % interval."""
        return wilson(int(self.robust.sum()), self.n)

    def named(self, name: str) -> Outcome:
        """The attack of that name. Raises ValueError if there is none."""
        found = next((outcome for outcome in self.attacks if outcome.name == name), None)
        if found is None:
            raise ValueError(f"the attack must be one of {', '.join(o.name for o in self.attacks)}, got {name!r}")
        return found


Record = Progress | Skipped | Outcome | Robustness
