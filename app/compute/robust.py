"""The Robustness view's answers: the table, the verdicts, the curves, and what they come to in words."""

from dataclasses import dataclass

from app.compute import robust_cost, robust_job
from app.compute.robust_job import Job
from app.compute.robust_plan import NORMS, Asked, Question, at, label, shares
from app.compute.robust_trial import Trial
from kwta.attacks.adaptive import Adaptive
from kwta.attacks.ensembles import Spec
from kwta.attacks.evaluate import names
from kwta.attacks.gradient import Pgd
from kwta.attacks.hop_skip_jump import HopSkipJump
from kwta.attacks.masking import Masking
from kwta.attacks.noise import Noise
from kwta.attacks.outcomes import Robustness
from kwta.attacks.square import Square
from kwta.attacks.transfer import Transfer

# As a sentence names them.
SPOKEN = {"noise": "random noise", "transfer": "the transfer from ReLU", "adaptive": "the adaptive attack"}
VERDICTS = {"masked": "⚠ masked", "no sign of masking": "✓ no sign", "not enough images to tell": "? too few images"}
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


def plan(asked: Question) -> str:
    """What will be run, and how long it takes here."""
    seconds = robust_cost.in_words(robust_cost.whole(asked) * robust_cost.PACE.ratio)
    return (
        f"{len(asked.first.attacks)} attacks on {asked.first.n} test images of {len(asked.columns)} networks, trained "
        f"before: up to {seconds} here."
    )


def curve_plan(asked: Question) -> str:
    """What the curve needs beside the table, and how long that takes here."""
    seconds = sum(map(robust_cost.attacking, asked.others)) * robust_cost.PACE.ratio
    radii = ", ".join(f"{at(asked.first, share).threat.eps:g}" for share in shares(asked) if share != 1)
    return f"The same attacks on the same images at ε = {radii}: up to {robust_cost.in_words(seconds)} here."


def progress(found: Job) -> str:
    """What is being done, in words."""
    current = found.current
    if current is None:
        return "done"
    if found.is_waiting:
        return "waiting for another job on this server"
    done = sum(one.is_done for one in found.trials)
    doing = current.doing if current.asked.is_judged else f"ε = {current.asked.threat.eps:g}: {current.doing}"
    return f"{done} of {len(found.trials)} parts done; {doing}"


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
    heads = tuple((one.asked.name.partition(", adv")[0], training(one)) for one in trials)
    return Table(f"Right, % of the images [Wilson 95 %]; {under(found.asked)}", heads, rows)


def training(one: Trial) -> str:
    """How a column's network was trained."""
    return "adversarial training" if one.asked.recipe.training.adversarial else "plain training"


def detail(spec: Spec) -> str:
    """What an attack may spend on an image, in a few words."""
    match spec:
        case Transfer():
            return detail(spec.attack)
        case Pgd():
            steps = f"{spec.steps} step{'s' if spec.steps > 1 else ''}"
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
    return _percent(one.found.accuracy, one.found.interval) if one.found else _absent(one)


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


def failures(found: Job) -> list[str]:
    """What could not be judged, and why."""
    return [f"{one.asked.name}: {one.error}" for one in found.trials if one.error]


def in_words(found: Job) -> list[str]:
    """The network that gradients flatter most, and ReLU beside it: what the attacks leave, and the verdict."""
    done = [one for one in found.trials[: len(found.asked.columns)] if one.found and one.masking]
    if not done:
        return []
    chosen = max(done, key=_flattery)
    return [_told(one) for one in dict.fromkeys((chosen, done[0]))]


def _flattery(one: Trial) -> tuple[bool, float]:
    assert one.found is not None
    assert one.masking is not None
    return one.masking.verdict == "masked", one.found.named("pgd").robust_accuracy - one.found.worst_case


def _told(one: Trial) -> str:
    assert one.found is not None
    assert one.masking is not None
    found, best = one.found, strongest(one.found)
    others = f"{SPOKEN.get(best.name, label(best.name))} {_measured(best.robust_accuracy, best.interval)}, "
    return (
        f"**{one.asked.name}**: PGD leaves {_measured(found.named('pgd').robust_accuracy, found.named('pgd').interval)}"
        f" right, {others}the worst case {_measured(found.worst_case, found.worst_interval)}. "
        f"Verdict: **{one.masking.verdict}**{because(one.masking)}"
    )


def strongest(found: Robustness):
    """The attack that leaves fewest right among those that do not follow the network's own gradients."""
    return min((o for o in found.attacks if not isinstance(o.spec, Pgd)), key=lambda o: o.robust_accuracy)


def because(masking: Masking) -> str:
    """The reason of a verdict: the first sign that speaks, those that decide first."""
    speaking = sorted((sign for sign in masking.evidence if sign.speaks), key=lambda sign: not sign.decisive)
    if masking.verdict == "masked" and speaking:
        return f", because: {speaking[0].sentence}"
    return "." if masking.n else ": no image is right without attack."


def _measured(share: float, interval: tuple[float, float]) -> str:
    return f"{100 * share:.1f} % [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def verdicts(found: Job) -> list[tuple[str, str, list[tuple[bool, str]]]]:
    """Of each network its name, verdict (or how far it is), and every sign: whether it speaks for masking, and how."""
    told = []
    for one in found.trials[: len(found.asked.columns)]:
        state = one.masking.verdict if one.masking else one.error or one.doing
        told.append((one.asked.name, state, [(sign.speaks, sign.sentence) for sign in one.evidence]))
    return told


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
