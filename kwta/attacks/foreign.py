"""Attacks as the field runs them: DeepFool, Carlini-Wagner and HopSkipJump from foolbox.

Rauber, Brendel, Bethge, "Foolbox", 2017; Rauber et al., JOSS 5 (2020). All three look for the nearest input that is
classified otherwise. What they find farther away than ε is brought back to the ball, and then judged like any other.

foolbox is kept at a distance. It gets a frozen copy of the network, for it differentiates with `backward`, which would
leave gradients in the weights that other threads read. It works in [0, 1], for HopSkipJump clips to that whatever the
data box is. And what it draws from PyTorch's global generator is drawn from ours instead, in this thread alone. It is
imported when an attack runs: it takes seconds.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, Literal

import torch
from jaxtyping import Float, Int64
from torch import Generator, Tensor, nn
from torch.overrides import TorchFunctionMode

from kwta.attacks.proposal import Proposal
from kwta.patterns.winners import evaluating
from kwta.threats import Norm, Threat

MOST_ENTRIES = 2**24  # of the random directions that HopSkipJump holds at once: 64 MB
TINY = 1e-12  # keeps divisions finite
NEIGHBOURS = 20  # inputs of other classes that it tries to start from, before it draws noise
NOISES = 100  # and how often it draws that


@dataclass(frozen=True)
class DeepFool:
    """DeepFool (Moosavi-Dezfooli, Fawzi, Frossard, CVPR 2016): steps to the nearest border of the linearised network.

    L∞ or L2 as the threat says. candidates: classes that it considers at each step.
    """

    steps: int = 50
    candidates: int = 10
    kind: Literal["deepfool"] = "deepfool"

    def __post_init__(self) -> None:
        _at_least("steps", self.steps, 1)
        _at_least("candidates", self.candidates, 2)

    @property
    def name(self) -> str:
        """Without its settings."""
        return "deepfool"


@dataclass(frozen=True)
class CarliniWagner:
    """Carlini and Wagner's L2 attack (S&P 2017): Adam on ‖δ‖₂² + c · margin, c found by bisection.

    It minimises the L2 norm, also where the threat is L∞; there it is a weak attack, which the field reports still.
    """

    steps: int = 100
    bisections: int = 6
    rate: float = 0.05
    kind: Literal["carlini-wagner"] = "carlini-wagner"

    def __post_init__(self) -> None:
        _at_least("steps", self.steps, 1)
        _at_least("bisections", self.bisections, 1)
        if not self.rate > 0:
            raise ValueError(f"rate must be positive, got {self.rate}")

    @property
    def name(self) -> str:
        """Without its settings."""
        return "carlini_wagner"


@dataclass(frozen=True)
class HopSkipJump:
    """HopSkipJump (Chen, Jordan, Wainwright, S&P 2020): walks along the border of a class, from decisions alone.

    L∞ or L2 as the threat says. samples: decisions for its first estimate of the border's normal, in step i √i times as
    many. It starts at the nearest other inputs of the batch that are predicted as another class, or else at noise.
    """

    steps: int = 10
    samples: int = 100
    kind: Literal["hopskipjump"] = "hopskipjump"

    def __post_init__(self) -> None:
        _at_least("steps", self.steps, 1)
        _at_least("samples", self.samples, 1)

    @property
    def name(self) -> str:
        """Without its settings."""
        return "hopskipjump"


Foreign = DeepFool | CarliniWagner | HopSkipJump


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def foreign(
    spec: Foreign,
    net: nn.Module,
    x: Float[Tensor, "batch *shape"],
    labels: Int64[Tensor, "batch"],
    threat: Threat,
    generator: Generator,
) -> Proposal:
    """What foolbox's attack finds, brought back to ball and box, for each of x."""
    seen = _Seen(net, threat)
    unit = seen.to_unit(x)
    with _drawing_from(generator):
        match spec:
            case HopSkipJump():
                found, queries = _hop_skip_jump(spec, seen, unit, labels, threat)
            case _:
                found = _run(_white_box(spec, threat), seen, unit, labels)
                queries = torch.full((len(x),), seen.calls)
    # Where foolbox has found nothing or nothing new, rounding to [0, 1] and back must not count as a change.
    moved = (found != unit).reshape(len(x), -1).any(dim=1) & torch.isfinite(found).reshape(len(x), -1).all(dim=1)
    proposed = torch.where(moved.reshape(-1, *[1] * (x.ndim - 1)), seen.from_unit(found), x)
    return Proposal(threat.project(proposed, x), queries, torch.full_like(queries, seen.backwards))


class _Seen(nn.Module):
    """A frozen copy of the network on inputs that fill [0, 1]; its passes are counted."""

    def __init__(self, net: nn.Module, threat: Threat) -> None:
        super().__init__()
        self.net = deepcopy(evaluating(net)).requires_grad_(False)
        self.low, self.width = threat.low, threat.high - threat.low
        self.calls = self.backwards = 0
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.backwards += x.requires_grad
        return self.net(self.from_unit(x))

    def to_unit(self, x: Tensor) -> Tensor:
        return ((x - self.low) / self.width).clamp(0, 1)

    def from_unit(self, x: Tensor) -> Tensor:
        return self.low + self.width * x


class _Drawn(TorchFunctionMode):
    """torch.rand and torch.randn without a generator draw from this one; only in the thread that has entered."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: Sequence = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func not in (torch.rand, torch.randn) or options.get("generator") is not None:
            return func(*args, **options)
        device = options.pop("device", None)
        return func(*args, **options, generator=self.generator, device=self.generator.device).to(device)


@contextmanager
def _drawing_from(generator: Generator) -> Iterator[None]:
    """foolbox, imported, with its draws from the generator."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # foolbox's model zoo, unused, refuses to load without git
    import foolbox  # noqa: F401  (here, so that what it draws while it loads comes from elsewhere)

    with _Drawn(generator):
        yield


def _run(attack: Any, seen: _Seen, unit: Tensor, labels: Tensor, **options: Any) -> Tensor:
    """The attack's own loop, without foolbox's judging."""
    import foolbox

    model = foolbox.PyTorchModel(seen, bounds=(0, 1), device=unit.device)
    return attack.run(model, unit, foolbox.Misclassification(labels), **options)


def _white_box(spec: DeepFool | CarliniWagner, threat: Threat) -> Any:
    from foolbox import attacks

    match spec:
        case DeepFool():
            kind = attacks.LinfDeepFoolAttack if threat.norm == "linf" else attacks.L2DeepFoolAttack
            return kind(steps=spec.steps, candidates=spec.candidates)
        case CarliniWagner():
            return attacks.L2CarliniWagnerAttack(spec.bisections, spec.steps, spec.rate)


def _hop_skip_jump(
    spec: HopSkipJump, seen: _Seen, unit: Tensor, labels: Tensor, threat: Threat
) -> tuple[Tensor, Int64[Tensor, "batch"]]:
    """Inputs on the border, and the queries of each input; an input without a start stays as it is."""
    starts, queries = _starts(seen, unit, labels)
    attack = _walker(spec, threat.norm)
    found = unit.clone()
    started = (~torch.isnan(starts).reshape(len(unit), -1).any(dim=1)).nonzero()[:, 0]
    held = ceil(spec.samples * sqrt(spec.steps)) * max(1, unit[0].numel())
    for rows in started.split(max(1, MOST_ENTRIES // held)):
        before = seen.calls
        found[rows] = _run(attack, seen, unit[rows], labels[rows], starting_points=starts[rows])
        queries[rows] += seen.calls - before
    return found, queries


def _walker(spec: HopSkipJump, norm: Norm) -> Any:
    """foolbox's HopSkipJump with the estimate of its paper, image by image.

    foolbox 3.3.4 gives the random directions and their mean unit length over the whole batch. In a batch of B each is
    then √B too short: the L2 attack hardly moves, and differences drown in the rounding of float32.
    """
    import eagerpy
    from foolbox.attacks import HopSkipJumpAttack

    class Walker(HopSkipJumpAttack):
        def approximate_gradients(self, is_adversarial: Any, x_advs: Any, steps: int, delta: Any) -> Any:
            def signs(x: Tensor) -> Tensor:
                return 2 * is_adversarial(eagerpy.astensor(x)).raw.float() - 1

            return eagerpy.astensor(_normal(signs, x_advs.raw, steps, delta.raw, norm))

    return Walker(steps=spec.steps, initial_gradient_eval_steps=spec.samples, constraint=norm)


def _normal(
    signs: Callable[[Tensor], Tensor], x: Float[Tensor, "batch *shape"], samples: int, delta: Tensor, norm: Norm
) -> Float[Tensor, "batch *shape"]:
    """Σ (φ(x + δu) − φ̄) u, of unit length: the direction into the other class (HopSkipJump, equations 9 and 16)."""
    size = (samples, *x.shape)
    directions = torch.randn(size, device=x.device) if norm == "l2" else 2 * torch.rand(size, device=x.device) - 1
    reach = delta.reshape(-1, *[1] * (x.ndim - 1)).clamp(min=TINY)
    asked = (x + reach * _unit(directions, 2)).clamp(0, 1)
    directions = (asked - x) / reach
    found = torch.stack([signs(x) for x in asked])
    centred = torch.where(found.mean(dim=0).abs() == 1, found, found - found.mean(dim=0))
    return _unit((centred.reshape(*centred.shape, *[1] * (x.ndim - 1)) * directions).mean(dim=0), 1)


def _unit(directions: Tensor, n_leading: int) -> Tensor:
    """Each direction with unit length; the first dimensions number them."""
    length = directions.flatten(n_leading).norm(dim=-1)
    return directions / length.reshape(*length.shape, *[1] * (directions.ndim - n_leading)).clamp(min=TINY)


@torch.no_grad()
def _starts(seen: _Seen, unit: Tensor, labels: Tensor) -> tuple[Tensor, Int64[Tensor, "batch"]]:
    """An input that is predicted as another class for each, NaN where none was met; and the queries it took."""
    starts, queries = torch.full_like(unit, torch.nan), torch.zeros(len(unit), dtype=torch.int64)
    rows = torch.arange(len(unit), device=unit.device)
    for asked in _tries(unit, labels):
        if not len(rows):
            break
        candidates = asked(rows)
        queries[rows] += 1
        fooled = seen(candidates).argmax(dim=1) != labels[rows]
        starts[rows[fooled]] = candidates[fooled]
        rows = rows[~fooled]
    return starts, queries


def _tries(unit: Tensor, labels: Tensor) -> Iterator[Callable[[Tensor], Tensor]]:
    """What to try in turn: the nearest inputs of other classes, then noise that fills the box."""
    flat = unit.reshape(len(unit), -1)
    distances = torch.cdist(flat, flat).masked_fill(labels[:, None] == labels, torch.inf)
    values, order = distances.topk(min(NEIGHBOURS, len(unit)), largest=False)
    n_others = int(torch.isfinite(values).all(dim=0).sum())
    for place in range(n_others):
        yield lambda rows, place=place: unit[order[rows, place]]
    for _ in range(NOISES):
        yield lambda rows: torch.rand(unit[rows].shape, dtype=unit.dtype, device=unit.device)
