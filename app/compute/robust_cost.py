"""How long a judgement takes, roughly: a model of its passes, and what they have cost here so far.

The model counts seconds of one idle core of a laptop: so much for each call of the network, so much for each of its
multiplications. How much slower this machine is, it learns from every judgement.
"""

from math import prod
from threading import Lock

from app.compute import data
from app.compute.robust_plan import Asked, Question
from app.compute.runs import Recipe
from kwta.attacks.adaptive import Adaptive
from kwta.attacks.ensembles import Spec
from kwta.attacks.estimators import Neighbours
from kwta.attacks.gradient import Pgd
from kwta.attacks.hop_skip_jump import HopSkipJump
from kwta.attacks.noise import Noise
from kwta.attacks.square import Square
from kwta.attacks.transfer import Transfer
from kwta.networks import MLP
from kwta.networks import Spec as Net
from kwta.training import steps_per_epoch

# Seconds of a call of a small network with what is around it, and of a multiplication in a large one.
CALL, MULTIPLY = 5e-4, 2e-10
# The diagnosis runs PGD with eleven restarts and at five radii.
DIAGNOSIS = Pgd(step=1.0, steps=40, restarts=16)
# Images attacked at once: a pause waits for no more than these.
BATCH = 50


def training(recipe: Recipe) -> float:
    """Seconds that the training of a network takes."""
    plan, n = recipe.training, len(data.data(recipe.data).x_train)
    passes = 3 * (1 + (plan.adversarial.steps if plan.adversarial else 0))
    return plan.epochs * passes * (steps_per_epoch(n, plan.batch) * CALL + n * multiplications(recipe.net) * MULTIPLY)


def attack(spec: Spec, asked: Asked) -> float:
    """Seconds that an attack takes if every image resists it to the end."""
    calls, queries = _passes(spec)
    per_image = queries * multiplications(asked.recipe.net) * MULTIPLY
    return -(-asked.n // BATCH) * calls * CALL + asked.n * per_image


def diagnosis(asked: Asked) -> float:
    """Seconds that the verdict on masking takes."""
    return attack(DIAGNOSIS, asked) if asked.is_judged else 0.0


def attacking(asked: Asked) -> float:
    """Seconds for a column, without the training."""
    return sum(attack(spec, asked) for spec in asked.attacks) + diagnosis(asked)


def whole(asked: Question) -> float:
    """Seconds for everything, every network trained once."""
    recipes = {recipe for part in asked.parts for recipe in (part.twin, part.recipe)}
    return sum(map(training, recipes)) + sum(map(attacking, asked.parts))


def multiplications(net: Net) -> int:
    """Of one forward pass; of a CNN roughly."""
    if isinstance(net, MLP):
        return net.n_parameters
    area = prod(net.input_shape[-2:])
    return net.n_parameters + 9 * area * sum(net.channels) * max(net.channels) // 4  # type: ignore[union-attr]


def _passes(spec: Spec) -> tuple[int, int]:
    """Calls of the network on a batch, and forward passes for each image; a backward pass counts twice."""
    match spec:
        case Pgd():
            samples = spec.gradient.samples if isinstance(spec.gradient, Neighbours) else 1
            return 3 * spec.steps * spec.restarts, 3 * spec.steps * spec.restarts * samples
        case Transfer():
            return _passes(spec.attack)
        case Square():
            return spec.queries, spec.queries
        case HopSkipJump():
            return 40 * spec.steps, spec.steps * spec.samples
        case Adaptive():
            queries = sum(steps * samples for steps, samples in spec.schedule)
            return sum(steps for steps, _ in spec.schedule) + queries // 50, queries
        case Noise():
            return spec.samples, spec.samples
        case _:
            return 1000, 1000


class Pace:
    """How many times longer than in the model things have taken in this process."""

    def __init__(self, first: float = 2.0, weight: float = 5.0) -> None:
        self._expected, self._taken = weight, first * weight
        self._lock = Lock()

    @property
    def ratio(self) -> float:
        return self._taken / self._expected

    def learn(self, expected: float, taken: float) -> None:
        """A piece of work is done. What came earlier counts less and less."""
        with self._lock:
            keep = 0.9 if expected > 1 else 1.0
            self._expected, self._taken = keep * self._expected + expected, keep * self._taken + taken


PACE = Pace()


def in_words(seconds: float) -> str:
    """A duration that is not known better than to a digit or so.

    >>> in_words(0.3), in_words(33.0), in_words(400.0), in_words(9000.0)
    ('a second', '35 seconds', '7 minutes', '2.5 hours')
    """
    if seconds < 1.5:
        return "a second"
    if seconds < 90:
        return f"{seconds:.0f} seconds" if seconds < 10 else f"{5 * round(seconds / 5)} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
