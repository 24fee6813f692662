"""What the Robustness view asks: which networks, under which threat, on how many images, by which ensemble."""

from dataclasses import dataclass, replace
from functools import cache
from math import prod
from typing import Literal

from app.compute import claims, data, networks, trained
from app.compute.runs import Recipe
from app.compute.words import short
from kwta.activation.count import exact
from kwta.attacks.ensembles import Spec, quick, standard
from kwta.threats import Norm, Threat
from kwta.training import Adversarial

NORMS = {"linf": "L∞", "l2": "L2"}
ENSEMBLES = {"quick": "quick", "standard": "standard, many times the queries"}
TRAININGS = {"plain": "plain", "both": "plain and adversarial"}
MAX_IMAGES, MAX_GAMMAS = 1000, 6
# γ at which networks are judged beside that of the sidebar, unless others are asked for.
FURTHER = (0.1, 0.05)
# Steps of the attack in adversarial training (Madry et al.): ten cost as much again and change little on a page.
STEPS = 7
# Where accuracy is measured against ε, in shares of it; 1 is the table.
SHARES = (0.25, 0.5, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Asked:
    """One column of the table: a network and its twin, by how they are trained, and what is done to it.

    n: the first so many test images. is_judged: whether the verdict on masking is wanted as well.
    """

    recipe: Recipe
    twin: Recipe
    threat: Threat
    n: int
    ensemble: str
    seed: int
    is_judged: bool = True
    kind: Literal["robustness"] = "robustness"

    @property
    def name(self) -> str:
        """Which network, in words."""
        return named(self.recipe)

    @property
    def attacks(self) -> tuple[Spec, ...]:
        """The ensemble for this threat and these inputs."""
        return attacks(self.ensemble, self.threat, inputs(self.recipe))


@dataclass(frozen=True)
class Question:
    """The columns, all under one threat on the same images; with_curve: also at other ε."""

    columns: tuple[Asked, ...]
    with_curve: bool = False
    kind: Literal["question"] = "question"

    @property
    def first(self) -> Asked:
        """The column of ReLU, whose threat, images and ensemble are those of all."""
        return self.columns[0]

    @property
    def others(self) -> tuple[Asked, ...]:
        """Every column at the other ε of the curve, if that is wanted."""
        return tuple(at(column, share) for share in shares(self) if share != 1 for column in self.columns)

    @property
    def parts(self) -> tuple[Asked, ...]:
        """All that is to be done, in this order."""
        return self.columns + (self.others if self.with_curve else ())


def question(setup, chosen: dict) -> Question:
    """What the controls describe: ReLU, the shared γ and the others, each also hardened where that is wanted.

    Raises NetworkError where a γ leaves a layer without winner, DataError where there are no such data.
    """
    known = data.data(setup.data)
    low, high = map(float, known.box)
    threat = Threat(chosen["reps"], chosen["rnorm"], low, high)
    n = min(chosen["rimages"], len(known.x_test))
    plain = _recipes(setup, chosen["others"])
    relu = plain[0]
    columns = []
    for adversarial in (None, *((hardening(threat),) if chosen["hardened"] == "both" else ())):
        for recipe in plain:
            twin = relu if recipe is not relu else replace(relu, seed=relu.seed + 1)
            training = replace(recipe.training, adversarial=adversarial)
            columns.append(
                Asked(replace(recipe, training=training), _twin(twin), threat, n, chosen["ensemble"], setup.seed)
            )
    return Question(tuple(columns), bool(chosen["rcurve"]))


def with_curve(asked: Question, wanted: bool) -> Question:
    """The same question, with the other ε or without."""
    return replace(asked, with_curve=wanted)


def _recipes(setup, others: str) -> tuple[Recipe, ...]:
    """ReLU, the shared γ, and the others, each trained alike."""
    relu, kwta = (trained.which(setup, activation=phi).recipe for phi in ("relu", "kwta"))
    gammas = [gamma for gamma in gammas_in(others) if gamma != setup.gamma]
    try:
        return (relu, kwta, *(replace(kwta, net=networks.with_gamma(kwta.net, gamma)) for gamma in gammas))
    except networks.NetworkError as error:
        raise networks.NetworkError(f"further k-WTA networks: {error}") from error


def _twin(recipe: Recipe) -> Recipe:
    """The network to transfer from is trained with its own seed."""
    return replace(recipe, training=replace(recipe.training, seed=recipe.seed))


def hardening(threat: Threat) -> Adversarial:
    """Training on what PGD finds within the threat."""
    return Adversarial("madry", threat.eps, threat.norm, STEPS)


def at(column: Asked, share: float) -> Asked:
    """The same network under an attacker with another radius, without the verdict."""
    eps = round(share * column.threat.eps, 9)
    return replace(column, threat=replace(column.threat, eps=eps), is_judged=False)


def shares(asked: Question) -> tuple[float, ...]:
    """Of ε, those at which the curve is measured: no ball is larger than the data box."""
    threat = asked.first.threat
    widest = (threat.high - threat.low) * _reach(threat.norm, inputs(asked.first.recipe))
    return tuple(share for share in SHARES if share <= 1 or share * threat.eps <= widest)


def inputs(recipe: Recipe) -> int:
    """Entries of one input."""
    return data.outline(recipe.data).inputs


def attacks(ensemble: str, threat: Threat, d: int) -> tuple[Spec, ...]:
    """The attacks of an ensemble."""
    return (standard if ensemble == "standard" else quick)(threat, d)


def named(recipe: Recipe) -> str:
    """A network as the table calls it.

    >>> from app.controls import Setup
    >>> named(trained.which(Setup()).recipe)
    'k-WTA, γ = 0.2'
    """
    gamma = recipe.net.gamma
    base = "ReLU" if gamma is None else f"k-WTA, γ = {float(gamma):g}"  # type: ignore[arg-type]
    return base + (", adversarial" if recipe.training.adversarial else "")


@cache
def usual_eps(name: str, norm: Norm) -> float:
    """The published ε of these data, else a tenth of the data box, in L∞; its like in L2.

    The L∞ ball of radius ε lies between the L2 balls of radius ε and ε √d; taken is their geometric mean.
    """
    eps = claims.usual_eps(name)
    return eps if norm == "linf" else round(eps * prod(data.data(name).shape) ** 0.25, 3)


def most_eps(name: str, norm: Norm) -> float:
    """The radius at which the ball holds the whole data box."""
    return int(1000 * claims.most_eps(name) * _reach(norm, prod(data.data(name).shape))) / 1000


def _reach(norm: Norm, d: int) -> float:
    """The length of the diagonal of a box of d sides of length 1."""
    return 1.0 if norm == "linf" else d**0.5


def eps_reader(name: str, norm: Norm):
    """A reader of ε for a table of controls: above 0, at most the data box."""
    most = most_eps(name, norm)

    def read(text: str) -> float:
        try:
            value = round(float(text), 3)
        except (ValueError, OverflowError):
            value = float("nan")
        if not 0 < value <= most:
            raise ValueError(f"ε must be a number from 0.001 to {most:g}, got {short(text)}")
        return value

    return read


def read_gammas(text: str) -> str:
    """γ with commas between, or nothing; raises ValueError for what is no γ in (0, 1], and for too many."""
    try:
        found = list(dict.fromkeys(float(exact(float(part))) for part in text.split(",") if part.strip()))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"further γ are numbers above 0 and up to 1 with commas between, got {short(text)}") from error
    if len(found) > MAX_GAMMAS:
        raise ValueError(f"at most {MAX_GAMMAS} further γ stand beside each other, got {len(found)}")
    return ",".join(f"{gamma:g}" for gamma in found)


def usual_others(setup) -> str:
    """The further γ to begin with: those of FURTHER that leave every layer a winner.

    >>> from app.controls import Setup
    >>> usual_others(Setup()), usual_others(Setup(data="moons@0.05", net="16,16"))
    ('0.1,0.05', '0.1')
    """
    fewest = networks.least(min(networks.spec(setup).sizes))
    return ",".join(f"{gamma:g}" for gamma in FURTHER if gamma >= fewest)


def gammas_in(text: str) -> tuple[float, ...]:
    """The numbers in what `read_gammas` returns.

    >>> gammas_in("0.1,0.05")
    (0.1, 0.05)
    """
    return tuple(float(part) for part in text.split(",") if part)
