"""What the Robustness view says: what will be done, how far it is, and what was found, in the numbers of the page."""

from dataclasses import dataclass

from app.compute import robust_cost
from app.compute.robust_job import Job
from app.compute.robust_names import SIGNS, in_table_words, spoken
from app.compute.robust_plan import Asked, Question, at, shares
from app.compute.robust_trial import Trial
from kwta.attacks.estimators import Exact
from kwta.attacks.evaluate import names
from kwta.attacks.gradient import Pgd
from kwta.attacks.masking import Masking
from kwta.attacks.outcomes import Outcome, Robustness
from kwta.attacks.signs import Evidence


@dataclass(frozen=True)
class Sign:
    """A sign of masking that was looked for: what was asked, whether it was seen, and how that was measured."""

    question: str
    is_seen: bool
    detail: str


@dataclass(frozen=True)
class Verdict:
    """Of one network: the verdict or how far it is, and the signs so far."""

    name: str
    verdict: str
    signs: tuple[Sign, ...]


def plan(found: Job) -> str:
    """What will be run, what of it is known, and how long the rest takes here."""
    asked, share = found.asked, found.share
    seconds = robust_cost.in_words(robust_cost.whole(asked) * robust_cost.PACE.ratio * (1 - share))
    if share:
        return f"{known(found)}; measuring the rest takes up to {seconds} here."
    return (
        f"{len(asked.columns)} networks are trained, then {len(asked.first.attacks)} attacks try {asked.first.n} test "
        f"images of each; up to {seconds} here."
    )


def known(found: Job) -> str:
    """How much is there already, whoever asked for it."""
    whole = sum(one.is_done for one in found.trials)
    if not whole:
        return f"{found.share:.0%} of the work is done already"
    return f"{whole} of {len(found.trials)} {_parts(found)} {'is' if whole == 1 else 'are'} known already"


def _parts(found: Job) -> str:
    return "parts" if found.asked.with_curve else "columns"


def begin(found: Job, is_held: bool) -> str:
    """What the button promises. is_held: this viewer began with just this, and paused it."""
    if is_held and found.share:
        return "Go on"
    return "Measure the rest" if found.share else "Judge these networks"


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
    return f"{done} of {len(found.trials)} {_parts(found)} done; {doing}"


def failures(found: Job) -> list[str]:
    """What could not be judged, and why."""
    return [f"{one.asked.name}: {one.error}" for one in found.trials if one.error]


def in_words(found: Job) -> list[str]:
    """The network that gradients flatter most, and ReLU beside it: what the attacks leave, and the verdict."""
    done = [one for one in found.trials[: len(found.asked.columns)] if one.found and one.masking]
    if not done:
        return []
    chosen = max(done, key=_flattery)
    return [_told(one) for one in ((chosen,) if chosen is done[0] else (chosen, done[0]))]


def _flattery(one: Trial) -> tuple[bool, float, bool]:
    assert one.found is not None
    assert one.masking is not None
    gap = one.found.named("pgd").robust_accuracy - one.found.worst_case
    return one.masking.verdict == "masked", gap, one.asked.recipe.net.gamma is not None


def _told(one: Trial) -> str:
    assert one.found is not None
    assert one.masking is not None
    found, best = one.found, strongest(one.found)
    others = f"{spoken(best.name)} {_measured(best.robust_accuracy, best.interval)}, "
    return (
        f"**{one.asked.name}**: PGD leaves {_measured(found.named('pgd').robust_accuracy, found.named('pgd').interval)}"
        f" right, {others}the worst case {_measured(found.worst_case, found.worst_interval)}. "
        f"Verdict: **{one.masking.verdict}**{because(one.asked, one.masking)}"
    )


def strongest(found: Robustness) -> Outcome:
    """The attack that leaves fewest right among those that do not follow the network's own gradients."""
    own = (o for o in found.attacks if isinstance(o.spec, Pgd) and isinstance(o.spec.gradient, Exact))
    led = {outcome.name for outcome in own}
    return min((o for o in found.attacks if o.name not in led), key=lambda o: o.robust_accuracy)


def because(asked: Asked, masking: Masking) -> str:
    """The reason of a verdict: the first sign that speaks, those that decide first."""
    speaking = sorted((sign for sign in masking.evidence if sign.speaks), key=lambda sign: not sign.decisive)
    if masking.verdict == "masked" and speaking:
        plain, detail = SIGNS.get(speaking[0].name), _in_table_words(asked, speaking[0])
        return f", because {plain.yes}. {detail}" if plain else f", because: {detail}"
    return "." if masking.n else ": no image is right without attack."


def _in_table_words(asked: Asked, sign: Evidence) -> str:
    return in_table_words(sign.sentence, names(asked.attacks)) if sign.name == "beaten" else sign.sentence


def _measured(share: float, interval: tuple[float, float]) -> str:
    return f"{100 * share:.1f} % [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"


def verdicts(found: Job) -> list[Verdict]:
    """Of each network its verdict (or how far it is), and every sign that was looked for."""
    return [
        Verdict(
            one.asked.name,
            one.masking.verdict if one.masking else one.error or one.doing,
            tuple(_sign(one.asked, sign) for sign in one.evidence),
        )
        for one in found.trials[: len(found.asked.columns)]
    ]


def _sign(asked: Asked, sign: Evidence) -> Sign:
    question = SIGNS[sign.name].question if sign.name in SIGNS else f"Does “{sign.name}” speak for masking?"
    return Sign(question, sign.speaks, _in_table_words(asked, sign))
