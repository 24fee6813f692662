"""An attack step by step: where it stands, what the network says there, and what it crosses on the way.

`steps` is a generator over the same loop that attacks run in, so that a picture can follow it live and a pause costs
nothing; `traced` gathers it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from numpy import ndarray
from torch import Generator, Tensor, nn

from kwta.attacks.adaptive import Adaptive
from kwta.attacks.borders import Crossings
from kwta.attacks.gradient import Iterate, Pgd, climb
from kwta.attacks.losses import margin
from kwta.patterns import Patterns, hamming, patterns
from kwta.patterns.winners import evaluating
from kwta.threats import Threat


@dataclass(frozen=True, eq=False)
class Step:
    """The attack at one place, after `index` steps; rows are inputs, numbers are NumPy's.

    loss: what the attack climbs. margin: max_{j ≠ y} z_j − z_y, positive where the network errs.
    gradient_norm: ‖g‖₂ of the gradient it follows from here; NaN at the end and where the input has stopped.
    turn: the angle to the gradient before it, in degrees; NaN where there are not two.
    changes: how many units won or lost since the place before, per hidden layer. borders: how many borders of linear
    regions the straight way from there crossed; None where the network cannot be followed exactly or nobody asked.
    queries: forward passes spent on each input so far.
    """

    index: int
    x: Float[ndarray, "batch *shape"]
    logits: Float[ndarray, "batch classes"]
    loss: Float[ndarray, "batch"]
    margin: Float[ndarray, "batch"]
    prediction: Int64[ndarray, "batch"]
    gradient_norm: Float64[ndarray, "batch"]
    turn: Float64[ndarray, "batch"]
    changes: Int64[ndarray, "batch layers"]
    borders: Int64[ndarray, "batch"] | None
    queries: Int64[ndarray, "batch"]


@dataclass(frozen=True, eq=False)
class Trace:
    """All steps of one climb: the fields of `Step` with the steps as first axis, the start included.

    fooled: where the prediction is not the label. refusal: why borders are not counted, "" where they are.
    """

    spec: Pgd | Adaptive
    threat: Threat
    labels: Int64[ndarray, "batch"]
    x: Float[ndarray, "steps batch *shape"]
    logits: Float[ndarray, "steps batch classes"]
    loss: Float[ndarray, "steps batch"]
    margin: Float[ndarray, "steps batch"]
    prediction: Int64[ndarray, "steps batch"]
    gradient_norm: Float64[ndarray, "steps batch"]
    turn: Float64[ndarray, "steps batch"]
    changes: Int64[ndarray, "steps batch layers"]
    borders: Int64[ndarray, "steps batch"] | None
    queries: Int64[ndarray, "steps batch"]
    refusal: str

    @property
    def fooled(self) -> Bool[ndarray, "steps batch"]:
        return self.prediction != self.labels

    def __len__(self) -> int:
        """The number of places: one more than the steps made."""
        return len(self.x)


def steps(
    spec: Pgd | Adaptive,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
    start: Float[Tensor, "batch *shape"] | None = None,
    crossings: Crossings | None = None,
) -> Iterator[Step]:
    """The places of the attack's first climb, each computed when it is asked for.

    With the same generator it goes where `propose` goes. crossings: counts borders; None for no count. A network that
    is in training is copied, so that it may go on. Raises ValueError where x leaves the data box.
    """
    threat.check(x)
    arguments = spec if isinstance(spec, Pgd) else spec.climb
    net = evaluating(net)
    before: _Place | None = None
    for iterate in climb(arguments, net, x, labels, threat, generator, start):
        place = _Place(iterate, patterns(net, iterate.x))
        yield _step(place, before, labels, arguments, crossings)
        before = place


def traced(
    spec: Pgd | Adaptive,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
    start: Float[Tensor, "batch *shape"] | None = None,
    borders: bool = True,
) -> Trace:
    """All places of the attack's first climb. borders: whether to count them, where the network allows it."""
    crossings = Crossings(net, tuple(x.shape[1:])) if borders else None
    refusal = "nobody asked" if crossings is None else crossings.refusal
    places = list(steps(spec, net, x, labels, threat, generator, start, None if refusal else crossings))
    return gathered(places, spec, threat, labels, refusal)


def gathered(
    places: Iterable[Step], spec: Pgd | Adaptive, threat: Threat, labels: Int64[Tensor, "batch"], refusal: str = ""
) -> Trace:
    """Steps as one trace; refusal: why they have no borders, if so."""
    places = list(places)
    names = [field.name for field in fields(Step) if field.name not in ("index", "borders")]
    arrays = {name: np.stack([getattr(place, name) for place in places]) for name in names}
    counted = [place.borders for place in places if place.borders is not None]
    borders = np.stack(counted) if len(counted) == len(places) else None
    return Trace(spec, threat, labels.cpu().numpy(), borders=borders, refusal=refusal, **arrays)


@dataclass(frozen=True, eq=False)
class _Place:
    iterate: Iterate
    patterns: Patterns

    @property
    def gradient(self) -> Float64[ndarray, "batch d"]:
        return self.iterate.seen.gradient[:, None].flatten(start_dim=1).cpu().double().numpy()


def _step(place: _Place, before: _Place | None, labels: Tensor, spec: Pgd, crossings: Crossings | None) -> Step:
    iterate, seen = place.iterate, place.iterate.seen
    x = iterate.x.cpu().numpy()
    prediction = seen.logits.argmax(dim=1)
    stopped = (spec.until_success & (prediction != labels) | (iterate.index == spec.steps)).cpu().numpy()
    return Step(
        index=iterate.index,
        x=x,
        logits=seen.logits.cpu().numpy(),
        loss=seen.loss.cpu().numpy(),
        margin=margin(seen.logits, labels).cpu().numpy(),
        prediction=prediction.cpu().numpy(),
        gradient_norm=np.where(stopped, np.nan, np.linalg.norm(place.gradient, axis=1)),
        turn=np.full(len(x), np.nan) if before is None else _angle(place.gradient, before.gradient),
        changes=_changes(place.patterns, place.patterns if before is None else before.patterns),
        borders=None if crossings is None else _borders(crossings, x, before),
        queries=seen.queries.cpu().numpy(),
    )


def _borders(crossings: Crossings, x: ndarray, before: _Place | None) -> Int64[ndarray, "batch"]:
    return np.zeros(len(x), np.int64) if before is None else crossings.between(before.iterate.x.cpu().numpy(), x)


def _changes(now: Patterns, before: Patterns) -> Int64[ndarray, "batch layers"]:
    return np.stack([hamming(a, b) for a, b in zip(now, before, strict=True)], axis=1).astype(np.int64)


def _angle(a: Float64[ndarray, "batch d"], b: Float64[ndarray, "batch d"]) -> Float64[ndarray, "batch"]:
    """Degrees between rows; NaN where one is zero."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = np.divide((a * b).sum(axis=1), lengths, out=np.full(len(a), np.nan), where=lengths > 0)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))
