"""What the controls of the Attack view mean: three attacks on one input, each a frozen value and so a cache key."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from math import prod, sqrt
from typing import Any, Literal

from app.compute import data
from app.compute.trained import Which
from app.compute.words import short
from kwta.attacks.adaptive import EPS, QUICK, SIGMA, STEP, Adaptive
from kwta.attacks.estimators import Neighbours
from kwta.attacks.gradient import Pgd, Relative
from kwta.attacks.noise import Noise
from kwta.attacks.search import RandomSearch
from kwta.attacks.square import Square
from kwta.attacks.surrogates import SoftTopK, StraightThrough
from kwta.datasets import Data
from kwta.threats import Threat

COLUMNS = {"white": "White-box", "black": "Black-box", "adaptive": "Adaptive"}
WHITE = {"pgd": "PGD", "fgsm": "FGSM", "mim": "MI-FGSM (momentum)"}
BLACK = {"square": "Square", "search": "Random search", "noise": "Random noise"}
ADAPTIVE = {
    "smoothed": "Smoothed gradient",
    "neighbours": "Mean gradient of neighbours",
    "straight": "Straight-through",
    "soft": "Soft top-k",
}
LOSSES = ("cross-entropy", "margin", "dlr")
NORMS = {"linf": "L∞", "l2": "L2"}
RULES = ("absolute", "relative")
# Of the data box's side: the largest ε, ε and the step at first, and foolbox's relative step, which is one of ε.
MOST_EPS, FIRST_EPS, FIRST_STEP, SLIP = 0.5, 0.1, 0.01, 0.003
MOST_STEPS, MOST_QUERIES = 200, 10_000
# ε and steps are written with so many digits.
DIGITS = 4
MOMENTUM = 1.0
NEIGHBOURS = 100

Attack = Pgd | Adaptive | Square | RandomSearch | Noise


@dataclass(frozen=True)
class Target:
    """A network as far as it is trained, with γ of its own (None: ReLU; the weights stay), and an input's name."""

    which: Which
    frames: int
    gamma: float | None
    image: str
    kind: Literal["target"] = "target"


@dataclass(frozen=True)
class Attempt:
    """One attack on one input."""

    target: Target
    threat: Threat
    attack: Attack
    seed: int
    kind: Literal["attempt"] = "attempt"


def eps_reader(known: Data) -> Callable[[str], float]:
    """A reader of radii in the units of the data."""
    return _number("ε", 1e-4 * side(known), MOST_EPS * side(known))


def step_reader(known: Data) -> Callable[[str], float]:
    """A reader of step sizes, in the units of the data or as shares of ε."""
    return _number("the step size", 1e-6, max(1.0, side(known)))


def first_eps(known: Data) -> float:
    """The radius at first, as its reader reads it."""
    return eps_reader(known)(str(FIRST_EPS * side(known)))


def first_step(known: Data) -> float:
    """The step size at first, as its reader reads it."""
    return step_reader(known)(str(FIRST_STEP * side(known)))


def side(known: Data) -> float:
    """The side of the data box."""
    return known.box[1] - known.box[0]


def _number(name: str, low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"{name} must be a number from {low:g} to {high:g} here, got {short(text)}")
        return float(f"{value:.{DIGITS}g}")

    return read


def losses(known: Data) -> tuple[str, ...]:
    """The losses that these data allow: DLR needs a third class."""
    return LOSSES if known.n_classes > 2 else LOSSES[:2]


def threat(name: str, values: dict) -> Threat:
    """The ball of the controls in the box of the data of this name."""
    low, high = data.data(name).box
    return Threat(values["eps"], values["ball"], float(low), float(high))


def attacks(name: str, values: dict) -> dict[str, Attack]:
    """The attack of each column."""
    return {"white": white(values), "black": black(values), "adaptive": adaptive(name, values)}


def attempts(aim: Target, values: dict) -> dict[str, Attempt]:
    """The three attacks of the controls on one input."""
    name = aim.which.recipe.data
    ball = threat(name, values)
    return {column: Attempt(aim, ball, attack, values["aseed"]) for column, attack in attacks(name, values).items()}


def white(values: dict) -> Pgd:
    """Steps along the exact gradient; each ends as soon as it fools the network."""
    size = values["stride"]
    step = Relative(size) if values["rule"] == "relative" else size
    match values["white"]:
        case "fgsm":
            return Pgd(Relative(1.0), 1, "clean", values["loss"])
        case "mim":
            return Pgd(step, values["steps"], "clean", values["loss"], momentum=MOMENTUM, until_success=True)
    return Pgd(step, values["steps"], values["begin"], values["loss"], until_success=True)


def black(values: dict) -> Square | RandomSearch | Noise:
    """Queries alone."""
    kinds = {"square": Square, "search": RandomSearch, "noise": Noise}
    return kinds[values["black"]](values["queries"])


def adaptive(name: str, values: dict) -> Adaptive | Pgd:
    """The margin, climbed along averages or surrogates of its gradient."""
    sigma, step = width(name, values), STEP / EPS * values["eps"]
    if values["adaptive"] == "smoothed":
        return Adaptive(sigma, step, QUICK)
    gradients = {"neighbours": Neighbours(sigma, NEIGHBOURS), "straight": StraightThrough(), "soft": SoftTopK()}
    steps = sum(n for n, _ in QUICK)
    return Pgd(step, steps, "clean", "margin", gradients[values["adaptive"]], keep="best", until_success=True)


def width(name: str, values: dict) -> float:
    """σ of the adaptive attack, per entry: in the original's proportion to ε in L∞, to ε/√d in L2."""
    room = 1 if values["ball"] == "linf" else sqrt(prod(data.outline(name).shape))
    return SIGMA / EPS * values["eps"] / room


def name(spec: Any) -> str:
    """A name for a spec, the same in every session."""
    return sha256(repr(spec).encode()).hexdigest()[:16]


def spent(attack: Attack) -> str:
    """The attack's budget in words."""
    match attack:
        case Adaptive(schedule=schedule):
            return f"{sum(n for n, _ in schedule)} steps"
        case Pgd(steps=steps):
            return f"{steps} step{'s' * (steps > 1)}"
        case Noise(samples=samples):
            return f"{samples:,} queries"
        case Square(queries=queries) | RandomSearch(queries=queries):
            return f"{queries:,} queries"
