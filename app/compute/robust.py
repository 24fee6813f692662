"""The Robustness view's answers: the table, the verdicts, the curves, and what they come to in words."""

from dataclasses import dataclass, replace

from app.compute import robust_cost, robust_job
from app.compute.robust_job import Job
from app.compute.robust_names import key, label
from app.compute.robust_plan import NORMS, Asked, Question, at, named, shares
from app.compute.robust_trial import Trial
from app.compute.runs import Recipe
from kwta.attacks.adaptive import Adaptive
from kwta.attacks.ensembles import Spec
from kwta.attacks.estimators import Neighbours
from kwta.attacks.evaluate import names
from kwta.attacks.gradient import Pgd
from kwta.attacks.hop_skip_jump import HopSkipJump
from kwta.attacks.interval import wilson
from kwta.attacks.noise import Noise
from kwta.attacks.outcomes import Robustness
from kwta.attacks.square import Square
from kwta.attacks.transfer import Transfer

VERDICTS = {
    "masked": "⚠ masked",
    "no sign of masking": "✓ no sign",
    "not enough images to tell": "? too few images",
    "not enough time to tell": "? too little time",
    "constant network": "– constant",
}
# So many columns have room for long names.
ROOMY = 5
# A job that the model of costs puts at so many seconds at most begins by itself: it is shared by all viewers.
CHEAP = 30.0


@dataclass(frozen=True)
class Cell:
    """A share of the images with its interval, all in percent; or, without a number, what stands in its place.

    lowest: whether no attack of the column leaves fewer.
    """

    share: float | None = None
    low: float = 0.0
    high: float = 100.0
    note: str = ""
    lowest: bool = False


@dataclass(frozen=True)
class Row:
    """One attack on all networks. kind: "clean", "attack", "worst" or "verdict"."""

    label: str
    detail: str
    kind: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """The main table; heads: of each column the activation and how it was trained."""

    caption: str
    heads: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Curve:
    """Accuracy of one network in percent against ε: (ε, share, low, high) under PGD and in the worst case."""

    name: str
    hardened: bool
    pgd: tuple[tuple[float, float, float, float], ...]
    worst: tuple[tuple[float, float, float, float], ...]


def is_cheap(asked: Question) -> bool:
    """Whether it may begin without being asked to."""
    return robust_cost.whole(asked) <= CHEAP


def job(asked: Question) -> Job:
    """The job of this question, shared by all viewers, as far as it is."""
    return robust_job.job(asked)


def under(asked: Question) -> str:
    """The threat and the images, in words."""
    first = asked.first
    return f"{NORMS[first.threat.norm]}, ε = {first.threat.eps:g}, the same {first.n} test images in every column"


def table(found: Job) -> Table:
    """Robust accuracy, attack by attack, as far as it is known."""
    trials = found.trials[: len(found.asked.columns)]
    first = found.asked.first
    attacks = tuple(zip(names(first.attacks), first.attacks, strict=True))
    rows = (
        Row("Without attack", "", "clean", tuple(_clean(one) for one in trials)),
        *(Row(label(n), detail(s), "attack", tuple(_cell(one, n) for one in trials)) for n, s in attacks),
        Row("Worst case", "per image, over all", "worst", tuple(_worst(one) for one in trials)),
        Row("Masking", "do gradients mislead?", "verdict", tuple(_verdict(one) for one in trials)),
    )
    heads = tuple(head(one.asked.recipe, len(trials) > ROOMY) for one in trials)
    return Table(f"Right, % of the images [Wilson 95 %]; {under(found.asked)}", heads, rows)


def attack_key(found: Job) -> tuple[tuple[str, str, str], ...]:
    """Of each attack the name in the table, the name in files and on the command line, and what it does."""
    return key(names(found.asked.first.attacks))


def head(recipe: Recipe, short: bool) -> tuple[str, str]:
    """A network as its column is headed: what tells it from the others, and how it was trained."""
    way = "adversarial" if recipe.training.adversarial else "plain"
    name = named(replace(recipe, training=replace(recipe.training, adversarial=None)))
    return (name.removeprefix("k-WTA, "), way) if short else (name, f"{way} training")


def detail(spec: Spec) -> str:
    """What an attack may spend on an image, in a few words."""
    match spec:
        case Transfer():
            return detail(spec.attack)
        case Pgd():
            steps = f"{spec.steps} step{'s' if spec.steps > 1 else ''}"
            if isinstance(spec.gradient, Neighbours):
                return f"{steps}, mean of {spec.gradient.samples} gradients"
            return f"{steps}, {spec.restarts} starts" if spec.restarts > 1 else steps
        case Adaptive():
            return f"{sum(steps * samples for steps, samples in spec.schedule):,} queries, no gradients"
        case Square():
            return f"{spec.queries:,} queries of scores"
        case HopSkipJump():
            return f"{spec.steps} rounds of decisions"
        case Noise():
            return f"{spec.samples} draws"
        case _:
            return ""


def _percent(right: float, interval: tuple[float, float], lowest: bool = False) -> Cell:
    return Cell(100 * right, 100 * interval[0], 100 * interval[1], lowest=lowest)


def _clean(one: Trial) -> Cell:
    for outcome in one.outcomes.values():  # any of them knows which images were right before
        right = outcome.broken | outcome.robust
        return _percent(float(right.mean()), wilson(int(right.sum()), len(right)))
    return _absent(one)


def _worst(one: Trial) -> Cell:
    return _percent(one.found.worst_case, one.found.worst_interval) if one.found else _absent(one)


def _absent(one: Trial) -> Cell:
    return Cell(note="failed" if one.error else "·")


def _cell(one: Trial, name: str) -> Cell:
    outcomes = one.outcomes
    if name in outcomes:
        least = min(outcome.robust_accuracy for outcome in outcomes.values())
        found = outcomes[name]
        return _percent(found.robust_accuracy, found.interval, found.robust_accuracy == least and one.found is not None)
    if name in one.skipped:
        return Cell(note="left out")
    if one.under_way and one.under_way.name == name:
        return Cell(note=f"{one.under_way.done} of {one.under_way.n} …" if one.under_way.done else "…")
    return _absent(one)


def _verdict(one: Trial) -> Cell:
    return Cell(note=VERDICTS[one.masking.verdict]) if one.masking else _absent(one)


def curves(found: Job) -> tuple[Curve, ...]:
    """Accuracy against ε, as far as it is known: 0, the table's ε, and the others if they were wanted."""
    at_hand = {one.asked: one.found for one in found.trials if one.found}
    return tuple(_curve(found.asked, column, at_hand) for column in found.asked.columns if column in at_hand)


def _curve(asked: Question, column: Asked, at_hand: dict[Asked, Robustness]) -> Curve:
    main = at_hand[column]
    clean = (0.0, *_triple(main.accuracy, main.interval))
    pgd, worst = [clean], [clean]
    for share in shares(asked):
        if found := main if share == 1 else at_hand.get(at(column, share)):
            climbed, eps = found.named("pgd"), found.threat.eps
            pgd.append((eps, *_triple(climbed.robust_accuracy, climbed.interval)))
            worst.append((eps, *_triple(found.worst_case, found.worst_interval)))
    return Curve(column.name, column.recipe.training.adversarial is not None, tuple(pgd), tuple(worst))


def _triple(share: float, interval: tuple[float, float]) -> tuple[float, float, float]:
    return 100 * share, 100 * interval[0], 100 * interval[1]
