"""One network under its attacks: trained, attacked, judged, a slice at a time, and shared by all viewers."""

from collections.abc import Iterator
from time import perf_counter

import streamlit as st
import torch

from app.compute import data, jump_training, robust_cost
from app.compute.robust_names import label
from app.compute.robust_plan import Asked, named
from app.compute.runs import Recipe
from kwta.attacks.evaluate import evaluate, names
from kwta.attacks.masking import Evidence, Masking, diagnose
from kwta.attacks.outcomes import Outcome, Progress, Robustness, Skipped

# Seconds of training between two looks at whether somebody still asks.
SLICE = 0.3
# Columns kept, over all viewers: a few kilobytes each, 100 KB for a thousand images.
KEPT = 256


class Trial:
    """A column of the table, as far as it is. What is found only ever grows, so reading it needs no lock.

    found: the whole evaluation, None until then. masking: the verdict. error: why there will be none. doing: what is
    under way, in words; under_way: the attack under way. work: seconds of the attacks done, by the model of their cost.
    """

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.outcomes: dict[str, Outcome] = {}
        self.skipped: dict[str, str] = {}
        self.evidence: list[Evidence] = []
        self.found: Robustness | None = None
        self.masking: Masking | None = None
        self.error = ""
        self.doing = "about to begin"
        self.under_way: Progress | None = None
        self.is_done = False
        self.seconds = 0.0
        self.work = 0.0
        self._trained: dict[Recipe, float] = {}
        self._rest: Iterator[None] | None = self._slices()

    def advance(self) -> None:
        """Do a slice of the work, one thread at a time; what ends it early is told to whoever watches."""
        if self._rest is None:
            return
        start = perf_counter()
        try:
            next(self._rest)
        except StopIteration:
            self._end()
        except Exception as error:  # shown on the page
            self.error = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            self._end()
        self.seconds += perf_counter() - start

    def _end(self) -> None:
        self._rest, self.is_done, self.under_way = None, True, None

    def share(self, recipe: Recipe) -> float:
        """How much of a network's training is done, as far as this trial needed it."""
        return 1.0 if self.is_done else self._trained.get(recipe, 0.0)

    def _slices(self) -> Iterator[None]:
        for recipe in (self.asked.twin, self.asked.recipe):
            yield from self._training(recipe)
        yield from self._attacks()

    def _training(self, recipe: Recipe) -> Iterator[None]:
        course = jump_training.course(recipe)
        while not course.is_done:
            before, start = course.epoch, perf_counter()
            course.go_on(SLICE)
            share = (course.epoch - before) / course.epochs
            robust_cost.PACE.learn(share * robust_cost.training(recipe), perf_counter() - start)
            self._trained[recipe] = course.epoch / course.epochs
            self.doing = f"training {named(recipe)}: epoch {course.epoch:.0f} of {course.epochs}"
            yield
        self._trained[recipe] = 1.0
        if course.net is None and recipe == self.asked.recipe:
            raise ValueError(f"the training failed: {course.error}")

    def _attacks(self) -> Iterator[None]:
        asked = self.asked
        net, twin = (jump_training.course(recipe).net for recipe in (asked.recipe, asked.twin))
        assert net is not None
        known = data.data(asked.recipe.data)
        x, labels = torch.tensor(known.x_test[: asked.n]), torch.tensor(known.labels_test[: asked.n])
        specs = asked.attacks
        self._expect(len(x))
        yield
        batch = robust_cost.BATCH
        for record in evaluate(net, x, labels, asked.threat, specs, asked.seed, twin, batch=batch):
            self._take(record)
            yield
        if asked.is_judged:
            assert self.found is not None
            self.doing = f"looking for masking in {asked.name}"
            for sign in diagnose(net, x, labels, self.found):
                if isinstance(sign, Masking):
                    self.masking = sign
                else:
                    self.evidence.append(sign)
                yield
        self.work = robust_cost.attacking(asked)

    def _expect(self, n: int) -> None:
        """The attack that comes next."""
        met = len(self.outcomes) + len(self.skipped)
        if met < len(coming := names(self.asked.attacks)):
            self._tell(Progress(coming[met], met, len(coming), 0, n, 0))

    def _tell(self, progress: Progress) -> None:
        self.under_way = progress
        self.doing = f"{label(progress.name)} on {self.asked.name}: {progress.done} of {progress.n} images"

    def _take(self, record: Progress | Skipped | Outcome | Robustness) -> None:
        match record:
            case Progress():
                self._tell(record)
            case Outcome():
                self.outcomes[record.name] = record
                expected = robust_cost.attack(record.spec, self.asked)
                self.work += expected
                robust_cost.PACE.learn(expected, record.seconds)
                self._expect(len(record.robust))
            case Skipped():
                self.skipped[record.name] = record.reason
                self._expect(self.asked.n)
            case Robustness():
                self.found, self.under_way = record, None


@st.cache_resource(max_entries=KEPT, show_spinner=False)
def trial(asked: Asked) -> Trial:
    """The one trial of this network, shared by all viewers."""
    return Trial(asked)
